//! The COSE envelope: COSE_Sign1, RFC 9052.

use ciborium::Value;
use palisade_model::Timestamp;

use super::envelope::{
    AUTHENTIC_SIGNING_TIME, Algorithm, EXPIRY, Envelope, MOST_CERTIFICATES, PAYLOAD_TYPE, PLUGIN, SIGNING_SCHEME,
    SIGNING_TIME, Scheme, TIMESTAMP, check_critical,
};
use crate::refusal::Refusal;

/// Labels of headers. Source: IANA, "COSE Header Parameters".
const ALG: i64 = 1;
const CRIT: i64 = 2;
const CONTENT_TYPE: i64 = 3;
const X5CHAIN: i64 = 33;

/// Tags. Source: IANA, "CBOR Tags".
const COSE_SIGN1: u64 = 18;
const EPOCH_TIME: u64 = 1;

/// How deep values may lie in each other; the envelope needs three.
const DEEPEST: usize = 16;

/// Most headers: the specification has ten, and each is held against all others.
const MOST_HEADERS: usize = 100;

/// Reads an envelope.
///
/// # Errors
/// When it is none, or says something that is not known and must be.
pub fn parse(bytes: &[u8]) -> Result<Envelope, Refusal> {
    let Value::Tag(COSE_SIGN1, inner) = decode(bytes)? else { return Err(bad("it is no COSE_Sign1")) };
    let Value::Array(parts) = *inner else { return Err(bad("it is no list")) };
    let Ok([Value::Bytes(protected_bytes), Value::Map(unprotected), Value::Bytes(payload), Value::Bytes(signature)]) =
        <[Value; 4]>::try_from(parts)
    else {
        return Err(bad("it has other parts than a COSE_Sign1"));
    };
    let Value::Map(protected) = decode(&protected_bytes)? else { return Err(bad("its headers are no map")) };
    let (protected, unprotected) = (Headers::new(protected)?, Headers::new(unprotected)?);
    if protected.text(CONTENT_TYPE) != Some(PAYLOAD_TYPE) {
        let found = protected.text(CONTENT_TYPE).unwrap_or_default();
        return Err(Refusal::Unsupported(format!("a payload of type `{found}`")));
    }
    let scheme = Scheme::parse(protected.named(SIGNING_SCHEME).and_then(Value::as_text).unwrap_or_default())?;
    if protected.named(PLUGIN).is_some() {
        return Err(Refusal::Unsupported("an envelope that needs a plug-in to be judged".into()));
    }
    check_critical(&protected.critical()?, |name| protected.named(name).is_some(), scheme)?;
    Ok(Envelope {
        algorithm: algorithm(protected.get(ALG))?,
        scheme,
        signing_time: protected.time(SIGNING_TIME)?,
        authentic_signing_time: protected.time(AUTHENTIC_SIGNING_TIME)?,
        expiry: protected.time(EXPIRY)?,
        signed: to_be_signed(&protected_bytes, &payload)?,
        payload,
        signature,
        chain: chain(unprotected.get(X5CHAIN))?,
        timestamp: unprotected.named(TIMESTAMP).and_then(Value::as_bytes).cloned(),
    })
}

fn bad(what: &str) -> Refusal {
    Refusal::Malformed(format!("COSE envelope: {what}"))
}

/// One value, and nothing behind it.
fn decode(bytes: &[u8]) -> Result<Value, Refusal> {
    let mut rest = bytes;
    let value =
        ciborium::de::from_reader_with_recursion_limit(&mut rest, DEEPEST).map_err(|error| bad(&error.to_string()))?;
    if rest.is_empty() { Ok(value) } else { Err(bad("something lies behind it")) }
}

/// `Sig_structure` of RFC 9052, section 4.4.
fn to_be_signed(protected: &[u8], payload: &[u8]) -> Result<Vec<u8>, Refusal> {
    let structure = Value::Array(vec![
        Value::Text("Signature1".into()),
        Value::Bytes(protected.to_vec()),
        Value::Bytes(Vec::new()),
        Value::Bytes(payload.to_vec()),
    ]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&structure, &mut bytes).map_err(|error| bad(&error.to_string()))?;
    Ok(bytes)
}

