//! A run of one target: change, try, keep what reaches more.

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use palisade_worlds::Random;

use crate::corpus::Corpus;
use crate::coverage::Reached;
use crate::limits::Watch;
use crate::mutation;
use crate::target::Target;

/// A run with so many mistakes ends: whoever reads them has enough to do.
const MOST_FAILURES: usize = 10;

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// For so long.
    Time(Duration),
    /// For so many inputs.
    Inputs(u64),
}

/// An input that broke something.
#[derive(Debug)]
pub struct Failure {
    /// Which of the run it was.
    pub number: u64,
    /// The input, made smaller as far as it still breaks.
    pub input: Vec<u8>,
    /// What the panic said.
    pub message: String,
}

/// A target under fire.
pub struct Run<'t> {
    target: &'t Target,
    corpus: Corpus,
    /// Inputs of the corpus as it was given: the others were kept because they reached more.
    given: usize,
    random: Random,
    reached: Reached,
    watch: Watch,
    /// Where the input that is being tried is left, for what ends the program.
    left: Option<PathBuf>,
    tried: u64,
}

impl<'t> Run<'t> {
    /// A run from `seed`; each input is written to `left` before it is tried.
    pub fn new(target: &'t Target, corpus: Corpus, seed: u64, left: Option<&Path>) -> Self {
        if let Some(folder) = left.and_then(Path::parent) {
            // Without the folder nothing is left behind, and all else goes on.
            let _ = std::fs::create_dir_all(folder);
        }
        let given = corpus.inputs.len();
        let watch = Watch::new(format!("{}, seed {seed}", target.name));
        let (random, reached) = (Random::new(seed), Reached::default());
        Self { target, corpus, given, random, reached, watch, left: left.map(Path::to_owned), tried: 0 }
    }

    /// Tries the corpus as it is, then changes of it, until the budget is spent, and goes on after what breaks: the
    /// failures of one run, each mistake once.
    pub fn go(&mut self, budget: Budget) -> Vec<Failure> {
        let begun = Instant::now();
        let mut failures = Vec::new();
        for position in 0..self.given {
            let input = self.corpus.inputs[position].clone();
            self.attempt(input, &mut failures);
        }
        loop {
            let is_spent = match budget {
                Budget::Time(time) => begun.elapsed() >= time,
                Budget::Inputs(inputs) => self.tried >= inputs,
            };
            if is_spent || failures.len() >= MOST_FAILURES {
                return failures;
            }
            let Corpus { inputs, words } = &self.corpus;
            let Some(input) = self.random.maybe_pick(inputs).cloned() else { return failures };
            let changed = mutation::change(&mut self.random, &input, inputs, words);
            self.attempt(changed, &mut failures);
        }
    }

    /// What was tried, in a line.
    pub fn summary(&self) -> String {
        let guided = match self.reached.regions() {
            0 => "not guided: built without counters".to_owned(),
            regions => format!("{regions} regions reached, {} inputs kept", self.corpus.inputs.len() - self.given),
        };
        format!("{} inputs tried, {guided}", self.tried)
    }

    fn attempt(&mut self, input: Vec<u8>, failures: &mut Vec<Failure>) {
        self.tried += 1;
        if let Some(path) = &self.left {
            // As above.
            let _ = std::fs::write(path, &input);
        }
        self.reached.begin();
        let outcome = self.watch.over(|| broken_by(self.target, &input));
        if let Some(message) = outcome {
            if !failures.iter().any(|known| alike(&known.message, &message)) {
                let input = smaller(self.target, input, &message);
                failures.push(Failure { number: self.tried, message, input });
            }
            return;
        }
        if self.reached.take() {
            self.corpus.inputs.push(input);
        }
    }
}

fn broken_by(target: &Target, input: &[u8]) -> Option<String> {
    let panic = panic::catch_unwind(AssertUnwindSafe(|| (target.run)(input))).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default())
}

/// Whether two messages are of one mistake: names and numbers differ from input to input, the words at the start do not.
fn alike(a: &str, b: &str) -> bool {
    const WORDS: usize = 3;
    a.split_whitespace().take(WORDS).eq(b.split_whitespace().take(WORDS))
}

/// Without the pieces that are not needed to break it: halves first, single bytes last.
fn smaller(target: &Target, mut input: Vec<u8>, message: &str) -> Vec<u8> {
    /// So many tries it may take: the reader would rather wait for a minute than read 60 KB.
    const TRIES: usize = 4_000;
    let (mut size, mut tries) = (input.len() / 2, 0);
    let silent = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    while size > 0 && tries < TRIES {
        let mut at = 0;
        while at < input.len() && tries < TRIES {
            let mut without = input.clone();
            without.drain(at..(at + size).min(input.len()));
            tries += 1;
            if broken_by(target, &without).is_some_and(|other| alike(&other, message)) {
                input = without;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    panic::set_hook(silent);
    input
}
