//! What is known against the packages of an image: one vulnerability for each package and matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use palisade_image::{Ecosystem, GoBinary, Package};

use crate::advisory::{Advisory, Affected, Event, normal_name, order_of};
use crate::database::{Broken, Database, Exploited};
use crate::distribution;
use crate::range::{Standing, stands, stands_for_all};
use crate::rating::Rating;
use crate::symbols::{Linked, Reach, WhyUnknown, imports_for};

/// What is known against the packages of an image, and what is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assessment {
    /// What to do first comes first.
    pub vulnerabilities: Vec<Vulnerability>,
    /// What could not be judged, and why.
    pub gaps: Vec<Gap>,
    /// How many packages were judged.
    pub judged: usize,
    /// How many belong to a package of the distribution, whose advisories decide.
    pub owned: usize,
}

/// A package with something known against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vulnerability {
    /// Which of the packages.
    pub package: usize,
    /// The id under which its ecosystem knows it.
    pub id: String,
    /// Every other id of the matter, sorted.
    pub aliases: Vec<String>,
    /// One line.
    pub summary: String,
    /// As OSV writes it: `Debian:12`.
    pub ecosystem: String,
    /// How bad it is; none when nobody has rated it.
    pub rating: Option<Rating>,
    /// The next version in which it is mended.
    pub fixed: Option<String>,
    /// Whether it is in the program.
    pub reach: Reach,
    /// It is known to be exploited.
    pub exploited: Option<Exploited>,
    /// It is a notice: `unmaintained`.
    pub notice: Option<String>,
    /// Every advisory that says so, by id.
    pub advisories: Vec<Reference>,
}

/// An advisory, as a vulnerability names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Its id.
    pub id: String,
    /// When it was published; RFC 3339, may be empty.
    pub published: String,
    /// When it was changed.
    pub modified: String,
}

impl Vulnerability {
    /// Its id and all others of the matter.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.id).chain(self.aliases.iter().map(String::as_str))
    }

    /// Whether it counts as something that can happen: what is known to be absent from the program does not.
    pub fn is_reachable(&self) -> bool {
        !matches!(self.reach, Reach::NotLinked | Reach::OtherSystem)
    }

    fn band(&self) -> palisade_model::finding::Severity {
        self.rating.as_ref().map_or(palisade_model::finding::Severity::Unknown, |rating| rating.severity)
    }
}

/// Something that could not be judged. It is never the same as nothing being wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// The database has nothing on the release or language of these packages.
    NoData {
        /// As the image says it.
        ecosystem: Ecosystem,
        /// How many packages.
        packages: usize,
    },
    /// The release gets no more security updates: what was found since is in no advisory.
    EndOfLife {
        /// The release.
        ecosystem: Ecosystem,
        /// The last day.
        ended: String,
    },
    /// The package does not say its version, or one that is none: it was judged by what holds for every version.
    NoVersion {
        /// Which of the packages.
        package: usize,
    },
    /// Advisories speak of the package in versions that cannot be held against its own.
    Unreadable {
        /// Which of the packages.
        package: usize,
        /// The advisories, sorted.
        advisories: Vec<String>,
    },
    /// Entries of the database that speak of the package are broken.
    BrokenEntries {
        /// Which of the packages.
        package: usize,
    },
}

/// Judges packages by a database. `today` is a date: `2026-11-30`.
pub fn assess(packages: &[Package], database: &Database<'_>, today: &str) -> Assessment {
    let mut assessor = Assessor { database, covered: BTreeMap::new(), programs: Vec::new() };
    let mut assessment = Assessment::default();
    let mut without_data: BTreeMap<&Ecosystem, usize> = BTreeMap::new();
    for (index, package) in packages.iter().enumerate() {
        if package.owned_by.is_some() {
            assessment.owned += 1;
            continue;
        }
        if assessor.ecosystems(&package.ecosystem).is_empty() {
            *without_data.entry(&package.ecosystem).or_default() += 1;
            continue;
        }
        match version_of(package) {
            Some(_) => assessment.judged += 1,
            None => assessment.gaps.push(Gap::NoVersion { package: index }),
        }
        assessor.judge(index, package, &mut assessment);
    }
    let no_data = |(ecosystem, packages): (&Ecosystem, usize)| Gap::NoData { ecosystem: ecosystem.clone(), packages };
    assessment.gaps.extend(without_data.into_iter().map(no_data));
    let releases: BTreeSet<&Ecosystem> = packages.iter().map(|package| &package.ecosystem).collect();
    assessment.gaps.extend(releases.into_iter().filter_map(|ecosystem| {
        let ended = distribution::ended(ecosystem.release()?, today)?.to_owned();
        Some(Gap::EndOfLife { ecosystem: ecosystem.clone(), ended })
    }));
    assessment.gaps.sort();
    assessment.vulnerabilities.sort_by(|a, b| in_order(a, packages).cmp(&in_order(b, packages)));
    assessment
}

