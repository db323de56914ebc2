//! What upper layers do to lower ones, how layers are stored, and which image of several is read.

use std::fs;
use std::io::Write as _;
use std::str::FromStr as _;

use palisade_archive::Platform;
use serde_json::json;

use crate::layout::{Folder, blob, gzip, image, index, layout, layout_of, node, read, read_only, summary};
use crate::tar_writer::{LongPath, Tar};

fn tar(packages: &[(&str, &str)]) -> Tar {
    packages.iter().fold(Tar::default(), |tar, (name, version)| {
        let (path, body) = node(name, version);
        tar.file(&path, &body)
    })
}

#[test]
fn upper_layers_replace_hide_and_remove() {
    let folder = layout_of(&[
        tar(&[("a", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0"), ("d", "1.0.0")]).end(),
        tar(&[("a", "2.0.0")]).file("app/node_modules/.wh.b", b"").file("app/node_modules/c/.wh..wh..opq", b"").end(),
        Tar::default().link(b'2', "app/node_modules/d", "/elsewhere").end(),
    ]);
    let catalogue = read_only(&folder);
    assert_eq!(summary(&catalogue), "a 2.0.0@1");
    let counts: Vec<_> = catalogue.layers.iter().map(|it| (it.entries, it.whiteouts)).collect();
    assert_eq!(counts, [(4, 0), (3, 2), (1, 0)]);
    assert_eq!((&*catalogue.config.user, &*catalogue.config.architecture), ("1000", "amd64"));
}

#[test]
fn a_hard_link_is_the_file_that_it_names() {
    let (path, body) = node("a", "1.0.0");
    let folder = layout_of(&[
        Tar::default().file(&path, &body).link(b'1', "srv/node_modules/a/package.json", &path).end(),
        Tar::default().link(b'1', &path, &path).end(),
    ]);
    let paths: Vec<String> = read_only(&folder).packages.into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["/app/node_modules/a/package.json", "/srv/node_modules/a/package.json"]);
}

/// As pnpm leaves it: the store has the bytes under names that say nothing.
#[test]
fn a_hard_link_may_have_the_only_name_that_matters() {
    let (path, body) = node("a", "1.0.0");
    let layer = Tar::default()
        .file(".store/ab/cdef", &body)
        .link(b'1', &path, ".store/ab/cdef")
        .link(b'1', "srv/node_modules/a/package.json", ".store/ab/cdef")
        .link(b'1', "srv/node_modules/b/package.json", "nowhere");
    let catalogue = read_only(&layout_of(&[layer.end(), Tar::default().file("srv/.wh.node_modules", b"").end()]));
    assert_eq!(summary(&catalogue), "a 1.0.0@0");
    assert_eq!((&*catalogue.packages[0].path, catalogue.layers[0].entries), ("/app/node_modules/a/package.json", 4));
}

/// What fits into the header of a long path may end with a slash, and is a file all the same.
#[test]
fn a_long_path_that_is_cut_at_a_slash_is_a_file() {
    let path = format!("{}/node_modules/a/package.json", "x".repeat(99));
    for form in [LongPath::Gnu, LongPath::Pax] {
        let (next, body) = node("b", "1.0.0");
        let layer = Tar::default()
            .long_path(&path, form)
            .file(&path, &node("a", "1.0.0").1)
            .long_path("old/", form)
            .header("old", 0, 0)
            .file(&next, &body);
        assert_eq!(summary(&read_only(&layout_of(&[layer.end()]))), "a 1.0.0@0, b 1.0.0@0");
    }
}

#[test]
fn long_paths_are_read_in_both_forms() {
    for form in [LongPath::Gnu, LongPath::Pax] {
        let deep = format!("{}/node_modules/x/package.json", "d".repeat(150));
        let body = node("x", "1.2.3").1;
        let folder = layout_of(&[Tar::default().long_path(&deep, form).file("short", &body).end()]);
        assert_eq!(read_only(&folder).packages[0].path, format!("/{deep}"));
    }
}

#[test]
fn layers_are_plain_gzip_in_members_or_zstd_in_frames() {
    let tar = tar(&[("a", "1.0.0")]).end();
    let members = [gzip(&tar[..700]), gzip(&tar[700..])].concat();
    let zstd = |part: &[u8]| ruzstd::encoding::compress_to_vec(part, ruzstd::encoding::CompressionLevel::Fastest);
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
    let frames = [zstd(&tar[..512]), skipped.clone(), zstd(&tar[512..]), skipped].concat();
    for stored in [tar.clone(), members, frames] {
        let catalogue = read_only(&layout(&[(stored.clone(), tar.clone())]));
        assert_eq!(summary(&catalogue), "a 1.0.0@0");
        assert_eq!(
            (catalogue.layers[0].bytes, catalogue.layers[0].stored_bytes),
            (tar.len() as u64, stored.len() as u64)
        );
    }
}

#[test]
fn the_platform_is_chosen_and_attestations_are_no_images() {
    let folder = Folder::new();
    let of = |version: &str| {
        let tar = tar(&[("a", version)]).end();
        vec![(gzip(&tar), tar)]
    };
    let arm = image(&folder, "arm64", &of("1.0.0-arm"));
    let amd = image(&folder, "amd64", &of("1.0.0-amd"));
    let mut attestation = image(&folder, "unknown", &of("9.9.9"));
    attestation["platform"]["os"] = json!("unknown");
    let list = blob(&folder, json!({"schemaVersion": 2, "manifests": [arm, amd, attestation]}).to_string().as_bytes());
    index(&folder, &[json!({"digest": list, "annotations": {"org.opencontainers.image.ref.name": "v1"}})]);
    let ask = |name, platform: &str| read(&folder.0, name, Some(&Platform::from_str(platform).expect("a platform")));
    assert_eq!(summary(&ask(None, "linux/arm64").expect("an image")), "a 1.0.0-arm@0");
    let amd = ask(Some("v1"), "linux/amd64").expect("an image");
    assert_eq!((summary(&amd).as_str(), amd.config.index_digest.as_deref()), ("a 1.0.0-amd@0", Some(&*list)));
    assert_eq!(
        ask(None, "linux/s390x").expect_err("no such platform").to_string(),
        "no image for linux/s390x; there are: linux/arm64, linux/amd64"
    );
    assert_eq!(ask(Some("v2"), "linux/amd64").expect_err("no such tag").to_string(), "no image `v2`; there are: v1");
}

#[test]
fn archives_of_layouts_and_of_docker_are_images_too() {
    let layer = tar(&[("a", "1.0.0")]).end();
    let source = layout_of(std::slice::from_ref(&layer));
    let mut archive = Tar::default();
    for entry in ["oci-layout", "index.json"] {
        archive = archive.file(entry, &fs::read(source.0.join(entry)).expect("a file of the layout"));
    }
    for entry in fs::read_dir(source.0.join("blobs/sha256")).expect("the blobs").filter_map(Result::ok) {
        let name = format!("blobs/sha256/{}", entry.file_name().to_string_lossy());
        archive = archive.long_path(&name, LongPath::Pax).file("x", &fs::read(entry.path()).expect("a blob"));
    }
    let folder = Folder::new();
    let archive = archive.end();
    folder.write("layout.tar", &archive);
    folder.write("layout.tar.gz", &gzip(&archive));
    let config =
        json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}, "history": null}).to_string();
    let manifest = json!([{"Config": "c.json", "RepoTags": ["app:v1"], "Layers": ["1/layer.tar", "2/layer.tar"]}]);
    let docker = Tar::default()
        .file("c.json", config.as_bytes())
        .file("1/layer.tar", &layer)
        .link(b'2', "2/layer.tar", "../1/layer.tar")
        .file("manifest.json", manifest.to_string().as_bytes());
    let docker = docker.end();
    folder.write("docker.tar", &docker);
    // In two members, as some compress in parallel.
    let (first, second) = docker.split_at(700);
    folder.write("docker.tgz", &[gzip(first), gzip(second)].concat());
    let read = |name: &str, tag| summary(&read(&folder.0.join(name), tag, None).expect("an image"));
    assert_eq!(read("layout.tar", None), "a 1.0.0@0");
    // The second layer is the first one again, by a link as old versions wrote them.
    assert_eq!(read("docker.tar", Some("v1")), "a 1.0.0@1");
    assert_eq!(read("layout.tar.gz", None), "a 1.0.0@0");
    assert_eq!(read("docker.tgz", Some("v1")), "a 1.0.0@1");
}

