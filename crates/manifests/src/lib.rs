//! Manifests in, inventory out: YAML and JSON from files, folders and standard input, read as `kubectl` and the
//! API server read them, with a place for everything that is wrong.
//!
//! Layer L2: the only code that reads manifests. Broken input is normal input: a document that cannot be used is a
//! [`Problem`](palisade_model::Problem), and the rest of the set is still used.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod address;
mod assembly;
mod at;
mod decode;
mod document;
mod files;
mod image_policy;
mod kept;
mod load;
mod names;
mod pull_secret;
mod recognize;
mod report;
mod scan;
mod schema;
mod time;
mod yaml;

pub use image_policy::{load_image_policies, load_image_policies_text};
pub use kept::Kept;
pub use load::{LoadError, load, load_lab, load_lab_again, load_text};
pub use pull_secret::{PullSecret, PullSecretForm, PullSecrets, SecretData, SecretName, load_pull_secrets};
