//! Each ecosystem's own examples of its order, and its own tool where this machine has it.

use std::cmp::Ordering;
use std::path::Path;
use std::process::Command;

use palisade_advisories::VersionOrder;

/// `a < b`, `a = b` and `a > b`, one a line; also read from right to left.
fn hold(order: VersionOrder, cases: &str) {
    let mut wrong = Vec::new();
    for case in cases.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let [a, sign, b] = case.split_whitespace().collect::<Vec<_>>()[..] else { panic!("`{case}` is no case") };
        let expected = match sign {
            "<" => Ordering::Less,
            "=" => Ordering::Equal,
            ">" => Ordering::Greater,
            _ => panic!("`{case}` has no sign"),
        };
        if order.compare(a, b) != Ok(expected) || order.compare(b, a) != Ok(expected.reverse()) {
            wrong.push(format!("{case}: {:?}", order.compare(a, b)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Versions from the oldest to the newest: each is older than all that follow.
fn hold_chain(order: VersionOrder, chain: &str) {
    let versions: Vec<&str> = chain.split_whitespace().collect();
    let mut wrong = Vec::new();
    for (at, older) in versions.iter().enumerate() {
        for newer in &versions[at + 1..] {
            if order.compare(older, newer) != Ok(Ordering::Less) || order.compare(newer, older) != Ok(Ordering::Greater)
            {
                wrong.push(format!("{older} < {newer}: {:?}", order.compare(older, newer)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn refuses(order: VersionOrder, versions: &[&str]) {
    for version in versions {
        assert!(order.compare(version, "1").is_err(), "`{version}` was read");
    }
}

/// Source: Debian Policy 5.6.12, deb-version(7), and dpkg's own tests of its library.
#[test]
fn debian_versions_are_ordered_as_dpkg_orders_them() {
    hold_chain(VersionOrder::Dpkg, "0~~ 0~~a 0~ 0 0a 0+ 1:0~ 1:0");
    hold(
        VersionOrder::Dpkg,
        "
        1.0~beta1~svn1245 < 1.0~beta1
        1.0~beta1 < 1.0
        0:0-0 = 0:0-00
        1:2-3 = 1:2-3
        0:0-0 < 0:0-0a
        0:a < 0:a+
        1.2.3 < 1.2.3-1
        1.2.3-1 < 1.2.3-1+b1
        1.2.3-1+deb12u1 > 1.2.3-1
        1.2.3-1~deb12u1 < 1.2.3-1
        2.9.14+dfsg-1.2 < 2.9.14+dfsg-1.3~deb12u1
        7.88.1-10+deb12u5 > 7.88.1-10+deb12u4
        1:1.2 > 2
        1.2-3 > 1.2-2
        1.10 > 1.9
        09 = 9
        1.0-alpha < 1.0-beta
        3.0pl1-97 < 3.0pl1-136
        1.2.a > 1.2+a
        ",
    );
    refuses(VersionOrder::Dpkg, &["", "1:", "a:1", "1 2"]);
}

/// Source: `rpmvercmp.at` in rpm's tests, and rpm-version(7).
#[test]
fn rpm_versions_are_ordered_as_rpm_orders_them() {
    hold(
        VersionOrder::Rpm,
        "
        1.0 = 1.0
        1.0 < 2.0
        2.0 < 2.0.1
        2.0.1a > 2.0.1
        5.5p1 < 5.5p2
        5.5p1 < 5.5p10
        10xyz < 10.1xyz
        xyz10 < xyz10.1
        xyz.4 < 8
        xyz.4 < 2
        5.5p2 < 5.6p1
        5.6p1 < 6.5p1
        6.0.rc1 > 6.0
        10b2 > 10a1
        10a2 < 10b2
        1.0aa > 1.0a
        10.0001 = 10.1
        10.0001 < 10.0039
        4.999.9 < 5.0
        20101121 < 20101122
        2_0 = 2.0
        a+ = a_
        +a = _a
        1.0~rc1 < 1.0
        1.0~rc1 < 1.0~rc2
        1.0~rc1~git123 < 1.0~rc1
        1.0^ > 1.0
        1.0^git1 > 1.0
        1.0^git1 < 1.0^git2
        1.0^git1 < 1.01
        1.0^20160101 < 1.0.1
        1.0^20160101^git1 > 1.0^20160101
        1.0^20160102 > 1.0^20160101^git1
        1.0~rc1^git1 > 1.0~rc1
        1.0^git1~pre < 1.0^git1
        1b.fc17 < 1.fc17
        1g.fc17 > 1.fc17
        1:3.0.7-6.el9_2 < 1:3.0.7-16.el9_2
        3.0.7-6.el9 < 1:3.0.7-6.el9
        0:2.9.13-12.el9_6 = 2.9.13-12.el9_6
        (none):2.9.13-12.el9_6 = 2.9.13-12.el9_6
        2.9.13-12.el9_6 > 2.9.13-3.el9_2.1
        2.9.13 = 2.9.13-3
        ",
    );
    refuses(VersionOrder::Rpm, &["", "x:1"]);
}

/// Source: apk-package(5), and pairs of `test/version.data` of apk-tools.
#[test]
fn alpine_versions_are_ordered_as_apk_orders_them() {
    hold_chain(
        VersionOrder::Apk,
        "1.6_alpha1 1.6_beta2 1.6_pre1 1.6_rc1 1.6_rc1-r1 1.6 1.6-r1 1.6_git1 1.6_p1 1.6_p2-r0 1.6a",
    );
    hold(
        VersionOrder::Apk,
        "
        4.7.9-r0 < 4.8.0.-r1
        4.8.1-r0 > 4.8.0.-r1
        2.7.15-r1 < 2.7.16-33
        6.6.1p1-r1 < 6.6.2p1-r0
        1.6-r0 > 1.6_rc1-r0
        2.34 > 0.1.0_alpha
        0.1.0_alpha = 0.1.0_alpha
        0.1.0_alpha2 > 0.1.0_alpha
        0.1.0_alpha < 2.2.39-r1
        0.8_beta4 < 4.8-r1
        2.3.0b-r1 < 2.3.0b-r2
        1.06-r6 < 006
        3.1_p17 > 1.06-r6
        1.39 > 1.00_beta2
        1.02 < 1.03-r1
        1.02.07 < 1.02.10-r1
        0.0.50 > 0.0.16
        0.98 < 1.00
        1.07 < 1.19
        1.07.5 > 1.07
        2.02.06 < 2.02.10
        6b-r7 > 1.12-r7
        0.9.8c-r1 < 0.9.8d
        02.08.01b < 4.77
        8.1.2.20040524-r1 < 8.1.2.20050715-r1
        2.9.11_pre20051101-r2 > 2.9.11_pre20051101
        3.0.20060720 < 20060720
        1.3-r0 < 1.3.1-r0
        1.3_pre1-r1 < 1.3.2
        1.0_p10-r0 > 1.0_p9-r0
        0.1.0_alpha_pre2 < 0.1.0_alpha
        1.0.0_pre20191002222144-r0 < 1.0.0_pre20210530193627-r0
        1.31.1-r8 < 1.31.1-r11
        ",
    );
    refuses(VersionOrder::Apk, &["", "1.0bc", "1_foo", "1..2", "1.0-rx"]);
}

/// Source: the ordered list in the tests of `packaging`, the Python packaging authority's own library.
#[test]
fn python_versions_are_ordered_as_pep_440_says() {
    hold_chain(
        VersionOrder::Pep440,
        "
        1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 1.0b2.post345.dev456 1.0b2.post345
        1.0b2-346 1.0c1.dev456 1.0c1 1.0rc2 1.0c3 1.0 1.0.post456.dev34 1.0.post456 1.1.dev1 1.2+123abc 1.2+123abc456
        1.2+abc 1.2+abc123 1.2+abc123def 1.2+1234.abc 1.2+123456 1.2.r32+123456 1.2.rev33+123456
        1!1.0.dev456 1!1.0a1 1!1.0b2.post345 1!1.0 1!1.0.post456 1!1.1.dev1 1!1.2+123abc 1!1.2.rev33+123456
        ",
    );
    hold(
        VersionOrder::Pep440,
        "
        1.0 = 1
        1.0.0 = v1.0
        1.0-alpha = 1.0a0
        1.0.PRE1 = 1.0rc1
        1.0-1 = 1.0.post1
        1.0.rev2 = 1.0post2
        1.0dev = 1.0.dev0
        2.0+Ubuntu-1 = 2.0+ubuntu.1
        2024.10 > 2024.9
        ",
    );
    refuses(VersionOrder::Pep440, &["", "french toast", "1.0+a+", "1.0++", "1.0+_foobar", "1.0+1+1", "1.0-", "1.0.x"]);
}

/// Source: Semantic Versioning 2.0.0, section 11; the Go modules reference on pseudo-versions.
#[test]
fn semantic_versions_are_ordered_as_npm_and_go_order_them() {
    hold_chain(
        VersionOrder::Semver,
        "1.0.0-0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0 2.1.0 2.1.1",
    );
    hold_chain(
        VersionOrder::Semver,
        "v0.0.0-20190308221718-c2843e01d9a2 v0.0.0-20200622213623-75b288015ac9 v0.0.1 v0.17.1-0.20231205195519-6c8a7ce1e0e1 v0.17.1",
    );
    hold(
        VersionOrder::Semver,
        "
        v1.2.3 = 1.2.3
        2.0.0+incompatible = 2.0.0
        1.21.0-rc.2 < 1.21.0
        1.21.0-0 < 1.21.0-rc.1
        1.2 = 1.2.0
        1.2.3.4 > 1.2.3
        0.0.0-0 < 0.0.0
        1.0.0-99 < 1.0.0-a
        18446744073709551616.0.0 > 18446744073709551615.0.0
        ",
    );
    refuses(VersionOrder::Semver, &["", "(devel)", "latest", "1.x", "git+https://example.com/a.git"]);
}

/// Source: the documentation of `Gem::Version`, and its tests.
#[test]
fn gem_versions_are_ordered_as_rubygems_orders_them() {
    hold(
        VersionOrder::Gem,
        "
        1.0 = 1.0.0
        1.0 > 1.0.a
        1.8.2 > 0.0.0
        1.8.2 > 1.8.2.a
        1.8.2.b > 1.8.2.a
        1.8.2.a10 > 1.8.2.a9
        1.2.b1 = 1.2.b.1
        1.0.0-alpha < 1.0.0-alpha.1
        1.0.0-alpha.1 < 1.0.0-beta.2
        1.0.0-beta.2 < 1.0.0-beta.11
        1.0.0-beta.11 < 1.0.0-rc.1
        1.0.0-rc.1 < 1.0.0
        1.13.2-x86 < 1.13.2
        2.7.7 > 2.7.6.1
        3.2.0 > 3.2.0.rc3
        ",
    );
    refuses(VersionOrder::Gem, &["junk", "1.0_2"]);
}

/// Source: `ComparableVersionTest` of Maven 3.9, and the POM reference.
#[test]
fn maven_versions_are_ordered_as_maven_orders_them() {
    hold_chain(
        VersionOrder::Maven,
        "
        1-alpha2snapshot 1-alpha2 1-alpha-123 1-beta-2 1-beta123 1-m2 1-m11 1-rc 1-cr2 1-rc123 1-SNAPSHOT 1 1-sp 1-sp2
        1-sp123 1-abc 1-def 1-pom-1 1-1-snapshot 1-1 1-2 1-123
        ",
    );
    hold_chain(
        VersionOrder::Maven,
        "2.0 2.0.a 2-1 2.0.2 2.0.123 2.1.0 2.1-a 2.1b 2.1-c 2.1-1 2.1.0.1 2.2 2.123 11.a2 11.a11 11.b2 11.b11 11.m2 11.m11 11 11.a 11b 11c 11m",
    );
    hold(
        VersionOrder::Maven,
        "
        1 = 1.0.0
        1 = 1-0
        1.0 = 1.0-0
        1a = 1-a
        1a = 1.0.0-a
        1.0a = 1.0.a
        1ga = 1
        1final = 1
        1Release = 1
        1cr = 1rc
        1a1 = 1alpha1
        1m3 = 1MileStone3
        1.0-alpha-1 < 1.0-beta-1
        1.0-beta-1 < 1.0-SNAPSHOT
        1.0-alpha-1-SNAPSHOT < 1.0-alpha-1
        2.0-1 < 2.0.1
        2.0.1-klm < 2.0.1-lmn
        2.0.1-xyz < 2.0.1-123
        5.3.18 > 5.3.17
        5.2.0.RELEASE < 5.2.20.RELEASE
        2.13.4.2 > 2.13.4
        31.1-jre > 31.0.1-jre
        1.0.0.Final = 1.0.0
        2.3.1 < 2.12.2
        20230227 > 1.9
        ",
    );
}

/// Pairs of made-up versions in the alphabet of an ecosystem, the same in every run.
fn made_up(parts: &[&str], count: usize) -> Vec<String> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    (0..count)
        .map(|_| {
            let mut version = next(4).to_string();
            for _ in 0..next(6) {
                version += parts[next(parts.len())];
            }
            version
        })
        .collect()
}

/// Holds our order of each version and the next against what `judge` says of them: `<`, `=` or `>` for each.
fn agrees_with(order: VersionOrder, versions: &[String], signs: &[&str]) {
    assert_eq!(signs.len(), versions.len() - 1, "the tool answers every pair");
    let mut wrong = Vec::new();
    for (pair, sign) in versions.windows(2).zip(signs) {
        let ours = match order.compare(&pair[0], &pair[1]) {
            Ok(Ordering::Less) => "<",
            Ok(Ordering::Equal) => "=",
            Ok(Ordering::Greater) => ">",
            Err(_) => "?",
        };
        if ours != *sign {
            wrong.push(format!("{} {sign} {}, and not {ours}", pair[0], pair[1]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), signs.len());
}

#[test]
fn dpkg_itself_says_the_same() {
    // dpkg takes no empty revision.
    let versions: Vec<String> = made_up(&["1", "0", "9", ".", "~", "+", "-", "a", "rc", "-1", "b1", "10"], 300)
        .into_iter()
        .map(|version| version.trim_end_matches('-').to_owned())
        .collect();
    let mut signs = Vec::new();
    for pair in versions.windows(2) {
        let says = |relation: &str| {
            Command::new("dpkg")
                .args(["--compare-versions", &pair[0], relation, &pair[1]])
                .stderr(std::process::Stdio::null())
                .status()
        };
        let Ok(less) = says("lt") else { return skipped("no dpkg") };
        let equal = says("eq").is_ok_and(|status| status.success());
        signs.push(if less.success() {
            "<"
        } else if equal {
            "="
        } else {
            ">"
        });
    }
    agrees_with(VersionOrder::Dpkg, &versions, &signs);
}

/// Says why another implementation is not asked, and fails with CI=true.
fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true this test must run: {why}");
    println!("SKIPPED: {why} on this machine");
}

#[test]
fn maven_itself_says_the_same() {
    let jar = Path::new("/usr/share/java/maven-artifact-3.x.jar");
    if !jar.exists() {
        return skipped("no Maven of Debian (libmaven3-core-java)");
    }
    let parts = ["1", "0", ".", "-", "a", "alpha", "rc", "-SNAPSHOT", "x", ".Final", "10", ".2", "sp", "-1", "m2"];
    let versions = made_up(&parts, 4000);
    let output = Command::new("java")
        .args(["-cp", "/usr/share/java/maven-artifact-3.x.jar:/usr/share/java/commons-lang3.jar"])
        .arg("org.apache.maven.artifact.versioning.ComparableVersion")
        .args(&versions)
        .output()
        .expect("java is there where Maven is");
    let said = String::from_utf8(output.stdout).expect("it prints text");
    // Between the lines of the versions stands `   1.0 < 1.1` or `==`.
    let signs: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("   "))
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(|sign| if sign == "==" { "=" } else { sign })
        .collect();
    agrees_with(VersionOrder::Maven, &versions, &signs);
}

#[test]
fn pip_itself_says_the_same() {
    let script = "\
import sys
from pip._vendor.packaging.version import Version
versions = [Version(v) for v in sys.argv[1:]]
for a, b in zip(versions, versions[1:]):
    print('<' if a < b else '=' if a == b else '>')";
    let parts = ["", "a1", "b2", "rc1", ".post1", ".dev3", "+abc.1", "+1", "+1.x"];
    let mut versions = Vec::new();
    for release in ["1", "1.0", "1.1", "1.0.0.1", "1!1", "0.9"] {
        for pre in &parts[..4] {
            for post in ["", parts[4]] {
                for dev in ["", parts[5]] {
                    for local in ["", parts[6], parts[7], parts[8]] {
                        versions.push(format!("{release}{pre}{post}{dev}{local}"));
                    }
                }
            }
        }
    }
    // In the order that they are made, neighbours differ in one part only: mix them.
    let mixed: Vec<String> = (0..versions.len()).map(|at| versions[at * 97 % versions.len()].clone()).collect();
    let Ok(output) = Command::new("python3").arg("-c").arg(script).args(&mixed).output() else {
        return skipped("no Python");
    };
    if !output.status.success() {
        return skipped("no pip in Python");
    }
    let said = String::from_utf8(output.stdout).expect("it prints text");
    agrees_with(VersionOrder::Pep440, &mixed, &said.lines().collect::<Vec<_>>());
}
