//! An arrow never points up: which crate may use which, and which crates from outside.

use std::collections::BTreeSet;

use crate::metadata::{Kind, Metadata, Package};

/// How far a crate stands from the pure types: a crate uses only crates of lower layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Values and their parsers.
    Types,
    /// Pure functions over the types: no IO, no clock, no async.
    Engine,
    /// As pure, and over what an engine finds.
    Judge,
    /// One side is the outside: files, the kernel.
    Adapter,
    /// Long-running parts.
    Service,
    /// The binary.
    Binary,
}

/// A member of the workspace and what it may use.
struct Member {
    name: &'static str,
    layer: Layer,
    purpose: Purpose,
    outside: Outside,
}

/// Whether the crate is part of the product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Product,
    /// Used by tests alone: no other crate may name it outside of `[dev-dependencies]`.
    Test,
}

/// Which crates from outside a member may name.
enum Outside {
    Only(&'static [&'static str]),
    AnyButReserved,
}

const PURE: Outside = Outside::Only(&["serde", "serde_json", "thiserror", "ipnet", "jiff"]);

/// For the policy engine: as pure, with a hash for its maps.
const PURE_WITH_HASH: Outside = Outside::Only(&["serde", "serde_json", "thiserror", "ipnet", "jiff", "foldhash"]);

/// For an engine that reads foreign formats: as pure, with a search of bytes and an inflater over slices.
const PURE_OVER_BYTES: Outside =
    Outside::Only(&["serde", "serde_json", "thiserror", "ipnet", "jiff", "memchr", "miniz_oxide"]);

/// For the judge of packages: as pure, with the scores of CVSS vectors, whose tables nobody writes twice.
const PURE_WITH_SCORES: Outside = Outside::Only(&["serde", "serde_json", "thiserror", "cvss"]);

/// For the judge of signatures: pure in what it is given, and the forms and the cryptography that nobody writes twice.
const PURE_WITH_CRYPTOGRAPHY: Outside = Outside::Only(&[
    "serde",
    "serde_json",
    "thiserror",
    "jiff",
    "aws-lc-rs",
    "base64",
    "ciborium",
    "cms",
    "const-oid",
    "crypto_secretbox",
    "der",
    "scrypt",
    "sigstore-verify",
    "x509-cert",
    "zeroize",
]);

const MEMBERS: &[Member] = &[
    member("palisade-model", Layer::Types, Purpose::Product, PURE),
    member("palisade-policy", Layer::Engine, Purpose::Product, PURE_WITH_HASH),
    member("palisade-image", Layer::Engine, Purpose::Product, PURE_OVER_BYTES),
    member("palisade-advisories", Layer::Judge, Purpose::Product, PURE_WITH_SCORES),
    member("palisade-signatures", Layer::Engine, Purpose::Product, PURE_WITH_CRYPTOGRAPHY),
    member("palisade-oracle", Layer::Engine, Purpose::Test, PURE),
    member("palisade-worlds", Layer::Engine, Purpose::Test, PURE),
    member("palisade-peers", Layer::Adapter, Purpose::Test, Outside::Only(&[])),
    member("palisade-house", Layer::Engine, Purpose::Test, Outside::Only(&["serde", "serde_json", "toml"])),
    member("palisade-archive", Layer::Adapter, Purpose::Product, Outside::AnyButReserved),
    member("palisade-manifests", Layer::Adapter, Purpose::Product, Outside::AnyButReserved),
    member("palisade-registry", Layer::Adapter, Purpose::Product, Outside::AnyButReserved),
    member("palisade-report", Layer::Adapter, Purpose::Product, PURE),
    member("palisade-feeds", Layer::Adapter, Purpose::Product, Outside::AnyButReserved),
    member("palisade-bpf", Layer::Adapter, Purpose::Product, Outside::AnyButReserved),
    member("palisade-agent", Layer::Service, Purpose::Product, Outside::AnyButReserved),
    member("palisade-lab", Layer::Service, Purpose::Product, Outside::AnyButReserved),
    member("palisade-fuzz", Layer::Binary, Purpose::Test, Outside::AnyButReserved),
    member("palisade", Layer::Binary, Purpose::Product, Outside::AnyButReserved),
];

const fn member(name: &'static str, layer: Layer, purpose: Purpose, outside: Outside) -> Member {
    Member { name, layer, purpose, outside }
}

/// Crates from outside that one member alone may name: (prefix of the name, its only user).
const RESERVED: &[(&str, &str)] =
    &[("libbpf", "palisade-bpf"), ("hickory", "palisade-lab"), ("ureq", "palisade-registry")];

