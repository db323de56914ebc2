//! `palisade image sign` and `palisade image attest`: a signature or a statement, made and put beside its image.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use palisade_model::Timestamp;
use palisade_signatures::PrivateKey;
use palisade_signatures::notary::Certificates;
use palisade_signatures::sign;
use serde_json::{Value, json};

use crate::arguments::signing::{AttestArguments, AttestFormat, SignArguments, SignFormat};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::image::{key, put, store, verify};
use crate::input::is_stdin;
use crate::settings::Settings;

/// Most bytes of a statement: verifiers read no more.
const LONGEST_PREDICATE: u64 = 20 << 20;

/// Signs an image.
///
/// # Errors
/// When the image, the key or the certificates cannot be used, or the store does not take the signature.
pub fn run(arguments: &SignArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let said = said(&arguments.annotation)?;
    let opened = store::open(&arguments.image, &arguments.registry, settings)?;
    let shelf = opened.shelf.as_ref();
    let image = verify::subject::named(shelf, opened.version.as_deref(), arguments.platform.as_ref())?;
    let key = key::read(&arguments.key, settings)?;
    let now = settings.source_date_epoch.unwrap_or(settings.now);
    let digest = match arguments.format {
        SignFormat::Bundle => {
            if !said.is_empty() {
                return Err(Failure::new("a bundle has no room for --annotation")
                    .hint(Hint::Change("use --format legacy or --format notary, or `palisade image attest`".into())));
            }
            put::as_referrer(shelf, &image, &sign::bundle(&image, &key).map_err(Failure::new)?, now)?
        }
        SignFormat::Legacy => {
            let made = sign::legacy(&image, name(&arguments.image), &said, &key).map_err(Failure::new)?;
            put::under_tag(shelf, &image, "sig", &made)?
        }
        SignFormat::Notary => {
            let certificates = certificates(arguments)?;
            // When it was signed and until when it holds is a statement, and never an earlier time for the sake of bytes.
            let signed = settings.now;
            let expiry = arguments.expires_in.map(|days| signed.as_second().saturating_add(i64::from(days) * 86_400));
            let expiry = expiry.map(Timestamp::from_second).transpose().map_err(Failure::new)?;
            let made = sign::notary(&image, &said, &certificates, &key, signed, expiry).map_err(Failure::new)?;
            put::as_referrer(shelf, &image, &made, now)?
        }
    };
    told(&[("signed", &image.digest)], &key, &digest)
}

fn told(what: &[(&str, &str)], key: &PrivateKey, digest: &str) -> Result<ExitStatus, Failure> {
    let by = format!("key {}", &key.public().fingerprint()[..16]);
    let mut output = io::stdout().lock();
    for (heading, body) in what.iter().chain(&[("by", by.as_str()), ("as", digest)]) {
        writeln!(output, "{heading:8}{body}")?;
    }
    Ok(ExitStatus::Clean)
}

fn certificates(arguments: &SignArguments) -> Result<Certificates, Failure> {
    let Some(path) = &arguments.certificates else {
        return Err(Failure::new("the Notary Project's signatures carry certificates, and none are given").hint(
            Hint::Change("name a PEM file with the signer's first and the root's last: --certificates FILE".into()),
        ));
    };
    let mut certificates = Certificates::default();
    verify::trust::add_certificates(&mut certificates, path)?;
    Ok(certificates)
}

/// `KEY=VALUE`, each.
fn said(annotations: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    annotations
        .iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Failure::new(format!("`{text}` is no annotation")).hint(Hint::Change("write KEY=VALUE".into()))),
        })
        .collect()
}

