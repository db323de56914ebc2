//! Hash maps for small keys: names, numbers, addresses.

/// A map whose hash is quick, and seeded for each process: names come from manifests.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// A set with that hash.
pub(crate) type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;