/// Every arrow that points up or sideways, and every crate used where it may not be.
pub fn check(metadata: &Metadata) -> Vec<String> {
    let members = metadata.members();
    let names: BTreeSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let mut findings = Vec::new();
    for package in &members {
        let Some(user) = find(&package.name) else {
            findings.push(format!("`{}` has no layer: add it to MEMBERS in crates/house/src/layers.rs", package.name));
            continue;
        };
        check_member(user, package, &names, &mut findings);
    }
    findings
}

fn check_member(user: &Member, package: &Package, names: &BTreeSet<&str>, findings: &mut Vec<String>) {
    for dependency in &package.dependencies {
        let used = dependency.name.as_str();
        if names.contains(used) {
            if dependency.kind == Kind::Dev {
                continue;
            }
            let Some(target) = find(used) else { continue };
            if target.layer >= user.layer {
                findings.push(format!(
                    "`{}` ({:?}) uses `{used}` ({:?}): an arrow never points up",
                    user.name, user.layer, target.layer
                ));
            }
            if target.purpose == Purpose::Test && user.purpose == Purpose::Product {
                findings
                    .push(format!("`{}` uses `{used}`, which is for tests: move it to [dev-dependencies]", user.name));
            }
            continue;
        }
        for (prefix, owner) in RESERVED {
            if used.starts_with(prefix) && *owner != user.name {
                findings.push(format!("`{}` uses `{used}`: only `{owner}` may", user.name));
            }
        }
        if let (Outside::Only(allowed), Kind::Normal | Kind::Build) = (&user.outside, dependency.kind)
            && !allowed.contains(&used)
        {
            findings.push(format!(
                "`{}` uses `{used}` from outside: it may use only {}",
                user.name,
                allowed.join(", ")
            ));
        }
    }
}

fn find(name: &str) -> Option<&'static Member> {
    MEMBERS.iter().find(|member| member.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up workspace: lines of `user -> used` with an optional kind in front.
    fn findings(lines: &[&str]) -> Vec<String> {
        let mut packages = std::collections::BTreeMap::<&str, Vec<serde_json::Value>>::new();
        for line in lines {
            let (user, used) = line.split_once(" -> ").expect("`user -> used`");
            let (kind, user) = user.split_once(' ').unwrap_or(("normal", user));
            let path = used.starts_with("palisade").then_some("/w");
            if path.is_some() {
                packages.entry(used).or_default();
            }
            packages.entry(user).or_default().push(serde_json::json!({"name": used, "kind": kind, "path": path}));
        }
        let names: Vec<_> = packages.keys().copied().collect();
        let packages: Vec<_> = packages
            .iter()
            .map(|(name, dependencies)| {
                serde_json::json!({"id": name, "name": name, "version": "0.1.0",
                                   "dependencies": dependencies})
            })
            .collect();
        let value = serde_json::json!({"packages": packages, "workspace_members": names,
                                       "workspace_root": "/w"});
        check(&serde_json::from_value(value).expect("shaped like cargo's"))
    }

    #[test]
    fn an_arrow_down_is_fine() {
        assert_eq!(
            findings(&[
                "palisade-policy -> palisade-model",
                "palisade-agent -> palisade-bpf",
                "palisade-model -> serde",
                "palisade-bpf -> libbpf-rs",
            ]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn an_arrow_up_or_sideways_is_found() {
        assert_eq!(
            findings(&["palisade-model -> palisade-policy"]),
            ["`palisade-model` (Types) uses `palisade-policy` (Engine): an arrow never points up"]
        );
        assert_eq!(
            findings(&["palisade-agent -> palisade-lab"]),
            ["`palisade-agent` (Service) uses `palisade-lab` (Service): an arrow never points up"]
        );
    }

    #[test]
    fn tests_may_use_what_they_like_but_the_product_no_test_crate() {
        assert!(findings(&["dev palisade-policy -> palisade-oracle"]).is_empty());
        assert!(findings(&["dev palisade-policy -> proptest"]).is_empty());
        assert_eq!(
            findings(&["palisade-agent -> palisade-oracle"]),
            ["`palisade-agent` uses `palisade-oracle`, which is for tests: move it to [dev-dependencies]"]
        );
    }

    #[test]
    fn a_pure_crate_that_takes_tokio_is_found() {
        assert_eq!(
            findings(&["palisade-policy -> tokio"]),
            [
                "`palisade-policy` uses `tokio` from outside: it may use only serde, serde_json, thiserror, ipnet, jiff, foldhash"
            ]
        );
    }

    #[test]
    fn libbpf_outside_of_its_crate_is_found() {
        assert_eq!(
            findings(&["palisade-agent -> libbpf-rs"]),
            ["`palisade-agent` uses `libbpf-rs`: only `palisade-bpf` may"]
        );
    }

    #[test]
    fn a_member_without_a_layer_is_found() {
        assert_eq!(
            findings(&["palisade-novelty -> serde"]),
            ["`palisade-novelty` has no layer: add it to MEMBERS in crates/house/src/layers.rs"]
        );
    }
}
