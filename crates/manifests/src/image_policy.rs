//! ImagePolicies: read apart from the manifests of a cluster, whose connections they do not change.

use std::path::Path;
use std::sync::Arc;

use palisade_model::image_policy::{
    AttestationRule, CertificateSigner, Condition, ImagePolicy, ImageSigner, KeySigner, LogRule, NotarySigner,
    RevocationRule, SignerIdentity, Test, parse_path,
};
use palisade_model::{Name, Outcome, Problem};
use serde_json::Value as Json;

use crate::at::At;
use crate::files::{Found, ReadError, manifest_files, read_file, too_large};
use crate::load::LoadError;
use crate::report::{Report, WithHint};
use crate::schema::did_you_mean::did_you_mean;
use crate::schema::{self, UnknownFields};
use crate::yaml::{Shape, chunks, parse};

/// What an ImagePolicy says it is.
pub(crate) const KIND: &str = "ImagePolicy";
const API_VERSION: &str = "palisade.dev/v1alpha1";

/// The policies in a file, or in the manifests of a folder. Whatever else stands there is a problem.
///
/// # Errors
/// When the path cannot be read.
pub fn load_image_policies(path: &Path) -> Result<Outcome<Vec<ImagePolicy>>, LoadError> {
    let failed = |source| LoadError::Path { path: path.to_owned(), source };
    let files = match std::fs::metadata(path).map_err(failed)?.is_dir() {
        true => manifest_files(path),
        false => vec![Found::File(path.to_owned())],
    };
    let mut outcome = Outcome::default();
    for found in files {
        let (file, why) = match found {
            Found::Unusable(file, why) => (file, why),
            Found::File(file) => match read_file(&file) {
                Ok(bytes) => {
                    read(&mut outcome, &file.to_string_lossy(), &bytes);
                    continue;
                }
                Err(ReadError::TooLarge) => (file, too_large()),
                Err(ReadError::Io(error)) => (file, format!("cannot be read: {error}")),
            },
        };
        let place = palisade_model::Place { file: file.to_string_lossy().into(), line: 0 };
        outcome.problems.push(Problem::error("unusable-file", why).at(&place));
    }
    Ok(outcome)
}

/// The policies in `text`, named `file` in problems.
pub fn load_image_policies_text(file: &str, text: &[u8]) -> Outcome<Vec<ImagePolicy>> {
    let mut outcome = Outcome::default();
    read(&mut outcome, file, text);
    outcome
}

fn read(outcome: &mut Outcome<Vec<ImagePolicy>>, file: &str, bytes: &[u8]) {
    let file: Arc<str> = file.into();
    let mut report = Report::new(file);
    for chunk in chunks(bytes) {
        report.start();
        let text = match std::str::from_utf8(chunk.bytes) {
            Ok(text) => text,
            Err(_) => {
                report.add(chunk.first_line, Problem::error("yaml-syntax", "not UTF-8"));
                continue;
            }
        };
        match parse(text, chunk.first_line) {
            Ok(documents) => {
                for document in &documents {
                    outcome.value.extend(read_document(&mut report, &At::root(document.root())));
                    for duplicate in document.duplicates() {
                        let message =
                            format!("key `{}` is given twice, first on line {}", duplicate.key, duplicate.first_line);
                        report.add(duplicate.line, Problem::error("duplicate-key", message));
                    }
                    if let Some(line) = document.trailing() {
                        report
                            .add(line, Problem::error("yaml-syntax", "what follows is no part of the document above"));
                    }
                }
            }
            Err(error) => {
                let message = format!("cannot read the document: {}", error.message);
                report.add(error.line, Problem::error("yaml-syntax", message));
            }
        }
    }
    outcome.problems.extend(report.take());
}

