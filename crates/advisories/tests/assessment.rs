//! Small worlds: advisories, packages, and what is known against them.

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::{Expect, expect};
use palisade_advisories::advisory::{Advisory, Affected, Event, Import, Range};
use palisade_advisories::database::Catalogue;
use palisade_advisories::symbols::Reach;
use palisade_advisories::{Builder, Database, Gap, assess};
use palisade_image::go::FunctionNames;
use palisade_image::{Ecosystem, Evidence, GoBinary, GoFunctions, LayerRef, Package, Release, SourcePackage};

/// Lines of two kinds, and what `assess` makes of them. `_` in an ecosystem stands for a blank.
///
///     advisory ID ECOSYSTEM NAME [introduced=V] [fixed=V] [alias=ID] [covers=ID] [rated=R] [withdrawn] [symbol=PATH:NAME]
///     package ECOSYSTEM NAME VERSION [source=NAME@VERSION] [owned=NAME] [function=NAME] [path=PATH]
fn check(world: &str, expected: Expect) {
    let (mut advisories, mut packages) = (Vec::new(), Vec::new());
    for line in world.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[0] {
            "advisory" => advisories.push(advisory(&words[1..])),
            "package" => packages.push(package(&words[1..])),
            other => panic!("`{other}` is no kind of line"),
        }
    }
    advisories.sort_by(|a: &Advisory, b| a.id.cmp(&b.id));
    let mut builder = Builder::default();
    for advisory in &advisories {
        builder.add(advisory);
    }
    let exploited = r#"{"catalogVersion":"2026.01.01","vulnerabilities":[{"cveID":"CVE-KEV"}]}"#;
    let exploited: Catalogue = serde_json::from_str(exploited).expect("a catalogue");
    let bytes = builder.finish(Vec::new(), Some(exploited));
    let database = Database::open(&bytes).expect("a database");
    let assessment = assess(&packages, &database, "2026-11-30");
    let mut said = String::new();
    for it in &assessment.vulnerabilities {
        let package = &packages[it.package];
        let _ = write!(said, "{} {} {} {}", package.name, package.version, it.ecosystem, it.id);
        if !it.aliases.is_empty() {
            let _ = write!(said, " ({})", it.aliases.join(", "));
        }
        if let Some(fixed) = &it.fixed {
            let _ = write!(said, " fixed in {fixed}");
        }
        if let Some(rating) = &it.rating {
            let _ = write!(said, " {}", rating.severity);
        }
        match &it.reach {
            Reach::Linked(symbols) => drop(write!(said, " linked: {}", symbols.join(", "))),
            Reach::NotLinked => said += " not linked",
            Reach::OtherSystem => said += " on another system",
            Reach::Unknown(_) => {}
        }
        if it.exploited.is_some() {
            said += " exploited";
        }
        said.push('\n');
    }
    for gap in &assessment.gaps {
        let name = |index: usize| packages[index].name.clone();
        let _ = match gap {
            Gap::NoData { ecosystem, packages } => writeln!(said, "no data on {ecosystem}: {packages}"),
            Gap::EndOfLife { ecosystem, ended } => writeln!(said, "{ecosystem} ended on {ended}"),
            Gap::NoVersion { package } => writeln!(said, "no version: {}", name(*package)),
            Gap::Unreadable { package, advisories } => {
                writeln!(said, "unreadable: {} {}", name(*package), advisories.join(", "))
            }
            Gap::BrokenEntries { package } => writeln!(said, "broken: {}", name(*package)),
        };
    }
    let _ = writeln!(said, "{} judged, {} owned", assessment.judged, assessment.owned);
    expected.assert_eq(&said);
}

fn advisory(words: &[&str]) -> Advisory {
    let mut advisory = Advisory { id: words[0].into(), ..Advisory::default() };
    let mut affected = Affected { ecosystem: words[1].replace('_', " "), name: words[2].into(), ..Affected::default() };
    let mut events = Vec::new();
    for word in &words[3..] {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let value = value.to_owned();
        match key {
            "introduced" => events.push(Event::Introduced(value)),
            "fixed" => events.push(Event::Fixed(value)),
            "alias" => advisory.aliases.push(value),
            "covers" => advisory.covers.push(value),
            "rated" => advisory.ratings.push(value),
            "withdrawn" => advisory.withdrawn = Some("2024-01-01T00:00:00Z".into()),
            "symbol" => {
                let (path, symbol) = value.split_once(':').expect("path:symbol");
                affected.imports.push(Import { path: path.into(), symbols: vec![symbol.into()], ..Import::default() });
            }
            "system" => affected.imports.iter_mut().for_each(|import| import.systems.push(value.clone())),
            other => panic!("`{other}` is no key of an advisory"),
        }
    }
    if !events.iter().any(|event| matches!(event, Event::Introduced(_))) {
        events.insert(0, Event::Introduced("0".into()));
    }
    affected.ranges.push(Range { semantic: false, events });
    advisory.affected.push(affected);
    advisory
}

