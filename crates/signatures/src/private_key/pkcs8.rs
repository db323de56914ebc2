//! Encrypted PKCS #8: PBES2 with PBKDF2 or scrypt, and AES in CBC.
//!
//! Source: RFC 5958 section 3, RFC 8018 appendix A, RFC 7914 section 7.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_256, Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use const_oid::ObjectIdentifier;
use der::asn1::{Any, OctetString};
use der::{Decode as _, Encode as _};
use x509_cert::spki::AlgorithmIdentifierOwned;

use zeroize::Zeroizing;

use super::{KeyError, random, scrypt};

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
const HMAC_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");

/// Source: OWASP's password storage cheat sheet, for PBKDF2-HMAC-SHA256.
const ITERATIONS: u32 = 600_000;

/// A file may not keep the machine busy for minutes.
const MOST_ITERATIONS: u32 = 10_000_000;

#[derive(der::Sequence)]
struct EncryptedPrivateKeyInfo {
    algorithm: AlgorithmIdentifierOwned,
    encrypted: OctetString,
}

#[derive(der::Sequence)]
struct Pbes2 {
    kdf: AlgorithmIdentifierOwned,
    cipher: AlgorithmIdentifierOwned,
}

#[derive(der::Sequence)]
struct Pbkdf2 {
    salt: OctetString,
    iterations: u32,
    #[asn1(optional = "true")]
    key_length: Option<u16>,
    #[asn1(optional = "true")]
    prf: Option<AlgorithmIdentifierOwned>,
}

#[derive(der::Sequence)]
struct Scrypt {
    salt: OctetString,
    cost: u64,
    block_size: u32,
    parallelization: u32,
    #[asn1(optional = "true")]
    key_length: Option<u16>,
}

fn bad(error: impl std::fmt::Display) -> KeyError {
    KeyError::NoKey(error.to_string())
}

fn parameters<T: for<'a> der::DecodeValue<'a> + der::FixedTag>(of: &AlgorithmIdentifierOwned) -> Result<T, KeyError> {
    of.parameters.as_ref().ok_or_else(|| bad("its parameters are missing"))?.decode_as().map_err(bad)
}

pub(super) fn open(der: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let info = EncryptedPrivateKeyInfo::from_der(der).map_err(bad)?;
    if info.algorithm.oid != PBES2 {
        return Err(bad(format!("it is encrypted by {}; PBES2 is read", info.algorithm.oid)));
    }
    let scheme: Pbes2 = parameters(&info.algorithm)?;
    let cipher: &'static Algorithm = match scheme.cipher.oid {
        AES_128_CBC => &AES_128,
        AES_256_CBC => &AES_256,
        other => return Err(bad(format!("it is encrypted by {other}; AES in CBC is read"))),
    };
    let iv: OctetString = parameters(&scheme.cipher)?;
    let iv: [u8; 16] = iv.as_bytes().try_into().map_err(|_| bad("its initial vector has not 16 bytes"))?;
    let key = derive(&scheme.kdf, password)?;
    let key = UnboundCipherKey::new(cipher, &key[..cipher_length(cipher)]).map_err(|_| KeyError::Failed)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(|_| KeyError::Failed)?;
    let mut message = Zeroizing::new(info.encrypted.as_bytes().to_vec());
    let plain = key
        .decrypt(&mut message[..], DecryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| KeyError::WrongPassword)?;
    // A wrong password leaves a padding that looks right once in 256 times: what comes out is then no key.
    match x509_cert::der::asn1::AnyRef::from_der(plain) {
        Ok(_) => Ok(Zeroizing::new(plain.to_vec())),
        Err(_) => Err(KeyError::WrongPassword),
    }
}

fn cipher_length(cipher: &'static Algorithm) -> usize {
    if *cipher == AES_128 { 16 } else { 32 }
}

fn derive(kdf: &AlgorithmIdentifierOwned, password: &[u8]) -> Result<[u8; 32], KeyError> {
    if kdf.oid == SCRYPT {
        let parameters: Scrypt = parameters(kdf)?;
        let (n, r, p) = (parameters.cost, parameters.block_size, parameters.parallelization);
        return scrypt(password, parameters.salt.as_bytes(), n, r, p);
    }
    if kdf.oid != PBKDF2 {
        return Err(bad(format!("its password is stretched by {}", kdf.oid)));
    }
    let parameters: Pbkdf2 = parameters(kdf)?;
    let algorithm = match parameters.prf.map_or(HMAC_SHA1, |prf| prf.oid) {
        HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
        HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
        HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
        other => return Err(bad(format!("its password is stretched by PBKDF2 with {other}"))),
    };
    let iterations = NonZeroU32::new(parameters.iterations)
        .filter(|iterations| iterations.get() <= MOST_ITERATIONS)
        .ok_or_else(|| bad("its iterations are not ones that are taken"))?;
    let mut key = [0; 32];
    pbkdf2::derive(algorithm, iterations, parameters.salt.as_bytes(), password, &mut key);
    Ok(key)
}

pub(super) fn seal(pkcs8: &[u8], password: &[u8]) -> Result<Vec<u8>, KeyError> {
    let (salt, iv) = (random::<16>()?, random::<16>()?);
    let failed = |_: der::Error| KeyError::Failed;
    let kdf = Pbkdf2 {
        salt: OctetString::new(salt).map_err(failed)?,
        iterations: ITERATIONS,
        key_length: None,
        prf: Some(AlgorithmIdentifierOwned { oid: HMAC_SHA256, parameters: Some(Any::null()) }),
    };
    let kdf = AlgorithmIdentifierOwned { oid: PBKDF2, parameters: Some(Any::encode_from(&kdf).map_err(failed)?) };
    let key = UnboundCipherKey::new(&AES_256, &derive(&kdf, password)?).map_err(|_| KeyError::Failed)?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).map_err(|_| KeyError::Failed)?;
    let mut message = pkcs8.to_vec();
    key.less_safe_encrypt(&mut message, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| KeyError::Failed)?;
    let iv = OctetString::new(iv).map_err(failed)?;
    let cipher =
        AlgorithmIdentifierOwned { oid: AES_256_CBC, parameters: Some(Any::encode_from(&iv).map_err(failed)?) };
    let scheme = Any::encode_from(&Pbes2 { kdf, cipher }).map_err(failed)?;
    let info = EncryptedPrivateKeyInfo {
        algorithm: AlgorithmIdentifierOwned { oid: PBES2, parameters: Some(scheme) },
        encrypted: OctetString::new(message).map_err(failed)?,
    };
    info.to_der().map_err(failed)
}
