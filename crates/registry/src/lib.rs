//! Registries of images, as the OCI distribution specification has them, and the one HTTP client of the program.
//!
//! Invariant: nothing is taken for what it is called: every manifest and blob is held against its digest, and what has
//! none, a tag, against what the registry itself says. Invariant: credentials go to their registry and to the place
//! that it names for tokens, over TLS unless its name was given as insecure or is this machine's.
//!
//! Source: OCI distribution specification 1.1.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod challenge;
mod client;
mod credentials;
pub mod descriptor;
pub mod digest;
mod error;
mod hosts;
pub mod http;
mod reference;
mod retry;

pub use client::{Blob, FoundBy, Manifest, Pushed, Referrers, Registry, RegistryOptions};
pub use credentials::{CredentialFiles, Credentials, CredentialsError, PullCredentials};
pub use descriptor::{Descriptor, Index, media_type};
pub use error::RegistryError;
pub use hosts::{Endpoint, Host, Hosts, Transport};
pub use http::{Http, HttpOptions, Proxies};
pub use reference::{NoReference, Reference, Repository, Version};
pub use retry::Retries;
