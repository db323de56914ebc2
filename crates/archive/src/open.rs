//! What lies at a path: a layout, an archive or a folder.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use palisade_image::{ImageConfig, LayerReader};

use crate::blobs::{ArchiveFiles, FolderBlobs};
use crate::image::{ImageRead, Platform, ReadError};
use crate::{docker, folder, layout};

/// Which image of those at a place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// A tag, a name or a digest.
    pub name: Option<&'a str>,
    /// Which of an index.
    pub platform: Option<&'a Platform>,
}

/// What lies at a path.
#[derive(Debug)]
pub enum Place {
    /// An OCI layout in a folder.
    Layout(FolderBlobs),
    /// An OCI layout in an archive.
    LayoutArchive(ArchiveFiles),
    /// An archive of `docker save`.
    DockerArchive(ArchiveFiles),
    /// The root of a file system.
    Root,
    /// A folder that is no root: sources.
    Sources,
}

impl Place {
    /// Looks at what lies there.
    ///
    /// # Errors
    /// When there is nothing, or nothing that is an image.
    pub fn at(path: &Path) -> Result<Self, ReadError> {
        let place = |source| ReadError::Place { path: path.display().to_string(), source };
        let found = fs::metadata(path).map_err(place)?;
        if found.is_dir() {
            return Ok(Self::of_folder(path));
        }
        if !found.is_file() {
            return Err(place(io::Error::other("neither a file nor a folder")));
        }
        let files = ArchiveFiles::open(path).map_err(|_| ReadError::NoImage(path.display().to_string()))?;
        if files.has("index.json") && files.has("oci-layout") {
            return Ok(Self::LayoutArchive(files));
        }
        match files.has("manifest.json") {
            true => Ok(Self::DockerArchive(files)),
            false => Err(ReadError::NoImage(path.display().to_string())),
        }
    }

    fn of_folder(path: &Path) -> Self {
        if path.join("oci-layout").is_file() && path.join("index.json").is_file() {
            return Self::Layout(FolderBlobs { folder: path.to_owned() });
        }
        const OF_ROOTS: &[&str] =
            &["etc/os-release", "usr/lib/os-release", "etc/passwd", "var/lib/dpkg", "lib/apk", "usr/bin"];
        match OF_ROOTS.iter().any(|it| fs::symlink_metadata(path.join(it)).is_ok()) {
            true => Self::Root,
            false => Self::Sources,
        }
    }
}

/// Reads the image at a place; its layers stream by the reader.
///
/// # Errors
/// When there is no such image, or its manifest or config is not what its digest says.
pub fn read(
    place: &Place,
    path: &Path,
    request: &Request<'_>,
    reader: &mut impl LayerReader,
) -> Result<ImageRead, ReadError> {
    let failed = |source| ReadError::Place { path: path.display().to_string(), source };
    let mut image = match place {
        Place::Layout(blobs) => {
            let index = File::open(path.join("index.json")).map_err(failed)?;
            layout::read_layout(index, blobs, request, reader)?
        }
        Place::LayoutArchive(files) => {
            let index = files.file("index.json").map_err(failed)?;
            layout::read_layout(index, files, request, reader)?
        }
        Place::DockerArchive(files) => docker::read_docker(files, request, reader)?,
        Place::Root | Place::Sources => {
            let problems = folder::read_folder(path, reader).map_err(failed)?;
            ImageRead { config: ImageConfig::default(), problems }
        }
    };
    image.config.name = path.display().to_string();
    Ok(image)
}
