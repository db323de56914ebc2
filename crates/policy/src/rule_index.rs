//! Which rules could name a party, found without asking each.
//!
//! Invariant: an index leaves out no peer that names the party; whether one does is for
//! [`matching`](crate::matching) alone.

use std::collections::HashMap;
use std::net::IpAddr;

use palisade_model::access_policy::{Entity, PeerTarget, PodPeer};
use palisade_model::inventory::Inventory;
use palisade_model::network_policy::NetworkPolicyTarget;
use palisade_model::object::Name;
use palisade_model::verdict::Direction;
use palisade_model::{IpNet, Labels, Selector};

use crate::classes::interner::position_u32;
use crate::matching::{self, Match, NAMESPACE_NAME_LABEL, Side};
use crate::model::{Model, PodFacts};
use crate::party::Party;

/// A rule by its number: in the order of decision.
pub(crate) type RuleNumber = u32;

/// The namespace of a rule or of a pod, as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scope {
    /// A cluster-wide policy's.
    Cluster,
    /// A namespace that has AccessPolicies.
    Namespace(u32),
    /// A namespace that has none.
    WithoutPolicies,
}

/// All rules by number, and who is named by which.
#[derive(Debug)]
pub(crate) struct RuleIndex {
    /// AccessPolicies' rules: position of the policy and index of the rule.
    pub(crate) access: Vec<(usize, usize)>,
    scopes: Vec<Scope>,
    namespaces: HashMap<Name, u32>,
    /// `from` of AccessPolicies.
    pub(crate) from: PeerIndex,
    /// `to` of AccessPolicies.
    pub(crate) to: PeerIndex,
    network: [NetworkRules; 2],
}

/// NetworkPolicies' rules of one direction.
#[derive(Debug)]
pub(crate) struct NetworkRules {
    /// Position of the policy and index of the rule.
    pub(crate) rules: Vec<(usize, usize)>,
    /// The first rule's number by the policy's position, and one more.
    first: Vec<RuleNumber>,
    /// Those that name everyone, in order.
    open: Vec<RuleNumber>,
    /// Their peers.
    pub(crate) peers: PeerIndex,
}

impl NetworkRules {
    /// Those of `range` that name everyone.
    pub(crate) fn open_in(&self, range: std::ops::Range<RuleNumber>) -> impl Iterator<Item = RuleNumber> {
        let first = self.open.partition_point(|rule| *rule < range.start);
        self.open[first..].iter().copied().take_while(move |rule| *rule < range.end)
    }

    /// The numbers of the rules of the policy at `position`.
    pub(crate) fn of_policy(&self, position: usize) -> std::ops::Range<RuleNumber> {
        self.first[position]..self.first[position + 1]
    }
}

/// A peer of a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct PeerAt {
    pub(crate) rule: RuleNumber,
    pub(crate) peer: u32,
    /// Whether every pod that it is found for is one that it names: the index asks all that the peer asks. For pods
    /// that decide, in namespaces whose labels are known.
    pub(crate) is_exact: bool,
}

/// Finds the peers of one list of the rules that could name a party.
#[derive(Debug)]
pub(crate) struct PeerIndex {
    in_namespace: HashMap<Name, PodPeers>,
    /// Those that ask for labels of the namespace, by what they ask for.
    in_namespaces: Vec<(Selector, PodPeers)>,
    /// Their positions.
    selectors: HashMap<Selector, usize>,
    blocks: HashMap<IpNet, Vec<PeerAt>>,
    /// The lengths of the blocks, of IPv4 and of IPv6, each once.
    lengths: [Vec<u8>; 2],
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
#[derive(Default, Debug)]
struct PodPeers {
    by_workload: HashMap<Name, Vec<PeerAt>>,
    by_label: HashMap<Name, HashMap<Name, Vec<PeerAt>>>,
    by_account: HashMap<Name, Vec<PeerAt>>,
    others: Vec<PeerAt>,
}

impl RuleIndex {
    pub(crate) fn new(inventory: &Inventory) -> Self {
        let mut index = Self {
            access: Vec::new(),
            scopes: Vec::new(),
            namespaces: HashMap::new(),
            from: PeerIndex::new(BlockReach::Outside),
            to: PeerIndex::new(BlockReach::Outside),
            network: [Direction::Ingress, Direction::Egress].map(|direction| network_rules(inventory, direction)),
        };
        for (position, policy) in inventory.access_policies.iter().enumerate() {
            let namespace = policy.meta.reference.namespace.as_ref();
            let scope = match namespace {
                None => Scope::Cluster,
                Some(namespace) => {
                    let next = position_u32(index.namespaces.len());
                    Scope::Namespace(*index.namespaces.entry(namespace.clone()).or_insert(next))
                }
            };
            for (rule, content) in policy.rules.iter().enumerate() {
                let number = position_u32(index.access.len());
                index.access.push((position, rule));
                index.scopes.push(scope);
                for (peers, list) in [(&mut index.from, &content.from), (&mut index.to, &content.to)] {
                    for (peer, content) in list.iter().enumerate() {
                        peers.add_access(
                            PeerAt { rule: number, peer: position_u32(peer), is_exact: false },
                            &content.target,
                            namespace,
                        );
                    }
                }
            }
        }
        index
    }

