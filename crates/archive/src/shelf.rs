//! Where an image and what vouches for it lie side by side: manifests by tag and digest, what refers to them, and a
//! place for more.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::blobs::{Blobs as _, FolderBlobs};
use crate::digest::{is_sha256, sha256};
use crate::image::LONGEST_DOCUMENT;
use crate::layout::{names, present};
use crate::manifest::{Descriptor, Document};

/// The media type of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The annotation that is a tag in a layout.
const TAG: &str = "org.opencontainers.image.ref.name";

/// Most entries of an index of what refers to an image, and most manifests of a layout that are asked whether they do.
pub const MOST_REFERRERS: usize = 1_000;

/// Images and artifacts, by tag and digest.
pub trait Shelf {
    /// The manifest or index of that tag or digest; without a name, the only image there is.
    ///
    /// # Errors
    /// When there is none, or several.
    fn resolve(&self, name: Option<&str>) -> Result<Descriptor, ShelfError>;

    /// The manifest with that tag, if there is one.
    ///
    /// # Errors
    /// When that cannot be told.
    fn tagged(&self, tag: &str) -> Result<Option<Descriptor>, ShelfError>;

    /// What names the manifest as its subject.
    ///
    /// # Errors
    /// When that cannot be told, or they are more than [`MOST_REFERRERS`].
    fn referrers(&self, digest: &str) -> Result<Vec<Descriptor>, ShelfError>;

