//! How bad it is: CVSS scores and the words of those who publish advisories.

use std::str::FromStr;

use palisade_model::finding::Severity;

/// How bad something is, and by which word or vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// The band.
    pub severity: Severity,
    /// The CVSS score in tenths; none when only a word was given.
    pub tenths: Option<u8>,
    /// The vector or word that says so.
    pub by: String,
}

impl Rating {
    /// The worst of these, by score where there is one.
    pub fn worst<'r>(ratings: impl IntoIterator<Item = &'r str>) -> Option<Self> {
        ratings.into_iter().filter_map(Self::parse).max_by(|a, b| {
            // A word beside a score has no say: words are made of scores, and coarser.
            (a.tenths.is_some(), a.severity, a.tenths).cmp(&(b.tenths.is_some(), b.severity, b.tenths))
        })
    }

    /// Reads a CVSS vector (3.0, 3.1, 4.0), a score, or a word.
    pub fn parse(text: &str) -> Option<Self> {
        let by = text.to_owned();
        if text.starts_with("CVSS:") {
            let tenths = (score(text)? * 10.0).round() as u8;
            return Some(Self { severity: band(tenths), tenths: Some(tenths), by });
        }
        if let Ok(score) = text.parse::<f64>() {
            let tenths = (0.0..=10.0).contains(&score).then(|| (score * 10.0).round() as u8)?;
            return Some(Self { severity: band(tenths), tenths: Some(tenths), by });
        }
        // GitHub, Red Hat, Debian ("end-of-life" and "not yet assigned" rate nothing), Ubuntu.
        let severity = match text.trim_end_matches('*').to_ascii_lowercase().as_str() {
            "critical" => Severity::Critical,
            "high" | "important" => Severity::High,
            "medium" | "moderate" => Severity::Medium,
            "low" => Severity::Low,
            "negligible" | "unimportant" | "none" => Severity::Info,
            _ => return None,
        };
        Some(Self { severity, tenths: None, by })
    }
}

/// The longest vector with every metric is some 300 bytes.
const LONGEST_VECTOR: usize = 512;

/// What a vector of version 3 must have.
const BASE_METRICS: &[&str] = &["/AV:", "/AC:", "/PR:", "/UI:", "/S:", "/C:", "/I:", "/A:"];

fn score(vector: &str) -> Option<f64> {
    // The parser takes a missing metric of version 3 for a harmless one.
    let whole = !vector.starts_with("CVSS:3") || BASE_METRICS.iter().all(|metric| vector.contains(metric));
    if vector.len() > LONGEST_VECTOR || !whole {
        return None;
    }
    cvss::Cvss::from_str(vector).ok().map(|cvss| cvss.score())
}

/// Source: CVSS 3.1, 5 "Qualitative severity rating scale"; 4.0 has the same.
fn band(tenths: u8) -> Severity {
    match tenths {
        0 => Severity::Info,
        1..=39 => Severity::Low,
        40..=69 => Severity::Medium,
        70..=89 => Severity::High,
        _ => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(Severity, Option<u8>)> {
        Rating::parse(text).map(|rating| (rating.severity, rating.tenths))
    }

    /// Source: the examples of FIRST for CVSS 3.1 and 4.0.
    #[test]
    fn vectors_have_the_published_scores() {
        for (vector, tenths) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 100),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 75),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 61),
            ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 42),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 93),
            ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 73),
        ] {
            assert_eq!(parsed(vector).and_then(|(_, tenths)| tenths), Some(tenths), "{vector}");
        }
    }

    #[test]
    fn words_and_numbers_are_read_and_others_rate_nothing() {
        assert_eq!(parsed("MODERATE"), Some((Severity::Medium, None)));
        assert_eq!(parsed("unimportant"), Some((Severity::Info, None)));
        assert_eq!(parsed("low**"), Some((Severity::Low, None)));
        assert_eq!(parsed("7.4"), Some((Severity::High, Some(74))));
        for nothing in ["", "not yet assigned", "99", "NaN", "CVSS:3.1/AV:N", "CVSS:9.9/X:Y"] {
            assert_eq!(parsed(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_worst_score_counts_and_a_word_only_without_one() {
        let worst = Rating::worst(["CRITICAL", "5.0", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N"]);
        assert_eq!(worst.map(|rating| rating.tenths), Some(Some(75)));
        assert_eq!(Rating::worst(["low", "HIGH"]).map(|rating| rating.severity), Some(Severity::High));
    }

    #[test]
    fn broken_vectors_never_panic() {
        for vector in [
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:A",
        ] {
            for length in 0..vector.len() {
                let _ = Rating::parse(&vector[..length]);
            }
            for at in 0..vector.len() {
                for byte in 0..=127_u8 {
                    let mut changed = vector.as_bytes().to_vec();
                    changed[at] = byte;
                    let _ = Rating::parse(&String::from_utf8_lossy(&changed));
                }
            }
        }
    }
}
