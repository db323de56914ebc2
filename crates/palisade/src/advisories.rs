//! `palisade advisories`: the database that `palisade image scan` judges by.

use std::io::{self, Write};
use std::path::Path;

use palisade_advisories::database::Contents;
use palisade_feeds::store::{OpenError, Opened, Store};
use palisade_feeds::update::{self, Change, Feeds, Fetch};
use palisade_model::Timestamp;
use palisade_registry::Retries;
use palisade_registry::http::{self, Http, HttpError, HttpOptions, Request};
use serde::Serialize;

use crate::arguments::OutputFormat;
use crate::arguments::advisories::{
    AdvisoriesCommand, ImportArguments, StatusArguments, StoreArguments, UpdateArguments,
};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::report::write_json;
use crate::settings::Settings;
use crate::table::Table;

/// Runs one of them.
///
/// # Errors
/// When there is nothing to import, or the database cannot be read or written.
pub fn run(command: &AdvisoriesCommand, settings: &Settings) -> Result<ExitStatus, Failure> {
    match command {
        AdvisoriesCommand::Import(arguments) => import(arguments, settings),
        AdvisoriesCommand::Update(arguments) => update(arguments, settings),
        AdvisoriesCommand::Status(arguments) => status(arguments, settings),
    }
}

/// The store that the arguments name, or the user's own.
pub fn store(arguments: &StoreArguments, settings: &Settings) -> Result<Store, Failure> {
    let folder = arguments.store.clone().or_else(|| settings.data_folder.as_ref().map(|it| it.join("advisories")));
    folder.map(Store::new).ok_or_else(|| {
        Failure::new("no folder for databases of advisories: neither XDG_DATA_HOME nor HOME is set")
            .hint(Hint::Change("name one with --store".into()))
    })
}

fn import(arguments: &ImportArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let store = store(&arguments.store, settings)?;
    let imported = store.import(&arguments.paths).map_err(Failure::new)?;
    let mut stderr = io::stderr().lock();
    for example in &imported.examples {
        writeln!(stderr, "left out: {example}")?;
    }
    if imported.unreadable > imported.examples.len() as u64 {
        writeln!(stderr, "left out: {} records in all", imported.unreadable)?;
    }
    let opened = store.current().map_err(Failure::new)?;
    print(&opened, settings.now, arguments.output)?;
    Ok(ExitStatus::Clean)
}

fn update(arguments: &UpdateArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let feeds = arguments.config.as_deref().map(read_feeds).transpose()?.unwrap_or_default();
    if arguments.show_config {
        write_json(&mut io::stdout().lock(), &feeds)?;
        return Ok(ExitStatus::Clean);
    }
    let store = store(&arguments.store, settings)?;
    let web = Web(Http::new(HttpOptions { proxies: settings.proxies.clone(), ..HttpOptions::default() }));
    let (changes, imported) = update::update(&store, &feeds, &web).map_err(|error| {
        let hint = match store.current() {
            Ok(_) => "scans go on with the database that is there: palisade advisories status",
            Err(_) => "palisade advisories import FOLDER, with exports that came another way",
        };
        Failure::new(error).hint(Hint::Run(hint.into()))
    })?;
    let mut stderr = io::stderr().lock();
    for (ecosystem, change) in &changes {
        match change {
            Change::None => writeln!(stderr, "{ecosystem}: nothing new")?,
            Change::Whole { bytes } => writeln!(stderr, "{ecosystem}: fetched whole, {} kB", bytes.div_ceil(1000))?,
            Change::Records { count } => writeln!(stderr, "{ecosystem}: {count} changed")?,
        }
    }
    for example in &imported.examples {
        writeln!(stderr, "left out: {example}")?;
    }
    let opened = store.current().map_err(Failure::new)?;
    print(&opened, settings.now, arguments.output)?;
    Ok(ExitStatus::Clean)
}

/// Exports, as the web has them.
struct Web(Http);

