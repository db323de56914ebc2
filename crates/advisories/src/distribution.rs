//! Which part of a database speaks of a distribution's release, and until when that release is maintained.

use palisade_image::{Ecosystem, Release};

/// Whether OSV's ecosystem `osv` speaks of packages of `ecosystem`.
///
/// Source: "Defined ecosystems" of the OSV schema, for how each distribution writes its releases.
pub fn speaks_of(osv: &str, ecosystem: &Ecosystem) -> bool {
    match ecosystem {
        Ecosystem::Dpkg(release) | Ecosystem::Apk(release) | Ecosystem::Rpm(release) => speaks_of_release(osv, release),
        Ecosystem::PyPi => osv == "PyPI",
        Ecosystem::Npm => osv == "npm",
        Ecosystem::RubyGems => osv == "RubyGems",
        Ecosystem::Go => osv == "Go",
        Ecosystem::CratesIo => osv == "crates.io",
        Ecosystem::Maven => osv == "Maven",
    }
}

fn speaks_of_release(osv: &str, release: &Release) -> bool {
    let version = &*release.version_id;
    let major = version.split('.').next().unwrap_or(version);
    let (family, rest) = osv.split_once(':').unwrap_or((osv, ""));
    match &*release.id {
        "debian" => family == "Debian" && !version.is_empty() && rest == major,
        // `Ubuntu:Pro:...` is for those who pay; its versions are not in the public archive.
        "ubuntu" => family == "Ubuntu" && !version.is_empty() && rest.strip_suffix(":LTS").unwrap_or(rest) == version,
        "alpine" => family == "Alpine" && rest == alpine_branch(version),
        "wolfi" => osv == "Wolfi",
        "chainguard" => osv == "Chainguard",
        "minimos" => osv == "MinimOS",
        "almalinux" => family == "AlmaLinux" && rest == major,
        "rocky" => family == "Rocky Linux" && rest == major,
        // Streams beside the main one (`rhel_eus:9.2`) have versions of their own.
        "rhel" => {
            family == "Red Hat"
                && rest.strip_prefix("enterprise_linux:").is_some_and(|rest| rest.split(':').next() == Some(major))
        }
        "sles" | "sled" => {
            family == "SUSE" && rest.starts_with("Linux Enterprise ") && rest.ends_with(&suse_release(version))
        }
        "opensuse-leap" => family == "openSUSE" && rest == format!("Leap {version}"),
        "opensuse-tumbleweed" => osv == "openSUSE:Tumbleweed",
        "mageia" => family == "Mageia" && rest == major,
        "photon" => family == "Photon OS" && rest == version,
        "azurelinux" => family == "Azure Linux" && rest == major,
        _ => false,
    }
}

/// `3.18.4` is of the branch `v3.18`; a version with a suffix is of none: `edge`.
fn alpine_branch(version: &str) -> String {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if !version.contains('_') => format!("v{major}.{minor}"),
        _ => "edge".into(),
    }
}

/// `15.5` is ` 15 SP5`.
fn suse_release(version: &str) -> String {
    match version.split_once('.') {
        Some((major, pack)) => format!(" {major} SP{pack}"),
        None => format!(" {version}"),
    }
}

/// Whether advisories of that distribution name source packages instead of what is installed.
pub fn names_sources(release: &Release) -> bool {
    matches!(
        &*release.id,
        "debian"
            | "ubuntu"
            | "alpine"
            | "wolfi"
            | "chainguard"
            | "minimos"
            | "sles"
            | "sled"
            | "opensuse-leap"
            | "opensuse-tumbleweed"
    )
}

