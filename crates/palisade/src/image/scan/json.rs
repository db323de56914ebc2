//! For programs: stable and versioned, one flat object a finding.

use std::io::{self, Write};

use palisade_advisories::database::Source;
use palisade_advisories::symbols::{Reach, WhyUnknown};
use palisade_advisories::{Gap, Vulnerability};
use palisade_image::base::Base;
use palisade_image::{Distribution, Package, Unidentified};
use palisade_model::Problem;
use palisade_model::finding::Severity;
use serde::Serialize;

use super::{Note, Scan, severity};
use crate::advisories::days_since;
use crate::report::write_json;

/// The version of the JSON form; it rises when a field changes its meaning.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Body<'s> {
    version: u32,
    command: &'static str,
    program: &'static str,
    image: Image<'s>,
    /// None without a database.
    database: Option<Database>,
    findings: Vec<Told<'s>>,
    gaps: Vec<ToldGap>,
    packages: usize,
    judged: usize,
    owned_packages: usize,
    unidentified: &'s [Unidentified],
    unmatched: &'s [String],
    problems: &'s [Problem],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Image<'s> {
    name: &'s str,
    digest: &'s str,
    distribution: &'s Distribution,
    base_layers: Option<u32>,
    base: Option<&'s Base>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Database {
    sha256: String,
    advisories: u64,
    sources: Vec<Aged>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Aged {
    #[serde(flatten)]
    source: Source,
    /// Since its newest record was changed; none when that is not said.
    age_in_days: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'s> {
    package: &'s str,
    version: &'s str,
    ecosystem: &'s str,
    purl: &'s str,
    id: &'s str,
    aliases: &'s [String],
    path: &'s str,
    /// The digest of the layer.
    layer: &'s str,
    layer_index: u32,
    /// Go: whether a function that the advisory names is linked; null when it cannot be told.
    reachable: Option<bool>,
    /// Why: `linked`, `not-linked`, `other-system`, `not-go`, `no-symbols`, `unreadable-table`.
    reach: &'static str,
    /// Which of them are.
    linked: &'s [String],
    severity: Severity,
    score: Option<f64>,
    rated_by: Option<&'s str>,
    fixed_version: Option<&'s str>,
    /// What to do: `rebase`, `update`, or `none` while nothing mends it.
    remedy: &'static str,
    kev: bool,
    kev_date_added: Option<&'s str>,
    /// It is no vulnerability but a notice: `unmaintained`.
    notice: Option<&'s str>,
    summary: &'s str,
    source: Option<&'s str>,
    advisories: Vec<&'s str>,
    /// Whether it makes the scan fail.
    fails: bool,
    suppressed_by: Option<&'s str>,
    suppressed_because: Option<&'s str>,
    is_new: Option<bool>,
    why_new: Option<String>,
}

/// Something that could not be judged.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
enum ToldGap {
    NoDatabase,
    #[serde(rename_all = "camelCase")]
    NoData {
        ecosystem: String,
        packages: usize,
    },
    #[serde(rename_all = "camelCase")]
    EndOfLife {
        ecosystem: String,
        ended: String,
    },
    #[serde(rename_all = "camelCase")]
    NoVersion {
        package: String,
        path: String,
    },
    #[serde(rename_all = "camelCase")]
    UnreadableVersion {
        package: String,
        path: String,
        advisories: Vec<String>,
    },
    #[serde(rename_all = "camelCase")]
    BrokenEntries {
        package: String,
    },
}

pub fn write(scan: &Scan<'_>, output: &mut impl Write) -> io::Result<()> {
    write_json(output, &body(scan))
}

/// What is said of one image.
pub fn body<'s>(scan: &'s Scan<'s>) -> Body<'s> {
    let catalogue = scan.catalogue;
    let mut gaps: Vec<ToldGap> = scan.assessment.gaps.iter().map(|gap| told_gap(scan, gap)).collect();
    if scan.database.is_none() {
        gaps.push(ToldGap::NoDatabase);
    }
    Body {
        version: VERSION,
        command: "palisade image scan",
        program: env!("CARGO_PKG_VERSION"),
        image: Image {
            name: &catalogue.config.name,
            digest: &catalogue.config.digest,
            distribution: &catalogue.distribution,
            base_layers: scan.base.as_ref().and_then(|base| base.layers),
            base: scan.base.as_ref(),
        },
        database: scan.database.map(|opened| database(scan, opened)),
        findings: scan.all().map(|(it, note)| told(scan, it, note)).collect(),
        gaps,
        packages: palisade_image::sbom::listed(catalogue).count(),
        judged: scan.assessment.judged,
        owned_packages: scan.assessment.owned,
        unidentified: &catalogue.unidentified,
        unmatched: &scan.unmatched,
        problems: &catalogue.problems,
    }
}

fn database(scan: &Scan<'_>, opened: &palisade_feeds::store::Opened) -> Database {
    let contents = opened.database().contents().clone();
    let age = |source: Source| Aged { age_in_days: days_since(&source.newest, scan.now), source };
    Database {
        sha256: opened.sha256.clone(),
        advisories: contents.advisories,
        sources: contents.sources.into_iter().map(age).collect(),
    }
}

fn told<'s>(scan: &'s Scan<'_>, it: &'s Vulnerability, note: &'s Note) -> Told<'s> {
    let package = scan.package(it);
    let (reachable, reach, linked): (_, _, &[String]) = match &it.reach {
        Reach::Linked(names) => (Some(true), "linked", names),
        Reach::NotLinked => (Some(false), "not-linked", &[]),
        Reach::OtherSystem => (Some(false), "other-system", &[]),
        Reach::Unknown(WhyUnknown::NotGo) => (None, "not-go", &[]),
        Reach::Unknown(WhyUnknown::NoSymbols) => (None, "no-symbols", &[]),
        Reach::Unknown(WhyUnknown::Unreadable(_)) => (None, "unreadable-table", &[]),
    };
    Told {
        package: &package.name,
        version: &package.version,
        ecosystem: &it.ecosystem,
        purl: &package.purl,
        id: &it.id,
        aliases: &it.aliases,
        path: &package.path,
        layer: layer(package),
        layer_index: package.layer.index,
        reachable,
        reach,
        linked,
        severity: severity(it),
        score: it.rating.as_ref().and_then(|rating| rating.tenths).map(|tenths| f64::from(tenths) / 10.0),
        rated_by: it.rating.as_ref().map(|rating| &*rating.by),
        fixed_version: it.fixed.as_deref(),
        remedy: remedy(scan, it),
        kev: it.exploited.is_some(),
        kev_date_added: it.exploited.as_ref().map(|it| &*it.date_added),
        notice: it.notice.as_deref(),
        summary: &it.summary,
        source: package.source.as_ref().map(|source| &*source.name),
        advisories: it.advisories.iter().map(|advisory| &*advisory.id).collect(),
        fails: note.fails,
        suppressed_by: note.settled.as_ref().map(|settled| &*settled.by),
        suppressed_because: note.settled.as_ref().and_then(|settled| settled.reason.as_deref()),
        is_new: note.is_new,
        why_new: note.novelty.as_ref().map(super::Novelty::told),
    }
}

/// The digest under which the layer is stored, or that of its contents.
pub fn layer(package: &Package) -> &str {
    if package.layer.digest.is_empty() { &package.layer.diff_id } else { &package.layer.digest }
}

/// What mends it, as far as that is known.
pub fn remedy(scan: &Scan<'_>, it: &Vulnerability) -> &'static str {
    let in_base = scan.is_in_base(it).unwrap_or(false);
    match (&it.fixed, in_base) {
        (None, _) => "none",
        (Some(_), true) => "rebase",
        (Some(_), false) => "update",
    }
}

fn told_gap(scan: &Scan<'_>, gap: &Gap) -> ToldGap {
    let package = |index: &usize| &scan.catalogue.packages[*index];
    match gap {
        Gap::NoData { ecosystem, packages } => {
            ToldGap::NoData { ecosystem: ecosystem.to_string(), packages: *packages }
        }
        Gap::EndOfLife { ecosystem, ended } => {
            ToldGap::EndOfLife { ecosystem: ecosystem.to_string(), ended: ended.clone() }
        }
        Gap::NoVersion { package: index } => {
            ToldGap::NoVersion { package: package(index).name.clone(), path: package(index).path.clone() }
        }
        Gap::Unreadable { package: index, advisories } => ToldGap::UnreadableVersion {
            package: package(index).name.clone(),
            path: package(index).path.clone(),
            advisories: advisories.clone(),
        },
        Gap::BrokenEntries { package: index } => ToldGap::BrokenEntries { package: package(index).name.clone() },
    }
}
