//! The database: one file, looked up in place, the same bytes from the same advisories.
//!
//! Advisories lie behind each other. Behind them stand three sorted tables, of advisories by id, of packages with
//! what concerns them, and of exploited vulnerabilities, then what the database was made of, and last a footer with
//! fixed places. Opening it reads the footer alone, so a database of any size opens at once, and a scan touches only the
//! pages that its packages lead to.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::{Deserialize, Serialize};

use crate::advisory::{Advisory, Affected, normal_name};
pub use crate::encoding::Broken;
use crate::encoding::{Decoder, Encoder};

/// The first and the last bytes of a database; the number rises when an older program could not read it.
const MAGIC: &[u8; 8] = b"PALADV01";
/// Three tables, the sources and their length, then the magic again.
const FOOTER: usize = 8 * 5 + MAGIC.len();

/// What a database was made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contents {
    /// The files that it was made of, by name.
    pub sources: Vec<Source>,
    /// How many advisories speak of each ecosystem.
    pub ecosystems: BTreeMap<String, Ecosystem>,
    /// How many advisories there are.
    pub advisories: u64,
    /// How many of them were taken back.
    pub withdrawn: u64,
    /// Ranges of commits, which no installed package can be held against.
    pub ranges_of_commits: u64,
    /// How many vulnerabilities are known to be exploited; none when no catalogue of them was given.
    pub exploited: Option<u64>,
    /// The version of that catalogue: its date.
    pub exploited_version: Option<String>,
}

/// A file that a database was made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The name of the file, without its folder.
    pub name: String,
    /// The digest of its bytes.
    pub sha256: String,
    /// Its records that could be read.
    pub records: u64,
    /// And those that could not.
    pub unreadable: u64,
    /// When its newest record was changed: how old the data is at least. RFC 3339.
    pub newest: String,
}

/// What a database has of one ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ecosystem {
    /// Advisories that speak of it.
    pub advisories: u64,
    /// When the newest of them was changed.
    pub newest: String,
}

/// A vulnerability that is known to be exploited.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Exploited {
    /// The CVE.
    #[serde(rename = "cveID")]
    pub cve: String,
    /// The day on which it came into the catalogue.
    pub date_added: String,
    /// The day by which federal agencies had to mend it.
    pub due_date: String,
    /// `Known` when ransomware uses it.
    #[serde(rename = "knownRansomwareCampaignUse")]
    pub ransomware: String,
}

/// Builds a database. What [`Builder::take`] returns, and then what [`Builder::finish`] returns, is its file.
#[derive(Debug)]
pub struct Builder {
    /// Not yet taken.
    pending: Encoder,
    /// How much was taken.
    taken: u64,
    /// Where each advisory lies.
    records: BTreeMap<String, u64>,
    packages: BTreeMap<String, Vec<(u64, u64)>>,
    contents: Contents,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            pending: Encoder { bytes: MAGIC.to_vec() },
            taken: 0,
            records: BTreeMap::new(),
            packages: BTreeMap::new(),
            contents: Contents::default(),
        }
    }
}

impl Builder {
    /// Adds an advisory. Of two with one id the second is left out.
    pub fn add(&mut self, advisory: &Advisory) {
        let record = self.position();
        match self.records.entry(advisory.id.clone()) {
            Entry::Occupied(_) => return,
            Entry::Vacant(vacant) => vacant.insert(record),
        };
        self.pending.advisory(advisory);
        let mut seen: Vec<&str> = Vec::new();
        for affected in &advisory.affected {
            let place = self.position();
            self.pending.affected(affected);
            let key = package_key(&affected.ecosystem, &normal_name(&affected.ecosystem, &affected.name));
            self.packages.entry(key).or_default().push((record, place));
            self.contents.ranges_of_commits += u64::from(affected.ranges_of_commits);
            if !seen.contains(&&*affected.ecosystem) {
                seen.push(&affected.ecosystem);
            }
        }
        for ecosystem in seen {
            let entry = self.contents.ecosystems.entry(ecosystem.to_owned()).or_default();
            entry.advisories += 1;
            if entry.newest < advisory.modified {
                entry.newest.clone_from(&advisory.modified);
            }
        }
        self.contents.advisories += 1;
        self.contents.withdrawn += u64::from(advisory.withdrawn.is_some());
    }

