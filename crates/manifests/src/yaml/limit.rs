//! The limits on input: each is far above what a cluster holds and far below what hurts.

/// Largest file, or standard input, that is read: 256 MiB. A full `kubectl get -A -o yaml` of a cluster at
/// Kubernetes' own scale limit is of that order; a larger file is refused without being read.
pub(crate) const MAX_FILE_BYTES: u64 = 256 << 20;

/// Deepest nesting of sequences and mappings. A CustomResourceDefinition reaches some 60.
pub(crate) const MAX_DEPTH: usize = 256;

/// Nodes that aliases and merge keys may add to one document. go-yaml gives up at about the same number.
pub(crate) const MAX_ALIASED_NODES: u64 = 400_000;