fn package(words: &[&str]) -> Package {
    let release = |word: &str| {
        let (id, version) = word.split_once('-').unwrap_or((word, ""));
        Release { id: id.into(), version_id: version.into() }
    };
    let ecosystem = match words[0] {
        "pypi" => Ecosystem::PyPi,
        "npm" => Ecosystem::Npm,
        "go" => Ecosystem::Go,
        "maven" => Ecosystem::Maven,
        word if word.starts_with("debian") || word.starts_with("kali") => Ecosystem::Dpkg(release(word)),
        word if word.starts_with("alpine") => Ecosystem::Apk(release(word)),
        word => Ecosystem::Rpm(release(word)),
    };
    let mut package = Package {
        name: words[1].into(),
        version: words[2].into(),
        ecosystem,
        purl: String::new(),
        source: None,
        architecture: None,
        path: "/p".into(),
        layer: LayerRef { index: 0, diff_id: "".into(), digest: "".into() },
        evidence: Evidence::InstalledMetadata,
        owned_by: None,
        licences: Vec::new(),
        go: None,
        development: false,
        possible_names: Vec::new(),
    };
    let mut functions = vec!["runtime.main"];
    for word in &words[3..] {
        let (key, value) = word.split_once('=').expect("key=value");
        match key {
            "source" => {
                let (name, version) = value.split_once('@').expect("name@version");
                package.source = Some(SourcePackage { name: name.into(), version: version.into() });
            }
            "owned" => package.owned_by = Some(value.into()),
            "function" => functions.push(value),
            "path" => package.path = value.into(),
            other => panic!("`{other}` is no key of a package"),
        }
    }
    if package.ecosystem == Ecosystem::Go {
        package.go = Some(Arc::new(GoBinary {
            go_version: "go1.22".into(),
            path: "example.com/cmd".into(),
            main: None,
            modules: Vec::new(),
            settings: vec![("GOOS".into(), "linux".into())],
            functions: GoFunctions::Names(Arc::new(functions.into_iter().collect::<FunctionNames>())),
        }));
    }
    package
}