#[test]
fn a_compressed_archive_that_breaks_off_is_no_image() {
    let folder = Folder::new();
    let whole = gzip(&Tar::default().file("manifest.json", b"[]").end());
    for length in [2, 20, whole.len() - 9] {
        folder.write("x.tar.gz", &whole[..length]);
        let error = read(&folder.0.join("x.tar.gz"), None, None).expect_err("no image").to_string();
        assert!(error.contains("no image") || error.contains("nothing says which"), "{length}: {error}");
    }
}

#[test]
fn a_root_folder_is_one_layer_and_links_in_it_are_not_followed() {
    let folder = Folder::new();
    folder.write("etc/os-release", b"ID=debian\nVERSION_ID=12\n");
    let (path, body) = node("a", "1.0.0");
    folder.write(&path, &body);
    std::os::unix::fs::symlink("..", folder.0.join("app/loop")).expect("a link of the test");
    let catalogue = read_only(&folder);
    assert_eq!((summary(&catalogue).as_str(), &*catalogue.distribution.id), ("a 1.0.0@0", "debian"));
}

#[test]
fn what_is_no_image_says_so() {
    let folder = Folder::new();
    let mut file = fs::File::create(folder.0.join("x.tar")).expect("a file of the test");
    file.write_all(&[7; 2000]).expect("a file of the test");
    let error = read(&folder.0.join("x.tar"), None, None).expect_err("no image").to_string();
    assert!(error.ends_with("is no image: no OCI layout, no archive of `docker save`, no folder"), "{error}");
}
