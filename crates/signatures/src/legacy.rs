//! cosign's older form: the payload is a layer under the tag `sha256-HEX.sig` or `.att`, and what proves it are the
//! annotations of that layer.
//!
//! A certificate, an entry of Rekor v1 and a time stamp among the annotations make the same proof as a bundle of
//! version 0.1, and are judged as one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::Decode as _;
use serde::Deserialize;
use serde_json::{Value, json};
use sigstore_verify::types::{Bundle, DerCertificate, DsseEnvelope};
use x509_cert::Certificate;

use crate::attached::Attached;
use crate::bundle::{self, Passed};
use crate::demand::Credential;
use crate::refusal::Refusal;
use crate::statement::Statement;
use crate::subject::Subject;

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const ENTRY: &str = "dev.sigstore.cosign/bundle";
const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";

/// What cosign calls its payload. Other payloads of the same form sign other things.
const SIGNATURE_TYPE: &str = "cosign container image signature";

/// The payload: "simple signing", of which the digest matters.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Judges a signature.
pub(crate) fn check_signature(
    attached: &Attached,
    credential: &Credential,
    image: &Subject,
) -> Result<Passed, Refusal> {
    let payload: Payload = serde_json::from_slice(&attached.bytes)
        .map_err(|error| Refusal::Malformed(format!("payload of the signature: {error}")))?;
    if payload.critical.kind != SIGNATURE_TYPE {
        return Err(Refusal::Unsupported(format!("a payload of type `{}`", payload.critical.kind)));
    }
    let digest = payload.critical.image.digest;
    let subject = image.with_digest(&digest).ok_or_else(|| Refusal::OtherImage { claimed: vec![digest.clone()] })?;
    let signature = annotation(attached, SIGNATURE)?;
    let content = json!({"messageSignature": {
        "messageDigest": {
            "algorithm": "SHA2_256",
            "digest": STANDARD.encode(sigstore_verify::crypto::sha256(&attached.bytes).as_bytes()),
        },
        "signature": signature,
    }});
    let mut passed = bundle::check_over(&as_bundle(attached, content)?, credential, &attached.bytes)?;
    passed.image.clone_from(&subject.digest);
    Ok(passed)
}

/// Judges an attestation.
pub(crate) fn check_attestation(
    attached: &Attached,
    credential: &Credential,
    image: &Subject,
) -> Result<Passed, Refusal> {
    let envelope: DsseEnvelope = serde_json::from_slice(&attached.bytes)
        .map_err(|error| Refusal::Malformed(format!("envelope of the attestation: {error}")))?;
    let statement = Statement::parse(&envelope.payload_type, envelope.payload.as_bytes())?;
    let subject = statement.subject_in(image)?;
    let content = json!({"dsseEnvelope": serde_json::to_value(&envelope).map_err(malformed)?});
    let mut passed = bundle::check_over(&as_bundle(attached, content)?, credential, &subject.manifest)?;
    passed.image.clone_from(&subject.digest);
    passed.statement = Some(statement);
    Ok(passed)
}

fn annotation<'a>(attached: &'a Attached, name: &'static str) -> Result<&'a str, Refusal> {
    let value = attached.annotations.get(name).map(String::as_str);
    value.ok_or_else(|| Refusal::Malformed(format!("the annotation `{name}` is missing")))
}

/// The same proof as a bundle.
fn as_bundle(attached: &Attached, content: Value) -> Result<Bundle, Refusal> {
    let annotations = &attached.annotations;
    let entry = annotations.get(ENTRY).filter(|text| !text.is_empty());
    let mut material = match annotations.get(CERTIFICATE) {
        Some(certificate) => {
            let chain = annotations.get(CHAIN).map(String::as_str).unwrap_or_default();
            let certificates = certificates(&format!("{certificate}\n{chain}"))?;
            match entry {
                Some(_) => json!({"x509CertificateChain": {"certificates": certificates}}),
                None => json!({"certificate": certificates.first()}),
            }
        }
        None => json!({"publicKey": {"hint": ""}}),
    };
    if let Some(entry) = entry {
        material["tlogEntries"] = json!([entry_of(entry)?]);
    }
    if let Some(timestamp) = annotations.get(TIMESTAMP).filter(|text| !text.is_empty()) {
        let timestamp: BTreeMap<String, Value> = serde_json::from_str(timestamp).map_err(malformed)?;
        let token = timestamp.get("SignedRFC3161Timestamp").cloned().unwrap_or_default();
        material["timestampVerificationData"] = json!({"rfc3161Timestamps": [{"signedTimestamp": token}]});
    }
    // The first version takes the log's promise for a proof, the third one does without a log where the policy does.
    let version = if entry.is_some() { "0.1" } else { "0.3" };
    let mut bundle = json!({
        "mediaType": format!("application/vnd.dev.sigstore.bundle+json;version={version}"),
        "verificationMaterial": material,
    });
    if let (Some(bundle), Value::Object(content)) = (bundle.as_object_mut(), content) {
        bundle.extend(content);
    }
    serde_json::from_value(bundle).map_err(malformed)
}

fn malformed(error: serde_json::Error) -> Refusal {
    Refusal::Malformed(format!("annotations of the signature: {error}"))
}

/// The certificates of a PEM text, the signer's first; the root may be among them, and a bundle has none.
fn certificates(pem: &str) -> Result<Vec<Value>, Refusal> {
    const END: &str = "-----END CERTIFICATE-----";
    let mut certificates = Vec::new();
    for block in pem.split_inclusive(END).filter(|block| block.contains(END)) {
        let bad = |error: String| Refusal::Malformed(format!("certificate of the signature: {error}"));
        let certificate = DerCertificate::from_pem(block.trim()).map_err(|error| bad(error.to_string()))?;
        let parsed = Certificate::from_der(certificate.as_bytes()).map_err(|error| bad(error.to_string()))?;
        if certificates.is_empty() || parsed.tbs_certificate.issuer != parsed.tbs_certificate.subject {
            certificates.push(json!({"rawBytes": certificate.to_base64()}));
        }
    }
    Ok(certificates)
}

