//! For people: by what to do, the most urgent first.

use std::fmt::Write as _;

use palisade_advisories::{Gap, Vulnerability};

use super::{Note, Scan, json, severity};
use crate::advisories::{age, told};
use crate::table::Table;

/// What to do about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Exploited,
    Rebase,
    Update,
    Waiting,
    NotReachable,
    Settled,
}

impl Group {
    const ALL: [Self; 6] =
        [Self::Exploited, Self::Rebase, Self::Update, Self::Waiting, Self::NotReachable, Self::Settled];

    fn of(scan: &Scan<'_>, it: &Vulnerability, note: &Note) -> Self {
        match json::remedy(scan, it) {
            _ if note.settled.is_some() => Self::Settled,
            _ if !it.is_reachable() => Self::NotReachable,
            _ if it.exploited.is_some() => Self::Exploited,
            "rebase" => Self::Rebase,
            "update" => Self::Update,
            _ => Self::Waiting,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Exploited => "Known to be exploited: mend these first",
            Self::Rebase => "A newer base image mends these",
            Self::Update => "An update of the package mends these",
            Self::Waiting => "Nothing mends these yet",
            Self::NotReachable => "Not reachable: none of the vulnerable functions is linked into the program",
            Self::Settled => "Settled by the ignore file or VEX",
        }
    }
}

/// A line of any of these is cut: all of it is in the other forms.
const LONGEST_NAME: usize = 30;
const LONGEST_VERSION: usize = 20;

pub fn render(scan: &Scan<'_>) -> String {
    let mut text = head(scan);
    for group in Group::ALL {
        let members: Vec<_> = scan.all().filter(|(it, note)| Group::of(scan, it, note) == group).collect();
        if members.is_empty() {
            continue;
        }
        let mut table = Table::new(&["SEVERITY", "ID", "PACKAGE", "VERSION", "MENDED IN"]);
        for (it, note) in &members {
            let package = scan.package(it);
            let score = it.rating.as_ref().and_then(|rating| rating.tenths);
            let score = score.map(|tenths| format!(" {}.{}", tenths / 10, tenths % 10)).unwrap_or_default();
            let named = it.aliases.iter().find(|id| id.starts_with("CVE-")).unwrap_or(&it.id);
            let last = match (&note.settled, &note.novelty) {
                (Some(settled), _) => settled.by.clone(),
                (None, Some(novelty)) => format!("{}  {}", it.fixed.as_deref().unwrap_or(""), novelty.told()),
                (None, None) => shortened(it.fixed.as_deref().unwrap_or(""), LONGEST_VERSION),
            };
            table.row([
                format!("{}{score}", severity(it)),
                named.clone(),
                shortened(&package.name, LONGEST_NAME),
                shortened(&package.version, LONGEST_VERSION),
                last,
            ]);
        }
        let _ = write!(text, "\n{} ({})\n{table}", group.title(), members.len());
    }
    text.push_str(&gaps(scan));
    text.push_str(&totals(scan));
    text
}

fn head(scan: &Scan<'_>) -> String {
    let config = &scan.catalogue.config;
    let distribution = &scan.catalogue.distribution;
    let name = distribution.name.clone().unwrap_or_else(|| distribution.release().to_string());
    let mut text = format!("image         {}\n", config.name);
    if !config.digest.is_empty() {
        let _ = writeln!(text, "digest        {}", config.digest);
    }
    let _ = writeln!(text, "distribution  {}", if distribution.id.is_empty() { "none" } else { &name });
    if let Some(base) = &scan.base {
        let name = base.name.as_deref().or(base.digest.as_deref()).unwrap_or("not named");
        let layers = base.layers.map_or_else(|| ", layers not known".into(), |layers| format!(", {layers} layers"));
        let _ = writeln!(text, "base          {name}{layers}");
    }
    match scan.database {
        Some(opened) => {
            let database = opened.database();
            let newest = database.contents().sources.iter().map(|source| &*source.newest).max().unwrap_or("");
            let _ = writeln!(text, "advisories    {}, newest {} old", told(opened), age(newest, scan.now));
        }
        None => text.push_str("advisories    none: no package was judged\n"),
    }
    text
}

fn gaps(scan: &Scan<'_>) -> String {
    const SHOWN: usize = 10;
    let package = |index: &usize| &scan.catalogue.packages[*index];
    let told: Vec<String> = scan
        .assessment
        .gaps
        .iter()
        .map(|gap| match gap {
            Gap::NoData { ecosystem, packages } => format!("no data on {ecosystem}: {packages} packages"),
            Gap::EndOfLife { ecosystem, ended } => format!("{ecosystem} gets no more security updates since {ended}"),
            Gap::NoVersion { package: index } => format!("{} does not say its version", package(index).name),
            Gap::Unreadable { package: index, advisories } => {
                let it = package(index);
                format!("`{}` of {} cannot be held against {}", it.version, it.name, advisories.join(", "))
            }
            Gap::BrokenEntries { package: index } => format!("the database is broken at {}", package(index).name),
        })
        .collect();
    if told.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nNot judged\n");
    for line in told.iter().take(SHOWN) {
        let _ = writeln!(text, "{line}");
    }
    if told.len() > SHOWN {
        let _ = writeln!(text, "and {} more; `-o json` lists all", told.len() - SHOWN);
    }
    text
}

fn totals(scan: &Scan<'_>) -> String {
    let fails = scan.notes.iter().filter(|note| note.fails).count();
    let mut text =
        format!("\n{} findings, {fails} of them fail; {} packages judged", scan.notes.len(), scan.assessment.judged);
    if scan.base.as_ref().is_some_and(|base| base.layers.is_some()) {
        let in_base = scan.assessment.vulnerabilities.iter().filter(|it| scan.is_in_base(it) == Some(true)).count();
        let _ = write!(text, "; {in_base} in the base, {} of its own", scan.notes.len() - in_base);
    }
    if scan.assessment.owned > 0 {
        let _ = write!(text, ", {} more belong to packages of the distribution", scan.assessment.owned);
    }
    text.push('\n');
    if !scan.catalogue.unidentified.is_empty() {
        let count = scan.catalogue.unidentified.len();
        let _ =
            writeln!(text, "{count} files look like software and are not known; `palisade image inspect` lists them");
    }
    text
}

fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 3).chain("...".chars()).collect(),
        false => text.to_owned(),
    }
}
