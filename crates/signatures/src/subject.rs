//! The image that is asked about.

/// What signatures must be for, to count.
#[derive(Debug, Clone)]
pub struct Subject {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// As the store says; Notary Project's signatures name it.
    pub media_type: String,
    /// The bytes of the manifest, of which `digest` is the hash.
    pub manifest: Vec<u8>,
    /// The index that the image belongs to, when signatures of that one count too. Whoever fills it in has seen that the
    /// index names the image.
    pub index: Option<Box<Subject>>,
}

impl Subject {
    /// The image, then its index.
    pub fn all(&self) -> impl Iterator<Item = &Subject> {
        std::iter::successors(Some(self), |subject| subject.index.as_deref())
    }

    /// The one of them with that digest.
    pub fn with_digest(&self, digest: &str) -> Option<&Subject> {
        self.all().find(|subject| subject.digest == digest)
    }

    /// The hexadecimal digits of the digest.
    pub fn hex(&self) -> &str {
        self.digest.strip_prefix("sha256:").unwrap_or(&self.digest)
    }
}
