//! What the command line and the environment together say, resolved once.

use std::path::PathBuf;

use palisade_lab::LabName;
use palisade_model::Timestamp;
use palisade_registry::Proxies;

use crate::arguments::ManifestArguments;
use crate::progress::Progress;
use crate::terminal::Colour;

/// What every command is given beside its own arguments.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether standard output gets colour.
    pub colour: Colour,
    /// When the command was started.
    pub now: Timestamp,
    /// Where the user's data is kept; none when nothing says it.
    pub data_folder: Option<PathBuf>,
    /// Where what can be made again is kept.
    pub cache_folder: Option<PathBuf>,
    /// Where the user's configuration lies.
    pub config_folder: Option<PathBuf>,
    /// Who the user is to registries, the first that knows wins.
    pub credential_files: Vec<PathBuf>,
    /// What stands between here and the world.
    pub proxies: Proxies,
    /// What goes on, for who waits.
    pub progress: Progress,
    /// `PALISADE_KEY_PASSWORD`, or cosign's `COSIGN_PASSWORD`: what opens the key to sign with.
    pub key_password: Option<String>,
    /// `SOURCE_DATE_EPOCH`: the time that reproducible output carries.
    pub source_date_epoch: Option<Timestamp>,
}

impl Settings {
    /// Reads the environment; nothing else does.
    pub fn from_environment() -> Self {
        let epoch = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
        Self {
            colour: Colour::of_stdout(),
            now: Timestamp::now(),
            data_folder: user_folder("XDG_DATA_HOME", ".local/share"),
            cache_folder: user_folder("XDG_CACHE_HOME", ".cache"),
            config_folder: user_folder("XDG_CONFIG_HOME", ".config"),
            credential_files: credential_files(),
            proxies: proxies(),
            progress: Progress::of_stderr(),
            key_password: std::env::var("PALISADE_KEY_PASSWORD").or_else(|_| std::env::var("COSIGN_PASSWORD")).ok(),
            source_date_epoch: epoch.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        }
    }
}

/// `palisade` in one of the user's folders. Source: the XDG base directory specification: only absolute paths count.
fn user_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(below_home));
    named.or_else(home).map(|folder| folder.join("palisade"))
}

/// Docker's config, then Podman's.
///
/// Source: the docker CLI's reference, "Change the .docker directory"; containers-auth.json(5).
fn credential_files() -> Vec<PathBuf> {
    let folder = |variable| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    let docker = folder("DOCKER_CONFIG").or_else(|| folder("HOME").map(|home| home.join(".docker")));
    let podman = folder("REGISTRY_AUTH_FILE")
        .or_else(|| folder("XDG_RUNTIME_DIR").map(|runtime| runtime.join("containers/auth.json")));
    docker.map(|folder| folder.join("config.json")).into_iter().chain(podman).collect()
}

/// By the variables that other programs read; the lower-case ones count first, as with curl.
fn proxies() -> Proxies {
    let value = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok().filter(|it| !it.is_empty()));
    let all = value(["all_proxy", "ALL_PROXY"]);
    Proxies {
        http: value(["http_proxy", "HTTP_PROXY"]).or_else(|| all.clone()),
        https: value(["https_proxy", "HTTPS_PROXY"]).or(all),
        except: value(["no_proxy", "NO_PROXY"]).unwrap_or_default(),
    }
}

/// Where the manifests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Files, folders, `-`.
    Paths(Vec<PathBuf>),
    /// The running lab: its user's files, and its live objects over them.
    Lab(LabName),
}

impl From<&ManifestArguments> for Source {
    fn from(arguments: &ManifestArguments) -> Self {
        match arguments.manifests.is_empty() {
            true => Self::Lab(arguments.lab.name.clone()),
            false => Self::Paths(arguments.manifests.clone()),
        }
    }
}
