//! Collects the problems of one file and remembers whether the object at hand is still good.

use std::sync::Arc;

use palisade_model::{ObjectRef, Place, Problem};

use crate::at::At;

/// Most problems of one document that are kept: a document with more has the wrong shape altogether.
const MAX_DOCUMENT_PROBLEMS: usize = 1_000;

/// Problems of a file, and the state of the object that is being decoded.
pub(crate) struct Report {
    pub(crate) file: Arc<str>,
    pub(crate) problems: Vec<Problem>,
    object: Option<ObjectRef>,
    rejected: bool,
    /// Whether the object says something of which nobody can tell what it means.
    doubtful: bool,
    /// Problems beyond the limit: their number, and the place of the last one for its caller to write to.
    dropped: usize,
    overflow: Problem,
}

/// Who looks at the keys, values and operators of a selector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checked {
    ByTheServer,
    /// Of a custom resource the API server checks the structure alone.
    ByNobody,
}

impl Report {
    pub(crate) fn new(file: Arc<str>) -> Self {
        let overflow = Problem::error("too-many-problems", "");
        Self { file, problems: Vec::new(), object: None, rejected: false, doubtful: false, dropped: 0, overflow }
    }

    /// Starts an object: what is reported from now on is about it.
    pub(crate) fn start(&mut self) {
        self.object = None;
        self.rejected = false;
        self.doubtful = false;
    }

    /// Names the object, also in what was already reported about it since [`Report::start`].
    pub(crate) fn name(&mut self, object: ObjectRef, since: usize) {
        for problem in &mut self.problems[since..] {
            problem.object.get_or_insert_with(|| object.clone());
        }
        self.object = Some(object);
    }

    /// Whether the API server would take the object as far as it was read, and its meaning is known.
    pub(crate) fn is_good(&self) -> bool {
        !self.rejected && !self.doubtful
    }

    /// Of an object that the API server takes and nobody can tell what it means: what it is.
    pub(crate) fn doubtful(&self) -> Option<&ObjectRef> {
        self.object.as_ref().filter(|_| self.doubtful && !self.rejected)
    }

    pub(crate) fn place(&self, line: u32) -> Place {
        Place { file: self.file.clone(), line }
    }

    /// What the API server would reject: the object is not in force.
    pub(crate) fn reject(&mut self, at: &At<'_, '_>, code: &'static str, message: &str) -> &mut Problem {
        self.rejected = true;
        let problem = Problem::error(code, at_path(at, message));
        self.add(at.line(), problem)
    }

    /// What the API server would reject if it looked; of a custom resource it does not look at this. No implementation can
    /// tell what it means, and what the object says is not known.
    pub(crate) fn fault(
        &mut self,
        checked: Checked,
        at: &At<'_, '_>,
        code: &'static str,
        message: &str,
    ) -> &mut Problem {
        match checked {
            Checked::ByTheServer => self.reject(at, code, message),
            Checked::ByNobody => {
                self.doubtful = true;
                let problem = Problem::error(code, at_path(at, message));
                self.add(at.line(), problem)
            }
        }
    }

    /// What changes no answer.
    pub(crate) fn warn(&mut self, at: &At<'_, '_>, code: &'static str, message: &str) -> &mut Problem {
        let problem = Problem::warning(code, at_path(at, message));
        self.add(at.line(), problem)
    }

    pub(crate) fn add(&mut self, line: u32, mut problem: Problem) -> &mut Problem {
        problem.place = Some(self.place(line));
        problem.object = self.object.clone();
        if self.problems.len() >= MAX_DOCUMENT_PROBLEMS {
            self.dropped += 1;
            self.overflow = problem;
            return &mut self.overflow;
        }
        self.problems.push(problem);
        self.problems.last_mut().expect("pushed on the line above")
    }
}

impl Report {
    /// Takes what was reported since the last call, with a last problem that counts what was dropped.
    pub(crate) fn take(&mut self) -> Vec<Problem> {
        if self.dropped > 0 {
            let count = std::mem::take(&mut self.dropped);
            let message = format!("{count} more problems of this document are not shown");
            let mut problem = Problem::error("too-many-problems", message);
            problem.place = self.overflow.place.clone();
            self.problems.push(problem);
        }
        std::mem::take(&mut self.problems)
    }
}

fn at_path(at: &At<'_, '_>, message: &str) -> String {
    let path = at.to_string();
    if path.is_empty() { message.to_owned() } else { format!("`{path}`: {message}") }
}

/// Adds a hint to a problem that was just reported.
pub(crate) trait WithHint {
    fn with_hint(&mut self, hint: impl Into<String>);
}

impl WithHint for Problem {
    fn with_hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}
