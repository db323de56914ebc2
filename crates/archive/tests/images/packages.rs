//! Packages of every ecosystem in one image: what is found, and what is said not to be.

use std::io::Write as _;

use palisade_image::{Catalogue, Evidence};

use crate::elf_writer::{ADDRESS, START, elf};
use crate::layout::{layout_of, node, read_only};
use crate::tar_writer::Tar;
use crate::zip_writer::{Method, zip};

/// `name version` of each package, with its owner.
fn rows(catalogue: &Catalogue) -> Vec<String> {
    let owner = |owner: &Option<String>| owner.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
    catalogue.packages.iter().map(|it| format!("{} {}{}", it.name, it.version, owner(&it.owned_by))).collect()
}

#[test]
fn a_package_whose_files_are_the_distributions_is_told_once() {
    let metadata = b"Name: requests\nVersion: 2.28.1\n\n";
    let lower = Tar::default()
        .file("etc/os-release", b"ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", b"Package: python3-requests\nStatus: install ok installed\nVersion: 2.28.1+dfsg-1\n")
        .file(
            "var/lib/dpkg/info/python3-requests.list",
            b"/.\n/usr/lib/python3/dist-packages/requests-2.28.1.egg-info/PKG-INFO\n/usr/lib/python3/dist-packages/old-1.egg-info/PKG-INFO\n",
        )
        .file("usr/lib/python3/dist-packages/requests-2.28.1.egg-info/PKG-INFO", metadata)
        .file("usr/local/lib/python3.11/site-packages/requests-2.31.0.dist-info/METADATA", b"Name: requests\nVersion: 2.31.0\n");
    // Written over in a layer above: no longer what the distribution put there.
    let upper =
        Tar::default().file("usr/lib/python3/dist-packages/old-1.egg-info/PKG-INFO", b"Name: old\nVersion: 2\n");
    let catalogue = read_only(&layout_of(&[lower.end(), upper.end()]));
    assert_eq!(
        rows(&catalogue),
        ["python3-requests 2.28.1+dfsg-1", "old 2", "requests 2.28.1 of python3-requests", "requests 2.31.0"]
    );
    let listed: Vec<&str> = palisade_image::sbom::listed(&catalogue).map(|it| it.purl.as_str()).collect();
    assert_eq!(
        listed,
        [
            "pkg:deb/debian/python3-requests@2.28.1%2Bdfsg-1?distro=debian-12",
            "pkg:pypi/old@2",
            "pkg:pypi/requests@2.31.0"
        ]
    );
}

#[test]
fn archives_of_java_are_named_by_coordinates_manifest_or_name() {
    let pom = |artifact: &str| format!("groupId=org.example\nartifactId={artifact}\nversion=1.0\n").into_bytes();
    let (own, shaded) = (pom("lib"), pom("shaded"));
    let members: &[(&str, &[u8])] = &[
        ("META-INF/maven/org.example/lib/pom.properties", &own),
        ("META-INF/maven/org.example/shaded/pom.properties", &shaded),
        ("x.class", b""),
    ];
    let spring = zip(
        &[
            ("META-INF/MANIFEST.MF", b"Implementation-Title: spring-beans\nImplementation-Version: 5.3.17\n"),
            ("org/springframework/beans/A.class", b""),
            ("org/springframework/beans/factory/B.class", b""),
        ],
        Method::Deflated,
    );
    let unnamed = zip(&[("a/B.class", b"")], Method::Deflated);
    let war: &[(&str, &[u8])] =
        &[("WEB-INF/lib/spring-beans-5.3.17.jar", &spring), ("WEB-INF/lib/broken-1.0.jar", b"PK")];
    let layer = Tar::default()
        .file("app/lib-1.0.jar", &zip(members, Method::Deflated))
        .file("app/a.war", &zip(war, Method::Stored))
        .file("app/unnamed.jar", &unnamed);
    let catalogue = read_only(&layout_of(&[layer.end()]));
    assert_eq!(
        rows(&catalogue),
        ["org.example:lib 1.0", "org.example:shaded 1.0", "org.springframework:spring-beans 5.3.17"]
    );
    let spring = &catalogue.packages[2];
    assert_eq!(spring.path, "/app/a.war!/WEB-INF/lib/spring-beans-5.3.17.jar");
    assert_eq!(
        (spring.evidence, &*spring.purl),
        (Evidence::ArchiveManifest, "pkg:maven/org.springframework/spring-beans@5.3.17")
    );
    assert!(spring.possible_names.contains(&"org.springframework.beans:spring-beans".to_owned()));
    let unknown: Vec<String> = catalogue.unidentified.iter().map(|it| format!("{} {:?}", it.path, it.why)).collect();
    assert_eq!(
        unknown,
        ["/app/a.war!/WEB-INF/lib/broken-1.0.jar Unreadable", "/app/unnamed.jar ArchiveWithoutCoordinates"]
    );
}