fn read_document(report: &mut Report, root: &At<'_, '_>) -> Option<ImagePolicy> {
    report.start();
    if root.value.is_null() {
        return None;
    }
    if (root.non_empty("apiVersion"), root.non_empty("kind")) != (Some(API_VERSION), Some(KIND)) {
        report
            .reject(root, "unknown-kind", "the document is no ImagePolicy")
            .with_hint(format!("write `apiVersion: {API_VERSION}` and `kind: {KIND}`"));
        return None;
    }
    schema::check(report, root, KIND, UnknownFields::Rejected);
    let Some(name) = root.field("metadata").and_then(|metadata| metadata.non_empty("name")) else {
        report.reject(root, "missing-field", "`metadata.name` is missing").with_hint("add `metadata: {name: ...}`");
        return None;
    };
    let Some(spec) = root.field("spec") else {
        report
            .reject(root, "missing-field", "`spec` is missing")
            .with_hint("add `spec: {images: [...], signers: [...]}`");
        return None;
    };
    let images = texts(&spec, "images");
    if images.is_empty() {
        report
            .reject(&spec, "missing-field", "`images` is missing")
            .with_hint("say which images it is about: `images: [registry.example/shop/**]`; `**` is every one");
    }
    let signers: Vec<ImageSigner> = spec.list("signers", |at| read_signer(report, at)).into_iter().flatten().collect();
    if spec.field("signers").is_none_or(|list| list.elements().len() == 0) {
        report
            .reject(&spec, "missing-field", "`signers` is missing, so nobody can vouch for an image")
            .with_hint("add `signers: [{name: release, key: {file: cosign.pub}}]`");
    }
    twice(report, &spec, &signers);
    let attestations: Vec<AttestationRule> =
        spec.list("attestations", |at| read_attestation(report, at, &signers)).into_iter().flatten().collect();
    let threshold = read_threshold(report, &spec, signers.len(), attestations.is_empty());
    let policy =
        ImagePolicy { name: name.into(), place: report.place(root.line()), images, signers, threshold, attestations };
    report.is_good().then_some(policy)
}

fn texts(at: &At<'_, '_>, name: &'static str) -> Vec<String> {
    at.list(name, |element| element.as_text().map(str::to_owned)).into_iter().flatten().collect()
}

fn twice(report: &mut Report, spec: &At<'_, '_>, signers: &[ImageSigner]) {
    let again = signers.iter().enumerate().find(|(at, it)| signers[..*at].iter().any(|other| other.name == it.name));
    if let Some((_, signer)) = again {
        report
            .reject(spec, "invalid-value", &format!("two signers are called `{}`", signer.name))
            .with_hint("give each a name of its own: a threshold counts signers");
    }
}

fn read_threshold(report: &mut Report, spec: &At<'_, '_>, signers: usize, has_no_attestations: bool) -> usize {
    let Some(at) = spec.field("threshold") else { return 1 };
    match at.as_integer().and_then(|number| usize::try_from(number).ok()) {
        Some(0) if has_no_attestations => {
            report
                .reject(&at, "invalid-value", "is 0, and no attestation is asked for: every image would be good")
                .with_hint("use 1 or more, or add `attestations`");
        }
        Some(number) if number > signers => {
            report
                .reject(&at, "invalid-value", &format!("is {number}, and there are {signers} signers"))
                .with_hint("it counts signers, not signatures");
        }
        Some(number) => return number,
        None => {
            report.reject(&at, "invalid-value", "is no number of signers").with_hint("use 1 or more");
        }
    }
    usize::MAX
}

fn read_signer(report: &mut Report, at: &At<'_, '_>) -> Option<ImageSigner> {
    let name: Name = required(report, at, "name")?.into();
    let kinds = [at.field("key"), at.field("certificate"), at.field("notary")];
    let place = report.place(at.line());
    let identity = match kinds {
        [Some(key), None, None] => SignerIdentity::Key(KeySigner {
            key: required(report, &key, "file")?,
            trusted_root: key.non_empty("trustedRoot").map(str::to_owned),
            transparency_log: log_rule(report, &key, "transparencyLog", LogRule::IfPresent),
        }),
        [None, Some(certificate), None] => SignerIdentity::Certificate(CertificateSigner {
            identity: required(report, &certificate, "identity")?,
            issuer: required(report, &certificate, "issuer")?,
            trusted_root: required(report, &certificate, "trustedRoot")?,
            transparency_log: log_rule(report, &certificate, "transparencyLog", LogRule::Required),
            certificate_log: log_rule(report, &certificate, "certificateLog", LogRule::Required),
        }),
        [None, None, Some(notary)] => SignerIdentity::Notary(read_notary(report, &notary)?),
        _ => {
            report
                .reject(at, "invalid-value", "a signer is known by one of `key`, `certificate` and `notary`")
                .with_hint("two ways are two signers");
            return None;
        }
    };
    if let SignerIdentity::Key(KeySigner { trusted_root: None, transparency_log: LogRule::Required, .. }) = identity {
        report
            .reject(at, "missing-field", "`trustedRoot` is missing: without it no transparency log is trusted")
            .with_hint("add `trustedRoot: trusted_root.json`");
        return None;
    }
    Some(ImageSigner { name, identity, place })
}

fn log_rule(report: &mut Report, at: &At<'_, '_>, name: &'static str, default: LogRule) -> LogRule {
    let Some(field) = at.field(name) else { return default };
    match field.as_text() {
        Some("Required") => LogRule::Required,
        Some("IfPresent") => LogRule::IfPresent,
        other => {
            let message = format!("unknown rule `{}`", other.unwrap_or_default());
            report.reject(&field, "invalid-value", &message).with_hint("use Required or IfPresent");
            LogRule::Required
        }
    }
}