impl Fetch for Web {
    fn fetch(&self, url: &str, limit: u64) -> Result<Vec<u8>, String> {
        let told = |error: HttpError| http::chain(&error.trouble);
        let response = self.0.send_patiently(&Request::get(url), &Retries::default()).map_err(told)?;
        match response.status {
            200 => response.read_to_end(limit).map_err(told),
            status => Err(format!("the server answers {status}")),
        }
    }
}

fn read_feeds(path: &Path) -> Result<Feeds, Failure> {
    let context = || format!("cannot use the configuration `{}`", path.display());
    let text = std::fs::read(path).map_err(|error| Failure::new(error).context(context()))?;
    serde_json::from_slice(&text).map_err(|error| Failure::new(error).context(context()))
}

fn status(arguments: &StatusArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let store = store(&arguments.store, settings)?;
    match store.current() {
        Ok(opened) => {
            print(&opened, settings.now, arguments.output)?;
            Ok(ExitStatus::Clean)
        }
        Err(OpenError::None(folder)) => {
            writeln!(io::stderr(), "there is no database of advisories in `{}`", folder.display())?;
            writeln!(io::stderr(), "\nhint: palisade advisories import FOLDER, with exports of OSV.dev in it")?;
            Ok(ExitStatus::Undecided)
        }
        Err(error) => Err(Failure::new(error)),
    }
}

/// What a database is, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'d> {
    version: u32,
    sha256: &'d str,
    bytes: u64,
    contents: &'d Contents,
}

fn print(opened: &Opened, now: Timestamp, output: OutputFormat) -> Result<(), Failure> {
    let database = opened.database();
    let contents = database.contents();
    let mut stdout = io::stdout().lock();
    match output {
        OutputFormat::Json => {
            write_json(&mut stdout, &Told { version: 1, sha256: &opened.sha256, bytes: opened.size(), contents })?;
        }
        OutputFormat::Text => {
            let mut table = Table::new(&["SOURCE", "RECORDS", "NEWEST", "AGE", "DIGEST"]);
            for source in &contents.sources {
                let (newest, age) = (source.newest.get(..10).unwrap_or("not said"), age(&source.newest, now));
                let digest = source.sha256.get(..12).unwrap_or(&source.sha256);
                table.row([&source.name, &thousands(source.records), newest, &age, digest]);
            }
            write!(stdout, "{table}\n{}\n", told(opened))?;
        }
    }
    Ok(())
}

/// One line on a database: `sha256:0123456789ab: 11,983 advisories, 1,404 known to be exploited`.
pub fn told(opened: &Opened) -> String {
    let database = opened.database();
    let contents = database.contents();
    let digest = opened.sha256.get(..12).unwrap_or(&opened.sha256);
    let exploited = match contents.exploited {
        Some(count) => format!("{} known to be exploited", thousands(count)),
        None => "no catalogue of exploited ones".into(),
    };
    let plural = if contents.advisories == 1 { "y" } else { "ies" };
    format!("sha256:{digest}: {} advisor{plural}, {exploited}", thousands(contents.advisories))
}

/// How long ago the newest record was changed: `101 days`.
pub fn age(newest: &str, now: Timestamp) -> String {
    match days_since(newest, now) {
        Some(1) => "1 day".into(),
        Some(days) => format!("{days} days"),
        None => "not known".into(),
    }
}

/// Days between a date (`2026-11-30`, with or without a time behind it) and now.
pub fn days_since(date: &str, now: Timestamp) -> Option<i64> {
    let day = format!("{}T00:00:00Z", date.get(..10)?);
    let begun: Timestamp = day.parse().ok()?;
    Some((now.as_second() - begun.as_second()).max(0) / (24 * 60 * 60))
}

/// `11,983`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_numbers_are_told_as_people_tell_them() {
        let now: Timestamp = "2026-11-30T04:00:00Z".parse().expect("a time");
        assert_eq!(age("2026-08-21T10:00:00Z", now), "101 days");
        assert_eq!(age("2026-11-29", now), "1 day");
        assert_eq!(age("0001", now), "not known");
        assert_eq!(age("2027-01-01", now), "0 days");
        assert_eq!([0, 999, 1000, 11_983, 1_234_567].map(thousands), ["0", "999", "1,000", "11,983", "1,234,567"]);
    }
}
