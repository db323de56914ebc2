//! Every parser of foreign bytes, given real files with bytes changed and ends cut off: nothing panics or hangs.

use std::collections::BTreeMap;

use palisade_archive::{Place, Request};
use palisade_image::{
    Collector, Entry, EntryKind, Functions, ImageConfig, Layer, LayerReader, LayerRef, LockFiles, Options, Want,
};

use crate::shared::image;
use crate::zip_writer::{Method, zip};

/// Keeps the whole files of an image.
#[derive(Default)]
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    current: String,
}

impl LayerReader for Files {
    fn begin_layer(&mut self, _: &Layer) {}

    fn end_layer(&mut self, _: u64, _: u64) {}

    fn entry(&mut self, entry: &Entry<'_>) -> Want {
        entry.path.clone_into(&mut self.current);
        if entry.kind == EntryKind::File { Want::Bytes } else { Want::Nothing }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Want {
        self.files.entry(self.current.clone()).or_default().extend_from_slice(bytes);
        Want::Bytes
    }

    fn end(&mut self, _: bool) {}
}

fn files(name: &str) -> BTreeMap<String, Vec<u8>> {
    let Some(path) = image(name) else { return BTreeMap::new() };
    let mut files = Files::default();
    let place = Place::at(&path).expect("an image");
    palisade_archive::read(&place, &path, &Request::default(), &mut files).expect("an image");
    files.files
}

/// Reads one file as the layer of an image.
fn read_file(path: &str, bytes: &[u8]) -> usize {
    let mut collector = Collector::new(Options { lock_files: LockFiles::Read, functions: Functions::Read });
    let reference = LayerRef { index: 0, diff_id: "".into(), digest: "".into() };
    let layer = Layer {
        reference,
        media_type: String::new(),
        stored_bytes: 0,
        bytes: 0,
        entries: 0,
        whiteouts: 0,
        created_by: None,
    };
    collector.begin_layer(&layer);
    let entry = Entry { path, kind: EntryKind::File, size: bytes.len() as u64, mode: 0o755, user: 0, group: 0 };
    let mut want = collector.entry(&entry);
    for part in bytes.chunks(100_000) {
        if want == Want::Bytes {
            want = collector.bytes(part);
        }
    }
    if want == Want::Bytes {
        collector.end(true);
    }
    collector.finish(ImageConfig::default(), Vec::new()).packages.len()
}

/// Numbers that look like chance and are the same each time.
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    }
}

/// Cuts and changes `bytes` so many times; most changes hit the first bytes, where the headers are.
fn damage(path: &str, bytes: &[u8], times: usize) {
    let mut number = numbers(bytes.len() as u64);
    for round in 0..times {
        let mut damaged = bytes.to_vec();
        for _ in 0..=number(4) {
            let reach = if round % 2 == 0 { bytes.len() } else { bytes.len().min(512) };
            let at = number(reach);
            damaged[at] = match number(3) {
                0 => 0xff,
                1 => 0,
                _ => damaged[at] ^ (1 << number(8)),
            };
        }
        if round % 5 == 0 {
            damaged.truncate(number(bytes.len()));
        }
        read_file(path, &damaged);
    }
}

#[test]
fn databases_of_packages() {
    for (image, path) in [
        ("alma92", "var/lib/rpm/rpmdb.sqlite"),
        ("alpine311", "lib/apk/db/installed"),
        ("distroless", "var/lib/dpkg/status.d/libc6"),
    ] {
        let Some(bytes) = files(image).remove(path) else { continue };
        assert!(read_file(path, &bytes) > 0, "{path} is whole");
        damage(path, &bytes, if path.ends_with("sqlite") { 150 } else { 1000 });
    }
}

#[test]
fn programs() {
    let Some(bytes) = files("distroless").remove("usr/local/bin/app") else { return };
    assert_eq!(read_file("app", &bytes), 6);
    // The head and the part with the build information: the rest is machine code.
    damage("app", &bytes, 12);
    let mut number = numbers(7);
    for _ in 0..400 {
        let mut head = bytes[..20_000].to_vec();
        head[number(1000)] ^= 1 << number(8);
        read_file("app", &head);
    }
}

#[test]
fn archives_of_java() {
    let pom = b"groupId=a.b\nartifactId=c\nversion=1.0\n";
    let inner = zip(&[("META-INF/maven/a.b/c/pom.properties", pom), ("a/b/C.class", b"x")], Method::Deflated);
    let outer = zip(&[("lib/c-1.0.jar", &inner), ("META-INF/MANIFEST.MF", b"Bundle-Version: 1\n")], Method::Stored);
    assert_eq!(read_file("x.war", &outer), 2);
    damage("x.war", &outer, 5000);
}

#[test]
fn metadata_and_lock_files() {
    let metadata: &[(&str, &str)] = &[
        ("a-1.dist-info/METADATA", "Name: a\nVersion: 1\n\n"),
        ("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0","license":{"type":"MIT"}}"#),
        ("specifications/a-1.gemspec", "# stub: a 1.0 ruby lib\n  s.name = \"a\".freeze\n  s.licenses = [\"MIT\"]\n"),
        ("package-lock.json", r#"{"packages":{"node_modules/a":{"version":"1.0.0"}}}"#),
        ("yarn.lock", "\"@s/a@^1\", x@npm:y@^2:\n  version \"1.0.0\"\n"),
        ("pnpm-lock.yaml", "packages:\n\n  /@s/a@1.0.0(b@2.0.0):\n    dev: true\n"),
        ("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1.0\"\n"),
        ("requirements.txt", "a[b]==1.0 ; x # y\nb==2\n"),
        ("Gemfile.lock", "GEM\n  specs:\n    a (1.15.4-x86_64-linux)\n"),
        ("go.mod", "module x\nrequire (\n\ta.b/c v1.0.0\n)\nreplace a.b/c => d v2.0.0\n"),
        (
            "pom.xml",
            "<project><dependencies><dependency><groupId>a</groupId><artifactId>b</artifactId><version>1</version></dependency></dependencies></project>",
        ),
    ];
    for (path, text) in metadata {
        assert!(read_file(path, text.as_bytes()) > 0, "{path} is whole");
        damage(path, text.as_bytes(), 1500);
    }
}
