//! What one end answers on every port: asked once for all pairs that the end cannot tell apart.

use std::collections::BTreeSet;

use palisade_model::Timestamp;
use palisade_model::port::{PortMatch, Protocol};
use palisade_model::verdict::Direction;

use super::Carrier;
use super::end_decisions::{EndDecision, EndDecisionId, EndDecisions};
use super::interner::Interner;
use super::mentions::Mention;
use super::sides::{Describer, FromSide, ToSide};
use super::standing::{DOES_NOT_DECIDE, PortsMeaning};
use crate::judge::{Cover, Objects, Relevant, Rules};
use crate::maps::HashMap;
use crate::model::{Model, PodFacts, PodIndex};
use crate::party::{Party, Situation, Transport};
use crate::rule_index::RuleNumber;

/// The number of an end's table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct EndTableId(u32);

/// Ports with one answer of an end, from here to the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct EndSpan {
    pub(crate) first: u16,
    pub(crate) decision: EndDecisionId,
}

/// Whether a receiver that is the sender's own pod is reached as itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum OwnAddress {
    Yes,
    No,
}

/// All that an end's answer depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Question {
    direction: Direction,
    standing: u32,
    /// Of the other end.
    look: u32,
    own: OwnAddress,
    /// Rules that name both ends, by which peers of the senders' list and of the receivers'.
    access: Vec<(RuleNumber, u32, u32)>,
    network: Vec<Mention>,
    ports: PortsMeaning,
}

/// The peers of a rule that names everyone.
const EVERYONE: u32 = u32::MAX;

/// Answers of ends, each question once.
#[derive(Default)]
pub(crate) struct Ends {
    answers: HashMap<Question, [EndTableId; 4]>,
    tables: Interner<Vec<EndSpan>>,
    receiver_ports: HashMap<(PodIndex, Protocol), BTreeSet<u16>>,
}

impl Ends {
    pub(crate) fn table(&self, id: EndTableId) -> &[EndSpan] {
        self.tables.value(id.0)
    }

    /// What a table says of `port`.
    pub(crate) fn at(&self, id: EndTableId, port: u16) -> EndDecisionId {
        let spans = self.table(id);
        spans[spans.partition_point(|span| span.first <= port) - 1].decision
    }

    /// What the end of `direction` answers, by each carrier in the order of [`Carrier::ALL`].
    pub(crate) fn answer<'m>(
        &mut self,
        describer: &Describer<'m>,
        decisions: &mut EndDecisions,
        direction: Direction,
        (from, to): (&FromSide<'m>, &ToSide<'m>),
        own: OwnAddress,
    ) -> [EndTableId; 4] {
        let question = question(describer, direction, from, to, own);
        self.answer_question(describer, decisions, (from, to), question)
    }

    /// What the end of `direction` answers when of its rules only those hold that name everyone.
    pub(crate) fn answer_unnamed<'m>(
        &mut self,
        describer: &Describer<'m>,
        decisions: &mut EndDecisions,
        direction: Direction,
        (from, to): (&FromSide<'m>, &ToSide<'m>),
    ) -> [EndTableId; 4] {
        let mut question = question(describer, direction, from, to, OwnAddress::No);
        question.access.clear();
        question.network.retain(|mention| mention.peers == EVERYONE);
        question.ports = question_ports(describer, &question, to);
        self.answer_question(describer, decisions, (from, to), question)
    }

    fn answer_question<'m>(
        &mut self,
        describer: &Describer<'m>,
        decisions: &mut EndDecisions,
        (from, to): (&FromSide<'m>, &ToSide<'m>),
        question: Question,
    ) -> [EndTableId; 4] {
        let (direction, own) = (question.direction, question.own);
        if let Some(tables) = self.answers.get(&question) {
            return *tables;
        }
        let asked = Asked { describer, direction, from, to, own, question: &question };
        let tables = Carrier::ALL.map(|carrier| {
            let spans = self.spans(decisions, &asked, carrier);
            EndTableId(self.tables.intern(spans))
        });
        self.answers.insert(question, tables);
        tables
    }

    fn spans<'m>(&mut self, decisions: &mut EndDecisions, asked: &Asked<'_, 'm>, carrier: Carrier) -> Vec<EndSpan> {
        let Some(protocol) = carrier.protocol() else {
            let situation = asked.situation(Transport::Portless);
            let rules = asked.relevant(&situation);
            return vec![EndSpan { first: 0, decision: asked.decide(decisions, situation, &rules) }];
        };
        let mut situation = asked.situation(Transport::AnyPort(protocol));
        let rules = asked.relevant(&situation);
        let mut starts = self.breakpoints(asked.describer.model, &asked.to.party, protocol);
        rule_ports(asked.describer.model, &rules, asked.direction, protocol, &mut starts);
        if let Some(standing) = asked.describer.standings.standing(asked.question.standing) {
            for range in standing
                .tiers
                .iter()
                .flat_map(|tier| asked.describer.model.tier_ranges(tier, asked.direction, protocol))
            {
                add_range(&mut starts, range.first(), range.last());
            }
        }
        let mut spans: Vec<EndSpan> = Vec::new();
        for port in starts {
            situation.transport = Transport::Port { protocol, port };
            let decision = asked.decide(decisions, situation.clone(), &rules);
            if spans.last().is_none_or(|before| before.decision != decision) {
                spans.push(EndSpan { first: port, decision });
            }
        }
        spans
    }

    /// The ports at which the answer can change, whatever the rules: 0 always, those that the receiver
    /// declares or that Services reach, and those of DNS and the API server.
    fn breakpoints(&mut self, model: &Model, to: &Party<'_>, protocol: Protocol) -> BTreeSet<u16> {
        let mut starts = BTreeSet::from([0]);
        if let Party::Pod { pod, .. } = to {
            let ports = self.receiver_ports.entry((pod.index, protocol));
            starts.extend(ports.or_insert_with(|| receiver_ports(model, pod, protocol)).iter());
        }
        let mut single = |port: u16| add_range(&mut starts, port, port);
        model.apiserver_endpoints.iter().filter_map(|endpoint| endpoint.port).for_each(&mut single);
        model.dns_backends.iter().for_each(|backend| single(backend.port));
        starts
    }
}