#[test]
fn packages_of_python_in_one_piece_are_read() {
    let egg =
        zip(&[("EGG-INFO/PKG-INFO", b"Name: requests\nVersion: 2.19.0\n"), ("requests/a.py", b"")], Method::Deflated);
    let wheel = zip(
        &[("x/METADATA", b""), ("Jinja2-2.11.2.dist-info/METADATA", b"Name: Jinja2\nVersion: 2.11.2\n")],
        Method::Stored,
    );
    let layer = Tar::default()
        .file("usr/lib/python3/site-packages/requests-2.19.0-py3.9.egg", &egg)
        .file("usr/lib/python3.9/ensurepip/_bundled/jinja2-2.11.2-py2.py3-none-any.whl", &wheel)
        .file("opt/torn.whl", &wheel[..30]);
    let catalogue = read_only(&layout_of(&[layer.end()]));
    assert_eq!(rows(&catalogue), ["Jinja2 2.11.2", "requests 2.19.0"]);
    assert_eq!((catalogue.unidentified.len(), &*catalogue.unidentified[0].path), (1, "/opt/torn.whl"));
}

#[test]
fn programs_that_nobody_answers_for_are_listed() {
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(64, 0);
    program[16] = 2;
    let layer = Tar::default()
        .file("var/lib/dpkg/status.d/owned.md5sums", b"0  usr/bin/owned\n")
        .file("usr/bin/owned", &program)
        .file("usr/bin/stray", &program)
        .file("app/node_modules/a/package.json", &node("a", "1.0.0").1)
        .file("app/node_modules/a/build/a.node", &program)
        .file("usr/lib/python3/x-1.dist-info/METADATA", b"Name: x\nVersion: 1\n")
        .file("usr/lib/python3/x-1.dist-info/RECORD", b"x/_x.so,sha256=0,9\n../../bin/x,,\n")
        .file("usr/lib/python3/x/_x.so", &program)
        .file("var/lib/rpm/Packages", b"bdb");
    let catalogue = read_only(&layout_of(&[layer.end()]));
    let unknown: Vec<String> = catalogue.unidentified.iter().map(|it| format!("{} {:?}", it.path, it.why)).collect();
    assert_eq!(unknown, ["/usr/bin/stray ProgramWithoutBuildInfo", "/var/lib/rpm/Packages UnknownDatabase"]);
}

#[test]
fn the_crates_of_a_rust_program_are_those_that_it_was_built_of() {
    let list = br#"{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true},
        {"name":"serde","version":"1.0.1","source":"crates.io"},
        {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]}"#;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(list).expect("memory can be written");
    let packed = encoder.finish().expect("memory can be written");
    let layer = Tar::default()
        .file("usr/bin/app", &elf(&[(".dep-v0", &packed)]))
        .file("usr/bin/bare", &elf(&[(".comment", b"rustc version 1.90.0\0")]))
        .file("usr/bin/broken", &elf(&[(".dep-v0", &packed[..9]), (".comment", b"rustc version 1.90.0\0")]));
    let catalogue = read_only(&layout_of(&[layer.end()]));
    assert_eq!(rows(&catalogue), ["app 0.1.0", "serde 1.0.1"]);
    let unknown: Vec<String> = catalogue.unidentified.iter().map(|it| format!("{} {:?}", it.path, it.why)).collect();
    assert_eq!(unknown, ["/usr/bin/bare RustWithoutDependencies", "/usr/bin/broken RustWithoutDependencies"]);
}

/// Build information as Go wrote it from 1.13 to 1.17: pointers to the headers of two texts.
fn old_build_info(version: &str, modules: &str) -> Vec<u8> {
    let modules = [&[b'<'; 16][..], modules.as_bytes(), &[b'>'; 16][..]].concat();
    let texts = START + 32 + 32;
    let mut bytes = b"\xff Go buildinf:\x08\x00".to_vec();
    for word in
        [START + 32, START + 48, texts, version.len() as u64, texts + version.len() as u64, modules.len() as u64]
            .iter()
            .enumerate()
            .map(|(index, word)| if matches!(index, 3 | 5) { *word } else { *word + ADDRESS })
    {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(version.as_bytes());
    bytes.extend(modules);
    bytes
}

#[test]
fn the_modules_of_an_old_go_program_with_what_replaces_them() {
    let modules = "path\texample.test/app\nmod\texample.test/app\tv1.0.0\t\ndep\tgolang.org/x/Text\tv0.3.0\th1:x\n\
                   dep\ta.test/b\tv1.0.0\n=>\t./local\t\n";
    let layer = Tar::default()
        .file("old", &elf(&[(".go.buildinfo", &old_build_info("go1.16.5", modules))]))
        .file("bare", &elf(&[(".gopclntab", b"x")]));
    let catalogue = read_only(&layout_of(&[layer.end()]));
    assert_eq!(
        rows(&catalogue),
        ["a.test/b (devel)", "example.test/app v1.0.0", "golang.org/x/Text v0.3.0", "stdlib 1.16.5"]
    );
    assert_eq!(catalogue.packages[2].purl, "pkg:golang/golang.org/x/text@v0.3.0");
    assert_eq!((catalogue.unidentified.len(), &*catalogue.unidentified[0].path), (1, "/bare"));
}
