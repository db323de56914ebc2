//! The answers to a question, as `check` and `explain` print them.

use std::fmt::Write as _;

use palisade_model::cni::{CniProfile, PROFILES};
use palisade_model::link::{End, Link, PodEnd};
use palisade_model::settings::MixedServices;
use palisade_model::verdict::{Decision, Direction, Judgement, Missing, Verdict};
use palisade_model::{Problem, Protocol, Timestamp};
use palisade_policy::compile::{ServiceVerdict, ServiceWord};
use palisade_policy::{Grant, Model, UnknownEnd, WhereJudged};
use serde::Serialize;

use crate::exit::ExitStatus;
use crate::question::{Question, Receivers, Sender, Target};
use crate::terminal::{Colour, Tone};

/// The version of the JSON form; it rises when a field changes its meaning.
pub const VERSION: u32 = 1;

/// What policies cannot change.
pub const NO_COMMON_FAMILY: &str = "one end has IPv4 addresses alone, the other IPv6: nothing can be sent";

/// One answer: a group of senders that get the same, and one target.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The senders, for people.
    pub from: Vec<String>,
    /// The receiver or Service.
    pub to: String,
    /// The protocol.
    pub protocol: Protocol,
    /// The port as dialled.
    pub port: u16,
    /// `allowed`, `denied` or `undecided`, enforced.
    pub verdict: &'static str,
    /// The same over all objects, those in Audit included.
    pub would_be: &'static str,
    /// What a Service answers as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceVerdict>,
    /// Of a Service whose backends differ: what becomes of a connection to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixed_service: Option<MixedServices>,
    /// Of a Service with `internalTrafficPolicy: Local`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stays_on_node: bool,
    /// What is not known, when that leaves the question open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// One end has IPv4 addresses alone, and the other IPv6: no packet can go, whatever policies say.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_common_family: bool,
    /// Whom a proposed consent has to name for these senders.
    #[serde(skip)]
    pub grant: Grant,
    /// Per receiver: one, or each backend.
    pub links: Vec<LinkAnswer>,
    /// Network plugins with which the enforced verdict would be another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with_other_cni: Vec<WithOtherCni>,
}

/// What the answer would be with other network plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithOtherCni {
    /// Their profiles.
    pub cni: Vec<&'static str>,
    /// `allowed`, `denied` or `undecided`.
    pub verdict: &'static str,
}

/// What policy says of one link of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkAnswer {
    /// The receiver.
    pub to: String,
    /// The port that is reached.
    pub port: u16,
    /// Both ends, enforced and would-be.
    pub judgement: Judgement,
    /// Which nodes judge it.
    pub judged: WhereJudged,
    /// Whether it comes about, given which nodes are guarded.
    pub comes_about: bool,
    /// Whether it depends on a source address that a node may have translated.
    #[serde(skip)]
    pub by_source: bool,
    /// One of the links that the answer stands for.
    #[serde(skip)]
    pub link: Link,
}

/// Answers `question`, senders that get the same answer together.
///
/// # Errors
/// When an end is not in the input.
pub fn answer(model: &Model, question: &Question) -> Result<Vec<Answer>, UnknownEnd> {
    let mut answers = Vec::new();
    for target in &question.targets {
        let mut groups: Vec<(Vec<&Sender>, Vec<LinkAnswer>)> = Vec::new();
        let mixed_of = |links: &[LinkAnswer]| mixed_service(model, target, links);
        for sender in &question.senders {
            let links = target.links(sender).into_iter();
            let links = links.map(|(to, link)| link_answer(model, question, to, link, target.translating.is_some()));
            let links = links.collect::<Result<Vec<_>, _>>()?;
            match groups
                .iter_mut()
                .find(|(_, of_group)| same(of_group, &links) && mixed_of(of_group) == mixed_of(&links))
            {
                Some((senders, _)) => senders.push(sender),
                None => groups.push((vec![sender], links)),
            }
        }
        let labels: Vec<Vec<String>> = (0..groups.len()).map(|group| names(&groups, group)).collect();
        let alone = groups.len() == 1;
        answers.extend(groups.into_iter().zip(labels).map(|((senders, links), from)| {
            let whole = alone && senders.iter().all(|sender| sender.is_whole);
            let grant = if whole { Grant::Workload } else { Grant::Process };
            assemble(model, from, target, links, grant)
        }));
    }
    Ok(answers)
}

