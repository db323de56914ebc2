//! Blobs as they come: counted, held against their digest, gone on with where a connection broke off.

use std::io::{self, Read};

use super::manifest::no_digest;
use super::{Question, Registry, refused};
use crate::descriptor::Descriptor;
use crate::digest::{Hash, is_sha256};
use crate::error::RegistryError;
use crate::hosts::Endpoint;
use crate::http::Trouble;
use crate::reference::Repository;

/// A connection that breaks off is opened again so often for one blob.
const MOST_RESUMPTIONS: u32 = 5;

/// No blob is read further, whatever a manifest says: no layer that is read at all is larger.
const MOST_BYTES: u64 = 1 << 40;

/// A blob. It ends well only when it is whole and what its digest says; who stops before has seen bytes that nobody
/// vouches for.
pub struct Blob<'r> {
    registry: &'r Registry,
    endpoint: Endpoint,
    digest: String,
    size: Option<u64>,
    body: Box<dyn Read + Send>,
    hash: Hash,
    position: u64,
    resumptions: u32,
    is_done: bool,
}

impl Registry {
    /// Opens a blob. `size` is what the manifest says; more is not read.
    ///
    /// # Errors
    /// When there is none, or it cannot be had.
    pub fn blob(&self, repository: &Repository, digest: &str, size: Option<u64>) -> Result<Blob<'_>, RegistryError> {
        self.anywhere(repository, |endpoint| {
            if !is_sha256(digest) {
                return Err(no_digest(endpoint.repository.registry(), "a blob", digest));
            }
            let body = self.open(endpoint, digest, 0)?;
            Ok(Blob {
                registry: self,
                endpoint: endpoint.clone(),
                digest: digest.to_owned(),
                size,
                body,
                hash: Hash::default(),
                position: 0,
                resumptions: 0,
                is_done: false,
            })
        })
    }

    /// A whole blob that is what its descriptor says.
    ///
    /// # Errors
    /// When it is larger than `limit`, or cannot be had whole.
    pub fn read_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        let answer = |why: String| RegistryError::Answer {
            registry: repository.registry().to_owned(),
            what: format!("blob {}", descriptor.digest),
            why,
        };
        if descriptor.size > limit {
            return Err(answer(format!("it is longer than {limit} bytes")));
        }
        let mut bytes = Vec::new();
        let mut blob = self.blob(repository, &descriptor.digest, Some(descriptor.size))?;
        blob.read_to_end(&mut bytes).map_err(|error| match error.downcast::<RegistryError>() {
            Ok(error) => error,
            Err(error) => answer(error.to_string()),
        })?;
        Ok(bytes)
    }

    fn open(&self, endpoint: &Endpoint, digest: &str, from: u64) -> Result<Box<dyn Read + Send>, RegistryError> {
        let place = format!("blobs/{digest}");
        let mut question = Question::get(&place);
        if from > 0 {
            question.headers.push(("range", format!("bytes={from}-")));
        }
        let response = self.ask(endpoint, &question)?;
        let begins = response.header("content-range").and_then(begin);
        match response.status {
            200 => {
                let mut body = response.into_reader();
                // It cannot begin in the middle: what is known already is read again.
                let skipped = io::copy(&mut (&mut body).take(from), &mut io::sink());
                match skipped {
                    Ok(skipped) if skipped == from => Ok(Box::new(body)),
                    _ => Err(self.broken(endpoint, digest, "it breaks off again and again")),
                }
            }
            206 if from > 0 && begins == Some(from) => Ok(Box::new(response.into_reader())),
            206 => Err(self.broken(endpoint, digest, "a part was given that was not asked for")),
            _ => Err(refused(endpoint, &format!("blob {digest}"), response)),
        }
    }

    fn broken(&self, endpoint: &Endpoint, digest: &str, why: &str) -> RegistryError {
        let registry = endpoint.repository.registry().to_owned();
        RegistryError::Answer { registry, what: format!("blob {digest}"), why: why.to_owned() }
    }
}

/// Where a `Content-Range` begins: `bytes 200-1000/67589`.
fn begin(header: &str) -> Option<u64> {
    header.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

impl Blob<'_> {
    fn finish(&mut self) -> io::Result<usize> {
        self.is_done = true;
        let found = self.hash.digest();
        if found == self.digest {
            return Ok(0);
        }
        let registry = self.endpoint.repository.registry().to_owned();
        let (what, digest) = ("blob", self.digest.clone());
        Err(io::Error::new(io::ErrorKind::InvalidData, RegistryError::Digest { registry, what, digest, found }))
    }

    fn too_long(&mut self, size: u64) -> io::Error {
        self.is_done = true;
        let registry = self.endpoint.repository.registry().to_owned();
        let (digest, found) = (self.digest.clone(), self.position);
        io::Error::new(io::ErrorKind::InvalidData, RegistryError::Size { registry, digest, size, found })
    }

    /// Opens the rest; gives the error back when that was tried too often.
    fn resume(&mut self, error: io::Error) -> io::Result<()> {
        if self.resumptions >= MOST_RESUMPTIONS {
            self.is_done = true;
            return Err(error);
        }
        self.resumptions += 1;
        if let Some(wait) = self.registry.retries.wait(self.resumptions, None) {
            std::thread::sleep(wait);
        }
        self.body = self.registry.open(&self.endpoint, &self.digest, self.position).map_err(|error| {
            self.is_done = true;
            io::Error::other(error)
        })?;
        Ok(())
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_done || buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.body.read(buffer) {
                Ok(0) if self.size.is_some_and(|size| self.position < size) => {
                    let size = self.size.unwrap_or(0);
                    self.resume(self.short(size))?;
                }
                Ok(0) => return self.finish(),
                Ok(length) => {
                    self.position += length as u64;
                    let most = self.size.unwrap_or(MOST_BYTES).min(MOST_BYTES);
                    if self.position > most {
                        return Err(self.too_long(most));
                    }
                    self.hash.update(&buffer[..length]);
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => match Trouble::of_io(error) {
                    Trouble::Broken(error) => self.resume(error)?,
                    other => {
                        self.is_done = true;
                        return Err(io::Error::other(other));
                    }
                },
            }
        }
    }
}

impl Blob<'_> {
    fn short(&self, size: u64) -> io::Error {
        let registry = self.endpoint.repository.registry().to_owned();
        let (digest, found) = (self.digest.clone(), self.position);
        io::Error::new(io::ErrorKind::UnexpectedEof, RegistryError::Size { registry, digest, size, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_where_it_begins() {
        assert_eq!(begin("bytes 200-1000/67589"), Some(200));
        assert_eq!(begin("bytes */67589"), None);
        assert_eq!(begin("items 0-5/7"), None);
    }
}
