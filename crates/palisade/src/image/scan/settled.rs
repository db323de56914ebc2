//! What somebody has decided: the ignore file, and VEX of the image's makers.

use std::fs;
use std::path::{Path, PathBuf};

use palisade_advisories::ignores::{self, Ignore};
use palisade_advisories::vex::{self, ImageNames, Statement, Status};
use palisade_advisories::{Assessment, Vulnerability};
use palisade_image::{Catalogue, Package};

use crate::arguments::image::JudgeArguments;
use crate::failure::Failure;

/// A finding that fails nothing, and by whose word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Where it was decided: `ignored.txt:3`, `app.openvex.json: not_affected`.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// What was decided.
    pub as_what: As,
}

/// What somebody has decided of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// It is there, and lived with until a day.
    Accepted,
    /// The image's makers say that it does not concern the image.
    NotAffected,
    /// They say that it is mended.
    Fixed,
}

/// All that was decided.
pub struct Decisions {
    ignores: Vec<Ignore>,
    ignore_file: PathBuf,
    statements: Vec<(PathBuf, Statement)>,
    /// Lines that cannot be used, in words.
    unusable: Vec<String>,
}

/// A VEX document or ignore file is written by people and their tools; the largest known has some MB.
const LARGEST_FILE: u64 = 256 << 20;

impl Decisions {
    /// Reads the files that were named.
    ///
    /// # Errors
    /// When one cannot be read, or is no VEX.
    pub fn read(arguments: &JudgeArguments) -> Result<Self, Failure> {
        let mut decisions =
            Self { ignores: Vec::new(), ignore_file: PathBuf::new(), statements: Vec::new(), unusable: Vec::new() };
        if let Some(path) = &arguments.ignore_file {
            let text = String::from_utf8_lossy(&read_file(path)?).into_owned();
            let (ignores, unusable) = ignores::parse(&text);
            let shown = path.display();
            decisions.unusable = unusable.into_iter().map(|(line, why)| format!("{shown}:{line}: {why}")).collect();
            (decisions.ignores, decisions.ignore_file) = (ignores, path.clone());
        }
        for path in &arguments.vex {
            let statements = vex::parse(&read_file(path)?)
                .map_err(|error| Failure::new(error).context(format!("cannot use `{}`", path.display())))?;
            decisions.statements.extend(statements.into_iter().map(|statement| (path.clone(), statement)));
        }
        Ok(decisions)
    }

    /// What is settled, for each vulnerability in their order, and what matched nothing, in words.
    pub fn apply(
        &self,
        assessment: &Assessment,
        catalogue: &Catalogue,
        today: &str,
    ) -> (Vec<Option<Settled>>, Vec<String>) {
        let image = names(catalogue);
        let package = |it: &Vulnerability| &catalogue.packages[it.package];
        let settled = assessment.vulnerabilities.iter().map(|it| self.settle(it, package(it), &image, today)).collect();
        let mut unmatched = self.unusable.clone();
        for ignore in &self.ignores {
            let matches = assessment.vulnerabilities.iter().any(|it| ignore.speaks_of(it, &package(it).name));
            let at = format!("{}:{}", self.ignore_file.display(), ignore.line);
            if !matches {
                unmatched.push(format!("{at}: `{}` matches nothing that was found", ignore.id));
            } else if !ignore.holds(today) {
                unmatched.push(format!("{at}: `{}` was ignored until {}", ignore.id, ignore.until));
            }
        }
        for (path, statement) in &self.statements {
            if !assessment.vulnerabilities.iter().any(|it| statement.speaks_of(it, package(it), &image)) {
                let why = match catalogue.packages.iter().any(|package| statement.speaks_of_package(package, &image)) {
                    true => "matches nothing that was found",
                    false => "names neither this image nor a package in it",
                };
                unmatched.push(format!("{}: the statement on {} {why}", path.display(), statement.ids.join(", ")));
            }
        }
        (settled, unmatched)
    }

    fn settle(&self, it: &Vulnerability, package: &Package, image: &ImageNames, today: &str) -> Option<Settled> {
        let ignore = self.ignores.iter().find(|ignore| ignore.speaks_of(it, &package.name) && ignore.holds(today));
        if let Some(ignore) = ignore {
            let by = format!("{}:{}, until {}", self.ignore_file.display(), ignore.line, ignore.until);
            return Some(Settled { by, reason: Some(ignore.reason.clone()), as_what: As::Accepted });
        }
        let settles = |statement: &Statement| statement.status.settles() && statement.speaks_of(it, package, image);
        let (path, statement) = self.statements.iter().find(|(_, statement)| settles(statement))?;
        let by = format!("{}: {}", path.display(), statement.status.as_str());
        let as_what = if statement.status == Status::Fixed { As::Fixed } else { As::NotAffected };
        Some(Settled { by, reason: statement.reason.clone(), as_what })
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| Failure::new(error).context(format!("cannot read `{}`", path.display()));
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST_FILE {
        return Err(Failure::new(format!("`{}` is larger than {} MB", path.display(), LARGEST_FILE >> 20)));
    }
    fs::read(path).map_err(unreadable)
}

/// By which names the image goes.
fn names(catalogue: &Catalogue) -> ImageNames {
    let config = &catalogue.config;
    let digests = [Some(&config.digest), config.index_digest.as_ref(), Some(&config.config_digest)];
    let annotations = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];
    let named = annotations.iter().filter_map(|key| config.annotations.get(*key));
    ImageNames {
        digests: digests.into_iter().flatten().cloned().collect(),
        names: named.chain([&config.name]).filter(|name| !name.is_empty()).cloned().collect(),
    }
}
