//! The same as findings of the one form that all checks have, for SARIF, JUnit and Markdown.

use palisade_advisories::symbols::Reach;
use palisade_advisories::{Gap, Vulnerability};
use palisade_model::finding::{Details, Finding, PackageDetails, Rule, Severity, Suppression};

use super::{Note, Scan, json, severity};

const VULNERABLE: &str = "vulnerable-package";
const NO_DATA: &str = "no-advisory-data";
const ENDED: &str = "release-ended";
const NOT_JUDGED: &str = "package-not-judged";

/// What a scan looks for.
pub fn rules() -> Vec<Rule> {
    vec![
        Rule::new(
            VULNERABLE,
            Severity::High,
            "a package has a known vulnerability",
            "Update the package to the version that mends it, or rebuild on a newer base image.",
        ),
        Rule::new(
            NO_DATA,
            Severity::High,
            "nothing is known about the packages of a distribution or language",
            "The database of advisories has no entry for this release or language: that nothing was found says nothing.",
        ),
        Rule::new(
            ENDED,
            Severity::Medium,
            "the release gets no more security updates",
            "What was found since its end is in no advisory. Move to a release that is maintained.",
        ),
        Rule::new(
            NOT_JUDGED,
            Severity::Info,
            "a package could not be held against the advisories",
            "It does not say its version, or one that cannot be ordered.",
        ),
    ]
}

/// A vulnerability as a finding.
pub fn of(scan: &Scan<'_>, it: &Vulnerability, note: &Note) -> Finding {
    let package = scan.package(it);
    let named = it.aliases.iter().find(|id| it.id != **id && id.starts_with("CVE-")).unwrap_or(&it.id);
    let mut finding =
        Finding::new(VULNERABLE, severity(it), format!("{} {} has {named}", package.name, package.version))
            .of_image(scan.catalogue.config.name.as_str())
            .part(format!("{} {} {}", package.name, it.id, package.path));
    finding.reason = reason(it);
    finding.fix = None;
    if let Some(fixed) = &it.fixed {
        let how = if json::remedy(scan, it) == "rebase" { "rebuild on a newer base image with" } else { "update to" };
        finding = finding.fix(format!("{how} {} {fixed}", package.name));
    }
    finding.suppression =
        note.settled.as_ref().map(|settled| Suppression { by: settled.by.clone(), reason: settled.reason.clone() });
    finding.details(Details::Package(Box::new(PackageDetails {
        package: package.name.as_str().into(),
        version: package.version.as_str().into(),
        ecosystem: it.ecosystem.as_str().into(),
        purl: package.purl.as_str().into(),
        advisory: Some(it.id.as_str().into()),
        aliases: it.aliases.iter().map(|id| id.as_str().into()).collect(),
        path: Some(package.path.as_str().into()),
        layer: Some(json::layer(package).into()),
        reachable: match &it.reach {
            Reach::Linked(_) => Some(true),
            Reach::NotLinked | Reach::OtherSystem => Some(false),
            Reach::Unknown(_) => None,
        },
        fixed_in: it.fixed.iter().map(|fixed| fixed.as_str().into()).collect(),
    })))
}

fn reason(it: &Vulnerability) -> Option<String> {
    let mut words = Vec::new();
    if !it.summary.is_empty() {
        words.push(it.summary.clone());
    }
    if let Some(exploited) = &it.exploited {
        words.push(format!("known to be exploited since {}", exploited.date_added));
    }
    match &it.reach {
        Reach::Linked(names) => words.push(format!("linked into the program: {}", names.join(", "))),
        Reach::NotLinked => words.push("none of the functions that are vulnerable is linked into the program".into()),
        Reach::OtherSystem => words.push("it is not on the system that the program was built for".into()),
        Reach::Unknown(_) => {}
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// What could not be judged, as findings.
pub fn of_gaps(scan: &Scan<'_>) -> Vec<Finding> {
    let image = scan.catalogue.config.name.as_str();
    let package = |index: &usize| &scan.catalogue.packages[*index];
    let of_gap = |gap: &Gap| match gap {
        Gap::NoData { ecosystem, packages } => Finding::new(
            NO_DATA,
            Severity::High,
            format!("no data on {ecosystem}: {packages} packages were not judged"),
        )
        .part(ecosystem.to_string()),
        Gap::EndOfLife { ecosystem, ended } => {
            Finding::new(ENDED, Severity::Medium, format!("{ecosystem} gets no more security updates since {ended}"))
                .part(ecosystem.to_string())
        }
        Gap::NoVersion { package: index } => {
            let it = package(index);
            let said = if it.version.is_empty() { "no version".to_owned() } else { format!("`{}`", it.version) };
            Finding::new(
                NOT_JUDGED,
                Severity::Info,
                format!("{} says {said}: only what holds for every version was held against it", it.name),
            )
            .part(it.path.clone())
        }
        Gap::Unreadable { package: index, advisories } => {
            let it = package(index);
            let said = format!("`{}` of {} cannot be held against {}", it.version, it.name, advisories.join(", "));
            Finding::new(NOT_JUDGED, Severity::Info, said).part(it.path.clone())
        }
        Gap::BrokenEntries { package: index } => {
            let name = &package(index).name;
            Finding::new(NO_DATA, Severity::High, format!("the database is broken where it speaks of {name}"))
                .part(name.clone())
        }
    };
    let mut findings: Vec<Finding> = scan.assessment.gaps.iter().map(of_gap).map(|it| it.of_image(image)).collect();
    if scan.database.is_none() {
        let said = "there is no database of advisories: no package was judged";
        findings.push(Finding::new(NO_DATA, Severity::High, said).of_image(image));
    }
    findings
}
