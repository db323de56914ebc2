//! The small images beside the project.

use std::path::PathBuf;

use crate::layout::read;

pub fn image(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/images").join(name);
    if !path.exists() {
        assert!(std::env::var_os("CI").is_none(), "no folder ../shared/images, and CI is set");
        println!("SKIPPED: no folder ../shared/images with the small images");
        return None;
    }
    Some(path)
}

fn packages(name: &str) -> Option<Vec<String>> {
    let catalogue = read(&image(name)?, None, None).expect("an image");
    assert_eq!((catalogue.problems, catalogue.unidentified), (vec![], vec![]));
    Some(catalogue.packages.into_iter().map(|it| it.purl).collect())
}

#[test]
fn packages_of_rpm_are_read_from_its_database() {
    let Some(packages) = packages("alma92") else { return };
    assert_eq!(packages.len(), 20);
    let openssl = "pkg:rpm/almalinux/openssl@3.0.1-41.el9_0?arch=x86_64&distro=almalinux-9.2&epoch=1&upstream=openssl-3.0.1-41.el9_0.src.rpm";
    assert!(packages.iter().any(|it| it == openssl), "{packages:#?}");
}

#[test]
fn packages_of_apk_are_read_from_its_database() {
    let Some(packages) = packages("alpine311") else { return };
    assert_eq!(packages.len(), 14);
    assert!(packages[1].starts_with("pkg:apk/alpine/busybox@1.29.3-r10?"), "{packages:#?}");
}

#[test]
fn packages_of_dpkg_without_dpkg_and_modules_of_a_stripped_program() {
    let Some(packages) = packages("distroless") else { return };
    let expected = [
        "pkg:deb/debian/openssl@3.0.20-1~deb12u2?arch=amd64&distro=debian-12",
        "pkg:golang/example.test/vulnapp",
        "pkg:golang/gopkg.in/yaml.v2@v2.2.1",
        "pkg:golang/stdlib@1.26.8",
    ];
    for purl in expected {
        assert!(packages.iter().any(|it| it == purl), "{purl} is not in {packages:#?}");
    }
    assert_eq!(packages.len(), 13);
}