fn question<'m>(
    describer: &Describer<'m>,
    direction: Direction,
    from: &FromSide<'m>,
    to: &ToSide<'m>,
    own: OwnAddress,
) -> Question {
    let (standing, scope, look, others) = match direction {
        Direction::Egress => (from.facts.standing, from.facts.scope, to.facts.look, &to.facts.network),
        Direction::Ingress => (to.facts.standing, to.facts.scope, from.facts.look, &from.facts.network),
    };
    let mut question = Question {
        direction,
        standing,
        look,
        own,
        access: Vec::new(),
        network: Vec::new(),
        ports: PortsMeaning::default(),
    };
    let Some(decider) = describer.standings.standing(standing) else {
        debug_assert_eq!(standing, DOES_NOT_DECIDE);
        question.look = 0;
        return question;
    };
    if let Some(scope) = scope {
        question.access = common(&from.facts.access, &to.facts.access);
        question.access.retain(|(rule, _, _)| describer.model.rules.acts_on(*rule, scope));
    }
    // No NetworkPolicy closes a pod towards itself: see `Model::closing`.
    if own == OwnAddress::No {
        question.network = named_by(&decider.network_rules, others);
        if !decider.open_network_rules.is_empty() {
            let open = decider.open_network_rules.iter().map(|rule| Mention { rule: *rule, peers: EVERYONE });
            question.network.extend(open);
            question.network.sort_unstable_by_key(|mention| mention.rule);
        }
    }
    question.ports = question_ports(describer, &question, to);
    question
}

/// What of the receiver's ports the rules of `question` ask.
fn question_ports(describer: &Describer<'_>, question: &Question, to: &ToSide<'_>) -> PortsMeaning {
    let mut ports = PortsMeaning::default();
    let probed = describer.standings.look(question.look).node.is_some();
    let by_access = describer.access_asks_of(question.access.iter().map(|(rule, _, _)| *rule));
    let by_network = describer.network_asks_of(question.direction, question.network.iter().map(|mention| mention.rule));
    let asks = by_access.or(by_network).or(describer.tier_asks);
    // Of a node's sockets the kubelet's are told by what they probe.
    if asks.containers || (probed && question.direction == Direction::Ingress) {
        ports.containers = to.facts.ports.containers;
    }
    if asks.services {
        ports.services = to.facts.ports.services;
    }
    ports
}

/// The rules that both lists name; both are in order.
fn common(from: &[Mention], to: &[Mention]) -> Vec<(RuleNumber, u32, u32)> {
    let (fewer, more) = if from.len() <= to.len() { (from, to) } else { (to, from) };
    let mut common = Vec::new();
    let mut rest = more;
    for mention in fewer {
        let position = rest.partition_point(|other| other.rule < mention.rule);
        rest = &rest[position..];
        let Some(other) = rest.first() else { break };
        if other.rule == mention.rule {
            let (from, to) = if from.len() <= to.len() { (mention, other) } else { (other, mention) };
            common.push((mention.rule, from.peers, to.peers));
        }
    }
    common
}

