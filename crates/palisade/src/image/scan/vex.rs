//! CycloneDX 1.6 with the analysis of each vulnerability.

use std::io::{self, Write};

use palisade_advisories::Vulnerability;
use palisade_advisories::symbols::Reach;
use serde_json::{Value, json};

use super::settled::As;
use super::{Note, Scan, severity};
use crate::report::write_json;

pub fn write(scan: &Scan<'_>, output: &mut impl Write) -> io::Result<()> {
    let config = &scan.catalogue.config;
    let mut named: Vec<usize> = scan.assessment.vulnerabilities.iter().map(|it| it.package).collect();
    named.sort_unstable();
    named.dedup();
    let components: Vec<Value> = named
        .iter()
        .map(|index| {
            let package = &scan.catalogue.packages[*index];
            json!({"type": "library", "bom-ref": reference(scan, *index), "name": package.name,
                   "version": package.version, "purl": package.purl})
        })
        .collect();
    let mut subject = json!({"type": "container", "bom-ref": "image", "name": config.name});
    if !config.digest.is_empty() {
        subject["version"] = config.digest.clone().into();
    }
    let body = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "palisade", "version": env!("CARGO_PKG_VERSION")}]},
            "component": subject,
        },
        "components": components,
        "vulnerabilities": scan.all().map(|(it, note)| vulnerability(scan, it, note)).collect::<Vec<_>>(),
    });
    write_json(output, &body)
}

/// Two copies of a package have one purl.
fn reference(scan: &Scan<'_>, index: usize) -> String {
    let package = &scan.catalogue.packages[index];
    format!("{}#{}", package.purl, package.path)
}

/// State, justification and detail, in the words of CycloneDX. What somebody lives with is no less there: whoever reads the
/// document must not take it for "not affected".
fn analysis(note: &Note, reach: &Reach) -> (&'static str, Option<&'static str>, Option<String>) {
    let of_program = match reach {
        Reach::NotLinked => ("not_affected", Some("code_not_present"), Some("not linked into the program".into())),
        Reach::OtherSystem => {
            ("not_affected", Some("code_not_present"), Some("on other systems alone than the program's".into()))
        }
        Reach::Linked(names) => ("exploitable", None, Some(format!("linked: {}", names.join(", ")))),
        Reach::Unknown(_) => ("in_triage", None, None),
    };
    let Some(settled) = &note.settled else { return of_program };
    let said = Some(settled.reason.as_ref().map_or(settled.by.clone(), |why| format!("{}: {why}", settled.by)));
    match settled.as_what {
        As::NotAffected => ("not_affected", None, said),
        As::Fixed => ("resolved", None, said),
        As::Accepted => (of_program.0, of_program.1, said),
    }
}

fn vulnerability(scan: &Scan<'_>, it: &Vulnerability, note: &Note) -> Value {
    let (state, justification, detail) = analysis(note, &it.reach);
    let mut analysis = json!({"state": state});
    if let Some(justification) = justification {
        analysis["justification"] = justification.into();
    }
    if let Some(detail) = detail {
        analysis["detail"] = detail.into();
    }
    let mut rating = json!({"severity": severity(it).as_str()});
    if let Some(given) = &it.rating {
        if let Some(tenths) = given.tenths {
            rating["score"] = (f64::from(tenths) / 10.0).into();
        }
        if given.by.starts_with("CVSS:") {
            rating["vector"] = given.by.clone().into();
        }
    }
    let references: Vec<Value> = it.aliases.iter().map(|id| json!({"id": id, "source": {"name": "OSV"}})).collect();
    let mut told = json!({
        "id": it.id,
        "references": references,
        "ratings": [rating],
        "analysis": analysis,
        "affects": [{"ref": reference(scan, it.package)}],
    });
    if let Some(fixed) = &it.fixed {
        told["recommendation"] = format!("update to {fixed}").into();
    }
    told
}