#[test]
fn a_distribution_is_asked_for_source_packages_of_its_release() {
    check(
        "
        advisory DEBIAN-CVE-1 Debian:12 openssl fixed=3.0.11-1 covers=CVE-1
        advisory DEBIAN-CVE-2 Debian:11 openssl covers=CVE-2
        advisory DEBIAN-CVE-3 Debian:12 libssl3 covers=CVE-3
        package debian-12 libssl3 3.0.9-1 source=openssl@3.0.9-1
        package debian-12 libssl-dev 3.0.11-1+b1 source=openssl@3.0.11-1
        ",
        expect![[r#"
            libssl3 3.0.9-1 Debian:12 DEBIAN-CVE-1 (CVE-1) fixed in 3.0.11-1
            2 judged, 0 owned
        "#]],
    );
}

#[test]
fn red_hats_family_is_asked_for_what_is_installed_and_keeps_its_streams_apart() {
    check(
        "
        advisory ALSA-1 AlmaLinux:9 nodejs fixed=1:18.20.2-2.module_el9+72 covers=CVE-1 covers=CVE-2
        advisory ALSA-2 AlmaLinux:9 nodejs fixed=1:16.20.2-4.el9_3 covers=CVE-3 covers=CVE-4
        advisory ALSA-3 AlmaLinux:9 openssl fixed=1:3.0.7-27.el9 covers=CVE-5 covers=CVE-6
        package almalinux-9.2 nodejs 1:16.20.1-1.el9_2
        package almalinux-9.2 openssl-libs 1:3.0.7-6.el9_2 source=openssl@3.0.7-6.el9_2
        ",
        expect![[r#"
            nodejs 1:16.20.1-1.el9_2 AlmaLinux:9 ALSA-2 (CVE-3, CVE-4) fixed in 1:16.20.2-4.el9_3
            2 judged, 0 owned
        "#]],
    );
}

#[test]
fn one_matter_told_by_many_is_told_once() {
    check(
        "
        advisory GHSA-1 PyPI jinja2 fixed=3.1.3 alias=CVE-1 rated=MODERATE
        advisory PYSEC-1 PyPI Jinja2 fixed=3.1.4 alias=CVE-1 rated=CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N
        advisory GHSA-2 PyPI jinja2 fixed=3.1.5 alias=CVE-2
        package pypi Jinja2 3.1.2
        ",
        expect![[r#"
            Jinja2 3.1.2 PyPI GHSA-1 (CVE-1, PYSEC-1) fixed in 3.1.4 medium
            Jinja2 3.1.2 PyPI GHSA-2 (CVE-2) fixed in 3.1.5
            1 judged, 0 owned
        "#]],
    );
}

#[test]
fn an_update_that_covers_many_ties_nothing_together() {
    check(
        "
        advisory DSA-1 Debian:12 curl fixed=7.88.1-10+deb12u5 covers=CVE-1 covers=CVE-2
        advisory DEBIAN-CVE-1 Debian:12 curl fixed=7.88.1-10+deb12u5 covers=CVE-1
        advisory DEBIAN-CVE-2 Debian:12 curl fixed=7.88.1-10+deb12u5 covers=CVE-2
        advisory DSA-2 Debian:12 curl fixed=7.88.1-10+deb12u6 covers=CVE-3 covers=CVE-1
        package debian-12 curl 7.88.1-10
        ",
        expect![[r#"
            curl 7.88.1-10 Debian:12 DEBIAN-CVE-1 (CVE-1, DSA-1) fixed in 7.88.1-10+deb12u5
            curl 7.88.1-10 Debian:12 DEBIAN-CVE-2 (CVE-2, DSA-1) fixed in 7.88.1-10+deb12u5
            curl 7.88.1-10 Debian:12 DSA-2 (CVE-1, CVE-3) fixed in 7.88.1-10+deb12u6
            1 judged, 0 owned
        "#]],
    );
}

#[test]
fn what_was_taken_back_and_what_the_distribution_owns_is_not_told() {
    check(
        "
        advisory GHSA-1 npm a withdrawn
        advisory GHSA-2 PyPI b
        package npm a 1.0.0
        package pypi b 1.0 owned=python3-b
        ",
        expect![[r#"
            1 judged, 1 owned
        "#]],
    );
}

#[test]
fn no_data_no_version_and_an_ended_release_are_said() {
    check(
        "
        advisory ALPINE-1 Alpine:v3.11 musl fixed=1.1.24-r4
        advisory GHSA-1 Go example.com/a
        advisory GHSA-2 Go example.com/a fixed=1.0.0
        package alpine-3.11.6 musl 1.1.24-r3
        package alpine-3.8.5 musl 1.1.24-r3
        package kali-2024.1 bash 5.2-1
        package kali-2024.1 dash 0.5-1
        package maven a:b 1
        package go example.com/a (devel)
        ",
        expect![[r#"
            musl 1.1.24-r3 Alpine:v3.11 ALPINE-1 fixed in 1.1.24-r4
            example.com/a (devel) Go GHSA-1
            no data on kali 2024.1: 2
            no data on alpine 3.8.5: 1
            no data on Maven: 1
            alpine 3.11.6 ended on 2021-11-01
            alpine 3.8.5 ended on 2020-05-01
            no version: example.com/a
            1 judged, 0 owned
        "#]],
    );
}

#[test]
fn a_version_that_cannot_be_ordered_is_a_gap_and_not_an_answer() {
    check(
        "
        advisory GHSA-1 PyPI a fixed=1.0
        package pypi a twenty
        ",
        expect![[r#"
            unreadable: a GHSA-1
            1 judged, 0 owned
        "#]],
    );
}

#[test]
fn what_is_not_linked_comes_last_and_what_is_exploited_first() {
    check(
        "
        advisory GO-1 Go example.com/a fixed=1.1.0 alias=CVE-1 symbol=example.com/a/p:T.M rated=9.9
        advisory GO-2 Go example.com/a fixed=1.1.0 alias=CVE-2 symbol=example.com/a/p:F rated=2.0
        advisory GHSA-2 Go example.com/a fixed=1.1.0 alias=CVE-2
        advisory GO-3 Go example.com/a alias=CVE-KEV rated=1.0
        advisory GO-4 Go example.com/a alias=CVE-4 rated=8.0
        advisory GO-5 Go example.com/a symbol=example.com/a/p:F system=windows rated=9.0
        advisory GO-6 Go example.com/a symbol=example.com/a/p:F system=linux rated=1.0
        package go example.com/a v1.0.0 function=example.com/a/p.F.func1
        ",
        expect![[r#"
            example.com/a v1.0.0 Go GO-3 (CVE-KEV) low exploited
            example.com/a v1.0.0 Go GO-4 (CVE-4) high
            example.com/a v1.0.0 Go GO-2 (CVE-2, GHSA-2) fixed in 1.1.0 low linked: example.com/a/p.F
            example.com/a v1.0.0 Go GO-6 low linked: example.com/a/p.F
            example.com/a v1.0.0 Go GO-1 (CVE-1) fixed in 1.1.0 critical not linked
            example.com/a v1.0.0 Go GO-5 critical on another system
            1 judged, 0 owned
        "#]],
    );
}
