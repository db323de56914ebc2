//! Signatures and attestations, made: the bytes that lie beside an image afterwards, and how they are to be stored.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use palisade_model::Timestamp;
use serde_json::{Map, Value, json};
use sigstore_verify::types::dsse::pae;

use crate::notary::{self, Certificates};
use crate::private_key::{KeyError, PrivateKey};
use crate::statement::{PAYLOAD_TYPE, SIGNED};
use crate::subject::Subject;

/// The media type of a bundle.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The media type of the payload in cosign's older form.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// The media type of an envelope in cosign's older form.
pub const DSSE: &str = "application/vnd.dsse.envelope.v1+json";

/// The media type of a JWS of the Notary Project.
pub const JWS: &str = "application/jose+json";

/// The artifact type of the Notary Project's signatures.
pub const NOTARY: &str = "application/vnd.cncf.notary.signature";

/// Something to store beside an image.
#[derive(Debug, Clone)]
pub struct Made {
    /// Of the layer.
    pub media_type: &'static str,
    /// The layer.
    pub bytes: Vec<u8>,
    /// Of the layer in cosign's older form, else of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificates.
    #[error("no verifier would take a signature with these certificates: it {0}")]
    Certificate(String),
}

/// A signature as a bundle.
///
/// # Errors
/// When the key cannot be used.
pub fn bundle(image: &Subject, key: &PrivateKey) -> Result<Made, SignError> {
    bundle_of(image, SIGNED, json!({}), key)
}

/// An attestation as a bundle.
///
/// # Errors
/// When the key cannot be used.
pub fn attest_bundle(
    image: &Subject,
    predicate_type: &str,
    predicate: Value,
    key: &PrivateKey,
) -> Result<Made, SignError> {
    bundle_of(image, predicate_type, predicate, key)
}

fn bundle_of(image: &Subject, predicate_type: &str, predicate: Value, key: &PrivateKey) -> Result<Made, SignError> {
    let fingerprint = sigstore_verify::crypto::sha256(key.public().der.as_bytes());
    let bundle = json!({
        "mediaType": BUNDLE,
        "verificationMaterial": {"publicKey": {"hint": STANDARD.encode(fingerprint.as_bytes())}},
        "dsseEnvelope": envelope(image, predicate_type, predicate, key)?,
    });
    let annotations =
        [("dev.sigstore.bundle.content", "dsse-envelope"), ("dev.sigstore.bundle.predicateType", predicate_type)];
    Ok(Made {
        media_type: BUNDLE,
        bytes: bytes(&bundle),
        annotations: annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    })
}

/// An attestation in cosign's older form.
///
/// # Errors
/// When the key cannot be used.
pub fn attest_legacy(
    image: &Subject,
    predicate_type: &str,
    predicate: Value,
    key: &PrivateKey,
) -> Result<Made, SignError> {
    let envelope = envelope(image, predicate_type, predicate, key)?;
    let annotations = [("dev.cosignproject.cosign/signature", ""), ("predicateType", predicate_type)];
    Ok(Made {
        media_type: DSSE,
        bytes: bytes(&envelope),
        annotations: annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    })
}

fn envelope(image: &Subject, predicate_type: &str, predicate: Value, key: &PrivateKey) -> Result<Value, KeyError> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": image.hex()}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    let payload = bytes(&statement);
    let signature = key.sign(&pae(PAYLOAD_TYPE, &payload))?;
    Ok(json!({
        "payload": STANDARD.encode(&payload),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": STANDARD.encode(signature)}],
    }))
}

/// A signature in cosign's older form. `name` is what the image is called, and nobody checks it.
///
/// # Errors
/// When the key cannot be used.
pub fn legacy(
    image: &Subject,
    name: &str,
    said: &BTreeMap<String, String>,
    key: &PrivateKey,
) -> Result<Made, SignError> {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": image.digest},
            "type": "cosign container image signature",
        },
        "optional": if said.is_empty() { Value::Null } else { json!(said) },
    });
    let bytes = bytes(&payload);
    let signature = STANDARD.encode(key.sign(&bytes)?);
    let annotations = BTreeMap::from([("dev.cosignproject.cosign/signature".to_owned(), signature)]);
    Ok(Made { media_type: SIMPLE_SIGNING, bytes, annotations })
}

/// A signature of the Notary Project, as JWS. `certificates` are the signer's and those above it, to the root.
///
/// # Errors
/// When the certificates are not of the key, or are not ones that a verifier would take.
pub fn notary(
    image: &Subject,
    said: &BTreeMap<String, String>,
    certificates: &Certificates,
    key: &PrivateKey,
    now: Timestamp,
    expiry: Option<Timestamp>,
) -> Result<Made, SignError> {
    notary::check_signer(certificates, key.public()).map_err(|refusal| SignError::Certificate(refusal.to_string()))?;
    let mut target = json!({
        "mediaType": image.media_type, "digest": image.digest, "size": image.manifest.len(),
    });
    if !said.is_empty() {
        target["annotations"] = json!(said);
    }
    let payload = URL_SAFE_NO_PAD.encode(bytes(&json!({"targetArtifact": target})));
    let protected = URL_SAFE_NO_PAD.encode(bytes(&Value::Object(headers(key, now, expiry)?)));
    let signature = key.sign_jws(format!("{protected}.{payload}").as_bytes())?;
    let chain: Vec<String> = certificates.iter().map(|der| STANDARD.encode(der)).collect();
    let envelope = json!({
        "payload": payload,
        "protected": protected,
        "header": {"x5c": chain, "io.cncf.notary.signingAgent": concat!("palisade/", env!("CARGO_PKG_VERSION"))},
        "signature": URL_SAFE_NO_PAD.encode(signature),
    });
    let prints: Vec<String> = certificates.iter().map(|der| sigstore_verify::crypto::sha256(der).to_hex()).collect();
    let annotations =
        BTreeMap::from([("io.cncf.notary.x509chain.thumbprint#S256".to_owned(), json!(prints).to_string())]);
    Ok(Made { media_type: JWS, bytes: bytes(&envelope), annotations })
}

fn headers(key: &PrivateKey, now: Timestamp, expiry: Option<Timestamp>) -> Result<Map<String, Value>, KeyError> {
    let seconds = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time).to_string();
    let mut critical = vec!["io.cncf.notary.signingScheme"];
    let mut headers = Map::new();
    headers.insert("alg".into(), key.jws_algorithm()?.into());
    headers.insert("cty".into(), "application/vnd.cncf.notary.payload.v1+json".into());
    headers.insert("io.cncf.notary.signingScheme".into(), "notary.x509".into());
    headers.insert("io.cncf.notary.signingTime".into(), seconds(now).into());
    if let Some(expiry) = expiry {
        critical.push("io.cncf.notary.expiry");
        headers.insert("io.cncf.notary.expiry".into(), seconds(expiry).into());
    }
    headers.insert("crit".into(), json!(critical));
    Ok(headers)
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a value has only text, numbers and lists")
}
