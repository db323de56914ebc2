//! What may come in from outside: licences, sources and banned crates, by `deny.toml`.
//!
//! `deny.toml` has cargo-deny's format. We read the part that we use instead of installing
//! cargo-deny, which is 167 crates to build; its advisories check is not done here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::metadata::Metadata;
use crate::spdx;

/// The part of `deny.toml` that we hold.
#[derive(Debug, Deserialize)]
pub struct Rules {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
    #[serde(default)]
    features: Vec<FeatureBan>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: Option<String>,
    /// The crate may come in, but once.
    #[serde(default, rename = "deny-multiple-versions")]
    once: bool,
}

#[derive(Debug, Deserialize)]
struct FeatureBan {
    #[serde(rename = "crate")]
    name: String,
    deny: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    allow_registry: Vec<String>,
}

/// A package that the build compiles, by name and version.
pub type Built = BTreeSet<(String, String)>;

impl Rules {
    /// Reads the text of a `deny.toml`.
    ///
    /// # Errors
    /// In words, when it is not TOML or lacks a table that we hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| format!("deny.toml: {error}"))
    }
}

/// Asks `cargo tree` which packages the workspace's build compiles on Linux.
///
/// `cargo metadata` names more: optional dependencies that no feature turns on.
///
/// # Errors
/// In words, when cargo cannot be run.
pub fn read_built(root: &Path) -> Result<Built, String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--edges", "all", "--prefix", "none"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--format", "{p}"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run cargo tree: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(parse_tree(&String::from_utf8_lossy(&output.stdout)))
}

fn parse_tree(text: &str) -> Built {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let version = words.next()?.strip_prefix('v')?;
            Some((name.to_owned(), version.to_owned()))
        })
        .collect()
}

/// Every package of the build that breaks a rule, in the order of the names.
pub fn check(metadata: &Metadata, built: &Built, rules: &Rules) -> Vec<String> {
    let mut findings = Vec::new();
    let mut versions = BTreeMap::<&str, Vec<&str>>::new();
    let mut packages: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| built.contains(&(package.name.clone(), package.version.clone())))
        .collect();
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    for package in packages {
        let shown = format!("`{} {}`", package.name, package.version);
        versions.entry(&package.name).or_default().push(&package.version);
        match package.license.as_deref() {
            None => findings.push(format!("{shown} names no licence")),
            Some(licence) if !spdx::is_met(licence, &rules.licenses.allow) => {
                findings.push(format!("{shown} is under `{licence}`, which deny.toml does not allow"))
            }
            Some(_) => {}
        }
        if let Some(source) = &package.source
            && !is_allowed_source(source, rules)
        {
            findings.push(format!("{shown} comes from `{source}`, which deny.toml does not allow"));
        }
    }
    findings.extend(check_bans(&versions, rules));
    findings.extend(check_features(metadata, rules));
    findings
}

fn check_bans(versions: &BTreeMap<&str, Vec<&str>>, rules: &Rules) -> Vec<String> {
    let mut findings = Vec::new();
    for ban in &rules.bans.deny {
        let found = versions.get(ban.name.as_str()).map_or(0, Vec::len);
        let reason = ban.reason.as_deref().unwrap_or("banned in deny.toml");
        if ban.once && found > 1 {
            findings.push(format!("`{}` comes in {found} versions: {reason}", ban.name));
        } else if !ban.once && found > 0 {
            findings.push(format!("`{}` is banned: {reason}", ban.name));
        }
    }
    findings
}

fn check_features(metadata: &Metadata, rules: &Rules) -> Vec<String> {
    let mut findings = Vec::new();
    for package in metadata.members() {
        for dependency in &package.dependencies {
            let banned = rules.bans.features.iter().filter(|ban| ban.name == dependency.name).flat_map(|ban| &ban.deny);
            for feature in banned.filter(|feature| dependency.features.contains(feature)) {
                findings.push(format!("`{}` asks for feature `{feature}` of `{}`", package.name, dependency.name));
            }
        }
    }
    findings
}

fn is_allowed_source(source: &str, rules: &Rules) -> bool {
    source.strip_prefix("registry+").is_some_and(|url| rules.sources.allow_registry.iter().any(|ok| ok == url))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [
            { crate = "openssl", reason = "one provider" },
            { crate = "rustls", deny-multiple-versions = true, reason = "one is enough" },
        ]
        [[bans.features]]
        crate = "tokio"
        deny = ["full"]
        [sources]
        allow-registry = ["https://registry.example"]
    "#;

    fn findings(packages: &[(&str, &str, Option<&str>, &str)]) -> Vec<String> {
        let packages: Vec<_> = packages
            .iter()
            .map(|(name, version, license, source)| {
                serde_json::json!({"id": name, "name": name, "version": version,
                    "license": license, "source": source,
                    "dependencies": [{"name": "tokio", "features": ["full"]}]})
            })
            .collect();
        let built = packages
            .iter()
            .map(|package| {
                let word = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
                (word("name"), word("version"))
            })
            .collect();
        let value = serde_json::json!({"packages": packages, "workspace_members": ["member"],
                                       "workspace_root": "/w"});
        let metadata = serde_json::from_value(value).expect("shaped like cargo's");
        check(&metadata, &built, &Rules::parse(RULES).expect("the rules"))
    }

    const HERE: &str = "registry+https://registry.example";

    #[test]
    fn an_allowed_licence_and_source_pass() {
        assert!(findings(&[("serde", "1.0.0", Some("GPL-3.0 OR MIT"), HERE)]).is_empty());
    }

    #[test]
    fn each_rule_can_fail() {
        assert_eq!(
            findings(&[
                ("a", "1.0.0", Some("GPL-3.0"), HERE),
                ("b", "1.0.0", None, HERE),
                ("c", "1.0.0", Some("MIT"), "git+https://elsewhere.example"),
                ("member", "1.0.0", Some("MIT"), HERE),
                ("openssl", "1.0.0", Some("MIT"), HERE),
                ("rustls", "0.1.0", Some("MIT"), HERE),
                ("rustls", "0.2.0", Some("MIT"), HERE),
            ]),
            [
                "`a 1.0.0` is under `GPL-3.0`, which deny.toml does not allow",
                "`b 1.0.0` names no licence",
                "`c 1.0.0` comes from `git+https://elsewhere.example`, which deny.toml does not allow",
                "`openssl` is banned: one provider",
                "`rustls` comes in 2 versions: one is enough",
                "`member` asks for feature `full` of `tokio`",
            ]
        );
    }

    #[test]
    fn the_tree_is_read_by_name_and_version() {
        let built = parse_tree("serde v1.0.0\npalisade v0.1.0 (/w)\n\nsyn v2.0.1 (proc-macro)\n");
        assert_eq!(built.len(), 3);
        assert!(built.contains(&("syn".into(), "2.0.1".into())));
    }
}
