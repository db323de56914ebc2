//! OSV's JSON: the form in which advisories are exchanged. Source: the OSV schema, version 1.7.
//!
//! Read leniently: a field of a wrong shape is as good as a missing one, for a scan is better with the rest of a record
//! than without it. Only a record without an id, or that is no JSON object, is refused.

use serde::Deserialize;
use serde_json::Value;

use crate::advisory::{Advisory, Affected, Event, Import, Range};

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableRecord {
    /// It is no JSON, or not of OSV's shape.
    #[error("it is no OSV record")]
    NotOsv(#[source] serde_json::Error),
    /// It has no id, or one that no id looks like.
    #[error("it has no usable id")]
    NoId,
}

/// No record that is published comes near; a larger one is not parsed.
pub const LARGEST_RECORD: usize = 16 << 20;
/// Longer ids are in no database, and would be in every report.
const LONGEST_ID: usize = 128;
/// A line of a report.
const LONGEST_SUMMARY: usize = 200;

/// Reads one record.
///
/// # Errors
/// When nothing of it can be used.
pub fn parse_record(json: &[u8]) -> Result<Advisory, UnreadableRecord> {
    let record: Record = serde_json::from_slice(json).map_err(UnreadableRecord::NotOsv)?;
    let id_like =
        |id: &String| !id.is_empty() && id.len() <= LONGEST_ID && !id.chars().any(|c| c.is_control() || c == '/');
    if !id_like(&record.id) {
        return Err(UnreadableRecord::NoId);
    }
    Ok(record.into_advisory())
}

#[derive(Deserialize)]
struct Record {
    id: String,
    #[serde(default)]
    aliases: Lenient<Vec<String>>,
    #[serde(default)]
    upstream: Lenient<Vec<String>>,
    #[serde(default)]
    related: Lenient<Vec<String>>,
    #[serde(default)]
    summary: Lenient<String>,
    #[serde(default)]
    published: Lenient<String>,
    #[serde(default)]
    modified: Lenient<String>,
    #[serde(default)]
    withdrawn: Lenient<Option<String>>,
    #[serde(default)]
    severity: Lenient<Vec<Score>>,
    #[serde(default)]
    affected: Lenient<Vec<Lenient<RawAffected>>>,
    #[serde(default)]
    database_specific: Lenient<RawRatings>,
}

/// A value, or the default when it has another shape.
#[derive(Default)]
struct Lenient<T>(T);

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<T> {
            Fits(T),
            Other(serde::de::IgnoredAny),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Fits(value) => value,
            Either::Other(_) => T::default(),
        }))
    }
}

#[derive(Deserialize, Default)]
struct Score {
    #[serde(default)]
    score: String,
}

#[derive(Deserialize, Default)]
struct RawAffected {
    #[serde(default)]
    package: Lenient<RawPackage>,
    #[serde(default)]
    ranges: Lenient<Vec<Lenient<RawRange>>>,
    #[serde(default)]
    versions: Lenient<Vec<String>>,
    #[serde(default)]
    severity: Lenient<Vec<Score>>,
    #[serde(default)]
    ecosystem_specific: Lenient<EcosystemSpecific>,
    #[serde(default)]
    database_specific: Lenient<DatabaseSpecific>,
}

#[derive(Deserialize, Default)]
struct RawPackage {
    #[serde(default)]
    ecosystem: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize, Default)]
struct RawRange {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    events: Vec<RawEvent>,
}

#[derive(Deserialize, Default)]
struct RawEvent {
    introduced: Option<String>,
    fixed: Option<String>,
    last_affected: Option<String>,
    limit: Option<String>,
}

/// What Go, Debian and others add.
#[derive(Deserialize, Default)]
struct EcosystemSpecific {
    #[serde(default)]
    imports: Lenient<Vec<RawImport>>,
    /// Debian's word.
    #[serde(default)]
    urgency: Lenient<Option<String>>,
    #[serde(default)]
    severity: Lenient<Option<String>>,
}

