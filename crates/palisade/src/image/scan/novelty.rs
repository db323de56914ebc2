//! What is new: since an earlier scan, and since the database before.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use palisade_advisories::{Assessment, Vulnerability, assess};
use palisade_feeds::store::Opened;
use palisade_image::{Catalogue, Package};
use serde::Deserialize;

use crate::failure::Failure;

/// Why an earlier database did not have a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Novelty {
    /// It had it.
    Known,
    /// None of its advisories was in there.
    NewAdvisory {
        /// The one that came in.
        id: String,
        /// When it was published.
        published: String,
    },
    /// An advisory was in there and did not speak of this version, or had been taken back.
    ChangedAdvisory {
        /// Which.
        id: String,
        /// When it was changed since.
        modified: String,
    },
}

impl Novelty {
    /// In words.
    pub fn told(&self) -> String {
        let day = |time: &str| match time.get(..10) {
            Some(day) => format!(" on {day}"),
            None => String::new(),
        };
        match self {
            Self::Known => "known to the database before".into(),
            Self::NewAdvisory { id, published } => format!("new: {id} came in, published{}", day(published)),
            Self::ChangedAdvisory { id, modified } => {
                format!("new: {id} did not speak of this version, changed{}", day(modified))
            }
        }
    }
}

/// Says for each vulnerability why the earlier database did not have it.
pub fn explain(now: &Assessment, catalogue: &Catalogue, earlier: &Opened, today: &str) -> Vec<Novelty> {
    let database = earlier.database();
    let before = assess(&catalogue.packages, &database, today);
    let known: BTreeSet<(usize, &str)> =
        before.vulnerabilities.iter().flat_map(|it| it.ids().map(|id| (it.package, id))).collect();
    let explain = |it: &Vulnerability| {
        if it.ids().any(|id| known.contains(&(it.package, id))) {
            return Novelty::Known;
        }
        let was_there = |id: &str| database.advisory(id).ok().flatten().is_some();
        match it.advisories.iter().find(|advisory| was_there(&advisory.id)) {
            Some(advisory) => Novelty::ChangedAdvisory { id: advisory.id.clone(), modified: advisory.modified.clone() },
            None => Novelty::NewAdvisory {
                id: it.id.clone(),
                published: it.advisories.first().map(|advisory| advisory.published.clone()).unwrap_or_default(),
            },
        }
    };
    now.vulnerabilities.iter().map(explain).collect()
}

/// The findings of an earlier scan: package and id.
pub type Baseline = BTreeSet<(String, String)>;

/// Reads an earlier `-o json`.
///
/// # Errors
/// When it cannot be read, or is no such report.
pub fn read_baseline(path: &Path) -> Result<Baseline, Failure> {
    #[derive(Deserialize)]
    struct Report {
        /// Of one image.
        findings: Option<Vec<Finding>>,
        /// Of all that manifests run: what one of them had is new in none.
        images: Option<Vec<Image>>,
    }
    #[derive(Deserialize)]
    struct Image {
        findings: Vec<Finding>,
    }
    #[derive(Deserialize)]
    struct Finding {
        package: String,
        id: String,
        #[serde(default)]
        aliases: Vec<String>,
    }
    let context = || format!("cannot use the baseline `{}`", path.display());
    let bytes = fs::read(path).map_err(|error| Failure::new(error).context(context()))?;
    let report: Report = serde_json::from_slice(&bytes).map_err(|error| Failure::new(error).context(context()))?;
    let ids = |finding: Finding| {
        let package = finding.package;
        finding.aliases.into_iter().chain([finding.id]).map(move |id| (package.clone(), id))
    };
    if report.findings.is_none() && report.images.is_none() {
        return Err(Failure::new("it has neither findings nor images").context(context()));
    }
    let of_images = report.images.unwrap_or_default().into_iter().flat_map(|image| image.findings);
    Ok(report.findings.unwrap_or_default().into_iter().chain(of_images).flat_map(ids).collect())
}

/// Whether the baseline lacks it, under each of its ids. The version of the package has no say: an update that does not
/// mend it makes nothing new.
pub fn is_new(baseline: &Baseline, vulnerability: &Vulnerability, package: &Package) -> bool {
    !vulnerability.ids().any(|id| baseline.contains(&(package.name.clone(), id.to_owned())))
}