fn read_notary(report: &mut Report, at: &At<'_, '_>) -> Option<NotarySigner> {
    let (authorities, signing_authorities) = (texts(at, "authorities"), texts(at, "signingAuthorities"));
    if authorities.is_empty() && signing_authorities.is_empty() {
        report
            .reject(at, "missing-field", "`authorities` is missing")
            .with_hint("name files or folders with certificates: `authorities: [acme-root.crt]`");
        return None;
    }
    let revocation = match at.text("revocation") {
        None | Some("Required") => RevocationRule::Required,
        Some("IfKnown") => RevocationRule::IfKnown,
        Some(other) => {
            let message = format!("unknown rule `{other}` of `revocation`");
            report.reject(at, "invalid-value", &message).with_hint("use Required or IfKnown");
            RevocationRule::Required
        }
    };
    Some(NotarySigner {
        authorities,
        signing_authorities,
        timestamp_authorities: texts(at, "timestampAuthorities"),
        subjects: texts(at, "subjects"),
        revocation_lists: texts(at, "revocationLists"),
        revocation,
    })
}

fn read_attestation(report: &mut Report, at: &At<'_, '_>, signers: &[ImageSigner]) -> Option<AttestationRule> {
    let predicate_type = required(report, at, "predicateType")?;
    let names: Vec<Name> = texts(at, "signers").into_iter().map(Name::from).collect();
    let known: Vec<&str> = signers.iter().map(|signer| &*signer.name).collect();
    for name in names.iter().filter(|name| !known.contains(&&***name)) {
        let hint = match did_you_mean(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there is {}", known.join(", ")),
        };
        report.reject(at, "invalid-value", &format!("no signer is called `{name}`")).with_hint(hint);
    }
    let conditions = at.list("where", |at| read_condition(report, at)).into_iter().flatten().collect();
    Some(AttestationRule { predicate_type, signers: names, conditions, place: report.place(at.line()) })
}

/// The tests of a condition, in the order of the documentation.
const TESTS: [&str; 7] = ["equals", "notEquals", "oneOf", "matches", "atMost", "atLeast", "exists"];

fn read_condition(report: &mut Report, at: &At<'_, '_>) -> Option<Condition> {
    let field = required(report, at, "field")?;
    let path = match parse_path(&field) {
        Ok(path) => path,
        Err(error) => {
            report.reject(at, "invalid-value", &error.to_string());
            return None;
        }
    };
    let tests: Vec<(&str, At<'_, '_>)> = TESTS.iter().filter_map(|name| Some((*name, at.field(name)?))).collect();
    let [(name, value)] = &tests[..] else {
        report
            .reject(at, "invalid-value", "a condition has one test")
            .with_hint(format!("use one of {}; two conditions may name the same field", TESTS.join(", ")));
        return None;
    };
    let test = match *name {
        "equals" => Test::Equals(scalar(report, value)?),
        "notEquals" => Test::NotEquals(scalar(report, value)?),
        "oneOf" => Test::OneOf(value.elements().map(|it| scalar(report, &it)).collect::<Option<_>>()?),
        "matches" => Test::Matches(value.as_text()?.to_owned()),
        "atMost" => Test::AtMost(number(value)?),
        "atLeast" => Test::AtLeast(number(value)?),
        _ => Test::Exists(at.boolean("exists")?),
    };
    Some(Condition { field, path, test })
}

fn number(at: &At<'_, '_>) -> Option<f64> {
    match at.value.shape() {
        Shape::Int(number) => Some(number as f64),
        Shape::Uint(number) => Some(number as f64),
        Shape::Float(number) => Some(number),
        _ => None,
    }
}

fn scalar(report: &mut Report, at: &At<'_, '_>) -> Option<Json> {
    match at.value.shape() {
        Shape::Bool(value) => Some(value.into()),
        Shape::Int(value) => Some(value.into()),
        Shape::Uint(value) => Some(value.into()),
        Shape::Float(value) => Some(value.into()),
        Shape::Text(value) => Some(value.into()),
        Shape::Null | Shape::Sequence | Shape::Mapping => {
            report
                .reject(at, "wrong-type", "is no text, number or boolean")
                .with_hint("go further down by `field`: `a.b`, `list[].name`");
            None
        }
    }
}

fn required(report: &mut Report, at: &At<'_, '_>, field: &'static str) -> Option<String> {
    let text = at.non_empty(field);
    if text.is_none() {
        report.reject(at, "missing-field", &format!("`{field}` is missing")).with_hint(format!("add `{field}: ...`"));
    }
    text.map(str::to_owned)
}
