//! The map: who can reach whom, by workload.
//!
//! A subject is a workload, or what of it gets an answer of its own: a container or program, or some of its pods. Its
//! links are those of its class.

use std::collections::BTreeMap;

use palisade_model::link::Which;
use palisade_model::object::Name;

use crate::matching::Side;
use crate::model::{Model, WorkloadId};
use crate::reach::{Block, Member, Reach};

/// A workload, or a part of it that is answered on its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// Pods of one workload.
    Workload(WorkloadPart),
    /// Addresses that are no pod's, node's or Service's and that no policy names: `world`, `metadata`, `link-local`.
    Entity(&'static str, Family),
    /// Addresses that policies name.
    Addresses(Block),
}

/// Pods of one workload that get the same answers.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WorkloadPart {
    /// Their namespace.
    pub namespace: Name,
    /// Their workload.
    pub workload: WorkloadId,
    /// The process, where rules tell processes apart; of a receiver never.
    pub process: Option<ProcessName>,
    /// Their names, when other pods of the workload get other answers.
    pub pods: Vec<Name>,
}

/// A family of addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[allow(missing_docs)]
pub enum Family {
    IPv4,
    IPv6,
}

/// A process as rules name it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProcessName {
    /// [`Which::Other`]: containers that no rule names.
    pub container: Which,
    /// [`Which::Unsaid`]: all of the container's; [`Which::Other`]: those that no rule names.
    pub program: Which,
}

/// Subjects, and the class of each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subjects {
    /// In order, each with the position of its class in [`Reach::senders`] or [`Reach::receivers`].
    pub all: Vec<(Subject, usize)>,
    /// By class, positions in `all`.
    pub of_class: Vec<Vec<usize>>,
}

impl Reach<'_> {
    /// Who can send, by workload.
    pub fn sending_subjects(&self) -> Subjects {
        let classes = self.senders().iter().map(|class| (self.model(), class.members.as_slice()));
        Subjects::new(Side::From, classes)
    }

    /// Who can be reached, by workload.
    pub fn receiving_subjects(&self) -> Subjects {
        let classes = self.receivers().iter().map(|class| (self.model(), class.members.as_slice()));
        Subjects::new(Side::To, classes)
    }
}

/// What makes pods one subject, their class aside.
type PartKey = (Name, WorkloadId, Option<ProcessName>);

impl Subjects {
    /// By the members of classes, each with the model that knows them.
    pub(crate) fn new<'r>(side: Side, classes: impl Iterator<Item = (&'r Model, &'r [Member])>) -> Self {
        let mut parts: BTreeMap<PartKey, BTreeMap<usize, Vec<Name>>> = BTreeMap::new();
        let mut all: Vec<(Subject, usize)> = Vec::new();
        let mut count = 0;
        for (class, (model, members)) in classes.enumerate() {
            count += 1;
            for member in members {
                match member {
                    Member::Pod(process) => {
                        let pod = model.pod(process.pod);
                        let name = process_name(&process.container, &process.program);
                        let key = (pod.namespace.clone(), pod.workload.clone(), name);
                        parts.entry(key).or_default().entry(class).or_default().push(pod.name.clone());
                    }
                    Member::Outside(outside) if outside.block.cidr.prefix_len() == 0 || outside.kind != "world" => {
                        let family = if outside.address.is_ipv4() { Family::IPv4 } else { Family::IPv6 };
                        all.push((Subject::Entity(outside.kind, family), class));
                    }
                    Member::Outside(outside) => all.push((Subject::Addresses(outside.block.clone()), class)),
                }
            }
        }
        for ((namespace, workload, process), by_class) in parts {
            let is_one = by_class.len() == 1;
            for (class, pods) in by_class {
                let (namespace, workload, process) = (namespace.clone(), workload.clone(), process.clone());
                let pods = if is_one { Vec::new() } else { pods };
                all.push((Subject::Workload(WorkloadPart { namespace, workload, process, pods }), class));
            }
        }
        all.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()).then_with(|| a.cmp(b)));
        leave_out_what_is_world(&mut all, side);
        let mut of_class = vec![Vec::new(); count];
        for (position, (_, class)) in all.iter().enumerate() {
            of_class[*class].push(position);
        }
        Self { all, of_class }
    }

    /// The subject at `position`.
    pub fn subject(&self, position: usize) -> &Subject {
        &self.all[position].0
    }
}

/// Leaves out addresses that get what `world` gets, and those that nobody asks for: of the link-local ones only the
/// metadata service stays, as a receiver.
fn leave_out_what_is_world(all: &mut Vec<(Subject, usize)>, side: Side) {
    let world = |(subject, class): &(Subject, usize)| matches!(subject, Subject::Entity("world", _)).then_some(*class);
    let worlds: Vec<usize> = all.iter().filter_map(world).collect();
    all.retain(|(subject, class)| match subject {
        Subject::Workload(_) | Subject::Entity("world", _) => true,
        Subject::Entity(kind, _) => *kind == "metadata" && side == Side::To,
        Subject::Addresses(_) => !worlds.contains(class),
    });
}

fn process_name(container: &Which, program: &Which) -> Option<ProcessName> {
    if *container == Which::Unsaid {
        return None;
    }
    Some(ProcessName { container: container.clone(), program: program.clone() })
}

impl Subject {
    /// Workloads by namespace and name, then the rest.
    fn order(&self) -> (bool, Option<(&Name, &Name)>) {
        match self {
            Self::Workload(part) => (false, Some((&part.namespace, &part.workload.name))),
            Self::Entity(..) | Self::Addresses(_) => (true, None),
        }
    }

    /// The part of a workload, if it is one.
    pub fn part(&self) -> Option<&WorkloadPart> {
        match self {
            Self::Workload(part) => Some(part),
            Self::Entity(..) | Self::Addresses(_) => None,
        }
    }

    /// The workload's namespace.
    pub fn namespace(&self) -> Option<&Name> {
        match self {
            Self::Workload(part) => Some(&part.namespace),
            Self::Entity(..) | Self::Addresses(_) => None,
        }
    }
}

impl std::fmt::Display for Subject {
    /// `shop/web:nginx:/usr/sbin/nginx`, `shop/web [web-0, web-1]`, `world`, `10.0.0.0/8 except 10.1.0.0/16`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Workload(part) => {
                write!(f, "{}/{}", part.namespace, part.workload.name)?;
                match part.process.as_ref().map(|process| (&process.container, &process.program)) {
                    None => {}
                    Some((Which::Named(container), Which::Named(program))) => write!(f, ":{container}:{program}")?,
                    Some((Which::Named(container), Which::Other)) => write!(f, ":{container}:(other program)")?,
                    Some((Which::Named(container), Which::Unsaid)) => write!(f, ":{container}")?,
                    Some((Which::Other | Which::Unsaid, _)) => f.write_str(":(other container)")?,
                }
                if !part.pods.is_empty() {
                    write!(f, " [{}]", part.pods.iter().map(|pod| &**pod).collect::<Vec<_>>().join(", "))?;
                }
                Ok(())
            }
            Self::Entity(name, Family::IPv4) => f.write_str(name),
            Self::Entity(name, Family::IPv6) => write!(f, "{name} (IPv6)"),
            Self::Addresses(block) => {
                write!(f, "{}", block.cidr)?;
                if !block.except.is_empty() {
                    let except: Vec<String> = block.except.iter().map(ToString::to_string).collect();
                    write!(f, " except {}", except.join(", "))?;
                }
                Ok(())
            }
        }
    }
}