    pub(crate) fn network(&self, direction: Direction) -> &NetworkRules {
        &self.network[direction as usize]
    }

    /// The number of `namespace`.
    pub(crate) fn scope(&self, namespace: &str) -> Scope {
        self.namespaces.get(namespace).map_or(Scope::WithoutPolicies, |number| Scope::Namespace(*number))
    }

    /// Whether the rule acts on ends of pods of `scope`.
    pub(crate) fn acts_on(&self, rule: RuleNumber, scope: Scope) -> bool {
        let own = self.scopes[rule as usize];
        own == Scope::Cluster || own == scope
    }
}

fn network_rules(inventory: &Inventory, direction: Direction) -> NetworkRules {
    let peers = PeerIndex::new(BlockReach::Everybody);
    let mut network = NetworkRules { rules: Vec::new(), first: Vec::new(), open: Vec::new(), peers };
    for (position, policy) in inventory.network_policies.iter().enumerate() {
        network.first.push(position_u32(network.rules.len()));
        let rules = match direction {
            Direction::Ingress => &policy.ingress,
            Direction::Egress => &policy.egress,
        };
        for (index, rule) in rules.iter().flatten().enumerate() {
            let number = position_u32(network.rules.len());
            network.rules.push((position, index));
            if rule.peers.is_empty() {
                network.open.push(number);
            }
            for (peer, content) in rule.peers.iter().enumerate() {
                let at = PeerAt { rule: number, peer: position_u32(peer), is_exact: false };
                network.peers.add_network(at, &content.target, policy.meta.reference.namespace.as_ref());
            }
        }
    }
    network.first.push(position_u32(network.rules.len()));
    network
}

impl PeerIndex {
    fn new(reach: BlockReach) -> Self {
        Self {
            in_namespace: HashMap::new(),
            in_namespaces: Vec::new(),
            selectors: HashMap::new(),
            blocks: HashMap::new(),
            lengths: [Vec::new(), Vec::new()],
            all_blocks: Vec::new(),
            reach,
            entities: [const { Vec::new() }; Entity::ALL.len()],
        }
    }

    fn add_access(&mut self, at: PeerAt, target: &PeerTarget, own: Option<&Name>) {
        match target {
            PeerTarget::Pods(fields) => self.add_pods(at, fields, own),
            PeerTarget::Cidr { cidr, .. } => self.add_block(at, cidr),
            PeerTarget::Entity(entity) => self.entities[*entity as usize].push(at),
            // Names nobody yet.
            PeerTarget::Fqdn(_) => {}
        }
    }

    fn add_pods(&mut self, at: PeerAt, fields: &PodPeer, own: Option<&Name>) {
        let peers = match (&fields.namespace, &fields.namespace_selector, own) {
            (Some(namespace), _, _) => self.pods_in(namespace),
            (None, Some(selector), _) => self.pods_where(selector),
            (None, None, Some(own)) => self.pods_in(own),
            // Of a cluster-wide policy such a peer names nobody.
            (None, None, None) => return,
        };
        if let Some(workload) = &fields.workload {
            peers.by_workload.entry(workload.name.clone()).or_default().push(at);
        } else if let Some(labels) = fields.selector.as_ref().map(|selector| &selector.match_labels)
            && !labels.0.is_empty()
        {
            peers.add_labels(at, labels);
        } else if let Some(account) = &fields.service_account {
            peers.by_account.entry(account.clone()).or_default().push(at);
        } else {
            peers.others.push(at);
        }
    }

