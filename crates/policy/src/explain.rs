//! Why: every policy that closes an end, every rule that could have opened it, and what is missing.

mod tiers;

use palisade_model::Timestamp;
use palisade_model::access_policy::{AccessPolicy, AccessRule, Action, Peer, PeerTarget};
use palisade_model::link::{Link, Which};
use palisade_model::network_policy::{NetworkPolicyPeer, NetworkPolicyTarget};
use palisade_model::port::PortRule;
use palisade_model::tiered_policy::{Tier, TierAction};
use palisade_model::verdict::{Because, Direction, Judgement, RuleRef, Verdict};
use palisade_model::{Labels, Selector};
use serde::Serialize;

use crate::change::Changes;
use crate::closing::Closing;
use crate::consent::{self, Consent, Grant};
use crate::findings::{nearest, render_peer};
use crate::judge::{Cover, Objects, Rules, access_ref, deciding_pod};
use crate::matching::{self, Match, RuleScope, Side, WhyNot};
use crate::model::{Closer, Model, PodFacts};
use crate::party::{AddressKind, Party, Situation, UnknownEnd};

/// The answer to one link with everything that led to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The same as [`Model::judge`] gives.
    pub judgement: Judgement,
    /// The sender's end.
    pub egress: EndExplanation,
    /// The receiver's end.
    pub ingress: EndExplanation,
    /// The objects that would open what is closed, one a namespace that has to consent; empty when
    /// the link is allowed, or when no consent can help.
    pub consents: Vec<Consent>,
    /// What would turn the verdict, the smallest change first.
    pub changes: Changes,
}

/// One end: what it says and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndExplanation {
    /// Which end.
    pub direction: Direction,
    /// The end, for people.
    pub end: String,
    /// What it says over objects in Enforce.
    pub enforced: Verdict,
    /// What it says over all objects.
    pub would_be: Verdict,
    /// The policies that close it, those in Audit included.
    pub closed_by: Vec<RuleRef>,
    /// The rules that act on it and are about this pod, in the order of decision.
    pub rules: Vec<RuleExplanation>,
    /// How many further rules act on this namespace but are about other pods.
    pub about_others: usize,
}

/// One rule: whether it covers the link, else why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleExplanation {
    /// The rule.
    pub rule: RuleRef,
    /// What it does with what it covers.
    pub action: RuleAction,
    /// Whether it covers the link; `None` when that is not known.
    pub covers: Option<bool>,
    /// One line for each condition that failed.
    pub why_not: Vec<String>,
    /// A likely slip of the pen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// A rule of the baseline tier, and what comes before it answers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_passed_over: bool,
}

/// What a rule does with what it covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[allow(missing_docs)]
pub enum RuleAction {
    Allow,
    Deny,
    /// Hands the link on to the next tier.
    Pass,
}

impl From<Action> for RuleAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Allow => Self::Allow,
            Action::Deny => Self::Deny,
        }
    }
}

impl From<TierAction> for RuleAction {
    fn from(action: TierAction) -> Self {
        match action {
            TierAction::Accept => Self::Allow,
            TierAction::Deny => Self::Deny,
            TierAction::Pass => Self::Pass,
        }
    }
}

impl Model {
    /// Explains what [`Model::judge`] says of `link`; `grant` is whom the proposed consent names.
    ///
    /// # Errors
    /// When an end is not in the input.
    pub fn explain(&self, link: &Link, now: Timestamp, grant: Grant) -> Result<Explanation, UnknownEnd> {
        let situation = self.situation(link, now)?;
        let judgement = self.judge_situation(&situation);
        let egress = self.explain_end(&situation, Direction::Egress, &judgement);
        let ingress = self.explain_end(&situation, Direction::Ingress, &judgement);
        let proposed = consent::propose(self, &situation, link, &judgement, grant);
        let policies: Vec<AccessPolicy> = proposed.iter().map(|(policy, _)| policy.clone()).collect();
        let changes = self.changes(&situation, link, &judgement, grant, &policies);
        let consents = proposed.into_iter().map(|(policy, opens)| Consent::new(&policy, opens)).collect();
        Ok(Explanation { judgement, egress, ingress, consents, changes })
    }

