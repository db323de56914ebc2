//! What registries and users say: names, challenges, lists, configs.

use palisade_registry::{Hosts, Index, Reference, Version, challenge};

pub(super) fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        if let Ok(reference) = line.parse::<Reference>() {
            let whole = reference.to_string();
            assert_eq!(whole.parse().as_ref(), Ok(&reference), "`{line}` is `{whole}`, and that is another");
            // Each part stands in a URL as it is.
            let place = format!("/v2/{}/manifests/{}", reference.repository.path(), reference.version().as_str());
            assert!(place.bytes().all(|it| it.is_ascii_graphic() && !b"?#%\\\"<>".contains(&it)), "{place}");
            assert!(!place.split('/').any(|part| part == ".." || part == "."), "{place}");
            assert!(matches!(reference.version(), Version::Digest(_)) == reference.digest.is_some());
        }
        let _ = challenge::choose([line].into_iter());
    }
    let _ = serde_json::from_slice::<Index>(bytes);
    let _ = serde_json::from_slice::<Hosts>(bytes);
}