/// Those of `mentions` whose rule is in `rules`; both are in order.
fn named_by(rules: &[RuleNumber], mentions: &[Mention]) -> Vec<Mention> {
    if rules.len() <= mentions.len() {
        let find = |rule: &RuleNumber| mentions.binary_search_by_key(rule, |mention| mention.rule).ok();
        rules.iter().filter_map(find).map(|position| mentions[position]).collect()
    } else {
        mentions.iter().copied().filter(|mention| rules.binary_search(&mention.rule).is_ok()).collect()
    }
}

/// A question with ends that stand for all to which it applies.
struct Asked<'a, 'm> {
    describer: &'a Describer<'m>,
    direction: Direction,
    from: &'a FromSide<'m>,
    to: &'a ToSide<'m>,
    own: OwnAddress,
    question: &'a Question,
}

impl<'m> Asked<'_, 'm> {
    fn situation(&self, transport: Transport) -> Situation<'m> {
        Situation {
            from: self.from.party.clone(),
            to: self.to.party.clone(),
            transport,
            now: self.describer.now,
            own_address: self.own == OwnAddress::Yes,
            sender_proof: self.from.proof,
        }
    }

    /// Of the rules that name both ends, those that could cover them by the carrier of `situation`.
    fn relevant(&self, situation: &Situation<'m>) -> Relevant<'m> {
        let model = self.describer.model;
        let access = self.question.access.iter().map(|(rule, _, _)| model.access_rule(*rule));
        let network = model.rules.network(self.direction);
        let network = self.question.network.iter().map(|mention| network.rules.at(mention.rule));
        Relevant {
            access: access
                .filter(|(policy, index, rule)| !matches!(model.covers(policy, *index, rule, situation), Cover::No(_)))
                .collect(),
            network: network
                .filter(|(position, index)| {
                    let cover = model.network_policy_covers(*position, *index, situation, self.direction);
                    !matches!(cover, Cover::No(_))
                })
                .collect(),
        }
    }

    /// The answer now, chained to what follows at each instant at which an Allow ends.
    fn decide(
        &self,
        decisions: &mut EndDecisions,
        mut situation: Situation<'m>,
        rules: &Relevant<'m>,
    ) -> EndDecisionId {
        let model = self.describer.model;
        let ends = rules.access.iter().filter_map(|(_, _, rule)| rule.expires);
        let later: BTreeSet<Timestamp> = ends.filter(|expires| *expires > self.describer.now).collect();
        let mut following: Option<(Timestamp, EndDecisionId)> = None;
        for instant in later.into_iter().rev().chain([self.describer.now]) {
            situation.now = instant;
            let judge = |objects| model.judge_end(&situation, self.direction, objects, Rules::Relevant(rules));
            let enforced = decisions.add_verdict(judge(Objects::Enforced));
            let would_be = if model.has_audit { decisions.add_verdict(judge(Objects::All)) } else { enforced };
            let unchanged = following.filter(|(_, id)| decisions.end(*id).says(enforced, would_be));
            let id = match unchanged {
                Some((_, id)) => id,
                None => decisions.add_end(EndDecision { enforced, would_be, expires: following }),
            };
            following = Some((instant, id));
        }
        following.expect("now is one of the instants").1
    }
}

/// The ports that the receiver declares, that its probes ask and that Services reach.
fn receiver_ports(model: &Model, pod: &PodFacts, protocol: Protocol) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    let mut single = |port: u16| add_range(&mut ports, port, port);
    for container in &model.spec(pod).containers {
        let declared = container.ports.iter().filter(|port| port.protocol == protocol);
        declared.for_each(|port| single(port.number));
        container.probes().filter_map(|probe| probe.tcp_port(container)).for_each(&mut single);
    }
    for service in model.services_before(pod).into_iter().map(|position| &model.inventory.services[position]) {
        for port in service.ports.iter().filter(|port| port.protocol == protocol) {
            model.target_ports(service, port, pod).into_iter().for_each(&mut single);
        }
    }
    ports
}

/// Adds the ports at which the numbers of `rules` begin and end.
fn rule_ports(
    model: &Model,
    rules: &Relevant<'_>,
    direction: Direction,
    protocol: Protocol,
    starts: &mut BTreeSet<u16>,
) {
    let network =
        rules.network.iter().map(|(position, index)| &model.network_policy_rules(*position, direction)[*index]);
    let lists = rules.access.iter().map(|(_, _, rule)| &rule.ports).chain(network.map(|rule| &rule.ports));
    for rule in lists.flatten().filter(|rule| rule.protocol == protocol) {
        if let PortMatch::Range(range) = rule.port {
            add_range(starts, range.first(), range.last());
        }
    }
}

fn add_range(ports: &mut BTreeSet<u16>, first: u16, last: u16) {
    ports.insert(first);
    ports.extend(last.checked_add(1));
}
