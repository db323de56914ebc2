//! The node's own interfaces, looked at when something changes.

use std::fs::File;
use std::path::Path;

use palisade_bpf::node_links::{self, LinkWatch, NodeLink};

use crate::error::{Error, Result};

/// The interfaces of one node.
#[derive(Debug, Default)]
pub(crate) struct Links {
    watch: Option<LinkWatch>,
}

impl Links {
    /// The interfaces as they are now; changes from here on are noticed. None where the node's network is gone.
    pub(crate) fn read(&mut self, place: &Path) -> Result<Vec<NodeLink>> {
        if !place.exists() {
            return Ok(Vec::new());
        }
        let failed = |source| Error::Network { path: place.to_path_buf(), source };
        let node = File::open(place).map_err(failed)?;
        match &self.watch {
            // What is about to be read.
            Some(watch) => _ = watch.changed(),
            None => self.watch = Some(LinkWatch::new(&node).map_err(failed)?),
        }
        node_links::links(&node).map_err(failed)
    }

    /// Whether something changed since they were read.
    pub(crate) fn changed(&self) -> bool {
        self.watch.as_ref().is_some_and(LinkWatch::changed)
    }
}
