//! Which certificates are trusted: the system's, or those of a file.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::Trouble;

/// A bundle of all authorities that the world knows has some 200 kB.
const LONGEST_BUNDLE: u64 = 16 << 20;

/// How TLS is spoken: certificates of the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), or of `file` alone.
pub fn tls(file: Option<&Path>) -> Result<TlsConfig, Trouble> {
    let certificates = match file {
        Some(path) => of_file(path)?,
        None => of_system()?,
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::from(certificates))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

fn of_file(path: &Path) -> Result<Vec<Certificate<'static>>, Trouble> {
    let failed = |why: String| Trouble::Authorities { path: path.display().to_string(), why };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > LONGEST_BUNDLE {
        return Err(failed(format!("it is longer than {LONGEST_BUNDLE} bytes")));
    }
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() { Err(failed("there is no certificate in it".into())) } else { Ok(certificates) }
}

fn of_system() -> Result<Vec<Certificate<'static>>, Trouble> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(Trouble::Authorities { path: "the system".into(), why });
    }
    Ok(found.certs.iter().map(|it| Certificate::from_der(it).to_owned()).collect())
}