    fn add_network(&mut self, at: PeerAt, target: &NetworkPolicyTarget, own: Option<&Name>) {
        match target {
            NetworkPolicyTarget::Pods { pod_selector, namespace_selector } => {
                let peers = match (namespace_selector, own) {
                    (Some(selector), _) => self.pods_where(selector),
                    (None, Some(own)) => self.pods_in(own),
                    (None, None) => return,
                };
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
                match labels {
                    Some(labels) => peers.add_labels(at, labels),
                    None => peers.others.push(at),
                }
            }
            NetworkPolicyTarget::IpBlock { cidr, .. } => self.add_block(at, cidr),
        }
    }

    fn pods_in(&mut self, namespace: &Name) -> &mut PodPeers {
        self.in_namespace.entry(namespace.clone()).or_default()
    }

    /// The peers in namespaces with the labels; of one alone when they name it.
    fn pods_where(&mut self, selector: &Selector) -> &mut PodPeers {
        if let Some(namespace) = selector.match_labels.0.get(NAMESPACE_NAME_LABEL) {
            return self.in_namespace.entry(namespace.clone()).or_default();
        }
        let next = self.in_namespaces.len();
        let position = *self.selectors.entry(selector.clone()).or_insert(next);
        if position == next {
            self.in_namespaces.push((selector.clone(), PodPeers::default()));
        }
        &mut self.in_namespaces[position].1
    }

    fn add_block(&mut self, at: PeerAt, block: &IpNet) {
        let block = block.trunc();
        self.blocks.entry(block).or_default().push(at);
        self.all_blocks.push(at);
        let lengths = &mut self.lengths[usize::from(block.addr().is_ipv6())];
        if !lengths.contains(&block.prefix_len()) {
            lengths.push(block.prefix_len());
        }
    }

    /// Lists that together hold every peer that names `party`, on whatever port.
    pub(crate) fn naming<'i>(&'i self, model: &Model, party: &Party<'_>, side: Side) -> Vec<&'i [PeerAt]> {
        let mut lists: Vec<&[PeerAt]> = Vec::new();
        match party {
            Party::Pod { pod, address, .. } => {
                if let Some(peers) = self.in_namespace.get(&*pod.namespace) {
                    peers.naming(model, pod, &mut lists);
                }
                for (selector, peers) in &self.in_namespaces {
                    if !matches!(matching::namespace_selector(selector, pod), Match::No(_)) {
                        peers.naming(model, pod, &mut lists);
                    }
                }
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
        for length in &self.lengths[usize::from(address.is_ipv6())] {
            let block = IpNet::new(address, *length).expect("the length is that of a block of the family").trunc();
            lists.extend(self.blocks.get(&block).map(Vec::as_slice));
        }
    }
}

impl PodPeers {
    /// A pod that has all of the labels has the one that the fewest peers before asked for.
    fn add_labels(&mut self, at: PeerAt, labels: &Labels) {
        let asked = |key: &Name, value: &Name| {
            self.by_label.get(key).and_then(|values| values.get(value)).map_or(0, |peers| peers.len())
        };
        let rarest = labels.0.iter().min_by_key(|(key, value)| asked(key, value));
        let (key, value) = rarest.expect("the caller has checked that it is not empty");
        self.by_label.entry(key.clone()).or_default().entry(value.clone()).or_default().push(at);
    }

    fn naming<'i>(&'i self, model: &Model, pod: &PodFacts, lists: &mut Vec<&'i [PeerAt]>) {
        lists.extend(self.by_workload.get(&*pod.workload.name).map(Vec::as_slice));
        if !self.by_label.is_empty() {
            for (key, value) in &pod.labels.0 {
                lists.extend(self.by_label.get(&**key).and_then(|values| values.get(&**value)).map(Vec::as_slice));
            }
        }
        if !self.by_account.is_empty() {
            lists.extend(self.by_account.get(model.spec(pod).service_account_name()).map(Vec::as_slice));
        }
        lists.push(&self.others);
    }
}