    fn explain_end(&self, situation: &Situation<'_>, direction: Direction, judgement: &Judgement) -> EndExplanation {
        let side = match direction {
            Direction::Ingress => Side::To,
            Direction::Egress => Side::From,
        };
        let of = |decision: &palisade_model::verdict::Decision| match direction {
            Direction::Ingress => decision.ingress.clone(),
            Direction::Egress => decision.egress.clone(),
        };
        let mut explanation = EndExplanation {
            direction,
            end: render_party(situation.party(side)),
            enforced: of(&judgement.enforced),
            would_be: of(&judgement.would_be),
            closed_by: Vec::new(),
            rules: Vec::new(),
            about_others: 0,
        };
        let Some(pod) = deciding_pod(situation, direction) else { return explanation };
        let closers: Vec<Closer> = Closing::new(self, pod, situation, direction, Objects::All).all().collect();
        explanation.closed_by = closers.iter().map(|closer| self.closer_ref(*closer, direction)).collect();
        explanation.rules.extend(self.explain_tier(pod, Tier::Admin, situation, direction));
        for action in [Action::Deny, Action::Allow] {
            for (policy, index, rule) in self.access_rules(pod, Rules::All, Objects::All, action) {
                match self.explain_access_rule(policy, index, rule, situation, side) {
                    Some(rule) => explanation.rules.push(rule),
                    None => explanation.about_others += 1,
                }
            }
        }
        for closer in closers {
            let Closer::NetworkPolicy(position) = closer else { continue };
            for index in 0..self.network_policy_rules(position, direction).len() {
                explanation.rules.push(self.explain_network_policy_rule(position, index, situation, direction));
            }
        }
        let is_asked = match &explanation.enforced {
            Verdict::Allow(Because::Open) => true,
            Verdict::Allow(Because::Rule { rule }) | Verdict::Deny(Because::Rule { rule }) => self.is_of_baseline(rule),
            Verdict::Undecided(_) => explanation.closed_by.is_empty(),
            Verdict::Allow(_) | Verdict::Deny(_) => false,
        };
        let baseline = self.explain_tier(pod, Tier::Baseline, situation, direction).into_iter();
        let baseline = baseline.map(|rule| RuleExplanation { is_passed_over: !is_asked, ..rule });
        explanation.rules.extend(baseline);
        explanation
    }

    /// `None` when the rule is about other pods than this end's.
    fn explain_access_rule(
        &self,
        policy: &AccessPolicy,
        index: usize,
        rule: &AccessRule,
        situation: &Situation<'_>,
        side: Side,
    ) -> Option<RuleExplanation> {
        let scope =
            RuleScope { namespace: policy.meta.reference.namespace.as_ref(), action: rule.action, ports: &rule.ports };
        let mut reference = access_ref(policy, index, rule, 0, 0);
        (reference.from_peer, reference.to_peer) = (None, None);
        let cover = self.covers(policy, index, rule, situation);
        let (covers, mut why_not) = match cover {
            Cover::Yes(rule) => {
                return Some(RuleExplanation {
                    rule,
                    action: policy.rules[index].action.into(),
                    covers: Some(true),
                    why_not: vec![],
                    hint: None,
                    is_passed_over: false,
                });
            }
            Cover::No(WhyNot::Expired) => {
                let at = rule.expires.map(|expires| expires.to_string()).unwrap_or_default();
                (Some(false), vec![format!("expired at {at}")])
            }
            Cover::No(WhyNot::HttpNotYet) => {
                (Some(false), vec!["`http` is not judged yet, so it grants nothing".to_owned()])
            }
            Cover::No(_) => (Some(false), Vec::new()),
            Cover::Unknown(missing) => (None, vec![format!("{missing}")]),
        };
        let mut about_this_end = false;
        let mut hint = None;
        for (peers, of, list) in [(&rule.from, Side::From, "from"), (&rule.to, Side::To, "to")] {
            let answers: Vec<Match> =
                peers.iter().map(|peer| matching::access_peer(self, scope, peer, situation, of)).collect();
            if of == side {
                about_this_end = answers.iter().any(concerns_pod);
            }
            if answers.iter().any(|answer| !matches!(answer, Match::No(_))) {
                continue;
            }
            for (position, (peer, answer)) in peers.iter().zip(answers).enumerate() {
                let Match::No(why) = answer else { continue };
                let text = self.render_access_mismatch(why, peer, scope, situation, of);
                why_not.push(format!("{list}[{position}] {text}"));
                hint = hint.or_else(|| selector_hint(peer_selector(peer), situation.party(of), why));
            }
        }
        if why_not.is_empty() {
            // Each list has a match, but no pair does: inside the pod a pair must name a process.
            why_not.push("a pod's own address is judged only by rules that name a container or program".to_owned());
        }
        about_this_end.then_some(RuleExplanation {
            rule: reference,
            action: rule.action.into(),
            covers,
            why_not,
            hint,
            is_passed_over: false,
        })
    }

