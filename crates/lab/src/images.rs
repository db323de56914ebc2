//! The image layers that a lab has made, each shared by all containers of its image.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::command::Command;
use crate::image;
use crate::program_copy::loadable_part;

/// Layers by image name and programs.
#[derive(Debug)]
pub(crate) struct Images {
    folder: PathBuf,
    stand_in: PathBuf,
    layers: Mutex<BTreeMap<(String, Vec<PathBuf>), PathBuf>>,
}

impl Images {
    /// An empty set in `scratch`, with a copy of this executable as the stand-in.
    ///
    /// # Errors
    /// When the copy cannot be made.
    pub fn create(scratch: &Path) -> io::Result<Self> {
        let folder = scratch.join("images");
        fs::create_dir_all(&folder)?;
        let stand_in = scratch.join("stand-in");
        fs::write(&stand_in, loadable_part(Path::new("/proc/self/exe"))?)?;
        Ok(Self { folder, stand_in, layers: Mutex::default() })
    }

    /// The layer of `image` for `command`, made when it is not there yet.
    ///
    /// # Errors
    /// When the layer cannot be made.
    pub fn layer(&self, image: &str, command: &Command) -> io::Result<PathBuf> {
        let mut layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (image.to_owned(), command.layer.clone());
        if let Some(layer) = layers.get(&key) {
            return Ok(layer.clone());
        }
        let layer = self.folder.join(layers.len().to_string());
        image::build_layer(&layer, &command.layer, &self.stand_in)?;
        layers.insert(key, layer.clone());
        Ok(layer)
    }
}
