//! `palisade explain`: why may FROM reach TO, or why not?

mod change;

use std::fmt::Write as _;
use std::io::{self, Write as _};

use palisade_model::access_policy::Mode;
use palisade_model::verdict::{Because, RuleRef, Verdict};
use palisade_model::{Problem, Timestamp};
use palisade_policy::explain::{EndExplanation, Explanation, RuleAction, RuleExplanation};
use serde::Serialize;

use crate::answer::{self, Answer, NO_COMMON_FAMILY, VERSION, render_verdict};
use crate::arguments::{OutputFormat, QuestionArguments};
use crate::check::Asked;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::wrapped::wrap;
use crate::{input, report};

/// The JSON form.
#[derive(Serialize)]
struct Report<'a> {
    version: u32,
    at: Timestamp,
    explained: Vec<Explained<'a>>,
    problems: &'a [Problem],
}

/// An answer with the explanation of each of its links.
#[derive(Serialize)]
struct Explained<'a> {
    #[serde(flatten)]
    answer: &'a Answer,
    explanations: Vec<Explanation>,
}

/// Prints the verdict and every policy that has a say.
///
/// # Errors
/// When there is no input, or the question names what is not in it.
pub fn run(arguments: &QuestionArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let asked = Asked::read(arguments, settings)?;
    let explained = asked.answers.iter().map(|answer| explain(&asked, answer)).collect::<Result<Vec<_>, _>>()?;
    let mut output = io::stdout().lock();
    match arguments.output {
        OutputFormat::Text => {
            let shown: Vec<String> = explained
                .iter()
                .map(|Explained { answer, explanations }| {
                    let mut text = answer.headline(settings.colour);
                    text.push('\n');
                    render(&mut text, answer, explanations);
                    text
                })
                .collect();
            write!(output, "{}", shown.join("\n"))?;
            input::print_problems(&asked.problems);
        }
        OutputFormat::Json => {
            let report = Report { version: VERSION, at: asked.now, explained, problems: &asked.problems };
            report::write_json(&mut output, &report)?;
        }
    }
    Ok(answer::status(&asked.answers, &asked.problems))
}

fn explain<'a>(asked: &Asked, answer: &'a Answer) -> Result<Explained<'a>, Failure> {
    let explanations = answer
        .links
        .iter()
        .map(|link| asked.model.explain(&link.link, asked.now, answer.grant).map_err(Failure::new))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Explained { answer, explanations })
}

fn render(text: &mut String, answer: &Answer, explanations: &[Explanation]) {
    if answer.no_common_family {
        let _ = writeln!(text, "\n{NO_COMMON_FAMILY}");
    }
    if let Some(missing) = &answer.missing {
        let _ = writeln!(text, "\n{missing}");
    }
    if answer.service.is_some() && explanations.is_empty() {
        let _ = writeln!(text, "\nno ready endpoint: refused, and not by policy");
    }
    for (link, explanation) in answer.links.iter().zip(explanations) {
        if answer.service.is_some() {
            let _ = writeln!(text, "\nbackend {} port {}", link.to, link.port);
        }
        render_end(text, &explanation.egress, "sender");
        render_end(text, &explanation.ingress, "receiver");
        if explanation.consents.is_empty() {
            render_obstacle(text, explanation);
        }
        change::render(text, explanation);
    }
    if answer.would_be != answer.verdict {
        text.push('\n');
        wrap(text, &format!("with the policies in Audit enforced: {}", answer.would_be), 0, 2);
    }
    answer.plugin_lines().for_each(|line| {
        text.push('\n');
        wrap(text, &line, 0, 2);
    });
}

/// Why no consent is shown though the link is denied: a Deny stands in the way.
fn render_obstacle(text: &mut String, explanation: &Explanation) {
    let enforced = &explanation.judgement.enforced;
    for verdict in [&enforced.egress, &enforced.ingress] {
        let Verdict::Deny(because) = verdict else { continue };
        if let Because::Native { opened_by, .. } = because {
            const WHY: &str = "no AccessPolicy can open this: the network plugin asks NetworkPolicies alone";
            text.push('\n');
            wrap(text, &format!("{WHY}. Lower {} to one", opened_by.object), 0, 2);
            return;
        }
        if let Some(rule) = because.rule().filter(|rule| rule.rule.is_some()) {
            text.push('\n');
            wrap(text, &format!("no Allow can open this: {rule} denies it ({})", rule.place), 0, 2);
            return;
        }
    }
}

fn render_end(text: &mut String, end: &EndExplanation, word: &str) {
    text.push('\n');
    wrap(text, &format!("{word} {} ({}): {}", end.end, end.direction, render_verdict(&end.enforced)), 0, 4);
    if end.would_be != end.enforced {
        wrap(text, &format!("would be {}", render_verdict(&end.would_be)), 2, 4);
    }
    if !end.closed_by.is_empty() {
        let _ = writeln!(text, "  closed by");
        for closer in &end.closed_by {
            wrap(text, &reference(closer), 4, 6);
        }
    }
    if !end.rules.is_empty() {
        let _ = writeln!(text, "  rules about this end");
        end.rules.iter().for_each(|rule| render_rule(text, rule));
    }
    if end.about_others > 0 {
        let rules = if end.about_others == 1 { "1 rule" } else { &format!("{} rules", end.about_others) };
        let _ = writeln!(text, "  {rules} of this namespace's policies about other pods");
    }
}

fn render_rule(text: &mut String, rule: &RuleExplanation) {
    let (mark, verb) = match (rule.covers, rule.action) {
        _ if rule.is_passed_over => (" ", "is not asked: what comes before it answers"),
        (Some(true), RuleAction::Allow) => ("+", "allows it"),
        (Some(true), RuleAction::Deny) => ("-", "denies it"),
        (Some(true), RuleAction::Pass) => (">", "passes it on to the next tier"),
        (Some(false), RuleAction::Allow) => (" ", "does not allow it"),
        (Some(false), RuleAction::Deny) => (" ", "does not deny it"),
        (Some(false), RuleAction::Pass) => (" ", "does not pass it on"),
        (None, _) => ("?", "may cover it"),
    };
    wrap(text, &format!("{mark} {}: {verb}", reference(&rule.rule)), 2, 6);
    for line in &rule.why_not {
        wrap(text, line, 6, 8);
    }
    if let Some(hint) = &rule.hint {
        wrap(text, &format!("hint: {hint}"), 6, 8);
    }
}

fn reference(rule: &RuleRef) -> String {
    let mode = match rule.mode {
        Mode::Enforce => "",
        Mode::Audit => " [Audit]",
    };
    format!("{rule}{mode} ({})", rule.place)
}
