//! Exit codes, the same for every command.

use std::process::ExitCode;

/// What a command's end says to a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Nothing to report, or the answer is "allowed".
    Clean,
    /// Findings, or the answer is "denied".
    Findings,
    /// Wrong usage, or input that could not be used at all.
    Unusable,
    /// The answer depends on something that could not be read or is not known.
    Undecided,
}

impl ExitStatus {
    /// The code as the shell sees it.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Unusable => 2,
            Self::Undecided => 3,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}
