//! What a user calls an image: a path, or a name in a registry.

use std::path::{Path, PathBuf};

use palisade_registry::Reference;

/// Where an image is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// At a path; with the tag, name or digest of one of several.
    Path {
        /// Where.
        path: PathBuf,
        /// Which.
        name: Option<String>,
        /// What has to lie there.
        form: Form,
    },
    /// In a registry.
    Registry {
        /// Where and which.
        reference: Reference,
        /// Whether the user said that it is a registry's, or nothing else was there.
        said: Said,
    },
}

/// What has to lie at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Whatever does.
    Any,
    /// An OCI layout.
    Layout,
    /// An archive of `docker save`.
    DockerArchive,
}

/// How it is known that a registry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// By a prefix.
    Outright,
    /// Nothing lies at such a path.
    NoSuchPath,
}

/// What says that a registry is meant: ours, and that of the tools of containers.
const OF_REGISTRIES: &[&str] = &["registry:", "docker://", "oci://"];

/// Reads what a user calls an image. A path that is there wins; `./` and `/` in front are paths whether it is or not.
///
/// # Errors
/// In words, when it is neither.
pub fn parse(image: &str, exists: &dyn Fn(&Path) -> bool) -> Result<Named, String> {
    if let Some(name) = OF_REGISTRIES.iter().find_map(|prefix| image.strip_prefix(prefix)) {
        let reference = name.parse().map_err(|error| format!("`{image}` names no image of a registry: {error}"))?;
        return Ok(Named::Registry { reference, said: Said::Outright });
    }
    for (prefix, form) in [("oci:", Form::Layout), ("docker-archive:", Form::DockerArchive)] {
        if let Some(path) = image.strip_prefix(prefix) {
            return Ok(at_path(path, form, exists));
        }
    }
    let path = at_path(image, Form::Any, exists);
    if matches!(&path, Named::Path { path, .. } if exists(path)) || looks_like_path(image) {
        return Ok(path);
    }
    match image.parse() {
        Ok(reference) => Ok(Named::Registry { reference, said: Said::NoSuchPath }),
        Err(error) => Err(format!("`{image}` is no file or folder, and no image of a registry: {error}")),
    }
}

/// The path, and the tag or digest behind it where the whole is no path.
fn at_path(image: &str, form: Form, exists: &dyn Fn(&Path) -> bool) -> Named {
    let whole = || Named::Path { path: image.into(), name: None, form };
    if exists(Path::new(image)) {
        return whole();
    }
    match image.split_once('@').or_else(|| image.rsplit_once(':')) {
        // No tag has a slash: what follows is a port and a repository.
        Some((path, name)) if exists(Path::new(path)) && !name.contains('/') => {
            Named::Path { path: path.into(), name: Some(name.to_owned()), form }
        }
        Some(_) | None => whole(),
    }
}

/// Whether nobody would write it for an image of a registry.
fn looks_like_path(image: &str) -> bool {
    const OF_FILES: &[&str] = &[".tar", ".tar.gz", ".tgz", ".tar.zst", ".json"];
    matches!(image, "." | "..")
        || ["/", "./", "../", "~"].iter().any(|start| image.starts_with(start))
        || OF_FILES.iter().any(|end| image.ends_with(end))
        || image.ends_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `there` and `there:odd` are there.
    fn read(image: &str) -> String {
        match parse(image, &|path| matches!(path.to_str(), Some("there" | "there:odd" | "."))) {
            Ok(Named::Path { path, name, form }) => format!("{form:?} {} {}", path.display(), name.unwrap_or_default()),
            Ok(Named::Registry { reference, said }) => format!("{said:?} {reference}"),
            Err(why) => why,
        }
    }

    #[test]
    fn a_path_that_is_there_wins() {
        for (image, told) in [
            ("there", "Any there "),
            ("there:v1", "Any there v1"),
            ("there:5000/a", "NoSuchPath there:5000/a:latest"),
            ("there@sha256:12", "Any there sha256:12"),
            ("there:odd", "Any there:odd "),
            ("./gone", "Any ./gone "),
            ("/gone:v1", "Any /gone:v1 "),
            ("gone.tar", "Any gone.tar "),
            ("oci:there:v1", "Layout there v1"),
            ("docker-archive:gone", "DockerArchive gone "),
            ("registry:there", "Outright docker.io/library/there:latest"),
            ("docker://ghcr.io/a/b:c", "Outright ghcr.io/a/b:c"),
            ("alpine:3.20", "NoSuchPath docker.io/library/alpine:3.20"),
            ("localhost:5000/a", "NoSuchPath localhost:5000/a:latest"),
        ] {
            assert_eq!(read(image), told, "{image}");
        }
        assert!(read("Not An Image").starts_with("`Not An Image` is no file or folder, and no image of a registry: "));
        assert!(read("registry:A").contains("no repository"));
    }
}