#[derive(Deserialize, Default)]
struct DatabaseSpecific {
    /// RustSec: `unmaintained`, `unsound`, `notice`.
    #[serde(default)]
    informational: Lenient<Option<String>>,
    #[serde(default)]
    severity: Lenient<Option<String>>,
}

#[derive(Deserialize, Default)]
struct RawRatings {
    /// GitHub's word.
    #[serde(default)]
    severity: Lenient<Option<String>>,
    /// A bare score.
    #[serde(default)]
    cvss_v3: Lenient<Option<Value>>,
}

#[derive(Deserialize, Default)]
struct RawImport {
    #[serde(default)]
    path: String,
    #[serde(default)]
    symbols: Lenient<Vec<String>>,
    #[serde(default)]
    goos: Lenient<Vec<String>>,
    #[serde(default)]
    goarch: Lenient<Vec<String>>,
}

impl Record {
    fn into_advisory(self) -> Advisory {
        let affected: Vec<Affected> = self.affected.0.into_iter().filter_map(|raw| raw.0.into_affected()).collect();
        let mut covers = self.upstream.0;
        // A distribution's update names what it mends as related; elsewhere a related id is another matter.
        if affected.iter().any(|affected| affected.ecosystem.contains(':')) {
            covers.extend(self.related.0.into_iter().filter(|id| id.starts_with("CVE-")));
        }
        let summary = self.summary.0;
        let mut ratings: Vec<String> = self.severity.0.into_iter().map(|severity| severity.score).collect();
        let specific = self.database_specific.0;
        ratings.extend(specific.severity.0);
        ratings.extend(specific.cvss_v3.0.and_then(|score| score.as_f64()).map(|score| score.to_string()));
        ratings.extend(word_of_an_update(&self.id, &summary));
        ratings.retain(|rating| !rating.is_empty());
        Advisory {
            aliases: sorted(self.aliases.0, &self.id),
            covers: sorted(covers, &self.id),
            summary: one_line(&summary),
            published: self.published.0,
            modified: self.modified.0,
            withdrawn: self.withdrawn.0,
            ratings,
            affected,
            id: self.id,
        }
    }
}

/// Red Hat and its kin rate an update by the first word of its summary: `Important: openssl security update`.
fn word_of_an_update(id: &str, summary: &str) -> Option<String> {
    const PREFIXES: &[&str] = &["ALSA-", "RLSA-", "RHSA-", "RXSA-"];
    let (word, _) = summary.split_once(':')?;
    let known = ["Critical", "Important", "Moderate", "Low"].contains(&word);
    (known && PREFIXES.iter().any(|prefix| id.starts_with(prefix))).then(|| word.to_owned())
}

fn sorted(mut ids: Vec<String>, own: &str) -> Vec<String> {
    ids.retain(|id| id != own && !id.is_empty() && id.len() <= LONGEST_ID);
    ids.sort();
    ids.dedup();
    ids
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_SUMMARY) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

impl RawAffected {
    fn into_affected(self) -> Option<Affected> {
        let package = self.package.0;
        if package.ecosystem.is_empty() || package.name.is_empty() {
            return None;
        }
        let (mut ranges, mut ranges_of_commits) = (Vec::new(), 0);
        for Lenient(raw) in self.ranges.0 {
            match raw.kind.as_str() {
                "SEMVER" | "ECOSYSTEM" => ranges.push(raw.into_range()),
                _ => ranges_of_commits += 1,
            }
        }
        let specific = self.ecosystem_specific.0;
        let mut ratings: Vec<String> = self.severity.0.into_iter().map(|severity| severity.score).collect();
        ratings.extend(specific.urgency.0);
        ratings.extend(specific.severity.0);
        ratings.extend(self.database_specific.0.severity.0);
        let imports = specific.imports.0.into_iter().map(|raw| Import {
            path: raw.path,
            symbols: raw.symbols.0,
            systems: raw.goos.0,
            architectures: raw.goarch.0,
        });
        Some(Affected {
            ranges,
            versions: self.versions.0,
            imports: imports.collect(),
            ratings,
            notice: self.database_specific.0.informational.0,
            ranges_of_commits,
            ecosystem: package.ecosystem,
            name: package.name,
        })
    }
}

