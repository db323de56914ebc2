//! rpm: the database of installed packages in its SQLite form.
//!
//! The older forms, Berkeley DB (until RHEL 8) and ndb (SUSE), are recognised and said to be unread.

mod header;
mod sqlite;

use crate::owned::OwnedFiles;
use header::Header;
use sqlite::Database;

pub use sqlite::DatabaseError;

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RpmPackage {
    /// Its name.
    pub name: String,
    /// `epoch:` when it is not zero, version and release.
    pub version: String,
    /// The epoch, when it has one.
    pub epoch: Option<u32>,
    /// `x86_64`, `noarch`.
    pub architecture: String,
    /// `bash-5.1.8-6.el9.src.rpm`.
    pub source: String,
    /// Its licence.
    pub licence: String,
    /// The module that it is of: `nodejs:18:9020020230327152102:rhel9`.
    pub module: String,
    /// The files of it.
    pub files: OwnedFiles,
}

/// What a database holds, and how many entries of it could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RpmDatabase {
    /// The packages, in the order that they were installed in.
    pub packages: Vec<RpmPackage>,
    /// Entries that are no header of a package.
    pub unreadable: usize,
}

/// Reads `rpmdb.sqlite`.
///
/// # Errors
/// When it is no SQLite database with a table of packages.
pub fn parse_database(bytes: &[u8]) -> Result<RpmDatabase, DatabaseError> {
    let mut database = RpmDatabase::default();
    Database::open(bytes)?.each_row("Packages", |columns| {
        match columns.get(1).and_then(|column| column.as_deref()).and_then(Header::parse).and_then(package) {
            // A key that somebody trusts is kept as if it were a package.
            Some(package) if package.name == "gpg-pubkey" => {}
            Some(package) => database.packages.push(package),
            None => database.unreadable += 1,
        }
    })?;
    Ok(database)
}

fn package(header: Header<'_>) -> Option<RpmPackage> {
    use header::tag;
    let name = header.text(tag::NAME)?.to_owned();
    let epoch = header.number(tag::EPOCH);
    let version = format!("{}-{}", header.text(tag::VERSION)?, header.text(tag::RELEASE)?);
    let text = |tag| header.text(tag).unwrap_or("").to_owned();
    let mut files = OwnedFiles::default();
    header.each_file(|path| files.push(path));
    Some(RpmPackage {
        name,
        version: match epoch {
            Some(epoch) if epoch > 0 => format!("{epoch}:{version}"),
            Some(_) | None => version,
        },
        epoch,
        architecture: text(tag::ARCHITECTURE),
        source: text(tag::SOURCE_RPM),
        licence: text(tag::LICENCE),
        module: text(tag::MODULE),
        files,
    })
}

/// Name and version of a source: `bash-5.1.8-6.el9.src.rpm` is `bash` at `5.1.8-6.el9`.
pub fn parse_source(file_name: &str) -> Option<(&str, &str)> {
    let stem = file_name.strip_suffix(".src.rpm").or_else(|| file_name.strip_suffix(".nosrc.rpm"))?;
    let release = stem.rfind('-')?;
    let version = stem[..release].rfind('-')?;
    Some((&stem[..version], &stem[version + 1..]))
}

/// The list that an image without a package manager has instead (Azure Linux): columns between tabs.
///
/// Source: the query format of `container-manifest-2`: name, version-release, install time, build time, vendor, a
/// blank, size, architecture, epoch, source.
pub fn parse_container_manifest(text: &str) -> RpmDatabase {
    let mut database = RpmDatabase::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let columns: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [name, version, _, _, _, _, _, architecture, epoch, source, ..] = columns[..] else {
            database.unreadable += 1;
            continue;
        };
        let epoch = epoch.parse().ok();
        database.packages.push(RpmPackage {
            name: name.to_owned(),
            version: match epoch {
                Some(epoch) if epoch > 0 => format!("{epoch}:{version}"),
                Some(_) | None => version.to_owned(),
            },
            epoch,
            architecture: architecture.to_owned(),
            source: source.to_owned(),
            ..RpmPackage::default()
        });
    }
    database
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_name_version_and_release() {
        assert_eq!(parse_source("bash-5.1.8-6.el9.src.rpm"), Some(("bash", "5.1.8-6.el9")));
        assert_eq!(parse_source("java-1.8.0-openjdk-1.8.0.1-2.nosrc.rpm"), Some(("java-1.8.0-openjdk", "1.8.0.1-2")));
        assert_eq!((parse_source("(none)"), parse_source("x.src.rpm")), (None, None));
    }

    #[test]
    fn the_list_of_an_image_without_a_package_manager_is_read() {
        let text =
            "openssl\t3.3.0-2.azl3\t1\t2\tMicrosoft\t(none)\t9\tx86_64\t0\topenssl-3.3.0-2.azl3.src.rpm\nbroken\n";
        let database = parse_container_manifest(text);
        assert_eq!((&*database.packages[0].name, &*database.packages[0].version), ("openssl", "3.3.0-2.azl3"));
        assert_eq!(database.unreadable, 1);
    }
}
