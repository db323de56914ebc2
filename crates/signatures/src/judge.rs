//! From what lies beside an image to an answer.

use std::collections::{BTreeMap, BTreeSet};

use palisade_model::Timestamp;

use crate::answer::{
    Answer, AttachedAnswer, AttestationAnswer, Claim, RefusedAnswer, SignatureCount, Verdict, Vouched,
};
use crate::attached::{Attached, Form};
use crate::bundle::{self, Passed};
use crate::condition;
use crate::demand::{AttestationDemand, Credential, Demand, Signer};
use crate::legacy;
use crate::notary;
use crate::refusal::Refusal;
use crate::statement::SIGNED;
use crate::subject::Subject;

/// What one signer has to do with one thing that lies there.
type Judged = Result<Passed, Refusal>;

/// Judges everything that lies beside the image, by everybody who may vouch.
pub fn judge(image: &Subject, attached: &[Attached], demand: &Demand, now: Timestamp) -> Answer {
    let judged: Vec<Vec<Judged>> = attached
        .iter()
        .map(|attached| demand.signers.iter().map(|signer| check(attached, signer, image, now)).collect())
        .collect();
    let signed_by = signed_by(demand, &judged);
    let attestations: Vec<AttestationAnswer> =
        demand.attestations.iter().map(|wanted| attestation(wanted, demand, &judged)).collect();
    let answers: Vec<AttachedAnswer> =
        attached.iter().zip(&judged).map(|(attached, judged)| describe(attached, demand, judged)).collect();
    let is_signed = distinct(demand, &judged) >= demand.threshold;
    let is_attested = attestations.iter().all(|it| !it.signed_by.is_empty());
    let mut reasons = Vec::new();
    if !is_signed {
        reasons.push(unsigned(demand, &signed_by, &answers, nearest(&judged)));
    }
    for it in attestations.iter().filter(|it| it.signed_by.is_empty()) {
        reasons.push(unattested(it));
    }
    let may_be_good = |refusal: &RefusedAnswer| UNDECIDED.contains(&refusal.code);
    let verdict = match is_signed && is_attested {
        true => Verdict::Verified,
        false if answers.iter().flat_map(|it| &it.refused).any(may_be_good) => Verdict::Undecided,
        false => Verdict::Refused,
    };
    let signatures = SignatureCount { required: demand.threshold, signed_by };
    Answer { verdict, reasons, signatures, attestations, attached: answers }
}

/// The codes of refusals that more knowledge could turn; the tests of [`Refusal`] hold this to it.
const UNDECIDED: &[&str] = &["revocation-unknown", "no-trust", "unsupported"];

fn check(attached: &Attached, signer: &Signer, image: &Subject, now: Timestamp) -> Judged {
    let credential = &signer.credential;
    if let Credential::Notary(trust) = credential {
        return notary::check(attached, trust, image, now);
    }
    match attached.form {
        Form::CosignSignature => legacy::check_signature(attached, credential, image),
        Form::CosignAttestation => legacy::check_attestation(attached, credential, image),
        Form::Bundle => bundle::check(&bundle::parse(&attached.bytes)?, credential, image),
        Form::NotaryJws | Form::NotaryCose => Err(Refusal::OtherKind("is a signature of the Notary Project")),
    }
}

fn claim(passed: &Passed) -> Claim {
    match &passed.statement {
        None => Claim::Signature,
        Some(statement) if statement.predicate_type == SIGNED => Claim::Signature,
        Some(statement) => Claim::Attestation { predicate_type: statement.predicate_type.clone() },
    }
}

/// Those who have signed; an attestation is no signature.
fn signed_by(demand: &Demand, judged: &[Vec<Judged>]) -> Vec<String> {
    let has_signed = |index: usize| {
        let passed = judged.iter().filter_map(|judged| judged[index].as_ref().ok());
        passed.map(claim).any(|claim| claim == Claim::Signature)
    };
    let signers = demand.signers.iter().enumerate();
    signers.filter(|(index, _)| has_signed(*index)).map(|(_, signer)| signer.name.clone()).collect()
}

/// How many of the signers have signed as somebody of their own: whoever is known by two names is one, and counts once.
///
/// The largest number of pairs of a signer and somebody who has signed, each in one pair at most; by augmenting paths.
fn distinct(demand: &Demand, judged: &[Vec<Judged>]) -> usize {
    let signatures = |index: usize| {
        let passed = judged.iter().filter_map(move |judged| judged[index].as_ref().ok());
        passed.filter(|passed| claim(passed) == Claim::Signature)
    };
    // One key under two names is one person, and so is one name with two keys.
    let mut known_as = BTreeMap::new();
    for passed in (0..demand.signers.len()).flat_map(signatures) {
        let Some(key) = &passed.key else { continue };
        let (name, key) = (person(&known_as, &passed.subject), person(&known_as, key));
        if name != key {
            known_as.insert(name, key);
        }
    }
    let people: Vec<BTreeSet<&str>> = (0..demand.signers.len())
        .map(|index| signatures(index).map(|passed| person(&known_as, &passed.subject)).collect())
        .collect();
    let mut taken = BTreeMap::new();
    (0..people.len()).filter(|signer| pair(*signer, &people, &mut taken, &mut BTreeSet::new())).count()
}

/// The last of the names by which somebody is known.
fn person<'p>(known_as: &BTreeMap<&'p str, &'p str>, name: &'p str) -> &'p str {
    std::iter::successors(Some(name), |name| known_as.get(name).copied()).last().unwrap_or(name)
}

