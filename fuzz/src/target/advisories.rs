//! Advisories and what is decided about them.

use palisade_advisories::range::stands;
use palisade_advisories::{VersionOrder, ignores, osv, vex};
use palisade_feeds::zip;

/// Bytes as a record of OSV, and each version in it against each package.
pub(super) fn records(bytes: &[u8]) {
    const MOST: usize = 20;
    let Ok(advisory) = osv::parse_record(bytes) else { return };
    for affected in advisory.affected.iter().take(MOST) {
        let events = affected.ranges.iter().flat_map(|range| &range.events).map(|event| event.version().to_owned());
        for version in events.chain(affected.versions.iter().cloned()).take(MOST) {
            stands(&version, affected);
        }
    }
}

/// Lines as versions, each two against each other: an order goes the same way from both ends.
pub(super) fn versions(bytes: &[u8]) {
    const MOST: usize = 12;
    const ORDERS: &[VersionOrder] = &[
        VersionOrder::Dpkg,
        VersionOrder::Rpm,
        VersionOrder::Apk,
        VersionOrder::Pep440,
        VersionOrder::Semver,
        VersionOrder::Gem,
        VersionOrder::Maven,
    ];
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().take(MOST).collect();
    for order in ORDERS {
        for a in &lines {
            for b in &lines {
                let (there, back) = (order.compare(a, b), order.compare(b, a));
                if let (Ok(there), Ok(back)) = (there, back) {
                    assert_eq!(there, back.reverse(), "{order:?}: {a:?} and {b:?}");
                }
            }
        }
    }
}

/// Bytes as statements and as an ignore file.
pub(super) fn decisions(bytes: &[u8]) {
    let _ = vex::parse(bytes);
    let text = String::from_utf8_lossy(bytes);
    let (ignored, unusable) = ignores::parse(&text);
    assert!(ignored.len() + unusable.len() <= text.lines().count(), "a line counts once");
    for it in &ignored {
        let _ = it.holds("2026-01-01");
    }
}

/// Bytes as an export: an archive of records.
pub(super) fn exports(bytes: &[u8]) {
    let Ok(entries) = zip::entries(bytes) else { return };
    for entry in entries.iter().take(100) {
        if let Ok(record) = zip::unpack(bytes, entry, 1 << 20) {
            records(&record);
        }
    }
}
