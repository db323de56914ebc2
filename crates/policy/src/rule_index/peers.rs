//! Who is named by which peers of rules.

use std::collections::BTreeMap;
use std::net::IpAddr;

use palisade_model::access_policy::{Entity, PeerTarget, PodPeer};
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::object::Name;
use palisade_model::{IpNet, Labels, Selector};

use super::RuleNumber;
use crate::maps::HashMap;
use crate::matching::{self, Match, NAMESPACE_NAME_LABEL, Side};
use crate::model::{Model, PodFacts};
use crate::party::Party;

/// A peer of a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PeerAt {
    pub(crate) rule: RuleNumber,
    /// The position of the policy, which tells the same: it is asked for without a look at the rule.
    pub(crate) policy: u32,
    pub(crate) peer: u32,
    /// Whether every pod that it is found for is one that it names: the index asks all that the peer asks. For pods
    /// that decide, in namespaces whose labels are known.
    pub(crate) is_exact: bool,
}

/// Finds the peers of one list of the rules that could name a party. Every list of peers is in order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct PeerIndex {
    in_namespace: HashMap<Name, PodPeers>,
    /// Those that ask for labels of the namespace, by what they ask for.
    in_namespaces: BTreeMap<Selector, PodPeers>,
    blocks: HashMap<IpNet, Vec<PeerAt>>,
    /// How many blocks there are of each length, of IPv4 and of IPv6.
    lengths: [BTreeMap<u8, usize>; 2],
    /// Each peer that names a block, for a party whose address is not known.
    all_blocks: Vec<PeerAt>,
    /// Whose addresses blocks name.
    reach: BlockReach,
    entities: [Vec<PeerAt>; Entity::ALL.len()],
}

/// Whose addresses the blocks of a kind of policy name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockReach {
    /// Only what is no pod, node or Service.
    Outside,
    /// Everybody's.
    Everybody,
}

/// Peers by one thing that they ask of a pod, the one that the fewest pods have.
#[derive(Clone, Default, Debug)]
struct PodPeers {
    by_workload: HashMap<Name, Vec<PeerAt>>,
    by_label: HashMap<Name, HashMap<Name, Vec<PeerAt>>>,
    by_account: HashMap<Name, Vec<PeerAt>>,
    others: Vec<PeerAt>,
}

