//! Who vouches for an image: signatures and attestations of cosign and of the Notary Project, verified against what a
//! user trusts, and made with a user's key.
//!
//! Values in, values out: whoever calls brings the bytes that lie beside the image, the keys, roots and lists that are
//! trusted, and the time. One thing of `sigstore-verify` reads the clock itself: whether a time of a transparency log
//! lies in the future.
//!
//! Invariant: what cannot be judged is never good. Each way to fail is a [`Refusal`] with words of its own.
//!
//! Invariant: an attestation is no signature, whatever its annotations say: the signed payload decides.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod answer;
pub mod attached;
pub mod bundle;
mod condition;
pub mod demand;
mod judge;
pub mod key;
mod legacy;
pub mod notary;
pub mod pattern;
pub mod private_key;
pub mod refusal;
pub mod sign;
pub mod statement;
pub mod subject;

pub use answer::{Answer, Verdict};
pub use attached::{Attached, Form};
pub use bundle::Root;
pub use demand::Demand;
pub use judge::judge;
pub use key::PublicKey;
pub use private_key::PrivateKey;
pub use refusal::Refusal;
pub use subject::Subject;
