//! One link on a way in, judged for everybody who may come by it.

use std::net::IpAddr;

use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::verdict::{Because, Direction, Judgement, Missing, Verdict};
use palisade_model::{IpNet, Timestamp};
use serde::Serialize;

use super::Guard;
use crate::dial::{Backend, BackendEnd};
use crate::doors::{Door, Source};
use crate::judge::{Objects, Rules};
use crate::model::{Model, PodFacts, PodIndex};
use crate::outside::Region;
use crate::party::{AddressKind, Party};

/// One link of a way in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Who connects: `world`, an address, or a pod with its container and program.
    pub from: String,
    /// Who is reached.
    pub to: String,
    /// The port that is reached; `None` where it does not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The end that gave the verdict.
    pub end: Direction,
    /// What policy says.
    pub verdict: Verdict,
    /// What it would say with the objects in Audit enforced, where that is another word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_be: Option<Verdict>,
    /// The blocks whose addresses alone pass; empty: it does not depend on that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_from: Vec<IpNet>,
    /// The blocks whose addresses do not pass, though others do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_from: Vec<IpNet>,
    /// Whether nothing in the input leads there, and it is taken that something does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_assumed: bool,
}

impl Step {
    /// A step about which a fact is missing.
    pub(super) fn unknown(from: &str, to: String, backend: &Backend, missing: Missing) -> Self {
        let verdict = Verdict::Undecided(missing);
        Self { port: Some(backend.port), verdict, is_assumed: false, ..Self::assumed(to) }.from(from)
    }

    /// From outside to who serves a door, when the input does not say how.
    pub(super) fn assumed(to: String) -> Self {
        Self {
            from: "world".to_owned(),
            to,
            port: None,
            end: Direction::Ingress,
            verdict: Verdict::Allow(Because::Open),
            would_be: None,
            only_from: Vec::new(),
            not_from: Vec::new(),
            is_assumed: true,
        }
    }

    fn from(self, from: &str) -> Self {
        Self { from: from.to_owned(), ..self }
    }

    /// The policies that have a say at it.
    pub(super) fn guards(&self) -> Vec<Guard> {
        let rule = self.verdict.rule();
        rule.map(|rule| Guard::Policy { rule: rule.to_string(), place: rule.place.clone() }).into_iter().collect()
    }
}

/// Who comes, and what a pod may see of them.
pub(super) struct Outsiders {
    pub(super) regions: Vec<Region>,
    /// Addresses that may stand in place of the sender's: of nodes, or any when no node is known.
    pub(super) translated: Vec<Region>,
    pub(super) now: Timestamp,
}

impl Model {
    /// From outside by `door` to `backend`; `None` when nobody of the pod's family comes by it.
    pub(super) fn step_from_outside(&self, outsiders: &Outsiders, door: &Door, backend: &Backend) -> Option<Step> {
        let may_come = |region: &&Region| {
            let ranges = &door.source_ranges;
            ranges.is_empty() || ranges.iter().any(|range| range.contains(&region.address))
        };
        let mut regions = self.told_apart(&outsiders.regions, self.pod_behind(backend), &door.source_ranges);
        regions.retain(|region| may_come(&region) && self.has_family(backend, region.address));
        let judged: Vec<(&Region, Judgement)> =
            regions.iter().map(|region| (region, self.judge_from(region.address, backend, outsiders.now))).collect();
        let mut step = self.summary(&judged, self.backend_name(backend), backend)?;
        if door.source == Source::Perhaps && self.depends_on_source(&judged, outsiders, backend) {
            let service = door.service.as_ref().map_or_else(String::new, |service| service.name.clone());
            step.verdict = Verdict::Undecided(Missing::SourceTranslation { service });
            (step.only_from, step.not_from) = (Vec::new(), Vec::new());
        }
        Some(step)
    }

    /// From a provider's load balancer, whose address is not known.
    pub(super) fn step_from_provider(&self, outsiders: &Outsiders, door: &Door, backend: &Backend) -> Option<Step> {
        let step = self.step_from_outside(outsiders, &Door { source: Source::Perhaps, ..door.clone() }, backend)?;
        Some(Step { from: "the provider's load balancer".to_owned(), ..step })
    }

    /// From a pod that serves a door, by whichever of its processes gets furthest.
    pub(super) fn step_from_pod(&self, index: PodIndex, backend: &Backend, now: Timestamp) -> Step {
        let pod = self.pod(index);
        let mut best: Option<Step> = None;
        for container in self.spec(pod).containers.iter().map(|container| &container.name) {
            let named = self.named_programs(pod, container).into_iter().map(Which::Named);
            for program in named.chain([Which::Other]) {
                let from = End::Pod(PodEnd {
                    namespace: pod.namespace.clone(),
                    name: pod.name.clone(),
                    container: Which::Named(container.clone()),
                    program: program.clone(),
                    address: None,
                });
                let shown = match &program {
                    Which::Named(path) => format!("{}:{container}:{path}", pod.full_name()),
                    Which::Other | Which::Unsaid => pod.full_name(),
                };
                let Some(judgement) = self.judge_backend(from, backend, now) else { continue };
                let step = step_of(&judgement, self.backend_name(backend), backend).from(&shown);
                if best.as_ref().is_none_or(|best| rank(&step.verdict) < rank(&best.verdict)) {
                    best = Some(step);
                }
            }
        }
        best.unwrap_or_else(|| Step::assumed(self.backend_name(backend)).from(&pod.full_name()))
    }

