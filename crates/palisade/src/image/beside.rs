//! What lies beside an image in its store and may vouch for it.

use std::collections::BTreeSet;

use palisade_archive::{Descriptor, Shelf, ShelfError};
use palisade_model::Problem;
use palisade_signatures::attached::{Attached, Form, MOST_ATTACHED, MOST_BYTES};
use serde::Deserialize;

/// Most bytes of a manifest or of an index of referrers.
const LONGEST_MANIFEST: u64 = 4 << 20;

/// Most bytes of all of them together.
const MOST_TOGETHER: u64 = 256 << 20;

/// Most manifests that are asked whether they hold one: whoever may push may add as many as they like.
const MOST_MANIFESTS: usize = 500;

/// What of a manifest matters here.
#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

/// Everything found, and what could not be read: such a thing may be a signature, so nobody can say that there is none.
#[derive(Default)]
pub struct Beside {
    pub attached: Vec<Attached>,
    pub problems: Vec<Problem>,
    seen: BTreeSet<String>,
}

impl Beside {
    /// Adds what lies beside the manifest with that digest: its referrers, the index under the fallback tag, and cosign's
    /// older tags.
    pub fn collect(&mut self, shelf: &dyn Shelf, digest: &str) {
        let tag = digest.replace(':', "-");
        let mut manifests = Vec::new();
        match shelf.referrers(digest) {
            Ok(found) => manifests.extend(found),
            Err(error) => self.problem(format!("what refers to {digest}: {}", chain(&error))),
        }
        for name in [tag.clone(), format!("{tag}.sig"), format!("{tag}.att")] {
            match shelf.tagged(&name) {
                Ok(found) => manifests.extend(found),
                Err(error) => self.problem(format!("the tag `{name}`: {}", chain(&error))),
            }
        }
        for manifest in manifests {
            self.read(shelf, &manifest, Depth::Outer);
        }
    }

    fn read(&mut self, shelf: &dyn Shelf, descriptor: &Descriptor, depth: Depth) {
        if !self.seen.insert(descriptor.digest.clone()) {
            return;
        }
        if self.seen.len() > MOST_MANIFESTS {
            return self.problem(format!(
                "more than {MOST_MANIFESTS} manifests lie beside the image; the others are not read"
            ));
        }
        let manifest = shelf
            .manifest(descriptor, LONGEST_MANIFEST)
            .map_err(|error| chain(&error))
            .and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).map_err(|error| error.to_string()));
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => return self.problem(format!("what lies beside the image: {error}")),
        };
        if depth == Depth::Outer {
            // The index under the fallback tag; its entries' artifact types are not asked, registries replace them.
            for descriptor in &manifest.manifests {
                self.read(shelf, descriptor, Depth::Inner);
            }
        }
        for layer in &manifest.layers {
            let Some(form) = Form::of(&layer.media_type) else { continue };
            if self.attached.len() >= MOST_ATTACHED {
                return self
                    .problem(format!("more than {MOST_ATTACHED} lie beside the image; the others are not judged"));
            }
            let left = MOST_TOGETHER.saturating_sub(self.attached.iter().map(|it| it.bytes.len() as u64).sum());
            match shelf.blob(layer, MOST_BYTES.min(left)) {
                Ok(bytes) => self.attached.push(Attached {
                    digest: layer.digest.clone(),
                    form,
                    bytes,
                    annotations: layer.annotations.clone(),
                }),
                Err(error) => self.problem(format!("{}: {}", form.as_str(), chain(&error))),
            }
        }
    }

    fn problem(&mut self, message: String) {
        let problem = Problem::error("unreadable-signature", message);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// An index lists manifests, and no further indexes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Outer,
    Inner,
}

fn chain(error: &ShelfError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