/// What to do first: what is exploited, then what is in the program, then by score, then what can be mended.
fn in_order<'v>(it: &'v Vulnerability, packages: &'v [Package]) -> impl Ord + 'v {
    use std::cmp::Reverse;
    let tenths = it.rating.as_ref().and_then(|rating| rating.tenths);
    let package = &packages[it.package];
    (
        Reverse(it.exploited.is_some()),
        Reverse(it.is_reachable()),
        Reverse((it.band(), tenths)),
        Reverse(it.fixed.is_some()),
        (&package.name, &package.version, &it.id, &package.path),
    )
}

/// The version as its ecosystem orders it; none when the package does not say one.
fn version_of(package: &Package) -> Option<&str> {
    let version = package.version.trim();
    match package.ecosystem {
        // `(devel)`: built from a working copy.
        Ecosystem::Go => {
            Some(version).filter(|it| it.strip_prefix('v').unwrap_or(it).starts_with(|c: char| c.is_ascii_digit()))
        }
        _ => Some(version).filter(|it| !it.is_empty()),
    }
}

struct Assessor<'d> {
    database: &'d Database<'d>,
    /// The database's ecosystems that speak of an image's.
    covered: BTreeMap<Ecosystem, Vec<String>>,
    /// The programs that were asked what is linked into them.
    programs: Vec<(Arc<GoBinary>, Linked)>,
}

/// An advisory that a package's version is in.
struct Match {
    advisory: Advisory,
    affected: Affected,
    fixed: Option<String>,
    reach: Reach,
}

