//! What the decisions of the live revision mean, kept beside the pins: the next agent reads events that nobody read.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::directory::{Directory, Verdicts};

/// The meaning of one revision of one node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Past {
    pub(crate) revision: u64,
    /// By decision: enforced and would-be.
    pub(crate) verdicts: Vec<Verdicts>,
}

impl Past {
    /// Keeps the meaning of a revision. Best effort: without it a record of that time lacks its rule, no verdict changes.
    pub(crate) fn keep(path: &Path, revision: u64, directory: &Directory) {
        let past = Self { revision, verdicts: directory.all_verdicts().to_vec() };
        let Ok(text) = serde_json::to_string(&past) else { return };
        let new = path.with_extension("new");
        if path.parent().is_some_and(|folder| fs::create_dir_all(folder).is_ok()) && fs::write(&new, text).is_ok() {
            let _ = fs::rename(new, path);
        }
    }

    /// What an earlier agent kept; nothing when there was none.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The file for a node, in the agent's folder of the lab's state.
    pub(crate) fn path(state: &Path, node: &str) -> PathBuf {
        state.join("agent").join(format!("{node}.json"))
    }
}
