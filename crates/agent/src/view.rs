//! One load of everything: manifests, live objects, and the lab's containers.

use std::path::Path;
use std::sync::Arc;

use palisade_manifests::Kept;
use palisade_model::Problem;
use palisade_model::settings::Settings;
use palisade_policy::Model;

use crate::directory::Names;
use crate::error::Result;
use crate::lab_state::LabState;

/// What was read at one moment.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) lab: LabState,
    pub(crate) model: Model,
    pub(crate) names: Arc<Names>,
    pub(crate) problems: Vec<Problem>,
}

impl View {
    /// Reads the state folder of a lab and the manifests that it names, as far as they are not kept.
    pub(crate) fn load(state: &Path, kept: &mut Kept) -> Result<Self> {
        let lab = LabState::read(state)?;
        let loaded = palisade_manifests::load_lab_again(state, kept)?;
        let mut problems = loaded.problems;
        let settings = Settings::of(&loaded.value);
        let built = Model::new(Arc::new(loaded.value), settings);
        problems.extend(built.problems);
        let names = Arc::new(Names::new(&built.value));
        Ok(Self { lab, model: built.value, names, problems })
    }
}
