//! Images of somebody who wishes us ill: nothing panics, hangs, or eats the memory, and each says what it is.

use std::fs;

use crate::layout::{gzip, layout, layout_of, node, read, read_only, summary};
use crate::tar_writer::{LongPath, Tar};
use crate::zip_writer::{Method, zip};

#[test]
fn paths_that_lead_out_are_skipped_and_told() {
    let body = node("x", "1.0.0").1;
    let evil = "../../app/node_modules/x/package.json";
    let good = node("y", "1.0.0");
    let folder = layout_of(&[Tar::default()
        .file(evil, &body)
        .long_path(&format!("{}../x", "a/".repeat(3)), LongPath::Pax)
        .file("short", &body)
        .link(b'1', "app/z", "../../etc/passwd")
        .file(&good.0, &good.1)
        .end()]);
    let catalogue = read_only(&folder);
    assert_eq!(summary(&catalogue), "y 1.0.0@0, ! image-hostile-path");
    assert!(catalogue.problems[0].message.contains("3 entries have a path"), "{}", catalogue.problems[0].message);
}

#[test]
fn links_in_circles_and_devices_are_nothing() {
    let folder = layout_of(&[Tar::default()
        .link(b'2', "a", "b")
        .link(b'2', "b", "a")
        .link(b'1', "c", "d")
        .link(b'1', "d", "c")
        .header("dev/sda", b'4', 1 << 40)
        .header("dev/pipe", b'6', 0)
        .end()]);
    assert_eq!(summary(&read_only(&folder)), "");
}

#[test]
fn sizes_that_are_not_there_end_the_layer_with_a_problem() {
    let (path, body) = node("a", "1.0.0");
    for size in [513, 1 << 20, (1 << 33) - 1] {
        let tar = Tar::default().file(&path, &body).header("var/lib/dpkg/status", b'0', size).0;
        let catalogue = read_only(&layout_of(&[tar]));
        let expected = "a 1.0.0@0, ! image-layer-unreadable, ! image-database-too-long";
        assert_eq!(summary(&catalogue), expected, "{size}");
    }
    let long = Tar::default().header("x", b'x', 1 << 30).end();
    assert_eq!(summary(&read_only(&layout_of(&[long]))), "! image-layer-unreadable");
}

#[test]
fn a_layer_that_is_not_what_its_digest_says_is_told() {
    let (path, body) = node("a", "1.0.0");
    let tar = Tar::default().file(&path, &body).end();
    let other = Tar::default().end();
    // The diff id of another archive.
    let folder = layout(&[(gzip(&tar), other.clone())]);
    assert_eq!(summary(&read_only(&folder)), "a 1.0.0@0, ! image-digest-differs");
    // Other bytes in the place of the blob.
    let folder = layout(&[(gzip(&tar), tar.clone())]);
    let name = &palisade_archive::digest::sha256(&gzip(&tar))["sha256:".len()..];
    folder.write(&format!("blobs/sha256/{name}"), &gzip(&other));
    assert_eq!(summary(&read_only(&folder)), "! image-digest-differs");
    // No blob at all: the layers above keep their places.
    fs::remove_file(folder.0.join(format!("blobs/sha256/{name}"))).expect("the blob was there");
    assert_eq!(summary(&read_only(&folder)), "! image-layer-missing");
}

#[test]
fn a_manifest_that_is_not_what_its_digest_says_is_refused() {
    let folder = layout_of(&[Tar::default().end()]);
    let index = fs::read_to_string(folder.0.join("index.json")).expect("the index");
    let at = index.find("sha256:").expect("a digest") + "sha256:".len();
    folder.write(&format!("blobs/sha256/{}", &index[at..at + 64]), b"{}");
    let error = read(&folder.0, None, None).expect_err("another manifest").to_string();
    assert!(error.starts_with("manifest sha256:") && error.contains("has the digest sha256:44136fa3"), "{error}");
}

/// Every byte changed, and every length cut, of a small image: a problem at most.
#[test]
fn damaged_archives_are_read_as_far_as_they_go() {
    let (path, body) = node("a", "1.0.0");
    let tar = Tar::default().long_path(&path, LongPath::Pax).file("x", &body).link(b'1', "y", &path).end();
    for length in (0..tar.len()).step_by(37) {
        read_only(&layout(&[(tar[..length].to_vec(), tar.clone())]));
    }
    for at in (0..tar.len().min(2600)).step_by(11) {
        let mut damaged = tar.clone();
        damaged[at] ^= 0x41;
        read_only(&layout(&[(damaged, tar.clone())]));
    }
    let stored = gzip(&tar);
    for at in (0..stored.len()).step_by(3) {
        let mut damaged = stored.clone();
        damaged[at] ^= 0x15;
        read_only(&layout(&[(damaged, tar.clone())]));
    }
}

fn packages(catalogue: &palisade_image::Catalogue) -> Vec<String> {
    catalogue.packages.iter().map(|it| format!("{} {}", it.name, it.version)).collect()
}

#[test]
fn a_name_that_nobody_gives_is_not_kept() {
    let long = format!(r#"{{"name":"{}","version":"1.0.0"}}"#, "x".repeat(1 << 20));
    let layer = Tar::default()
        .file("app/node_modules/long/package.json", long.as_bytes())
        .file("a/long-1.dist-info/METADATA", format!("Name: {}\nVersion: 1\n", "x".repeat(1 << 20)).as_bytes())
        .file(&node("y", "0.0.1").0, &node("y", "0.0.1").1);
    let catalogue = read_only(&layout_of(&[layer.end()]));
    assert_eq!(packages(&catalogue), ["y 0.0.1"]);
    assert_eq!(catalogue.unidentified.len(), 2);
}

#[test]
fn an_archive_of_more_members_than_its_first_form_counts_is_read() {
    let names: Vec<String> = (0..70_000).map(|number| format!("a/C{number}.class")).collect();
    let mut members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    members.push(("META-INF/maven/g/a/pom.properties", b"groupId=g\nartifactId=a\nversion=1\n"));
    let mut jar = zip(&members, Method::Stored);
    // As Java and Python write it: a record and its locator before the end, whose count is full and whose sizes are not.
    let end = jar.split_off(jar.len() - 22);
    let (size, offset) = (&end[12..16], &end[16..20]);
    let at = jar.len() as u64;
    jar.extend(b"PK\x06\x06");
    jar.extend(44u64.to_le_bytes());
    jar.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    jar.extend((members.len() as u64).to_le_bytes());
    jar.extend((members.len() as u64).to_le_bytes());
    jar.extend([size, &[0; 4], offset, &[0; 4]].concat());
    jar.extend(b"PK\x06\x07\0\0\0\0");
    jar.extend(at.to_le_bytes());
    jar.extend(1u32.to_le_bytes());
    jar.extend([&end[..8], &[0xff; 4], size, offset, &[0, 0]].concat());
    let catalogue = read_only(&layout_of(&[Tar::default().file("app/a-1.jar", &jar).end()]));
    assert_eq!(packages(&catalogue), ["g:a 1"]);
}
