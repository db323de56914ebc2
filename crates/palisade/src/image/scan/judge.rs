//! What an image is judged by: advisories, what was decided, what was there before, what makes it fail.

use palisade_advisories::assess;
use palisade_feeds::store::{self, OpenError, Opened};
use palisade_image::base::KnownBase;
use palisade_image::{Catalogue, Functions};
use palisade_model::Timestamp;

use super::novelty::{self, Baseline};
use super::settled::Decisions;
use super::{FailRule, Note, Scan, base};
use crate::advisories;
use crate::arguments::image::{JudgeArguments, ScanArguments};
use crate::failure::{Failure, Hint};
use crate::settings::Settings;

/// All that any number of images is judged by.
pub struct Judge {
    /// None without a database.
    pub opened: Option<Opened>,
    earlier: Option<Opened>,
    decisions: Decisions,
    baseline: Option<Baseline>,
    fail_on: Vec<FailRule>,
    known_bases: Vec<KnownBase>,
    now: Timestamp,
}

impl Judge {
    /// Reads what the arguments name.
    ///
    /// # Errors
    /// When something that is named cannot be used.
    pub fn new(arguments: &JudgeArguments, settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            opened: open(arguments, settings)?,
            decisions: Decisions::read(arguments)?,
            baseline: None,
            earlier: None,
            fail_on: if arguments.fail_on.is_empty() { vec![FailRule::ANY] } else { arguments.fail_on.clone() },
            known_bases: arguments.known_bases.as_deref().map(base::read).transpose()?.unwrap_or_default().bases,
            now: settings.now,
        })
    }

    /// The same, for a scan that is told what was there before.
    ///
    /// # Errors
    /// When something that is named cannot be used.
    pub fn of_scan(arguments: &ScanArguments, settings: &Settings) -> Result<Self, Failure> {
        Ok(Self {
            baseline: arguments.baseline.as_deref().map(novelty::read_baseline).transpose()?,
            earlier: open_earlier(arguments, settings)?,
            ..Self::new(&arguments.judge, settings)?
        })
    }

    /// Names of functions are of use only beside advisories.
    pub fn functions(&self) -> Functions {
        if self.opened.is_some() { Functions::Read } else { Functions::Skip }
    }

    /// Judges one image.
    pub fn scan<'s>(&'s self, catalogue: &'s Catalogue) -> Scan<'s> {
        let today = self.now.to_string().chars().take(10).collect::<String>();
        let judge = |opened: &Opened| assess(&catalogue.packages, &opened.database(), &today);
        let assessment = self.opened.as_ref().map(judge).unwrap_or_default();
        let (decided, unmatched) = self.decisions.apply(&assessment, catalogue, &today);
        let explain = |earlier: &Opened| novelty::explain(&assessment, catalogue, earlier, &today);
        let novelties = self.earlier.as_ref().map(explain);
        let mut scan = Scan {
            base: palisade_image::base::of(catalogue, &self.known_bases),
            catalogue,
            database: self.opened.as_ref(),
            notes: decided.into_iter().map(|settled| Note { settled, ..Note::default() }).collect(),
            assessment,
            unmatched,
            now: self.now,
        };
        for index in 0..scan.notes.len() {
            let vulnerability = &scan.assessment.vulnerabilities[index];
            let package = scan.package(vulnerability);
            let is_new = self.baseline.as_ref().map(|known| novelty::is_new(known, vulnerability, package));
            let fails =
                scan.notes[index].settled.is_none() && self.fail_on.iter().any(|it| it.holds(vulnerability, is_new));
            let novelty = novelties.as_ref().map(|novelties| novelties[index].clone());
            let note = &mut scan.notes[index];
            (note.is_new, note.fails, note.novelty) = (is_new, fails, novelty);
        }
        scan
    }
}

/// The database to judge by; none when none was named and none is kept.
fn open(arguments: &JudgeArguments, settings: &Settings) -> Result<Option<Opened>, Failure> {
    if let Some(path) = &arguments.advisories {
        let cache = settings.cache_folder.as_ref().map(|folder| folder.join("advisories"));
        return store::open(path, cache.as_deref()).map(Some).map_err(Failure::new);
    }
    let Ok(kept) = advisories::store(&arguments.store, settings) else { return Ok(None) };
    match kept.current() {
        Ok(opened) => Ok(Some(opened)),
        Err(OpenError::None(_)) => Ok(None),
        Err(error) => Err(Failure::new(error).hint(Hint::Run("palisade advisories import FOLDER".into()))),
    }
}

/// The database to hold the present one against.
fn open_earlier(arguments: &ScanArguments, settings: &Settings) -> Result<Option<Opened>, Failure> {
    let cache = settings.cache_folder.as_ref().map(|folder| folder.join("advisories"));
    match &arguments.why_new {
        None => Ok(None),
        Some(Some(path)) => store::open(path, cache.as_deref()).map(Some).map_err(Failure::new),
        Some(None) => advisories::store(&arguments.judge.store, settings)?.previous().map(Some).map_err(|error| {
            Failure::new(error).hint(Hint::Change("name the earlier database: --why-new FILE".into()))
        }),
    }
}