fn link_answer(
    model: &Model,
    question: &Question,
    to: String,
    link: Link,
    translating: bool,
) -> Result<LinkAnswer, UnknownEnd> {
    let judgement = model.judge(&link, question.now)?;
    let enforcement = model.enforcement(&link, question.now)?;
    let comes_about = enforcement.is_allowed();
    // The pod may see a node's address: a stranger's. Where that decides, the answer is open.
    let stranger = translating.then(|| model.world_address(true)).flatten().map(End::Address);
    let by_source = match stranger {
        None => false,
        Some(from) => {
            let translated = model.judge(&Link { from, ..link.clone() }, question.now)?;
            translated.enforced.ingress.is_allow() != judgement.enforced.ingress.is_allow()
        }
    };
    Ok(LinkAnswer { by_source, to, port: link.port, judgement, judged: enforcement.judged, comes_about, link })
}

/// What becomes of a connection to a Service whose backends differ, if they do.
fn mixed_service(model: &Model, target: &Target, links: &[LinkAnswer]) -> Option<MixedServices> {
    let End::Pod(sender) = &links.first()?.link.from else { return None };
    let node = model.pod_named(&sender.namespace, &sender.name)?.node.as_deref();
    let judgements: Vec<Judgement> = links.iter().map(|link| link.judgement.clone()).collect();
    let ServiceVerdict { enforced, would_be } = model.service_verdict(&judgements);
    let differ = [enforced, would_be].contains(&ServiceWord::Mixed);
    differ.then(|| model.mixed_service(node, target.dialled))
}

fn same(a: &[LinkAnswer], b: &[LinkAnswer]) -> bool {
    let essence = |links: &[LinkAnswer]| {
        links.iter().map(|link| (link.to.clone(), link.judgement.clone(), link.judged)).collect::<Vec<_>>()
    };
    essence(a) == essence(b)
}