    fn judge_backend(&self, from: End, backend: &Backend, now: Timestamp) -> Option<Judgement> {
        let to = self.backend_end(backend);
        self.judge(&Link { from, to, protocol: backend.protocol, port: backend.port }, now).ok()
    }

    /// What `backend` says to an address, whoever's it is: that of a node shows no socket of the node.
    fn judge_from(&self, address: IpAddr, backend: &Backend, now: Timestamp) -> Judgement {
        let to = self.backend_end(backend);
        let link = Link { from: End::Address(address), to, protocol: backend.protocol, port: backend.port };
        let mut situation = self.situation(&link, now).expect("a backend is in the input, and an address needs not be");
        if let Party::Node { .. } = situation.from {
            situation.from = Party::Address { address, kind: AddressKind::World };
        }
        let end = |direction, objects| self.judge_end(&situation, direction, objects, Rules::All);
        let decision = |objects| palisade_model::verdict::Decision {
            egress: end(Direction::Egress, objects),
            ingress: end(Direction::Ingress, objects),
        };
        Judgement { enforced: decision(Objects::Enforced), would_be: decision(Objects::All) }
    }

    fn pod_behind(&self, backend: &Backend) -> Option<&PodFacts> {
        match backend.end {
            BackendEnd::Pod(index) => Some(self.pod(index)),
            BackendEnd::Address(_) => None,
        }
    }

    fn has_family(&self, backend: &Backend, address: IpAddr) -> bool {
        let own = match backend.end {
            BackendEnd::Pod(index) => self.pod(index).addresses.as_slice(),
            BackendEnd::Address(own) => &[own],
        };
        // What has no address yet will have one of the first family, as in most clusters.
        if own.is_empty() { address.is_ipv4() } else { own.iter().any(|own| own.is_ipv4() == address.is_ipv4()) }
    }

    /// Whether it makes a difference that the pod may see a node's address.
    fn depends_on_source(&self, judged: &[(&Region, Judgement)], outsiders: &Outsiders, backend: &Backend) -> bool {
        let word = |judgement: &Judgement| judgement.enforced.link().1.word();
        let Some((_, first)) = judged.first() else { return false };
        let sources = self.told_apart(&outsiders.translated, self.pod_behind(backend), &[]);
        let mut sources =
            sources.into_iter().map(|region| region.address).filter(|address| self.has_family(backend, *address));
        judged.iter().any(|(_, other)| word(other) != word(first))
            || sources.any(|address| word(&self.judge_from(address, backend, outsiders.now)) != word(first))
    }

    /// What holds for the regions together.
    fn summary(&self, judged: &[(&Region, Judgement)], to: String, backend: &Backend) -> Option<Step> {
        let is_allowed = |(_, judgement): &&(&Region, Judgement)| judgement.enforced.is_allowed();
        let blocks = |wanted: bool| {
            let found = judged.iter().filter(|of| is_allowed(of) == wanted).filter_map(|(region, _)| region.block);
            found.collect::<Vec<_>>()
        };
        let main = judged.first()?;
        let passes = judged.iter().find(is_allowed);
        let from = main.0.block.map_or_else(|| self.shown_source(main.0.address), |block| block.to_string());
        // Outside nobody decides: what passes, passes as the receiver's end says.
        let step = |judgement: &Judgement| {
            let step = step_of(judgement, to.clone(), backend).from(&from);
            match judgement.enforced.is_allowed() {
                true => Step { end: Direction::Ingress, verdict: judgement.enforced.ingress.clone(), ..step },
                false => step,
            }
        };
        Some(match passes {
            Some(_) if is_allowed(&main) => Step { not_from: blocks(false), ..step(&main.1) },
            Some((_, judgement)) => Step { only_from: blocks(true), ..step(judgement) },
            None => step(&main.1),
        })
    }

    fn shown_source(&self, address: IpAddr) -> String {
        if self.world_address(address.is_ipv4()) == Some(address) { "world".to_owned() } else { address.to_string() }
    }
}

fn step_of(judgement: &Judgement, to: String, backend: &Backend) -> Step {
    let (end, verdict) = judgement.enforced.link();
    let would_be = judgement.would_be.link().1;
    Step {
        from: String::new(),
        to,
        port: Some(backend.port),
        end,
        verdict: verdict.clone(),
        would_be: (would_be.word() != verdict.word()).then(|| would_be.clone()),
        only_from: Vec::new(),
        not_from: Vec::new(),
        is_assumed: false,
    }
}

/// Of two verdicts that which lets more through.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Allow(because) if because.rule().is_none() => 0,
        Verdict::Allow(_) => 1,
        Verdict::Undecided(_) => 2,
        Verdict::Deny(_) => 3,
    }
}
