//! What an image has that it does not need, or should not have: shells and compilers, rights that are too wide, secrets
//! in any layer, a user that Kubernetes cannot check.
//!
//! [`LintReader`] takes the layers together with the [`Collector`](crate::Collector); [`lint`] says what is wrong.

mod config;
mod files;
mod kinds;
mod reader;
mod rules;
mod score;
mod search;

pub use reader::{LintReader, Seen};
pub use rules::{lint, rules};
pub use score::{REMOVABLE, score};
pub use search::{Budget, Searched};