/// What the image is called, without its tag and digest.
fn name(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

/// Says something of an image, and signs that.
///
/// # Errors
/// As [`run`], and when what is to be said is no JSON.
pub fn attest(arguments: &AttestArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let now = settings.source_date_epoch.unwrap_or(settings.now);
    let predicate: Value = serde_json::from_slice(&read(&arguments.predicate)?)
        .map_err(|error| Failure::new(error).context(format!("cannot use `{}`", arguments.predicate.display())))?;
    let (kind, predicate) = statement(arguments.kind.as_deref(), predicate, now)?;
    let opened = store::open(&arguments.image, &arguments.registry, settings)?;
    let shelf = opened.shelf.as_ref();
    let image = verify::subject::named(shelf, opened.version.as_deref(), arguments.platform.as_ref())?;
    let key = key::read(&arguments.key, settings)?;
    let digest = match arguments.format {
        AttestFormat::Bundle => {
            let made = sign::attest_bundle(&image, &kind, predicate, &key).map_err(Failure::new)?;
            put::as_referrer(shelf, &image, &made, now)?
        }
        AttestFormat::Legacy => {
            let made = sign::attest_legacy(&image, &kind, predicate, &key).map_err(Failure::new)?;
            put::under_tag(shelf, &image, "att", &made)?
        }
    };
    told(&[("said", &kind), ("of", &image.digest)], &key, &digest)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::new(error).context(format!("cannot use `{}`", path.display()));
    let mut source: Box<dyn Read> = match is_stdin(path) {
        true => Box::new(io::stdin().lock()),
        false => Box::new(File::open(path).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    source.by_ref().take(LONGEST_PREDICATE + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > LONGEST_PREDICATE {
        true => Err(failed(io::Error::other(format!("it has more than {LONGEST_PREDICATE} bytes")))),
        false => Ok(bytes),
    }
}

/// Short names for what is said. Source: cosign's `--type`.
const SHORT: &[(&str, &str)] = &[
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("spdx", "https://spdx.dev/Document"),
    ("vuln", VULNERABILITIES),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("openvex", "https://openvex.dev/ns"),
];

const VULNERABILITIES: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";

/// The type, from what was named or from the predicate itself; a report of `palisade image scan` becomes the result of a
/// scanner.
fn statement(kind: Option<&str>, predicate: Value, now: Timestamp) -> Result<(String, Value), Failure> {
    let is_scan = predicate["command"] == "palisade image scan" && predicate["findings"].is_array();
    let found = match () {
        () if predicate["bomFormat"] == "CycloneDX" => Some("cyclonedx"),
        () if predicate["spdxVersion"].is_string() => Some("spdx"),
        () if predicate["@context"].as_str().is_some_and(|it| it.starts_with("https://openvex.dev/")) => {
            Some("openvex")
        }
        () if is_scan => Some("vuln"),
        () => None,
    };
    let kind = kind.or(found).ok_or_else(|| {
        let short: Vec<&str> = SHORT.iter().map(|(short, _)| *short).collect();
        Failure::new("what is said is of no kind that is recognized")
            .hint(Hint::Change(format!("name it: --type URI, or one of {}", short.join(", "))))
    })?;
    let short = SHORT.iter().find(|(short, _)| *short == kind).map(|(_, kind)| *kind);
    let kind = match short {
        Some(kind) => kind.to_owned(),
        None if kind.contains("://") => kind.to_owned(),
        None => {
            let short: Vec<&str> = SHORT.iter().map(|(short, _)| *short).collect();
            return Err(Failure::new(format!("`{kind}` is no type of a statement"))
                .hint(Hint::Change(format!("name a URI, or one of {}", short.join(", ")))));
        }
    };
    if !(is_scan && kind == VULNERABILITIES) {
        return Ok((kind, predicate));
    }
    // Source: cosign, specs/COSIGN_VULN_ATTESTATION_SPEC.md.
    let time = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
    let scan = json!({
        "invocation": {"uri": "", "event_id": "", "builder.id": "", "parameters": []},
        "scanner": {
            "uri": "https://palisade.dev", "version": predicate["program"], "db": predicate["database"],
            "result": predicate,
        },
        "metadata": {"scanStartedOn": time, "scanFinishedOn": time},
    });
    Ok((kind, scan))
}