/// Gives the signer somebody, who may be taken from another signer that finds somebody else.
fn pair<'p>(
    signer: usize,
    people: &[BTreeSet<&'p str>],
    taken: &mut BTreeMap<&'p str, usize>,
    asked: &mut BTreeSet<&'p str>,
) -> bool {
    for person in &people[signer] {
        if !asked.insert(person) {
            continue;
        }
        let holder = taken.get(person).copied();
        if holder.is_none_or(|holder| pair(holder, people, taken, asked)) {
            taken.insert(person, signer);
            return true;
        }
    }
    false
}

fn attestation(wanted: &AttestationDemand, demand: &Demand, judged: &[Vec<Judged>]) -> AttestationAnswer {
    let mut signed_by = BTreeSet::new();
    let mut refused = Vec::new();
    for (signer, judged) in judged.iter().flat_map(|judged| demand.signers.iter().zip(judged)) {
        let Ok(Passed { statement: Some(statement), .. }) = judged else { continue };
        if statement.predicate_type != wanted.predicate_type {
            continue;
        }
        if !wanted.signers.is_empty() && !wanted.signers.contains(&signer.name) {
            let why = format!("its word does not count for `{}`", wanted.predicate_type);
            refused.push(refused_by(signer, &Refusal::Content(why)));
        } else if let Some(broken) = condition::broken(&wanted.conditions, &statement.predicate) {
            refused.push(refused_by(signer, &Refusal::Content(broken)));
        } else {
            signed_by.insert(signer.name.clone());
        }
    }
    AttestationAnswer {
        predicate_type: wanted.predicate_type.clone(),
        signed_by: signed_by.into_iter().collect(),
        refused,
    }
}

fn describe(attached: &Attached, demand: &Demand, judged: &[Judged]) -> AttachedAnswer {
    let mut signers = Vec::new();
    let mut refusals = Vec::new();
    for (signer, judged) in demand.signers.iter().zip(judged) {
        match judged {
            Ok(passed) => signers.push(Vouched {
                signer: signer.name.clone(),
                subject: passed.subject.clone(),
                image: passed.image.clone(),
                signed_at: passed.signed_at.map(|time| time.to_string()),
                checked: passed.checked.clone(),
                not_checked: passed.not_checked.clone(),
            }),
            Err(refusal) => refusals.push((signer, refusal)),
        }
    }
    // What was refused for one signer and is another's is that one's; only what is nobody's needs a reason.
    let nearest = refusals.iter().map(|(_, refusal)| refusal.nearness()).max();
    let nearest = if signers.is_empty() { nearest } else { None };
    let refused = refusals
        .iter()
        .filter(|(_, refusal)| Some(refusal.nearness()) == nearest || refusal.is_undecided())
        .map(|(signer, refusal)| refused_by(signer, refusal))
        .collect();
    let claim = judged.iter().filter_map(|judged| judged.as_ref().ok()).map(claim).next();
    AttachedAnswer { digest: attached.digest.clone(), form: attached.form.as_str(), claim, signers, refused }
}

fn refused_by(signer: &Signer, refusal: &Refusal) -> RefusedAnswer {
    RefusedAnswer { signer: signer.name.clone(), code: refusal.code(), reason: told(refusal) }
}

/// In words, of which a stranger may have chosen some, and as many as they liked.
fn told(refusal: &Refusal) -> String {
    const LONGEST: usize = 600;
    let text = refusal.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Of all refusals, the one that came nearest to a good signature.
fn nearest(judged: &[Vec<Judged>]) -> Option<&Refusal> {
    let refusals = judged.iter().flatten().filter_map(|judged| judged.as_ref().err());
    refusals.reduce(|best, next| if next.nearness() > best.nearness() { next } else { best })
}

/// Why there are too few signatures.
fn unsigned(demand: &Demand, signed_by: &[String], answers: &[AttachedAnswer], nearest: Option<&Refusal>) -> String {
    if answers.is_empty() {
        return "not signed: nothing lies beside the image".into();
    }
    let attestations = answers.iter().filter(|it| matches!(it.claim, Some(Claim::Attestation { .. }))).count();
    let refused = answers.iter().filter(|it| it.claim.is_none()).count();
    let what = match (signed_by.len(), attestations, refused) {
        (0, 0, 1) => format!("what lies there {}", nearest.map(told).unwrap_or_default()),
        (0, 0, count) => {
            format!("none of {count} counts; the nearest {}", nearest.map(told).unwrap_or_default())
        }
        (0, count, 0) => format!("{}, and an attestation is no signature", plural(count, "attestation")),
        (0, count, refused) => format!(
            "{}, and an attestation is no signature; {refused} more {} not count",
            plural(count, "attestation"),
            if refused == 1 { "does" } else { "do" }
        ),
        (count, _, _) if count >= demand.threshold => {
            format!("signed by {}, who are not {} different ones", signed_by.join(", "), demand.threshold)
        }
        (_, _, _) => format!("signed by {} alone, and {} must have signed", signed_by.join(", "), demand.threshold),
    };
    format!("not signed: {what}")
}

fn unattested(answer: &AttestationAnswer) -> String {
    let kind = &answer.predicate_type;
    match answer.refused.first() {
        Some(refused) => format!("no good attestation `{kind}`: {}: {}", refused.signer, refused.reason),
        None => format!("no attestation `{kind}` of a trusted signer"),
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