    /// The bytes of a manifest or an index, which have the digest of the descriptor.
    ///
    /// # Errors
    /// When they are not there, are more than `most`, or have another digest.
    fn manifest(&self, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, ShelfError>;

    /// The bytes of a blob that a manifest names; as [`Self::manifest`].
    ///
    /// # Errors
    /// As [`Self::manifest`].
    fn blob(&self, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, ShelfError>;

    /// Adds a blob.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn store_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, ShelfError>;

    /// Adds a manifest: under a tag, or as something that refers to its subject.
    ///
    /// # Errors
    /// When it cannot be stored.
    fn store_manifest(&self, bytes: &[u8], entry: &Entry<'_>) -> Result<Descriptor, ShelfError>;
}

/// How a manifest is found again.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// By this tag, which leads nowhere else from now on.
    Tag(&'a str),
    /// By its subject; with its artifact type.
    Referrer(&'a str),
}

/// Why a shelf does not give or take.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The place itself.
    #[error("cannot read `{0}`")]
    Place(String, #[source] io::Error),
    /// A file of it.
    #[error("cannot write `{0}`")]
    Write(String, #[source] io::Error),
    /// It is no JSON of its kind.
    #[error("`{0}` cannot be read")]
    Json(String, #[source] serde_json::Error),
    /// No such tag or digest.
    #[error("no image `{asked}`; there is {present}")]
    NoName {
        /// What was asked for.
        asked: String,
        /// What there is.
        present: String,
    },
    /// More than one.
    #[error("several images: {0}")]
    Several(String),
    /// It is not what its digest says.
    #[error("{digest} has the digest {found}")]
    Digest {
        /// What was asked for.
        digest: String,
        /// What lies there.
        found: String,
    },
    /// It is not there, or cannot be read.
    #[error("cannot read {0}")]
    Blob(String, #[source] io::Error),
    /// A limit.
    #[error("{0}")]
    Limit(String),
    /// Somewhere else than in a layout.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

/// Whether an entry of a layout is no image, but vouches for one: by cosign's tags, the fallback tag of the referrers, or
/// the type of an artifact. Such a thing is still found by its name.
pub(crate) fn is_attachment(descriptor: &Descriptor) -> bool {
    let is_tag = |name: &str| {
        let hex = name.strip_prefix("sha256-").map(|rest| rest.split('.').next().unwrap_or_default());
        hex.is_some_and(|hex| is_sha256(&format!("sha256:{hex}")))
    };
    let of_artifact = |it: &str| !it.is_empty() && !it.ends_with("image.config.v1+json");
    names(descriptor).any(is_tag) || descriptor.artifact_type.as_deref().is_some_and(of_artifact)
}

/// An OCI layout in a folder.
#[derive(Debug, Clone)]
pub struct LayoutShelf {
    blobs: FolderBlobs,
}

impl LayoutShelf {
    /// The layout in that folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(folder: &Path) -> Result<Self, ShelfError> {
        let is_layout = folder.join("oci-layout").is_file() && folder.join("index.json").is_file();
        let shelf = Self { blobs: FolderBlobs { folder: folder.to_owned() } };
        let error = || ShelfError::Place(folder.display().to_string(), io::Error::other("it is no OCI layout"));
        if is_layout { Ok(shelf) } else { Err(error()) }
    }

    fn index_path(&self) -> PathBuf {
        self.blobs.folder.join("index.json")
    }

    fn index_bytes(&self) -> Result<Vec<u8>, ShelfError> {
        let path = self.index_path();
        let error = |source| ShelfError::Place(path.display().to_string(), source);
        let mut bytes = Vec::new();
        File::open(&path).and_then(|file| file.take(LONGEST_DOCUMENT).read_to_end(&mut bytes)).map_err(error)?;
        Ok(bytes)
    }

    fn entries(&self) -> Result<Vec<Descriptor>, ShelfError> {
        let document: Document = serde_json::from_slice(&self.index_bytes()?)
            .map_err(|source| ShelfError::Json(self.index_path().display().to_string(), source))?;
        Ok(document.manifests.unwrap_or_default())
    }

    /// Puts a file where readers see the old one or the new one, whole.
    ///
    /// The layout may be a stranger's: a link that lies where the file is begun would lead out of it, and is not followed.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), ShelfError> {
        let error = |source| ShelfError::Write(path.display().to_string(), source);
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        fs::create_dir_all(path.parent().unwrap_or(path)).map_err(error)?;
        // What somebody left behind, a program that was killed or a stranger.
        match fs::remove_file(&beside) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(error(why)),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&beside).map_err(error)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(error)?;
        fs::rename(&beside, path).map_err(error)
    }
}

impl Shelf for LayoutShelf {
    fn resolve(&self, name: Option<&str>) -> Result<Descriptor, ShelfError> {
        let entries = self.entries()?;
        let is_it = |it: &&Descriptor| match name {
            Some(name) => it.digest == name || names(it).any(|its| its == name || its.ends_with(&format!(":{name}"))),
            None => !is_attachment(it),
        };
        let mut found: Vec<&Descriptor> = entries.iter().filter(is_it).collect();
        found.dedup_by(|a, b| a.digest == b.digest);
        if name.is_none() && found.len() > 1 {
            // What has a subject vouches for something, whatever its entry leaves out.
            found.retain(|it| self.document(it).is_none_or(|document| document.subject.is_none()));
        }
        match (&found[..], name) {
            ([only], _) => Ok((*only).clone()),
            ([], Some(digest)) if is_sha256(digest) => self.below(digest, &entries),
            ([], _) => {
                Err(ShelfError::NoName { asked: name.unwrap_or_default().to_owned(), present: present(&entries) })
            }
            (_, _) => Err(ShelfError::Several(present(&entries))),
        }
    }

    fn tagged(&self, tag: &str) -> Result<Option<Descriptor>, ShelfError> {
        Ok(self.entries()?.into_iter().find(|it| names(it).any(|name| name == tag)))
    }

    fn referrers(&self, digest: &str) -> Result<Vec<Descriptor>, ShelfError> {
        let mut found = Vec::new();
        let entries = self.entries()?;
        if entries.len() > MOST_REFERRERS {
            return Err(ShelfError::Limit(format!("the layout has more than {MOST_REFERRERS} manifests")));
        }
        for entry in entries {
            let subject = self.document(&entry).and_then(|document| document.subject);
            if subject.is_some_and(|subject| subject.digest == digest) {
                found.push(entry);
            }
        }
        Ok(found)
    }

    fn manifest(&self, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, ShelfError> {
        self.blob(descriptor, most)
    }

    fn blob(&self, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, ShelfError> {
        let digest = &descriptor.digest;
        let error = |source| ShelfError::Blob(digest.clone(), source);
        let mut bytes = Vec::new();
        self.blobs
            .blob(digest, descriptor.size)
            .map_err(error)?
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(error)?;
        if bytes.len() as u64 > most {
            return Err(ShelfError::Limit(format!("{digest} has more than {most} bytes")));
        }
        let found = sha256(&bytes);
        if found == *digest { Ok(bytes) } else { Err(ShelfError::Digest { digest: digest.clone(), found }) }
    }

    fn store_blob(&self, media_type: &str, bytes: &[u8]) -> Result<Descriptor, ShelfError> {
        let (digest, media_type) = (sha256(bytes), media_type.to_owned());
        let path = self.blobs.folder.join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
        self.write(&path, bytes)?;
        Ok(Descriptor { media_type, digest, size: bytes.len() as u64, ..Descriptor::default() })
    }

    fn store_manifest(&self, bytes: &[u8], entry: &Entry<'_>) -> Result<Descriptor, ShelfError> {
        let mut descriptor = self.store_blob(MANIFEST, bytes)?;
        match entry {
            Entry::Tag(tag) => drop(descriptor.annotations.insert(TAG.into(), (*tag).to_owned())),
            Entry::Referrer(artifact_type) => descriptor.artifact_type = Some((*artifact_type).to_owned()),
        }
        // As a value, so that nothing of the index is lost that is not known here.
        let json = |source| ShelfError::Json(self.index_path().display().to_string(), source);
        let mut index: serde_json::Value = serde_json::from_slice(&self.index_bytes()?).map_err(json)?;
        let added = serde_json::to_value(&descriptor).map_err(json)?;
        let Some(manifests) = index.get_mut("manifests").and_then(serde_json::Value::as_array_mut) else {
            return Err(ShelfError::Limit(format!("`{}` lists no manifests", self.index_path().display())));
        };
        manifests.retain(|it| match entry {
            Entry::Tag(tag) => it["annotations"][TAG] != **tag,
            Entry::Referrer(_) => it["digest"] != added["digest"],
        });
        manifests.push(added);
        self.write(&self.index_path(), &serde_json::to_vec_pretty(&index).map_err(json)?)?;
        Ok(descriptor)
    }
}

impl LayoutShelf {
    /// The manifest or index, where it is one and can be read.
    fn document(&self, descriptor: &Descriptor) -> Option<Document> {
        serde_json::from_slice(&self.manifest(descriptor, LONGEST_DOCUMENT).ok()?).ok()
    }

    /// A manifest that an index of the layout lists.
    fn below(&self, digest: &str, entries: &[Descriptor]) -> Result<Descriptor, ShelfError> {
        for entry in entries.iter().take(MOST_REFERRERS) {
            let Some(document) = self.document(entry) else { continue };
            if let Some(found) = document.manifests.unwrap_or_default().into_iter().find(|it| it.digest == digest) {
                return Ok(found);
            }
        }
        Err(ShelfError::NoName { asked: digest.to_owned(), present: present(entries) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_follows_no_link_out_of_the_layout_and_no_pipe_is_waited_for() {
        let folder = std::env::temp_dir().join(format!("palisade-shelf-{}", std::process::id()));
        let layout = folder.join("layout");
        fs::create_dir_all(layout.join("blobs/sha256")).expect("a folder of the test");
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("written");
        fs::write(layout.join("index.json"), r#"{"schemaVersion":2,"manifests":[]}"#).expect("written");
        let outside = folder.join("outside");
        fs::write(&outside, "mine").expect("written");
        let end = format!("{}.tmp", std::process::id());
        let link = |path: String| std::os::unix::fs::symlink(&outside, layout.join(path)).expect("a link");
        let hex = sha256(b"{}").trim_start_matches("sha256:").to_owned();
        link(format!("index.{end}"));
        link(format!("blobs/sha256/{hex}.{end}"));
        let shelf = LayoutShelf::open(&layout).expect("a layout");
        let stored = shelf.store_manifest(b"{}", &Entry::Tag("v1")).expect("it is stored");
        assert_eq!(fs::read_to_string(&outside).expect("it is there"), "mine");
        assert_eq!(shelf.manifest(&stored, 10).expect("it is stored"), b"{}");
        // A pipe in the place of a blob.
        let pipe = layout.join("blobs/sha256").join("0".repeat(64));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts");
        assert!(made.success());
        let digest = format!("sha256:{}", "0".repeat(64));
        let error = shelf.blob(&Descriptor { digest, ..Descriptor::default() }, 10).expect_err("it is no file");
        assert!(
            std::error::Error::source(&error).is_some_and(|why| why.to_string() == "not a regular file"),
            "{error}"
        );
        fs::remove_dir_all(folder).expect("it was made here");
    }
}