/// The last day on which everybody gets security updates of a release; long-term support of volunteers counts, paid
/// support does not. Releases that are not here have no known end.
///
/// Source: the release pages of each distribution (wiki.debian.org/LTS, ubuntu.com/about/release-cycle,
/// alpinelinux.org/releases, wiki.almalinux.org/release-notes, wiki.rockylinux.org/rocky/version, centos.org), 2026-11.
const ENDS: &[(&str, &str, &str)] = &[
    ("debian", "8", "2020-06-30"),
    ("debian", "9", "2022-06-30"),
    ("debian", "10", "2024-06-30"),
    ("debian", "11", "2026-08-31"),
    ("debian", "12", "2028-06-30"),
    ("debian", "13", "2030-06-30"),
    ("ubuntu", "14.04", "2019-04-25"),
    ("ubuntu", "16.04", "2021-04-30"),
    ("ubuntu", "18.04", "2023-05-31"),
    ("ubuntu", "20.04", "2025-05-31"),
    ("ubuntu", "22.04", "2027-04-01"),
    ("ubuntu", "23.04", "2024-01-25"),
    ("ubuntu", "23.10", "2024-07-11"),
    ("ubuntu", "24.10", "2025-07-10"),
    ("ubuntu", "25.04", "2026-01-15"),
    ("alpine", "3.8", "2020-05-01"),
    ("alpine", "3.9", "2020-11-01"),
    ("alpine", "3.10", "2021-05-01"),
    ("alpine", "3.11", "2021-11-01"),
    ("alpine", "3.12", "2022-05-01"),
    ("alpine", "3.13", "2022-11-01"),
    ("alpine", "3.14", "2023-05-01"),
    ("alpine", "3.15", "2023-11-01"),
    ("alpine", "3.16", "2024-05-23"),
    ("alpine", "3.17", "2024-11-22"),
    ("alpine", "3.18", "2025-05-09"),
    ("alpine", "3.19", "2025-11-01"),
    ("alpine", "3.20", "2026-04-01"),
    ("alpine", "3.21", "2026-11-01"),
    ("almalinux", "8", "2029-03-01"),
    ("almalinux", "9", "2032-05-31"),
    ("rocky", "8", "2029-05-31"),
    ("rocky", "9", "2032-05-31"),
    ("rhel", "6", "2020-11-30"),
    ("rhel", "7", "2024-06-30"),
    ("centos", "6", "2020-11-30"),
    ("centos", "7", "2024-06-30"),
    ("centos", "8", "2021-12-31"),
    ("opensuse-leap", "15.4", "2023-12-07"),
    ("opensuse-leap", "15.5", "2024-12-31"),
    ("opensuse-leap", "15.6", "2026-04-30"),
];

/// The day after which a release gets no more security updates, when it lies before `today` (`2026-11-30`).
pub fn ended(release: &Release, today: &str) -> Option<&'static str> {
    let is_of = |version: &str| {
        let rest = release.version_id.strip_prefix(version);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let (_, _, end) = ENDS.iter().find(|(id, version, _)| *id == &*release.id && is_of(version))?;
    (*end < today).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(id: &str, version: &str) -> Release {
        Release { id: id.into(), version_id: version.into() }
    }

    #[test]
    fn each_distribution_has_its_own_words_for_a_release() {
        for (id, version, osv) in [
            ("debian", "12", "Debian:12"),
            ("debian", "12.5", "Debian:12"),
            ("ubuntu", "22.04", "Ubuntu:22.04:LTS"),
            ("ubuntu", "23.10", "Ubuntu:23.10"),
            ("alpine", "3.18.4", "Alpine:v3.18"),
            ("alpine", "3.21_alpha20240807", "Alpine:edge"),
            ("almalinux", "9.2", "AlmaLinux:9"),
            ("rocky", "8.9", "Rocky Linux:8"),
            ("rhel", "9.4", "Red Hat:enterprise_linux:9::baseos"),
            ("sles", "15.5", "SUSE:Linux Enterprise Module for Basesystem 15 SP5"),
            ("opensuse-leap", "15.5", "openSUSE:Leap 15.5"),
            ("wolfi", "20230201", "Wolfi"),
        ] {
            assert!(speaks_of_release(osv, &release(id, version)), "{id} {version}");
        }
        for (id, version, osv) in [
            ("debian", "1", "Debian:12"),
            ("debian", "", "Debian:"),
            ("ubuntu", "22.04", "Ubuntu:Pro:22.04:LTS"),
            ("alpine", "3.1", "Alpine:v3.18"),
            ("rhel", "9.2", "Red Hat:rhel_eus:9.2::baseos"),
            ("kali", "2024.1", "Debian:12"),
            ("", "", "Wolfi"),
        ] {
            assert!(!speaks_of_release(osv, &release(id, version)), "{id} {version}");
        }
    }

    #[test]
    fn a_release_ends_on_its_day() {
        assert_eq!(ended(&release("alpine", "3.11.3"), "2026-11-30"), Some("2021-11-01"));
        assert_eq!(ended(&release("debian", "12"), "2026-11-30"), None);
        assert_eq!(ended(&release("debian", "12"), "2028-07-01"), Some("2028-06-30"));
        assert_eq!(ended(&release("alpine", "3.1"), "2026-11-30"), None, "3.10 and the like are others");
    }
}