impl RawRange {
    fn into_range(self) -> Range {
        let events = self.events.into_iter().flat_map(|raw| {
            [
                raw.introduced.map(Event::Introduced),
                raw.fixed.map(Event::Fixed),
                raw.last_affected.map(Event::LastAffected),
                // `*` is no limit at all.
                raw.limit.filter(|limit| limit != "*").map(Event::Limit),
            ]
        });
        Range { semantic: self.kind == "SEMVER", events: events.flatten().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"id":"GHSA-1","aliases":["CVE-2","CVE-1","CVE-2"],"related":["CVE-9"],"summary":"a\n b",
        "modified":"2024-01-01T00:00:00Z","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N"}],"affected":[
        {"package":{"ecosystem":"Go","name":"example.com/m"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},
        {"fixed":"1.2.0"}]},{"type":"GIT","events":[]}],"ecosystem_specific":{"imports":[{"path":"example.com/m/p",
        "symbols":["T.M"],"goos":["windows"]}]}},{"package":{"name":"x"}}],"database_specific":{"severity":"HIGH"}}"#;

    #[test]
    fn a_record_is_read_and_related_ids_are_no_aliases() {
        let advisory = parse_record(RECORD.as_bytes()).expect("a record");
        assert_eq!(advisory.aliases, ["CVE-1", "CVE-2"]);
        assert_eq!((advisory.covers.len(), &*advisory.summary), (0, "a b"));
        assert_eq!(advisory.ratings, ["CVSS:3.1/AV:N", "HIGH"]);
        let [affected] = &advisory.affected[..] else { panic!("one has an ecosystem") };
        assert_eq!((affected.ranges.len(), affected.ranges_of_commits), (1, 1));
        assert_eq!(affected.imports[0].symbols, ["T.M"]);
        assert_eq!(affected.imports[0].systems, ["windows"]);
    }

    #[test]
    fn an_update_of_a_distribution_covers_what_it_names_and_is_rated_by_its_first_word() {
        let json = r#"{"id":"ALSA-2025:1","summary":"Important: libxml2 update","related":["CVE-2","CVE-1"],
            "affected":[{"package":{"ecosystem":"AlmaLinux:9","name":"libxml2"}}]}"#;
        let advisory = parse_record(json.as_bytes()).expect("a record");
        assert_eq!(
            (advisory.covers, advisory.ratings),
            (vec!["CVE-1".into(), "CVE-2".into()], vec!["Important".into()])
        );
    }

    #[test]
    fn a_field_of_another_shape_costs_no_more_than_itself() {
        let json = r#"{"id":"X-1","aliases":{"a":1},"severity":"high","affected":[7,{"package":{"ecosystem":"npm",
            "name":"a"},"ranges":[{"type":"SEMVER","events":"none"}],"versions":["1.0.0"]}],"withdrawn":3}"#;
        let advisory = parse_record(json.as_bytes()).expect("a record");
        assert_eq!(advisory.affected[0].versions, ["1.0.0"]);
        assert!(parse_record(br#"{"id":""}"#).is_err());
        assert!(parse_record(b"[]").is_err());
    }

    #[test]
    fn broken_records_never_panic() {
        for length in 0..RECORD.len() {
            assert!(parse_record(&RECORD.as_bytes()[..length]).is_err());
        }
        for at in 0..RECORD.len() {
            for bit in 0..8 {
                let mut changed = RECORD.as_bytes().to_vec();
                changed[at] ^= 1 << bit;
                let _ = parse_record(&changed);
            }
        }
    }
}