impl Assessor<'_> {
    fn ecosystems(&mut self, ecosystem: &Ecosystem) -> &[String] {
        let database = self.database;
        self.covered.entry(ecosystem.clone()).or_insert_with(|| {
            let all = database.contents().ecosystems.keys();
            all.filter(|osv| distribution::speaks_of(osv, ecosystem)).cloned().collect()
        })
    }

    fn judge(&mut self, index: usize, package: &Package, assessment: &mut Assessment) {
        let (name, version) = named(package);
        let (mut matches, mut unreadable, mut broken) = (Vec::new(), BTreeSet::new(), false);
        for osv in self.ecosystems(&package.ecosystem).to_vec() {
            // Where the name is a guess, the first of those that anybody has written an advisory for.
            let names = std::iter::once(name).chain(package.possible_names.iter().map(String::as_str));
            let asked = names.map(|name| self.database.concerning(&osv, &normal_name(&osv, name)));
            let mut known = asked.filter(|concerns| concerns.as_ref().map_or(true, |concerns| !concerns.is_empty()));
            let Ok(concerns) = known.next().unwrap_or(Ok(Vec::new())) else {
                broken = true;
                continue;
            };
            for concern in concerns {
                let read = || Ok::<_, Broken>((concern.affected()?, concern.advisory()?));
                let standing = concern.affected().map(|affected| match version {
                    "" if stands_for_all(&affected) => Standing::Affected { fixed: None },
                    // The gap says that it was not judged.
                    "" => Standing::NotAffected,
                    version => stands(version, &affected),
                });
                if standing == Ok(Standing::NotAffected) {
                    continue;
                }
                let (Ok(standing), Ok((affected, advisory))) = (standing, read()) else {
                    broken = true;
                    continue;
                };
                if advisory.withdrawn.is_some() || is_of_another_stream(version, &affected) {
                    continue;
                }
                match standing {
                    Standing::Affected { fixed } => {
                        let reach = self.reach(package, &affected);
                        matches.push(Match { advisory, affected, fixed, reach });
                    }
                    Standing::Unreadable(_) => drop(unreadable.insert(advisory.id)),
                    Standing::CommitsOnly | Standing::NotAffected => {}
                }
            }
        }
        if broken {
            assessment.gaps.push(Gap::BrokenEntries { package: index });
        }
        if !unreadable.is_empty() {
            let advisories = unreadable.into_iter().collect();
            assessment.gaps.push(Gap::Unreadable { package: index, advisories });
        }
        let groups = group(matches).into_iter().map(|group| self.vulnerability(index, group));
        assessment.vulnerabilities.extend(groups);
    }

    /// Whether what is vulnerable is in the program.
    fn reach(&mut self, package: &Package, affected: &Affected) -> Reach {
        let Some(program) = &package.go else { return Reach::Unknown(WhyUnknown::NotGo) };
        let imports = imports_for(&affected.imports, program);
        if imports.is_empty() && !affected.imports.is_empty() {
            return Reach::OtherSystem;
        }
        if imports.is_empty() {
            return Reach::Unknown(WhyUnknown::NoSymbols);
        }
        let known = self.programs.iter().position(|(known, _)| Arc::ptr_eq(known, program));
        let at = known.unwrap_or_else(|| {
            self.programs.push((program.clone(), Linked::of(program)));
            self.programs.len() - 1
        });
        let replaces = program.modules.iter().find(|module| module.path == package.name);
        let renamed = replaces.and_then(|module| Some((&*module.path, module.replaces.as_deref()?)));
        self.programs[at].1.reach(&imports, renamed)
    }

    fn vulnerability(&self, package: usize, mut group: Vec<Match>) -> Vulnerability {
        group.sort_by(|a, b| (rank(&a.advisory.id), &a.advisory.id).cmp(&(rank(&b.advisory.id), &b.advisory.id)));
        let id = group[0].advisory.id.clone();
        let mut ids = BTreeSet::new();
        for member in &group {
            ids.insert(member.advisory.id.clone());
            ids.extend(member.advisory.aliases.iter().cloned());
            ids.extend(member.advisory.covers.iter().cloned());
        }
        ids.remove(&id);
        let ratings = group.iter().flat_map(|it| it.affected.ratings.iter().chain(&it.advisory.ratings));
        let order = order_of(&group[0].affected.ecosystem);
        let fixed = group.iter().filter_map(|member| member.fixed.clone()).reduce(|a, b| {
            let later = order.is_some_and(|order| order.compare(&a, &b) == Ok(std::cmp::Ordering::Less));
            if later { b } else { a }
        });
        let cves = std::iter::once(&id).chain(&ids).filter(|id| id.starts_with("CVE-"));
        let mut advisories: Vec<Reference> = group
            .iter()
            .map(|member| Reference {
                id: member.advisory.id.clone(),
                published: member.advisory.published.clone(),
                modified: member.advisory.modified.clone(),
            })
            .collect();
        advisories.sort();
        advisories.dedup();
        let summary = group.iter().map(|member| &member.advisory.summary).find(|summary| !summary.is_empty());
        Vulnerability {
            package,
            summary: summary.cloned().unwrap_or_default(),
            ecosystem: group[0].affected.ecosystem.clone(),
            rating: Rating::worst(ratings.map(String::as_str)),
            fixed,
            reach: reach_of(&group),
            exploited: cves.clone().find_map(|cve| self.database.exploited(cve).ok().flatten()),
            notice: group[0].affected.notice.clone(),
            advisories,
            id,
            aliases: ids.into_iter().collect(),
        }
    }
}

/// The name and version that advisories speak of; the version is empty where nobody knows it.
fn named(package: &Package) -> (&str, &str) {
    let own = (&*package.name, version_of(package).unwrap_or_default());
    let by_source = package.ecosystem.release().is_some_and(distribution::names_sources);
    match &package.source {
        Some(source) if by_source => (&source.name, if source.version.is_empty() { own.1 } else { &source.version }),
        _ => own,
    }
}

