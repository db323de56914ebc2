//! cosign's form: JSON with scrypt's parameters and NaCl's secretbox around PKCS #8.
//!
//! Source: `github.com/secure-systems-lab/go-securesystemslib/encrypted`. Neither scrypt nor XSalsa20 is in aws-lc: here
//! alone two small crates stand in for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::AeadInPlace as _;
use crypto_secretbox::{KeyInit as _, Nonce, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};

use zeroize::Zeroizing;

use super::{KeyError, random, scrypt};

#[derive(Serialize, Deserialize)]
struct Sealed {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// What cosign 3 writes.
const N: u64 = 1 << 16;
const R: u32 = 8;
const P: u32 = 1;

pub(super) fn open(bytes: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let bad = |what: String| KeyError::NoKey(what);
    let sealed: Sealed = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    if (sealed.kdf.name.as_str(), sealed.cipher.name.as_str()) != ("scrypt", "nacl/secretbox") {
        return Err(bad(format!("it is sealed by `{}` and `{}`", sealed.kdf.name, sealed.cipher.name)));
    }
    let decode = |text: &str| STANDARD.decode(text).map_err(|error| bad(error.to_string()));
    let nonce: [u8; 24] =
        decode(&sealed.cipher.nonce)?.try_into().map_err(|_| bad("its nonce has not 24 bytes".into()))?;
    let Parameters { n, r, p } = sealed.kdf.params;
    let key = scrypt(password, &decode(&sealed.kdf.salt)?, n, r, p)?;
    let mut message = decode(&sealed.ciphertext)?;
    let secretbox = XSalsa20Poly1305::new(&key.into());
    secretbox.decrypt_in_place(&Nonce::from(nonce), b"", &mut message).map_err(|_| KeyError::WrongPassword)?;
    Ok(Zeroizing::new(message))
}

pub(super) fn seal(pkcs8: &[u8], password: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (salt, nonce) = (random::<32>()?, random::<24>()?);
    let key = scrypt(password, &salt, N, R, P)?;
    let mut message = pkcs8.to_vec();
    let secretbox = XSalsa20Poly1305::new(&key.into());
    secretbox.encrypt_in_place(&Nonce::from(nonce), b"", &mut message).map_err(|_| KeyError::Failed)?;
    let sealed = Sealed {
        kdf: Kdf { name: "scrypt".into(), params: Parameters { n: N, r: R, p: P }, salt: STANDARD.encode(salt) },
        cipher: Cipher { name: "nacl/secretbox".into(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(message),
    };
    serde_json::to_vec(&sealed).map_err(|_| KeyError::Failed)
}
