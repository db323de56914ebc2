//! The JWS envelope: JSON in the flattened form, with one signature.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use palisade_model::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::envelope::{
    AUTHENTIC_SIGNING_TIME, Algorithm, EXPIRY, Envelope, MOST_CERTIFICATES, PAYLOAD_TYPE, PLUGIN, SIGNING_SCHEME,
    SIGNING_TIME, Scheme, check_critical,
};
use crate::refusal::Refusal;

#[derive(Deserialize)]
struct Flattened {
    payload: String,
    protected: String,
    header: Header,
    signature: String,
}

#[derive(Deserialize)]
struct Header {
    x5c: Vec<String>,
    #[serde(rename = "io.cncf.notary.timestampSignature")]
    timestamp: Option<String>,
}

/// Reads an envelope.
///
/// # Errors
/// When it is none, or says something that is not known and must be.
pub fn parse(bytes: &[u8]) -> Result<Envelope, Refusal> {
    let bad = |what: String| Refusal::Malformed(format!("JWS envelope: {what}"));
    let flattened: Flattened = serde_json::from_slice(bytes).map_err(|error| bad(error.to_string()))?;
    let url_safe = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|error| bad(error.to_string()));
    let protected: Map<String, Value> =
        serde_json::from_slice(&url_safe(&flattened.protected)?).map_err(|error| bad(error.to_string()))?;
    let text = |name: &str| protected.get(name).and_then(Value::as_str);
    if text("cty") != Some(PAYLOAD_TYPE) {
        return Err(Refusal::Unsupported(format!("a payload of type `{}`", text("cty").unwrap_or_default())));
    }
    let scheme = Scheme::parse(text(SIGNING_SCHEME).unwrap_or_default())?;
    let critical: Vec<String> = match protected.get("crit") {
        Some(list) => serde_json::from_value(list.clone()).map_err(|error| bad(error.to_string()))?,
        None => Vec::new(),
    };
    if protected.contains_key(PLUGIN) {
        return Err(Refusal::Unsupported("an envelope that needs a plug-in to be judged".into()));
    }
    check_critical(&critical, |name| protected.contains_key(name), scheme)?;
    let time = |name: &str| -> Result<Option<Timestamp>, Refusal> {
        let Some(value) = protected.get(name) else { return Ok(None) };
        let time = value.as_str().and_then(|text| text.parse().ok());
        time.map(Some).ok_or_else(|| bad(format!("`{name}` is no time")))
    };
    if flattened.header.x5c.is_empty() || flattened.header.x5c.len() > MOST_CERTIFICATES {
        return Err(bad(format!("it must have 1 to {MOST_CERTIFICATES} certificates")));
    }
    let standard = |text: &String| STANDARD.decode(text).map_err(|error| bad(error.to_string()));
    Ok(Envelope {
        algorithm: algorithm(text("alg").unwrap_or_default())?,
        scheme,
        signing_time: time(SIGNING_TIME)?,
        authentic_signing_time: time(AUTHENTIC_SIGNING_TIME)?,
        expiry: time(EXPIRY)?,
        payload: url_safe(&flattened.payload)?,
        signed: format!("{}.{}", flattened.protected, flattened.payload).into_bytes(),
        signature: url_safe(&flattened.signature)?,
        chain: flattened.header.x5c.iter().map(standard).collect::<Result<_, _>>()?,
        timestamp: flattened.header.timestamp.as_ref().map(standard).transpose()?,
    })
}

fn algorithm(name: &str) -> Result<Algorithm, Refusal> {
    match name {
        "ES256" => Ok(Algorithm::Es256),
        "ES384" => Ok(Algorithm::Es384),
        "ES512" => Ok(Algorithm::Es512),
        "PS256" => Ok(Algorithm::Ps256),
        "PS384" => Ok(Algorithm::Ps384),
        "PS512" => Ok(Algorithm::Ps512),
        other => Err(Refusal::Unsupported(format!("a signature by `{other}`"))),
    }
}