    /// The bytes that were not taken yet: the caller writes them away, so that a large database is never held whole.
    pub fn take(&mut self) -> Vec<u8> {
        self.taken += self.pending.bytes.len() as u64;
        std::mem::take(&mut self.pending.bytes)
    }

    /// How many bytes wait to be taken.
    pub fn waiting(&self) -> usize {
        self.pending.bytes.len()
    }

    /// The rest of the file.
    pub fn finish(mut self, mut sources: Vec<Source>, exploited: Option<Catalogue>) -> Vec<u8> {
        sources.sort_by(|a, b| (&a.name, &a.sha256).cmp(&(&b.name, &b.sha256)));
        self.contents.sources = sources;
        let mut rows = Vec::new();
        if let Some(catalogue) = exploited {
            rows = catalogue.vulnerabilities;
            rows.sort_by(|a, b| a.cve.cmp(&b.cve));
            rows.dedup_by(|a, b| a.cve == b.cve);
            self.contents.exploited = Some(rows.len() as u64);
            self.contents.exploited_version = Some(catalogue.catalog_version);
        }
        let records: Vec<u64> = std::mem::take(&mut self.records).into_values().collect();
        let records = self.table(&records);
        let packages: Vec<u64> = std::mem::take(&mut self.packages)
            .into_iter()
            .map(|(key, postings)| {
                let place = self.position();
                self.pending.text(&key);
                self.pending.list(&postings, |encoder, (record, affected)| {
                    encoder.number(*record);
                    encoder.number(*affected);
                });
                place
            })
            .collect();
        let packages = self.table(&packages);
        let exploited: Vec<u64> = rows
            .iter()
            .map(|row| {
                let place = self.position();
                for text in [&row.cve, &row.date_added, &row.due_date, &row.ransomware] {
                    self.pending.text(text);
                }
                place
            })
            .collect();
        let exploited = self.table(&exploited);
        let contents = self.position();
        let json = serde_json::to_vec(&self.contents).expect("texts and numbers");
        self.pending.bytes.extend(&json);
        for number in [records, packages, exploited, contents, json.len() as u64] {
            self.pending.bytes.extend(number.to_le_bytes());
        }
        self.pending.bytes.extend(MAGIC);
        self.pending.bytes
    }

    /// Writes a table of places and returns its own.
    fn table(&mut self, places: &[u64]) -> u64 {
        let place = self.position();
        self.pending.bytes.extend((places.len() as u64).to_le_bytes());
        self.pending.bytes.extend(places.iter().flat_map(|place| place.to_le_bytes()));
        place
    }

    fn position(&self) -> u64 {
        self.taken + self.pending.bytes.len() as u64
    }
}

/// CISA's catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalogue {
    /// Its date.
    #[serde(default)]
    pub catalog_version: String,
    /// What is in it.
    pub vulnerabilities: Vec<Exploited>,
}

/// An open database.
#[derive(Debug, Clone)]
pub struct Database<'b> {
    bytes: &'b [u8],
    records: Table<'b>,
    packages: Table<'b>,
    exploited: Table<'b>,
    contents: Contents,
}

/// Places of entries that begin with their key, sorted by it.
#[derive(Debug, Clone, Copy)]
struct Table<'b> {
    places: &'b [u8],
}