/// What a peer asks of a pod.
#[derive(Clone, Copy, Debug)]
enum Asks<'p> {
    Workload(&'p Name),
    /// One at least.
    Labels(&'p Labels),
    Account(&'p Name),
    Nothing,
}

/// What is done with a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doing {
    Add,
    Remove,
}

impl PeerIndex {
    pub(super) fn new(reach: BlockReach) -> Self {
        Self {
            in_namespace: HashMap::default(),
            in_namespaces: BTreeMap::new(),
            blocks: HashMap::default(),
            lengths: [BTreeMap::new(), BTreeMap::new()],
            all_blocks: Vec::new(),
            reach,
            entities: [const { Vec::new() }; Entity::ALL.len()],
        }
    }

    pub(super) fn note_access(&mut self, doing: Doing, at: PeerAt, target: &PeerTarget, own: Option<&Name>) {
        match target {
            PeerTarget::Pods(fields) => self.note_pods(doing, at, fields, own),
            PeerTarget::Cidr { cidr, .. } => self.note_block(doing, at, cidr),
            PeerTarget::Entity(entity) => doing.to(&mut self.entities[*entity as usize], at),
            // Names nobody yet.
            PeerTarget::Fqdn(_) => {}
        }
    }

    fn note_pods(&mut self, doing: Doing, at: PeerAt, fields: &PodPeer, own: Option<&Name>) {
        let labels =
            fields.selector.as_ref().map(|selector| &selector.match_labels).filter(|labels| !labels.0.is_empty());
        let asks = match (&fields.workload, labels, &fields.service_account) {
            (Some(workload), _, _) => Asks::Workload(&workload.name),
            (None, Some(labels), _) => Asks::Labels(labels),
            (None, None, Some(account)) => Asks::Account(account),
            (None, None, None) => Asks::Nothing,
        };
        match (&fields.namespace, &fields.namespace_selector, own) {
            (Some(namespace), _, _) => self.note_in(namespace, doing, at, asks),
            (None, Some(selector), _) => self.note_where(selector, doing, at, asks),
            (None, None, Some(own)) => self.note_in(own, doing, at, asks),
            // Of a cluster-wide policy such a peer names nobody.
            (None, None, None) => {}
        }
    }

    pub(super) fn note_network(&mut self, doing: Doing, at: PeerAt, target: &NetworkPolicyTarget, own: Option<&Name>) {
        match target {
            NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => {
                let labels =
                    pod_selector.as_ref().map(|selector| &selector.match_labels).filter(|labels| !labels.0.is_empty());
                let is_one_label =
                    |selector: &Selector| selector.match_expressions.is_empty() && selector.match_labels.0.len() <= 1;
                // A selector of namespaces is asked whole, unless it names one.
                let by_name = |selector: &Selector| selector.match_labels.0.contains_key(NAMESPACE_NAME_LABEL);
                let in_exact_namespaces =
                    namespace_selector.as_ref().is_none_or(|selector| !by_name(selector) || is_one_label(selector));
                let is_exact = in_exact_namespaces && pod_selector.as_ref().is_none_or(is_one_label);
                let at = PeerAt { is_exact, ..at };
                let asks = labels.map_or(Asks::Nothing, Asks::Labels);
                match (namespace_selector, own) {
                    (Some(selector), _) => self.note_where(selector, doing, at, asks),
                    (None, Some(own)) => self.note_in(own, doing, at, asks),
                    (None, None) => {}
                }
            }
            NetworkPolicyTarget::IpBlock { cidr, .. } => self.note_block(doing, at, cidr),
        }
    }

    fn note_in(&mut self, namespace: &Name, doing: Doing, at: PeerAt, asks: Asks<'_>) {
        let peers = self.in_namespace.entry(namespace.clone()).or_default();
        peers.note(doing, at, asks);
        if peers.is_empty() {
            self.in_namespace.remove(namespace);
        }
    }

    /// The peers in namespaces with the labels; of one alone when they name it.
    fn note_where(&mut self, selector: &Selector, doing: Doing, at: PeerAt, asks: Asks<'_>) {
        if let Some(namespace) = selector.match_labels.0.get(NAMESPACE_NAME_LABEL) {
            return self.note_in(namespace, doing, at, asks);
        }
        if !self.in_namespaces.contains_key(selector) {
            self.in_namespaces.insert(selector.clone(), PodPeers::default());
        }
        let peers = self.in_namespaces.get_mut(selector).expect("it was just put there");
        peers.note(doing, at, asks);
        if peers.is_empty() {
            self.in_namespaces.remove(selector);
        }
    }

    fn note_block(&mut self, doing: Doing, at: PeerAt, block: &IpNet) {
        let block = block.trunc();
        let lengths = &mut self.lengths[usize::from(block.addr().is_ipv6())];
        doing.to(&mut self.all_blocks, at);
        let of_block = self.blocks.entry(block).or_default();
        let was_empty = of_block.is_empty();
        doing.to(of_block, at);
        if of_block.is_empty() {
            self.blocks.remove(&block);
            let count = lengths.get_mut(&block.prefix_len()).expect("it was counted");
            *count -= 1;
            if *count == 0 {
                lengths.remove(&block.prefix_len());
            }
        } else if was_empty {
            *lengths.entry(block.prefix_len()).or_default() += 1;
        }
    }

    /// Follows rules and policies to where they stand now; their order stays.
    pub(super) fn renumber(&mut self, renumber: impl Fn(&mut PeerAt)) {
        let of_pods = self.in_namespace.values_mut().chain(self.in_namespaces.values_mut()).flat_map(|peers| {
            let by_label = peers.by_label.values_mut().flat_map(HashMap::values_mut);
            let by_name = peers.by_workload.values_mut().chain(peers.by_account.values_mut());
            by_label.chain(by_name).chain([&mut peers.others])
        });
        let others = self.blocks.values_mut().chain([&mut self.all_blocks]).chain(&mut self.entities);
        of_pods.chain(others).flatten().for_each(renumber);
    }

    /// Lists that together hold every peer that names `pod` by what it is like, its address and entities left aside.
    pub(crate) fn naming_pod<'i>(&'i self, pod: &PodFacts, lists: &mut Vec<&'i [PeerAt]>) {
        if let Some(peers) = self.in_namespace.get(&*pod.namespace) {
            peers.naming(pod, lists);
        }
        for (selector, peers) in &self.in_namespaces {
            if !matches!(matching::namespace_selector(selector, pod), Match::No(_)) {
                peers.naming(pod, lists);
            }
        }
    }

    /// The peers that could name pods of the namespace of `pod`.
    pub(crate) fn of_namespaces_like<'i>(&'i self, pod: &'i PodFacts) -> impl Iterator<Item = &'i PeerAt> {
        let is_met = |selector: &Selector| !matches!(matching::namespace_selector(selector, pod), Match::No(_));
        let by_labels = self.in_namespaces.iter().filter(move |(selector, _)| is_met(selector));
        let named = self.in_namespace.get(&pod.namespace);
        by_labels.map(|(_, peers)| peers).chain(named).flat_map(PodPeers::all)
    }

    /// Lists that together hold every peer that names `party`, on whatever port.
    pub(crate) fn naming<'i>(&'i self, model: &Model, party: &Party<'_>, side: Side) -> Vec<&'i [PeerAt]> {
        let mut lists: Vec<&[PeerAt]> = Vec::new();
        match party {
            Party::Pod { pod, address, .. } => {
                self.naming_pod(pod, &mut lists);
                match address {
                    _ if self.reach == BlockReach::Outside => {}
                    Some(address) => self.blocks_of(*address, &mut lists),
                    None => lists.push(&self.all_blocks),
                }
            }
            Party::Node { addresses, .. } => match addresses.as_slice() {
                _ if self.reach == BlockReach::Outside => {}
                [] => lists.push(&self.all_blocks),
                addresses => addresses.iter().for_each(|address| self.blocks_of(*address, &mut lists)),
            },
            Party::Address { address, .. } => self.blocks_of(*address, &mut lists),
        }
        for entity in Entity::ALL {
            let peers = &self.entities[entity as usize];
            if !peers.is_empty() && matching::entity_could_be(model, entity, party, side) {
                lists.push(peers);
            }
        }
        lists.retain(|list| !list.is_empty());
        lists
    }

    fn blocks_of<'i>(&'i self, address: IpAddr, lists: &mut Vec<&'i [PeerAt]>) {
        for length in self.lengths[usize::from(address.is_ipv6())].keys() {
            let block = IpNet::new(address, *length).expect("the length is that of a block of the family").trunc();
            lists.extend(self.blocks.get(&block).map(Vec::as_slice));
        }
    }
}