    fn explain_network_policy_rule(
        &self,
        position: usize,
        index: usize,
        situation: &Situation<'_>,
        direction: Direction,
    ) -> RuleExplanation {
        let (side, list) = match direction {
            Direction::Ingress => (Side::From, "from"),
            Direction::Egress => (Side::To, "to"),
        };
        let policy = self.network_policy(position);
        let rule = &self.network_policy_rules(position, direction)[index];
        let mut reference = self.closer_ref(Closer::NetworkPolicy(position), direction);
        reference.rule = Some(crate::classes::interner::position_u32(index));
        reference.place = rule.place.clone();
        let (covers, mut why_not) = match self.network_policy_covers(position, index, situation, direction) {
            Cover::Yes(rule) => {
                return RuleExplanation {
                    rule,
                    action: RuleAction::Allow,
                    covers: Some(true),
                    why_not: vec![],
                    hint: None,
                    is_passed_over: false,
                };
            }
            Cover::No(_) => (Some(false), Vec::new()),
            Cover::Unknown(missing) => (None, vec![format!("{missing}")]),
        };
        let mut hint = None;
        let answers: Vec<Match> = rule
            .peers
            .iter()
            .map(|peer| matching::network_policy_peer(self, policy.meta.namespace(), peer, situation, side))
            .collect();
        let any = rule.peers.is_empty() || answers.iter().any(|answer| !matches!(answer, Match::No(_)));
        if !any {
            for (position, (peer, answer)) in rule.peers.iter().zip(answers).enumerate() {
                let Match::No(why) = answer else { continue };
                let text = render_network_policy_mismatch(why, peer, policy.meta.namespace(), situation.party(side));
                why_not.push(format!("{list}[{position}] {text}"));
                hint = hint.or_else(|| selector_hint(network_policy_selector(peer), situation.party(side), why));
            }
        }
        if let Match::No(why) = matching::ports(self, &rule.ports, situation) {
            why_not.push(render_ports(why, &rule.ports, situation));
        }
        RuleExplanation { rule: reference, action: RuleAction::Allow, covers, why_not, hint, is_passed_over: false }
    }

    fn render_access_mismatch(
        &self,
        why: WhyNot,
        peer: &Peer,
        scope: RuleScope<'_>,
        situation: &Situation<'_>,
        side: Side,
    ) -> String {
        let party = situation.party(side);
        let whom = render_party(party);
        let shown = render_peer(peer);
        let (container, program) = match party {
            Party::Pod { container, program, .. } => (which(container), which(program)),
            Party::Node { .. } | Party::Address { .. } => ("unknown".to_owned(), "unknown".to_owned()),
        };
        let pod = pod_of(party);
        let detail = match why {
            WhyNot::OwnNamespaceOnly => {
                format!("without `namespace` it means namespace `{}` alone", scope.namespace.map_or("", |name| name))
            }
            WhyNot::Workload => {
                pod.map_or_else(String::new, |pod| format!("{} belongs to {}", pod.full_name(), pod.workload))
            }
            WhyNot::ServiceAccount => pod.map_or_else(String::new, |pod| {
                format!("{} runs as service account `{}`", pod.full_name(), self.spec(pod).service_account_name())
            }),
            WhyNot::Labels | WhyNot::NamespaceLabels => match (peer_selector(peer), pod) {
                (Some(selector), Some(pod)) if why == WhyNot::Labels => {
                    format!("{whom} has {}", shown_labels(selector, &pod.labels))
                }
                _ => format!("the namespace of {whom} has other labels"),
            },
            WhyNot::Container if side == Side::To => {
                format!("{} of {whom} belongs to another container", situation.transport)
            }
            WhyNot::Container => format!("the container is {container}"),
            WhyNot::Program => format!("the program is {program}"),
            WhyNot::CidrOfKnownAddress => format!("a `cidr` never means pods, nodes or Services, and {whom} is one"),
            WhyNot::Port | WhyNot::Protocol | WhyNot::NamedPortMissing | WhyNot::NamedPortOfOther => {
                return format!("{shown} matches; {}", render_ports(why, scope.ports, situation));
            }
            WhyNot::ServicePort => {
                format!("{} is not behind the Service's ports that the rule names", situation.transport)
            }
            _ => plain_reason(why, &whom),
        };
        format!("{shown}: {detail}")
    }
}