/// A map of headers, in which no label stands twice: of two, nobody knows which one the signer meant.
struct Headers(Vec<(Value, Value)>);

impl Headers {
    fn new(map: Vec<(Value, Value)>) -> Result<Self, Refusal> {
        if map.len() > MOST_HEADERS {
            return Err(bad(&format!("more than {MOST_HEADERS} headers")));
        }
        let is_twice = map.iter().enumerate().any(|(at, (label, _))| map[..at].iter().any(|(other, _)| other == label));
        if is_twice { Err(bad("a header stands twice")) } else { Ok(Self(map)) }
    }

    fn get(&self, label: i64) -> Option<&Value> {
        self.0.iter().find(|(key, _)| *key == Value::Integer(label.into())).map(|(_, value)| value)
    }

    fn named(&self, label: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key.as_text() == Some(label)).map(|(_, value)| value)
    }

    fn text(&self, label: i64) -> Option<&str> {
        self.get(label).and_then(Value::as_text)
    }

    fn time(&self, label: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(value) = self.named(label) else { return Ok(None) };
        let seconds = match value {
            Value::Tag(EPOCH_TIME, inner) => inner.as_integer().and_then(|seconds| i64::try_from(seconds).ok()),
            _ => None,
        };
        let time = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        time.map(Some).ok_or_else(|| bad(&format!("`{label}` is no time")))
    }

    fn critical(&self) -> Result<Vec<String>, Refusal> {
        let Some(list) = self.get(CRIT) else { return Ok(Vec::new()) };
        let Value::Array(list) = list else { return Err(bad("`crit` is no list")) };
        // What is meant by a number is not known here, but for those that every reader of COSE knows.
        let known = |label: &Value| [ALG, CRIT, CONTENT_TYPE].iter().any(|it| *label == Value::Integer((*it).into()));
        let names = list.iter().filter(|label| !known(label));
        names.map(|name| name.as_text().map(str::to_owned).ok_or_else(|| bad("`crit` names a number"))).collect()
    }
}

fn chain(value: Option<&Value>) -> Result<Vec<Vec<u8>>, Refusal> {
    let certificates: Option<Vec<Vec<u8>>> = match value {
        Some(Value::Bytes(only)) => Some(vec![only.clone()]),
        Some(Value::Array(list)) if list.len() <= MOST_CERTIFICATES => {
            list.iter().map(|it| it.as_bytes().cloned()).collect()
        }
        _ => None,
    };
    certificates
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| bad(&format!("it must have 1 to {MOST_CERTIFICATES} certificates")))
}

/// Source: IANA, "COSE Algorithms".
fn algorithm(value: Option<&Value>) -> Result<Algorithm, Refusal> {
    let number = value.and_then(Value::as_integer).and_then(|number| i64::try_from(number).ok());
    match number {
        Some(-7) => Ok(Algorithm::Es256),
        Some(-35) => Ok(Algorithm::Es384),
        Some(-36) => Ok(Algorithm::Es512),
        Some(-37) => Ok(Algorithm::Ps256),
        Some(-38) => Ok(Algorithm::Ps384),
        Some(-39) => Ok(Algorithm::Ps512),
        other => Err(Refusal::Unsupported(format!("a signature by algorithm {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).expect("it is written to memory");
        bytes
    }

    /// Each of so many headers was held against all others: a file of a megabyte took hours.
    #[test]
    fn more_headers_than_anybody_needs_are_refused_before_they_are_compared() {
        let many = Value::Map((0..150_000).map(|label| (Value::Integer(label.into()), Value::Null)).collect());
        let parts =
            vec![Value::Bytes(bytes(&Value::Map(Vec::new()))), many, Value::Bytes(vec![]), Value::Bytes(vec![])];
        let envelope = bytes(&Value::Tag(COSE_SIGN1, Box::new(Value::Array(parts))));
        let refusal = parse(&envelope).expect_err("it has too many headers");
        assert!(refusal.to_string().contains("more than 100 headers"), "{refusal}");
    }
}