impl<'b> Database<'b> {
    /// Opens the bytes of a database.
    ///
    /// # Errors
    /// When they are not one, or of another version.
    pub fn open(bytes: &'b [u8]) -> Result<Self, Broken> {
        let footer = bytes.len().checked_sub(FOOTER).and_then(|at| bytes.get(at..)).ok_or(Broken)?;
        if !bytes.starts_with(MAGIC) || !footer.ends_with(MAGIC) {
            return Err(Broken);
        }
        let word = |index: usize| {
            let word = footer[index * 8..index * 8 + 8].try_into().expect("eight bytes");
            usize::try_from(u64::from_le_bytes(word)).map_err(|_| Broken)
        };
        let contents = word(3)?;
        let json = bytes.get(contents..contents.checked_add(word(4)?).ok_or(Broken)?).ok_or(Broken)?;
        Ok(Self {
            bytes,
            records: Table::open(bytes, word(0)?)?,
            packages: Table::open(bytes, word(1)?)?,
            exploited: Table::open(bytes, word(2)?)?,
            contents: serde_json::from_slice(json).map_err(|_| Broken)?,
        })
    }

    /// What it was made of.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// What concerns a package, by its normal name, in the order in which it was added.
    ///
    /// # Errors
    /// When the entry of the package cannot be read.
    pub fn concerning(&self, ecosystem: &str, name: &str) -> Result<Vec<Concern<'b>>, Broken> {
        let Some(mut entry) = self.packages.find(self.bytes, &package_key(ecosystem, name))? else {
            return Ok(Vec::new());
        };
        entry.text()?;
        entry.list(|decoder| {
            let (record, affected) = (decoder.number()?, decoder.number()?);
            Ok(Concern { record: at(self.bytes, record)?, affected: at(self.bytes, affected)? })
        })
    }

    /// The advisory of that id, without what it affects.
    pub fn advisory(&self, id: &str) -> Result<Option<Advisory>, Broken> {
        self.records.find(self.bytes, id)?.map(|mut entry| entry.advisory()).transpose()
    }

    /// What the catalogue of exploited vulnerabilities says of a CVE.
    pub fn exploited(&self, cve: &str) -> Result<Option<Exploited>, Broken> {
        let Some(mut entry) = self.exploited.find(self.bytes, cve)? else { return Ok(None) };
        let mut text = || entry.text().map(str::to_owned);
        Ok(Some(Exploited { cve: text()?, date_added: text()?, due_date: text()?, ransomware: text()? }))
    }
}

/// An advisory that speaks of a package; read only when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Concern<'b> {
    record: Decoder<'b>,
    affected: Decoder<'b>,
}

impl Concern<'_> {
    /// The advisory, without what it affects.
    pub fn advisory(mut self) -> Result<Advisory, Broken> {
        self.record.advisory()
    }

    /// What it says of the package.
    pub fn affected(mut self) -> Result<Affected, Broken> {
        self.affected.affected()
    }
}

impl<'b> Table<'b> {
    fn open(bytes: &'b [u8], at: usize) -> Result<Self, Broken> {
        let rest = bytes.get(at..).ok_or(Broken)?;
        let (count, rest) = rest.split_at_checked(8).ok_or(Broken)?;
        let count = usize::try_from(u64::from_le_bytes(count.try_into().expect("eight bytes"))).map_err(|_| Broken)?;
        let places = rest.get(..count.checked_mul(8).ok_or(Broken)?).ok_or(Broken)?;
        Ok(Self { places })
    }

    /// The entry of that key, from its key on.
    fn find(&self, bytes: &'b [u8], key: &str) -> Result<Option<Decoder<'b>>, Broken> {
        let (mut low, mut high) = (0, self.places.len() / 8);
        while low < high {
            let middle = low + (high - low) / 2;
            let place = self.places[middle * 8..middle * 8 + 8].try_into().expect("eight bytes");
            let entry = at(bytes, u64::from_le_bytes(place))?;
            match { entry }.text()?.cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some(entry)),
            }
        }
        Ok(None)
    }
}

fn at(bytes: &[u8], place: u64) -> Result<Decoder<'_>, Broken> {
    let place = usize::try_from(place).map_err(|_| Broken)?;
    Ok(Decoder::new(bytes.get(place..).ok_or(Broken)?))
}

