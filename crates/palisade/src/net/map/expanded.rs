//! The map with each pair of pods, written as it is found: some clusters have a hundred million of them.

use std::io::{self, Write};

use palisade_policy::reach::{Member, PairAnswer, Reach};
use serde::Serialize;

use super::Scope;
use super::json::{JsonAnswer, JsonMember, by_family};
use super::rows::{Row, write_header};

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    from: JsonMember<'a>,
    to: JsonMember<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<&'static str>,
    #[serde(flatten)]
    answer: JsonAnswer,
}

/// Writes a line of JSON for each pair.
pub(super) fn write_json(output: &mut impl Write, reach: &mut Reach<'_>, scope: &Scope) -> io::Result<()> {
    each_pair(reach, scope, |reach, from, to, pair| {
        for (answer, family) in by_family(pair) {
            let answer = JsonAnswer::new(reach.answer(answer));
            let line = Line { from: JsonMember::new(reach, from), to: JsonMember::new(reach, to), family, answer };
            serde_json::to_writer(&mut *output, &line).map_err(io::Error::from)?;
            writeln!(output)?;
        }
        Ok(())
    })
}

/// Writes rows of CSV for each pair.
pub(super) fn write_csv(output: &mut impl Write, reach: &mut Reach<'_>, scope: &Scope) -> io::Result<()> {
    write_header(output)?;
    each_pair(reach, scope, |reach, from, to, pair| {
        for (answer, family) in by_family(pair) {
            let (from, to) = (name(reach, from), name(reach, to));
            Row { from: &from, to: &to, family: family.unwrap_or_default() }.write(output, reach.answer(answer))?;
        }
        Ok(())
    })
}

fn each_pair(
    reach: &mut Reach<'_>,
    scope: &Scope,
    mut write: impl FnMut(&Reach<'_>, &Member, &Member, PairAnswer) -> io::Result<()>,
) -> io::Result<()> {
    let mut result = Ok(());
    reach.for_each(|reach, from, to, pair| {
        for from in &reach.senders()[from].members {
            for to in &reach.receivers()[to].members {
                let namespace = |member: &Member| member.pod().map(|pod| reach.model().pod(pod).namespace.clone());
                if result.is_err() || is_itself(reach, from, to) {
                    continue;
                }
                if scope.has(namespace(from).as_deref(), namespace(to).as_deref()) {
                    result = write(reach, from, to, pair);
                }
            }
        }
    });
    result
}

/// A pod's own address; replicas that a template stands for are others.
fn is_itself(reach: &Reach<'_>, from: &Member, to: &Member) -> bool {
    let Some(pod) = from.pod() else { return false };
    Some(pod) == to.pod() && !reach.model().stands_for_several(reach.model().pod(pod))
}

/// `shop/web-0:nginx:/usr/sbin/nginx`, `203.0.113.0/24 except 203.0.113.64/26`.
fn name(reach: &Reach<'_>, member: &Member) -> String {
    match member {
        Member::Pod(process) => {
            let mut name = reach.model().pod(process.pod).full_name();
            for part in [&process.container, &process.program].into_iter().filter_map(|which| which.name()) {
                name.push(':');
                name.push_str(part);
            }
            name
        }
        Member::Outside(outside) => {
            let except: Vec<String> = outside.block.except.iter().map(ToString::to_string).collect();
            match except.is_empty() {
                true => outside.block.cidr.to_string(),
                false => format!("{} except {}", outside.block.cidr, except.join(" ")),
            }
        }
    }
}
