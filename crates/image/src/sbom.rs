//! Bills of materials: the packages of an image for other programs.

mod cyclonedx;
mod parse;
mod read;
mod spdx;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::catalogue::Catalogue;
use crate::package::Package;

pub use cyclonedx::render_cyclonedx;
pub use read::{BillError, read_bill};
pub use spdx::render_spdx;

/// What a bill of materials says beside the catalogue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The version of this program.
    pub tool_version: String,
    /// When the image was made, or what the caller says instead (`SOURCE_DATE_EPOCH`). Never the time of the run: the
    /// same image gives the same bytes.
    pub timestamp: Option<String>,
}

/// A list whose parts are made as they are written: a whole bill as values takes some 14 kB a package.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator<Item = Value>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// The packages that are listed: one whose files belong to a package of the distribution is that package, which is
/// listed already.
pub fn listed(catalogue: &Catalogue) -> impl Iterator<Item = &Package> {
    catalogue.packages.iter().filter(|package| package.owned_by.is_none())
}

/// A UUID that the digest of the image gives; of an image without one, what is in it.
///
/// Source: RFC 9562, version 8: bits that the maker chooses.
fn uuid(catalogue: &Catalogue) -> String {
    let digests = [&catalogue.config.digest, &catalogue.config.config_digest];
    let digest = digests.into_iter().find_map(|it| it.strip_prefix("sha256:")).map(str::to_owned);
    let hex = digest.unwrap_or_else(|| {
        let mut hash = Fnv::default();
        for package in &catalogue.packages {
            hash.add(&package.purl);
            hash.add(&package.path);
        }
        format!("{:032x}", hash.0)
    });
    let mut digits: Vec<char> = hex.chars().take(32).collect();
    digits.resize(32, '0');
    digits[12] = '8';
    digits[16] = match digits[16] {
        '0' | '4' | '8' | 'c' => '8',
        '1' | '5' | '9' | 'd' => '9',
        '2' | '6' | 'a' | 'e' => 'a',
        _ => 'b',
    };
    let text: String = digits.into_iter().collect();
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

/// FNV-1a of 128 bits: an identity, not a proof.
struct Fnv(u128);

impl Default for Fnv {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv {
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

/// What the image is called: its reference without folders.
fn image_name(catalogue: &Catalogue) -> &str {
    match catalogue.config.name.as_str() {
        "" => "image",
        name => name.trim_end_matches('/').rsplit('/').next().filter(|it| !it.is_empty()).unwrap_or(name),
    }
}

/// The number of the image: its digest, or that of its config.
fn image_version(catalogue: &Catalogue) -> Option<&str> {
    [&catalogue.config.digest, &catalogue.config.config_digest]
        .into_iter()
        .map(String::as_str)
        .find(|it| !it.is_empty())
}
