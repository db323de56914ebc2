//! The answer for a person.

use std::fmt::Write as _;

use palisade_signatures::answer::{AttachedAnswer, Claim, Fact, Vouched};
use palisade_signatures::{Subject, Verdict};

use super::Named;
use crate::wrapped::wrap;

/// Where what is said of a thing begins.
const COLUMN: usize = 14;

/// Where digests begin, so that a whole one ends before a terminal does.
const DIGESTS: usize = 8;

/// The sum first, then what it rests on, then what does not count.
pub fn render(image: &str, subject: &Subject, answers: &[Named]) -> String {
    let mut text = String::new();
    let index = subject.index.as_ref().map(|index| index.digest.as_str());
    for (heading, body) in [("image", Some(image)), ("digest", Some(&subject.digest)), ("index", index)] {
        if let Some(body) = body {
            let _ = writeln!(text, "{heading:DIGESTS$}{body}");
        }
    }
    if answers.is_empty() {
        line(&mut text, "UNDECIDED", "no policy is about this image");
    }
    for named in answers {
        text.push('\n');
        render_answer(&mut text, subject, named);
    }
    text
}

fn render_answer(text: &mut String, subject: &Subject, Named { policy, answer }: &Named) {
    if let Some(policy) = policy {
        line(text, "policy", policy);
    }
    let word = match answer.verdict {
        Verdict::Verified => "VERIFIED",
        Verdict::Refused => "REFUSED",
        Verdict::Undecided => "UNDECIDED",
    };
    let mut reasons = answer.reasons.iter().map(String::as_str);
    let good = match answer.signatures.required {
        0 => "everything that must be said of it is said",
        _ => "signed as it must be",
    };
    line(text, word, reasons.next().unwrap_or(good));
    reasons.for_each(|reason| line(text, "", reason));
    if answer.signatures.required > 0 {
        let by = match &answer.signatures.signed_by[..] {
            [] => "nobody who is trusted".to_owned(),
            names => names.join(", "),
        };
        line(text, "signed by", &format!("{by} ({} needed)", answer.signatures.required));
    }
    for it in &answer.attestations {
        let by = if it.signed_by.is_empty() { "nobody who is trusted".to_owned() } else { it.signed_by.join(", ") };
        line(text, "attested", &format!("{} by {by}", it.predicate_type));
        for refused in &it.refused {
            line(text, "", &format!("not by {}: {}", refused.signer, refused.reason));
        }
    }
    for attached in &answer.attached {
        text.push('\n');
        render_attached(text, subject, attached);
    }
}

fn render_attached(text: &mut String, subject: &Subject, attached: &AttachedAnswer) {
    let what = match &attached.claim {
        Some(Claim::Signature) => "a signature".to_owned(),
        Some(Claim::Attestation { predicate_type }) => format!("an attestation, {predicate_type}"),
        None => "counts for nobody".to_owned(),
    };
    let _ = writeln!(text, "{}  {}", &attached.digest[..attached.digest.len().min(19)], attached.form);
    line(text, "  is", &what);
    for vouched in &attached.signers {
        render_vouched(text, subject, vouched);
    }
    for refused in &attached.refused {
        line(text, "  refused", &format!("for {}: {}", refused.signer, refused.reason));
    }
}

fn render_vouched(text: &mut String, subject: &Subject, vouched: &Vouched) {
    let who = match vouched.subject == vouched.signer {
        true => vouched.signer.clone(),
        false => format!("{}, {}", vouched.signer, vouched.subject),
    };
    line(text, "  by", &who);
    if vouched.image != subject.digest {
        line(text, "  for", &format!("the index {}", vouched.image));
    }
    facts(text, "  checked", &vouched.checked);
    facts(text, "  not checked", &vouched.not_checked);
}

fn facts(text: &mut String, heading: &str, facts: &[Fact]) {
    for (position, fact) in facts.iter().enumerate() {
        line(text, if position == 0 { heading } else { "" }, &format!("{}: {}", spoken(fact.what), fact.detail));
    }
}

/// The stable name, as people write it.
fn spoken(what: &str) -> String {
    what.chars().fold(String::new(), |mut text, character| {
        if character.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(character.to_ascii_lowercase());
        text
    })
}

fn line(text: &mut String, heading: &str, body: &str) {
    wrap(text, &format!("{heading:COLUMN$}{body}"), 0, COLUMN);
}
