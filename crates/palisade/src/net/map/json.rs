//! The map for programs: classes with their members, an entry for each pair of classes that is not refused on every
//! port, and the distinct answers. Written as it is found.

use std::io::{self, Write};

use palisade_model::{Problem, Timestamp};
use palisade_policy::reach::{AnswerId, Member, PairAnswer, PortAnswers, Process, Reach};
use serde::Serialize;

use super::Scope;
use super::ports::{JsonPorts, Which};

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// A class of senders or receivers.
#[derive(Serialize)]
struct Class<'a> {
    id: usize,
    members: Vec<JsonMember<'a>>,
}

/// One of a class.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonMember<'a> {
    /// `pod`, `world`, `metadata` or `link-local`.
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    /// `Kind/name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<String>,
    /// The pod's name; that of the workload when no pods of it are in the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<&'a str>,
    /// The container, where rules tell the pod's processes apart; without it all, or those that no rule names.
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    /// The program, in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
    /// Whether it stands for the pod's containers, or the container's programs, that no rule names.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    others: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cidr: Option<String>,
    /// Blocks in `cidr` that are not meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
}

impl<'a> JsonMember<'a> {
    pub(super) fn new(reach: &Reach<'a>, member: &'a Member) -> Self {
        match member {
            Member::Pod(Process { pod, container, program }) => {
                let facts = reach.model().pod(*pod);
                Self {
                    kind: "pod",
                    namespace: Some(&facts.namespace),
                    workload: Some(facts.workload.to_string()),
                    pod: Some(&facts.name),
                    container: container.name().map(|name| &**name),
                    program: program.name().map(|name| &**name),
                    others: *program == palisade_model::link::Which::Other,
                    cidr: None,
                    except: Vec::new(),
                }
            }
            Member::Outside(outside) => Self {
                kind: outside.kind,
                namespace: None,
                workload: None,
                pod: None,
                container: None,
                program: None,
                others: false,
                cidr: Some(outside.block.cidr.to_string()),
                except: outside.block.except.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

/// An entry for a pair of classes.
#[derive(Serialize)]
struct JsonPair {
    from: usize,
    to: usize,
    /// An entry of `answers`.
    answer: AnswerId,
    /// Where the answer holds over one family alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
}

/// What policy says of a link.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct JsonAnswer {
    allowed: JsonPorts,
    #[serde(skip_serializing_if = "JsonPorts::is_empty")]
    undecided: JsonPorts,
    /// Allowed now, and not with the objects in Audit enforced.
    #[serde(skip_serializing_if = "JsonPorts::is_empty")]
    audit_refuses: JsonPorts,
    /// Not allowed now, and allowed with the objects in Audit enforced.
    #[serde(skip_serializing_if = "JsonPorts::is_empty")]
    audit_opens: JsonPorts,
}

impl JsonAnswer {
    pub(super) fn new(answer: &PortAnswers) -> Self {
        let of = |which| JsonPorts::new(answer, which);
        Self {
            allowed: of(Which::Allowed),
            undecided: of(Which::Undecided),
            audit_refuses: of(Which::AllowedUnlessAudited),
            audit_opens: of(Which::AllowedIfAudited),
        }
    }
}

/// The answers of a pair: one when the families agree.
pub(super) fn by_family(pair: PairAnswer) -> Vec<(AnswerId, Option<&'static str>)> {
    match (pair.four, pair.six) {
        (Some(four), Some(six)) if four != six => [(four, Some("IPv4")), (six, Some("IPv6"))]
            .into_iter()
            .filter(|(answer, _)| *answer != AnswerId::REFUSED)
            .collect(),
        (Some(answer), _) | (None, Some(answer)) => vec![(answer, None)],
        (None, None) => Vec::new(),
    }
}

pub(super) fn write(
    output: &mut impl Write,
    reach: &mut Reach<'_>,
    scope: &Scope,
    at: Timestamp,
    problems: &[Problem],
) -> io::Result<()> {
    writeln!(output, "{{\n\"version\": {VERSION},\n\"at\": {},", json(&at)?)?;
    write_list(
        output,
        "senders",
        reach.senders().iter().enumerate().map(|(id, class)| class_of(reach, id, &class.members)),
    )?;
    write_list(
        output,
        "receivers",
        reach.receivers().iter().enumerate().map(|(id, class)| class_of(reach, id, &class.members)),
    )?;
    let used = write_pairs(output, reach, scope)?;
    let answers = used.iter().enumerate().filter(|(_, used)| **used).map(|(id, _)| {
        let id = AnswerId(u32::try_from(id).expect("it was an id"));
        #[derive(Serialize)]
        struct Entry {
            id: AnswerId,
            #[serde(flatten)]
            answer: JsonAnswer,
        }
        Entry { id, answer: JsonAnswer::new(reach.answer(id)) }
    });
    write_list(output, "answers", answers)?;
    writeln!(output, "\"problems\": {}\n}}", json(&problems)?)
}

fn class_of<'a>(reach: &Reach<'a>, id: usize, members: &'a [Member]) -> Class<'a> {
    Class { id, members: members.iter().map(|member| JsonMember::new(reach, member)).collect() }
}

/// Writes the pairs, and returns which answers they have.
fn write_pairs(output: &mut impl Write, reach: &mut Reach<'_>, scope: &Scope) -> io::Result<Vec<bool>> {
    let namespaces = |members: &[Member], reach: &Reach<'_>| -> Vec<Option<String>> {
        let mut names: Vec<Option<String>> =
            members.iter().map(|member| member.pod().map(|pod| reach.model().pod(pod).namespace.to_string())).collect();
        names.sort();
        names.dedup();
        names
    };
    let of_senders: Vec<_> = reach.senders().iter().map(|class| namespaces(&class.members, reach)).collect();
    let of_receivers: Vec<_> = reach.receivers().iter().map(|class| namespaces(&class.members, reach)).collect();
    let mut used = Vec::new();
    let mut result = write!(output, "\"links\": [");
    let mut is_first = true;
    reach.for_each(|_, from, to, pair| {
        let mut pairs = of_senders[from].iter().flat_map(|from| of_receivers[to].iter().map(move |to| (from, to)));
        if result.is_err() || !pairs.any(|(from, to)| scope.has(from.as_deref(), to.as_deref())) {
            return;
        }
        for (answer, family) in by_family(pair) {
            let position = answer.0 as usize;
            if used.len() <= position {
                used.resize(position + 1, false);
            }
            used[position] = true;
            result = write_entry(output, &JsonPair { from, to, answer, family }, std::mem::take(&mut is_first));
            if result.is_err() {
                return;
            }
        }
    });
    result?;
    writeln!(output, "\n],")?;
    Ok(used)
}

fn write_list<T: Serialize>(output: &mut impl Write, name: &str, entries: impl Iterator<Item = T>) -> io::Result<()> {
    write!(output, "\"{name}\": [")?;
    for (position, entry) in entries.enumerate() {
        write_entry(output, &entry, position == 0)?;
    }
    writeln!(output, "\n],")
}

/// An entry a line.
fn write_entry(output: &mut impl Write, entry: &impl Serialize, is_first: bool) -> io::Result<()> {
    write!(output, "{}", if is_first { "\n" } else { ",\n" })?;
    serde_json::to_writer(output, entry).map_err(io::Error::from)
}

fn json(value: &impl Serialize) -> io::Result<String> {
    serde_json::to_string(value).map_err(io::Error::from)
}