/// How to call the senders of a group: as asked when there is only one group; with container and
/// program when these tell the groups apart; with the pod too when replicas differ.
fn names(groups: &[(Vec<&Sender>, Vec<LinkAnswer>)], of: usize) -> Vec<String> {
    let elsewhere = |name: &str| {
        let others = groups.iter().enumerate().filter(|(group, _)| *group != of);
        others.flat_map(|(_, (senders, _))| senders).any(|sender| sender.full == name)
    };
    let mut names = Vec::new();
    for sender in &groups[of].0 {
        let name = match &sender.pod {
            _ if groups.len() == 1 => sender.asked.clone(),
            Some(pod) if elsewhere(&sender.full) => pod.clone(),
            Some(_) | None => sender.full.clone(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn assemble(model: &Model, from: Vec<String>, target: &Target, links: Vec<LinkAnswer>, grant: Grant) -> Answer {
    let judgements: Vec<Judgement> = links.iter().map(|link| link.judgement.clone()).collect();
    let (service, missing) = match &target.receivers {
        Receivers::End(_) => (None, None),
        Receivers::Service(_) if links.iter().any(|link| link.by_source) => {
            let missing = target.translating.clone().map(|service| Missing::SourceTranslation { service });
            (Some(model.service_verdict(&judgements)), missing)
        }
        Receivers::Service(_) => (Some(model.service_verdict(&judgements)), None),
        Receivers::Unknown(missing) => (None, Some(missing.clone())),
    };
    let mixed_service = mixed_service(model, target, &links);
    let word = |of: fn(&Judgement) -> &Decision, service: Option<ServiceWord>| match missing {
        Some(_) => "undecided",
        None => word_of(&judgements, of, service),
    };
    Answer {
        from,
        to: target.name.clone(),
        protocol: target.protocol,
        port: target.port,
        verdict: word(|judgement| &judgement.enforced, service.map(|service| service.enforced)),
        would_be: word(|judgement| &judgement.would_be, service.map(|service| service.would_be)),
        service,
        mixed_service,
        stays_on_node: target.stays_on_node,
        missing,
        no_common_family: links.first().is_some_and(|link| has_no_common_family(model, &link.link)),
        grant,
        links,
        with_other_cni: Vec::new(),
    }
}

/// Between two pods whose addresses are known.
fn has_no_common_family(model: &Model, link: &Link) -> bool {
    let (End::Pod(from), End::Pod(to)) = (&link.from, &link.to) else { return false };
    let pod = |end: &PodEnd| model.pod_named(&end.namespace, &end.name).filter(|pod| !pod.addresses.is_empty());
    let (Some(from), Some(to)) = (pod(from), pod(to)) else { return false };
    !from.addresses.iter().any(|own| to.addresses.iter().any(|other| own.is_ipv4() == other.is_ipv4()))
}

/// The word for a receiver, or for a Service as a whole.
fn word_of(judgements: &[Judgement], of: fn(&Judgement) -> &Decision, service: Option<ServiceWord>) -> &'static str {
    match service {
        Some(ServiceWord::Allowed) => "allowed",
        Some(ServiceWord::Denied | ServiceWord::Mixed | ServiceWord::NoEndpoints)
            if judgements.iter().any(|judgement| matches!(of(judgement).link().1, Verdict::Undecided(_))) =>
        {
            "undecided"
        }
        Some(ServiceWord::Denied | ServiceWord::Mixed | ServiceWord::NoEndpoints) => "denied",
        None => judgements.first().map_or("denied", |judgement| of(judgement).link().1.word()),
    }
}

/// Notes in each answer the network plugins, other than `chosen`, with which it would be another.
///
/// # Errors
/// When an end is not in the input.
pub fn compare_plugins(
    mut model: Model,
    chosen: &CniProfile,
    answers: &mut [Answer],
    now: Timestamp,
) -> Result<Model, UnknownEnd> {
    // Plugins differ in what NetworkPolicies mean with them, and in nothing else.
    if model.inventory().network_policies.is_empty() {
        return Ok(model);
    }
    for profile in PROFILES.iter().filter(|profile| !profile.is_alike(chosen)) {
        model = model.with_cni(profile);
        for answer in answers.iter_mut().filter(|answer| answer.missing.is_none()) {
            let links = answer.links.iter().map(|link| model.judge(&link.link, now));
            let judgements = links.collect::<Result<Vec<_>, _>>()?;
            let service = answer.service.map(|_| model.service_verdict(&judgements).enforced);
            let verdict = word_of(&judgements, |judgement| &judgement.enforced, service);
            if verdict == answer.verdict {
                continue;
            }
            match answer.with_other_cni.iter_mut().find(|known| known.verdict == verdict) {
                Some(known) => known.cni.push(profile.name),
                None => answer.with_other_cni.push(WithOtherCni { cni: vec![profile.name], verdict }),
            }
        }
    }
    Ok(model.with_cni(chosen))
}

/// The exit status of some answers: 3 when one is open, or when a problem of the input could change
/// one; else 1 when one is denied.
pub fn status(answers: &[Answer], problems: &[Problem]) -> ExitStatus {
    let open = answers.iter().any(|answer| answer.verdict == "undecided");
    let doubtful = problems.iter().any(|problem| problem.may_change_links() && concerns(problem, answers));
    if open || doubtful {
        ExitStatus::Undecided
    } else if answers.iter().any(|answer| answer.verdict == "denied") {
        ExitStatus::Findings
    } else {
        ExitStatus::Clean
    }
}

/// Whether a problem's object could have a say: it lies in a namespace of an end, or in none; or it
/// could be what an address belongs to.
fn concerns(problem: &Problem, answers: &[Answer]) -> bool {
    let Some(object) = &problem.object else { return true };
    let Some(namespace) = object.namespace.as_deref() else { return true };
    let of_end = |end: &End| match end {
        End::Pod(pod) => *pod.namespace == *namespace,
        End::Address(_) => !object.kind.is_policy(),
        End::Node { .. } => false,
    };
    answers.iter().flat_map(|answer| &answer.links).any(|link| of_end(&link.link.from) || of_end(&link.link.to))
}

impl Answer {
    /// The first line: the word, who and whom.
    pub fn headline(&self, colour: Colour) -> String {
        let word = paint(self.verdict, colour);
        let gap = " ".repeat("undecided".len() - self.verdict.len());
        format!("{word}{gap}  {} -> {} {}", self.from.join(", "), self.to, shown_port(self.protocol, self.port))
    }

    /// The answer for people, two to five lines.
    pub fn render(&self, colour: Colour) -> String {
        let mut text = self.headline(colour);
        text.push('\n');
        if let Some(missing) = &self.missing {
            let _ = writeln!(text, "  {missing}");
        }
        if self.no_common_family {
            let _ = writeln!(text, "  {NO_COMMON_FAMILY}");
        }
        match self.service {
            None => self.links.iter().for_each(|link| text.push_str(&render_link(link, "  "))),
            Some(service) => self.render_backends(service, &mut text),
        }
        if self.would_be != self.verdict {
            let _ = writeln!(text, "  with the policies in Audit enforced: {}", self.would_be);
        }
        self.plugin_lines().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
        text
    }

    /// The network plugins with which it would be another, a line for each other answer.
    pub fn plugin_lines(&self) -> impl Iterator<Item = String> {
        self.with_other_cni
            .iter()
            .map(|other| format!("with the network plugin {}: {}", other.cni.join(" or "), other.verdict))
    }

    fn render_backends(&self, service: ServiceVerdict, text: &mut String) {
        if self.stays_on_node {
            text.push_str("  only backends on the sender's own node count (internalTrafficPolicy: Local)\n");
        }
        let total = self.links.len();
        let allowed = self.links.iter().filter(|link| link.judgement.enforced.is_allowed()).count();
        let _ = match service.enforced {
            ServiceWord::NoEndpoints => writeln!(text, "  no ready endpoint: refused, and not by policy"),
            ServiceWord::Mixed if self.mixed_service == Some(MixedServices::Refused) => writeln!(
                text,
                "  {allowed} of {total} backends allowed: refused as service-mixed,\n  \
                 since no program of the sender's node sees which one a connection reaches"
            ),
            ServiceWord::Mixed => writeln!(
                text,
                "  {allowed} of {total} backends allowed: each connection is judged by the one that it reaches"
            ),
            ServiceWord::Allowed | ServiceWord::Denied if total == 1 => Ok(()),
            ServiceWord::Allowed | ServiceWord::Denied => writeln!(text, "  {allowed} of {total} backends allowed"),
        };
        for link in &self.links {
            let word = link.judgement.enforced.link().1.word();
            let _ = writeln!(text, "  backend {} port {}: {word}", link.to, link.port);
            text.push_str(&render_link(link, "    "));
        }
    }
}

/// The two ends of a link, a line each, and what differs in Audit or by unguarded nodes.
fn render_link(link: &LinkAnswer, indent: &str) -> String {
    let mut text = String::new();
    let Judgement { enforced, would_be } = &link.judgement;
    for (direction, now, then) in [
        (Direction::Egress, &enforced.egress, &would_be.egress),
        (Direction::Ingress, &enforced.ingress, &would_be.ingress),
    ] {
        let _ = writeln!(text, "{indent}{:<8}{}", direction.to_string(), render_verdict(now));
        if now != then {
            let _ = writeln!(text, "{indent}        would be {}", render_verdict(then));
        }
    }
    match link.judged {
        WhereJudged::SenderAndReceiver | WhereJudged::SenderOnly => {}
        // World and nodes are never guarded: there is nothing to say.
        WhereJudged::ReceiverOnly | WhereJudged::Nowhere if !matches!(link.link.from, End::Pod(_)) => {}
        WhereJudged::ReceiverOnly => {
            let word = if link.comes_about { "allowed" } else { "denied" };
            let _ = writeln!(text, "{indent}judged    by the receiver's node alone: {word}");
        }
        WhereJudged::Nowhere => {
            let _ = writeln!(text, "{indent}judged    nowhere: neither node is guarded");
        }
    }
    text
}

/// A verdict with the place of what gave it.
pub fn render_verdict(verdict: &Verdict) -> String {
    match verdict.rule() {
        Some(rule) => format!("{verdict} ({})", rule.place),
        None => verdict.to_string(),
    }
}

/// `8080`, `53/UDP`.
pub fn shown_port(protocol: Protocol, port: u16) -> String {
    match protocol {
        Protocol::Tcp => port.to_string(),
        Protocol::Udp | Protocol::Sctp => format!("{port}/{protocol}"),
    }
}

/// A verdict's word in its colour.
pub fn paint(word: &str, colour: Colour) -> String {
    let tone = match word {
        "allowed" => Tone::Good,
        "denied" => Tone::Bad,
        _ => Tone::Caution,
    };
    colour.paint(tone, word).to_string()
}