fn pod_of<'m>(party: &Party<'m>) -> Option<&'m PodFacts> {
    match party {
        Party::Pod { pod, .. } => Some(pod),
        Party::Node { .. } | Party::Address { .. } => None,
    }
}

/// Whether the pod-level fields match and only container, program or port did not.
fn concerns_pod(answer: &Match) -> bool {
    match answer {
        Match::Yes | Match::Unknown(_) => true,
        Match::No(why) => matches!(
            why,
            WhyNot::Container
                | WhyNot::Program
                | WhyNot::Port
                | WhyNot::Protocol
                | WhyNot::NamedPortMissing
                | WhyNot::NamedPortOfOther
                | WhyNot::ServicePort
                | WhyNot::SenderUnproven
        ),
    }
}

fn which(which: &Which) -> String {
    match which {
        Which::Named(name) => format!("`{name}`"),
        Which::Other => "one that no policy names".to_owned(),
        Which::Unsaid => "not said".to_owned(),
    }
}

fn peer_selector(peer: &Peer) -> Option<&Selector> {
    match &peer.target {
        PeerTarget::Pods(pods) => pods.selector.as_ref(),
        PeerTarget::Cidr { .. } | PeerTarget::Entity(_) | PeerTarget::Fqdn(_) => None,
    }
}

fn network_policy_selector(peer: &NetworkPolicyPeer) -> Option<&Selector> {
    match &peer.target {
        NetworkPolicyTarget::Pods { pod_selector, .. } => pod_selector.as_ref(),
        NetworkPolicyTarget::IpBlock { .. } => None,
    }
}

fn selector_hint(selector: Option<&Selector>, party: &Party<'_>, why: WhyNot) -> Option<String> {
    if why != WhyNot::Labels {
        return None;
    }
    nearest(selector?, std::iter::once(&pod_of(party)?.labels))
}

fn render_network_policy_mismatch(why: WhyNot, peer: &NetworkPolicyPeer, namespace: &str, party: &Party<'_>) -> String {
    let whom = render_party(party);
    match &peer.target {
        NetworkPolicyTarget::IpBlock { cidr, .. } => match why {
            WhyNot::Except => format!("ipBlock {cidr}: {whom} lies in its `except`"),
            WhyNot::IpBlockOfNode => format!("ipBlock {cidr}: with this CNI it never means nodes, and {whom} is one"),
            WhyNot::IpBlockOfPod => format!("ipBlock {cidr}: with this CNI it never means pods, and {whom} is one"),
            _ => format!("ipBlock {cidr}: {}", plain_reason(why, &whom)),
        },
        NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => {
            render_pods_mismatch(why, pod_selector.as_ref(), namespace_selector.as_ref(), namespace, party)
        }
    }
}

/// Pods by selectors; without one for the namespace those of `namespace` are meant.
fn render_pods_mismatch(
    why: WhyNot,
    pod_selector: Option<&Selector>,
    namespace_selector: Option<&Selector>,
    namespace: &str,
    party: &Party<'_>,
) -> String {
    let whom = render_party(party);
    let pods = pod_selector.map_or_else(|| "every pod".to_owned(), |selector| format!("pods `{selector}`"));
    let shown = match namespace_selector {
        None => format!("{pods} of namespace `{namespace}`"),
        Some(selector) => format!("{pods} of namespaces `{selector}`"),
    };
    let everything = Selector::default();
    let detail = match (why, pod_of(party)) {
        (WhyNot::Labels, Some(pod)) => {
            format!("{whom} has {}", shown_labels(pod_selector.unwrap_or(&everything), &pod.labels))
        }
        (WhyNot::NamespaceLabels, Some(pod)) => {
            let selector = namespace_selector.unwrap_or(&everything);
            format!("namespace `{}` has {}", pod.namespace, shown_labels(selector, &pod.namespace_labels))
        }
        (WhyNot::OwnNamespaceOnly, Some(pod)) => format!("{whom} is in `{}`", pod.namespace),
        _ => plain_reason(why, &whom),
    };
    format!("{shown}: {detail}")
}