/// Red Hat's family has the same package in several streams, whose versions do not compare: one of a module, and the
/// one that is in no module.
fn is_of_another_stream(version: &str, affected: &Affected) -> bool {
    let of_module = |version: &str| version.contains(".module");
    let fixed = affected.ranges.iter().flat_map(|range| &range.events).filter_map(|event| match event {
        Event::Fixed(version) => Some(version),
        Event::Introduced(_) | Event::LastAffected(_) | Event::Limit(_) => None,
    });
    order_of(&affected.ecosystem) == Some(crate::VersionOrder::Rpm)
        && fixed.clone().next().is_some()
        && fixed.clone().all(|fixed| of_module(fixed) != of_module(version))
}

/// The database of an ecosystem itself comes before those that collect from many.
fn rank(id: &str) -> usize {
    const COLLECTIONS: &[&str] = &["GHSA-", "PYSEC-", "CVE-", "OSV-", "MAL-"];
    COLLECTIONS.iter().position(|prefix| id.starts_with(prefix)).map_or(0, |at| at + 1)
}

/// Advisories that name functions know more than those that do not.
fn reach_of(group: &[Match]) -> Reach {
    let mut linked = BTreeSet::new();
    let (mut absent, mut elsewhere, mut unknown) = (false, false, None);
    for member in group {
        match &member.reach {
            Reach::Linked(names) => linked.extend(names.iter().cloned()),
            Reach::NotLinked => absent = true,
            Reach::OtherSystem => elsewhere = true,
            Reach::Unknown(why) => unknown = Some(why.clone()),
        }
    }
    match unknown {
        _ if !linked.is_empty() => Reach::Linked(linked.into_iter().collect()),
        _ if absent => Reach::NotLinked,
        _ if elsewhere => Reach::OtherSystem,
        Some(why) => Reach::Unknown(why),
        None => Reach::Unknown(WhyUnknown::NotGo),
    }
}

/// Puts together what is the same matter: advisories that share an id or an alias.
///
/// An update of a distribution covers several matters, and must not tie them together. Where each of them is told by an
/// advisory of its own, the update only adds its id to them.
fn group(matches: Vec<Match>) -> Vec<Vec<Match>> {
    let (updates, singles): (Vec<Match>, Vec<Match>) =
        matches.into_iter().partition(|it| it.advisory.aliases.is_empty() && it.advisory.covers.len() > 1);
    let mut groups: Vec<(BTreeSet<String>, Vec<Match>)> = Vec::new();
    let mut add = |ids: BTreeSet<String>, members: Vec<Match>| {
        let (mut ids, mut members) = (ids, members);
        let (same, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut groups).into_iter().partition(|(known, _)| !known.is_disjoint(&ids));
        groups = others;
        for (known, matches) in same {
            ids.extend(known);
            members.extend(matches);
        }
        groups.push((ids, members));
    };
    for single in singles {
        let advisory = &single.advisory;
        let mut ids: BTreeSet<String> = advisory.aliases.iter().cloned().collect();
        ids.insert(advisory.id.clone());
        if let [only] = &advisory.covers[..] {
            ids.insert(only.clone());
        }
        add(ids, vec![single]);
    }
    // Two updates with the same cover are one matter: an erratum and its successor.
    let mut rest: Vec<(BTreeSet<String>, Vec<Match>)> = Vec::new();
    for update in updates {
        let covers: BTreeSet<String> = update.advisory.covers.iter().cloned().collect();
        let told = |cover: &String| groups.iter().any(|(ids, _)| ids.contains(cover));
        if covers.iter().all(told) {
            for (ids, _) in groups.iter_mut().filter(|(ids, _)| !ids.is_disjoint(&covers)) {
                ids.insert(update.advisory.id.clone());
            }
        } else if let Some((_, members)) = rest.iter_mut().find(|(known, _)| *known == covers) {
            members.push(update);
        } else {
            rest.push((covers, vec![update]));
        }
    }
    groups
        .into_iter()
        .map(|(ids, mut members)| {
            // The ids of updates that cover it travel as aliases.
            if let Some(first) = members.first_mut() {
                first.advisory.aliases.extend(ids);
            }
            members
        })
        .chain(rest.into_iter().map(|(_, members)| members))
        .collect()
}