impl PodPeers {
    fn note(&mut self, doing: Doing, at: PeerAt, asks: Asks<'_>) {
        match asks {
            Asks::Workload(name) => doing.in_map(&mut self.by_workload, name, at),
            Asks::Account(name) => doing.in_map(&mut self.by_account, name, at),
            Asks::Nothing => doing.to(&mut self.others, at),
            Asks::Labels(labels) => {
                let (key, value) = match doing {
                    Doing::Add => self.rarest(labels),
                    Doing::Remove => self.listed_by(labels, at),
                };
                let values = self.by_label.entry(key.clone()).or_default();
                doing.in_map(values, value, at);
                if values.is_empty() {
                    self.by_label.remove(key);
                }
            }
        }
    }

    /// A pod that has all of the labels has the one that the fewest peers before asked for.
    fn rarest<'l>(&self, labels: &'l Labels) -> (&'l Name, &'l Name) {
        let asked = |(key, value): &(&Name, &Name)| self.with_label(key, value).len();
        labels.0.iter().min_by_key(asked).expect("there is one at least")
    }

    fn listed_by<'l>(&self, labels: &'l Labels, at: PeerAt) -> (&'l Name, &'l Name) {
        let has = |(key, value): &(&Name, &Name)| self.with_label(key, value).binary_search(&at).is_ok();
        labels.0.iter().find(has).expect("it was added by one of its labels")
    }

    fn with_label(&self, key: &str, value: &str) -> &[PeerAt] {
        let found = self.by_label.get(key).and_then(|values| values.get(value));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    fn all(&self) -> impl Iterator<Item = &PeerAt> {
        let by_label = self.by_label.values().flat_map(HashMap::values);
        let by_name = self.by_workload.values().chain(self.by_account.values());
        by_label.chain(by_name).chain([&self.others]).flatten()
    }

    fn is_empty(&self) -> bool {
        self.by_workload.is_empty() && self.by_label.is_empty() && self.by_account.is_empty() && self.others.is_empty()
    }

    fn naming<'i>(&'i self, pod: &PodFacts, lists: &mut Vec<&'i [PeerAt]>) {
        lists.extend(self.by_workload.get(&*pod.workload.name).map(Vec::as_slice));
        if !self.by_label.is_empty() {
            for (key, value) in &pod.labels.0 {
                lists.extend(self.by_label.get(&**key).and_then(|values| values.get(&**value)).map(Vec::as_slice));
            }
        }
        if !self.by_account.is_empty() {
            lists.extend(self.by_account.get(pod.spec().service_account_name()).map(Vec::as_slice));
        }
        lists.push(&self.others);
    }
}

/// By which of its labels a peer is listed depends on what was there before it, and for whom it is found does not.
impl PartialEq for PodPeers {
    fn eq(&self, other: &Self) -> bool {
        let by_label = |peers: &Self| {
            let lists = peers.by_label.values().flat_map(HashMap::values);
            let mut all: Vec<PeerAt> = lists.flatten().copied().collect();
            all.sort_unstable();
            all
        };
        (&self.by_workload, &self.by_account, &self.others) == (&other.by_workload, &other.by_account, &other.others)
            && by_label(self) == by_label(other)
    }
}

impl Doing {
    fn to(self, list: &mut Vec<PeerAt>, at: PeerAt) {
        let place = list.partition_point(|other| *other < at);
        match self {
            Self::Add => list.insert(place, at),
            Self::Remove => drop(list.remove(place)),
        }
    }

    fn in_map(self, map: &mut HashMap<Name, Vec<PeerAt>>, name: &Name, at: PeerAt) {
        let list = map.entry(name.clone()).or_default();
        self.to(list, at);
        if list.is_empty() {
            map.remove(name);
        }
    }
}