/// The labels that the selector asks for, as the object has them.
fn shown_labels(selector: &Selector, labels: &Labels) -> String {
    let keys =
        selector.match_labels.0.keys().chain(selector.match_expressions.iter().map(|requirement| &requirement.key));
    let shown: Vec<String> = keys
        .map(|key| match labels.value(key) {
            Some(value) => format!("`{key}={value}`"),
            None => format!("no label `{key}`"),
        })
        .collect();
    shown.join(", ")
}

fn plain_reason(why: WhyNot, whom: &str) -> String {
    match why {
        WhyNot::NotAPod => format!("it names pods, and {whom} is none"),
        WhyNot::NoAddress => format!("{whom} has ended and has no address"),
        WhyNot::OwnNamespaceOnly | WhyNot::Namespace => format!("{whom} is in another namespace"),
        WhyNot::NamespaceLabels => format!("the namespace of {whom} has other labels"),
        WhyNot::Labels => format!("{whom} has other labels"),
        WhyNot::Workload => format!("{whom} belongs to another workload"),
        WhyNot::ServiceAccount => format!("{whom} runs as another service account"),
        WhyNot::Container => format!("{whom} is another container"),
        WhyNot::Program => format!("{whom} is another program"),
        WhyNot::SenderUnproven => format!("this node cannot tell the containers and programs of {whom} apart"),
        WhyNot::NotABackend => format!("{whom} is not behind that Service"),
        WhyNot::Family => format!("{whom} is of the other address family"),
        WhyNot::Cidr => format!("{whom} lies outside"),
        WhyNot::Except => format!("{whom} lies in its `except`"),
        WhyNot::CidrOfKnownAddress | WhyNot::IpBlockOfPod | WhyNot::IpBlockOfNode => {
            format!("{whom} is a known party, not just an address")
        }
        WhyNot::Entity => format!("{whom} is not that party"),
        WhyNot::FqdnNotYet => "`fqdn` is not resolved yet, so it grants nothing".to_owned(),
        WhyNot::HttpNotYet => "`http` is not judged yet, so it grants nothing".to_owned(),
        WhyNot::Expired => "it has expired".to_owned(),
        WhyNot::Protocol | WhyNot::Port => "the port is another".to_owned(),
        WhyNot::NamedPortOfOther => format!("a named port means pods, and {whom} is none"),
        WhyNot::NamedPortMissing => format!("{whom} declares no port of that name"),
        WhyNot::ServicePort => "the port is not one of that Service".to_owned(),
        WhyNot::NotANode => format!("it names nodes, and {whom} is none"),
        WhyNot::UnknownPeer => "it is of another version of the API, so an Accept matches nothing by it".to_owned(),
        WhyNot::NotInsidePod => "inside the pod only rules that name a container or program judge".to_owned(),
    }
}

fn render_ports(why: WhyNot, ports: &[PortRule], situation: &Situation<'_>) -> String {
    let listed: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let tail = match why {
        WhyNot::NamedPortMissing => ", and the receiver declares no port of that name",
        WhyNot::NamedPortOfOther => ", and a named port means pods alone",
        _ => "",
    };
    format!("ports are {}; the link is {}{tail}", listed.join(", "), situation.transport)
}

/// An end for people: `namespace/name`, a node, an address and what it is.
pub(crate) fn render_party(party: &Party<'_>) -> String {
    match party {
        Party::Pod { pod, .. } => pod.full_name(),
        Party::Node { name: Some(name), .. } => format!("node {name}"),
        Party::Node { name: None, .. } => "a node".to_owned(),
        Party::Address { address, kind } => match kind {
            AddressKind::World => format!("{address} (world)"),
            AddressKind::Service => format!("{address} (a Service)"),
            AddressKind::Metadata => format!("{address} (metadata)"),
            AddressKind::LinkLocal => format!("{address} (link-local)"),
            AddressKind::Loopback => format!("{address} (loopback)"),
        },
    }
}