/// No name has a NUL in it.
fn package_key(ecosystem: &str, name: &str) -> String {
    format!("{ecosystem}\0{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisory::{Event, Import, Range};

    fn advisory(id: &str, packages: &[(&str, &str)]) -> Advisory {
        let affected = packages.iter().map(|(ecosystem, name)| Affected {
            ecosystem: (*ecosystem).into(),
            name: (*name).into(),
            ranges: vec![Range {
                semantic: true,
                events: vec![Event::Introduced("0".into()), Event::Limit("2".into())],
            }],
            versions: vec!["1.0".into()],
            imports: vec![Import { path: "a/b".into(), symbols: vec!["T.M".into()], ..Import::default() }],
            ratings: vec!["low".into()],
            notice: Some("unsound".into()),
            ranges_of_commits: 2,
        });
        Advisory {
            id: id.into(),
            aliases: vec!["CVE-1".into()],
            covers: vec!["CVE-2".into()],
            summary: "ä".into(),
            modified: "2024-01-01T00:00:00Z".into(),
            withdrawn: Some("2025-01-01T00:00:00Z".into()),
            affected: affected.collect(),
            ..Advisory::default()
        }
    }

    fn build() -> Vec<u8> {
        let mut builder = Builder::default();
        builder.add(&advisory("A-1", &[("PyPI", "Ruamel.Yaml"), ("npm", "a")]));
        let mut bytes = builder.take();
        builder.add(&advisory("A-2", &[("PyPI", "ruamel_yaml"), ("Debian:12", "openssl")]));
        builder.add(&advisory("A-2", &[("npm", "left-out")]));
        let row = |cve: &str| Exploited { cve: cve.into(), date_added: "2024-02-03".into(), ..Exploited::default() };
        let catalogue = Catalogue { catalog_version: "2025".into(), vulnerabilities: vec![row("CVE-2"), row("CVE-1")] };
        bytes.extend(builder.finish(vec![Source { name: "PyPI.zip".into(), ..Source::default() }], Some(catalogue)));
        bytes
    }

    #[test]
    fn what_was_added_is_found_by_its_normal_name() {
        let bytes = build();
        let database = Database::open(&bytes).expect("a database");
        let found = database.concerning("PyPI", "ruamel-yaml").expect("whole");
        let ids: Vec<String> = found.iter().map(|it| it.advisory().expect("whole").id).collect();
        assert_eq!(ids, ["A-1", "A-2"]);
        let mut expected = advisory("A-1", &[("PyPI", "Ruamel.Yaml"), ("npm", "a")]);
        assert_eq!(found[0].affected(), Ok(expected.affected.swap_remove(0)));
        expected.affected.clear();
        assert_eq!(found[0].advisory(), Ok(expected));
        assert_eq!(database.concerning("npm", "b").expect("whole").len(), 0);
        assert_eq!(database.concerning("npm", "left-out").expect("whole").len(), 0);
    }

    #[test]
    fn contents_ids_and_exploited_vulnerabilities_are_found() {
        let bytes = build();
        let database = Database::open(&bytes).expect("a database");
        let contents = database.contents();
        assert_eq!((contents.advisories, contents.withdrawn, contents.ranges_of_commits), (2, 2, 8));
        assert_eq!(contents.ecosystems.keys().collect::<Vec<_>>(), ["Debian:12", "PyPI", "npm"]);
        assert_eq!(database.advisory("A-2").expect("whole").map(|it| it.summary), Some("ä".into()));
        assert_eq!(database.advisory("A-3"), Ok(None));
        assert_eq!(database.exploited("CVE-1").expect("whole").map(|it| it.date_added), Some("2024-02-03".into()));
        assert_eq!(database.exploited("CVE-3"), Ok(None));
    }

    #[test]
    fn a_broken_database_is_refused_or_read_in_part_and_nothing_panics() {
        let whole = build();
        let ask = |bytes: &[u8]| {
            let Ok(database) = Database::open(bytes) else { return };
            for concern in database.concerning("PyPI", "ruamel-yaml").unwrap_or_default() {
                let _ = (concern.advisory(), concern.affected());
            }
            let _ = (database.advisory("A-1"), database.exploited("CVE-2"));
        };
        for length in 0..whole.len() {
            assert!(Database::open(&whole[..length]).is_err());
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                ask(&changed);
            }
        }
    }
}