/// What Rekor v1 answered, as cosign keeps it.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "SignedEntryTimestamp")]
    signed_entry_timestamp: String,
    #[serde(rename = "Payload")]
    payload: EntryPayload,
}

#[derive(Deserialize)]
struct EntryPayload {
    body: String,
    #[serde(rename = "integratedTime")]
    integrated_time: i64,
    #[serde(rename = "logIndex")]
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

#[derive(Deserialize)]
struct EntryBody {
    kind: String,
    #[serde(rename = "apiVersion")]
    version: String,
}

fn entry_of(text: &str) -> Result<Value, Refusal> {
    let bad = |what: String| Refusal::Malformed(format!("entry of the transparency log: {what}"));
    let entry: Entry = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    let body = STANDARD.decode(&entry.payload.body).map_err(|error| bad(error.to_string()))?;
    let body: EntryBody = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    if (body.kind.as_str(), body.version.as_str()) == ("intoto", "0.0.1") {
        return Err(Refusal::Unsupported("an entry of the log's first form for attestations, intoto 0.0.1".into()));
    }
    Ok(json!({
        "logIndex": entry.payload.log_index.to_string(),
        "logId": {"keyId": STANDARD.encode(from_hex(&entry.payload.log_id).ok_or_else(|| bad("its log id".into()))?)},
        "kindVersion": {"kind": body.kind, "version": body.version},
        "integratedTime": entry.payload.integrated_time.to_string(),
        "inclusionPromise": {"signedEntryTimestamp": entry.signed_entry_timestamp},
        "canonicalizedBody": entry.payload.body,
    }))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use palisade_model::image_policy::LogRule;

    use super::*;
    use crate::attached::Form;
    use crate::bundle::Root;

    /// A published bundle of the first version, taken apart into the annotations that cosign would keep.
    fn annotations(bundle: &Value) -> BTreeMap<String, String> {
        let material = &bundle["verificationMaterial"];
        let entry = &material["tlogEntries"][0];
        let number = |text: &Value| text.as_str().and_then(|text| text.parse::<i64>().ok()).expect("a number");
        let log = STANDARD.decode(entry["logId"]["keyId"].as_str().expect("text")).expect("base64");
        let entry = json!({
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": number(&entry["integratedTime"]),
                "logIndex": number(&entry["logIndex"]),
                "logID": log.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            },
        });
        let der = material["x509CertificateChain"]["certificates"][0]["rawBytes"].as_str().expect("text");
        let pem = DerCertificate::from_base64(der).expect("base64").to_pem();
        BTreeMap::from([(CERTIFICATE.to_owned(), pem), (ENTRY.to_owned(), entry.to_string())])
    }

    #[test]
    fn annotations_with_a_login_and_a_log_are_the_same_proof_as_a_bundle() {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/signatures");
        if !shared.exists() {
            assert!(std::env::var_os("CI").is_none(), "../shared/signatures is missing");
            return println!("SKIPPED: ../shared/signatures is not there");
        }
        let read = |name: &str| std::fs::read(shared.join(name)).expect("a fixture");
        let bundle = read("conformance/bundle-verify/happy-path-v0.1/bundle.sigstore.json");
        let bundle: Value = serde_json::from_slice(&bundle).expect("JSON");
        let artifact = read("conformance/bundle-verify/a.txt");
        let root = String::from_utf8(read("tuf-targets/trusted_root.json")).expect("JSON");
        let credential = Credential::Keyless {
            root: Arc::new(Root::from_json(&root).expect("the public root")),
            identity: "https://github.com/sigstore-conformance/**".into(),
            issuer: "https://token.actions.githubusercontent.com".into(),
            log: LogRule::Required,
            certificate_log: LogRule::Required,
        };
        let content = json!({"messageSignature": bundle["messageSignature"]});
        let judge = |annotations: BTreeMap<String, String>| {
            let digest = "sha256:1".to_owned();
            let attached = Attached { digest, form: Form::CosignSignature, bytes: artifact.clone(), annotations };
            as_bundle(&attached, content.clone())
                .and_then(|bundle| bundle::check_over(&bundle, &credential, &artifact))
                .map_or_else(|refusal| refusal.code().to_owned(), |passed| passed.checked.len().to_string())
        };
        let good = annotations(&bundle);
        assert_eq!(judge(good.clone()), "6", "signature, identity, certificate, both logs, time");
        let without = |name: &str| good.clone().into_iter().filter(|(key, _)| key != name).collect::<BTreeMap<_, _>>();
        assert_eq!(judge(without(ENTRY)), "transparency-log");
        assert_eq!(judge(without(CERTIFICATE)), "other-kind");
        let mut later = good.clone();
        let entry = later[ENTRY].replace("\"integratedTime\":", "\"integratedTime\":1");
        later.insert(ENTRY.into(), entry);
        assert_eq!(judge(later), "transparency-log", "the log has promised another time");
        let mut first_form = good;
        let body = STANDARD.encode(r#"{"kind":"intoto","apiVersion":"0.0.1"}"#);
        let mut entry: Value = serde_json::from_str(&first_form[ENTRY]).expect("JSON");
        entry["Payload"]["body"] = body.into();
        first_form.insert(ENTRY.into(), entry.to_string());
        assert_eq!(judge(first_form), "unsupported");
    }
}
