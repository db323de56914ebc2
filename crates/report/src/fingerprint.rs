//! What tells a finding again in another run, when lines have moved.

use std::collections::HashMap;

use palisade_model::finding::{Details, Finding};

/// A fingerprint for each finding, in their order. Of several with the same rule, subject and part, the second has
/// `:2` behind its own, and so on.
pub(crate) fn all(findings: &[Finding]) -> Vec<String> {
    let mut seen: HashMap<String, u32> = HashMap::new();
    findings
        .iter()
        .map(|finding| {
            let hash = format!("{:032x}", hash(&key(finding)));
            let times = seen.entry(hash.clone()).and_modify(|times| *times += 1).or_insert(1);
            format!("{hash}:{times}")
        })
        .collect()
}

/// Without lines, and without words that a newer version may put better.
fn key(finding: &Finding) -> String {
    let subject = match (&finding.subject, &finding.place) {
        (Some(subject), _) => subject.to_string(),
        (None, Some(place)) => place.file.to_string(),
        (None, None) => String::new(),
    };
    let details = match &finding.details {
        Some(Details::Package(package)) => {
            let optional = |name: &Option<palisade_model::Name>| name.as_deref().unwrap_or_default().to_owned();
            [package.purl.to_string(), optional(&package.advisory), optional(&package.path)].join("\n")
        }
        Some(Details::Problem(_) | Details::File(_) | Details::Score(_)) | None => String::new(),
    };
    [&*finding.rule, &subject, finding.part.as_deref().unwrap_or_default(), &details].join("\n")
}

/// FNV-1a with 128 bits: the same on every machine and in every version, which no hasher of the standard library
/// promises.
///
/// Source: the FNV non-cryptographic hash algorithm, draft-eastlake-fnv.
fn hash(text: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Source: the test vectors of the draft.
        assert_eq!(hash(""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(hash("a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(hash("foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }
}
