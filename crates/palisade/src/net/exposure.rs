//! `palisade net exposure`: every way in from outside, and what guards it.

mod markdown;
mod text;

use std::io::{self, Write as _};
use std::sync::Arc;

use palisade_model::object::Name;
use palisade_model::settings::Settings as ClusterSettings;
use palisade_model::{Labels, Problem, Timestamp};
use palisade_policy::Model;
use palisade_policy::doors::PodNetwork;
use palisade_policy::exposure::{Exposure, Newcomer, Openness, Outside};
use serde::Serialize;

use crate::arguments::net::{ExposureArguments, ExposureFormat, FailOn};
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::settings::{Settings, Source};
use crate::{input, report};

/// The version of the JSON form; it rises when a field changes its meaning.
const VERSION: u32 = 1;

/// Kinds of other projects that are doors, by the end of their group, which are not read.
const OTHER_DOORS: [(&str, &[&str]); 10] = [
    ("cilium.io", &["CiliumEnvoyConfig", "CiliumClusterwideEnvoyConfig"]),
    ("configuration.konghq.com", &["TCPIngress", "UDPIngress"]),
    ("gateway.networking.k8s.io", &["ListenerSet"]),
    ("gateway.networking.x-k8s.io", &["XListenerSet"]),
    ("getambassador.io", &["Mapping", "TCPMapping"]),
    ("k8s.nginx.org", &["VirtualServer", "TransportServer"]),
    ("networking.istio.io", &["Gateway", "VirtualService"]),
    ("projectcontour.io", &["HTTPProxy"]),
    ("route.openshift.io", &["Route"]),
    ("traefik.io", &["IngressRoute", "IngressRouteTCP", "IngressRouteUDP"]),
];

/// The JSON form.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    version: u32,
    at: Timestamp,
    from: String,
    #[serde(flatten)]
    exposure: &'a Exposure,
    #[serde(skip_serializing_if = "Option::is_none")]
    newcomer: Option<&'a Newcomer>,
    problems: &'a [Problem],
}

/// Prints every way in.
///
/// # Errors
/// When there is no input, or the newcomer cannot be read.
pub fn run(arguments: &ExposureArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let newcomer = arguments.newcomer.as_deref().map(parse_newcomer).transpose()?;
    let read = input::read_something(&Source::from(&arguments.manifests))?;
    let cluster = ClusterSettings::of(&read.value).with_cni(&arguments.cni.profile);
    let others = doors_not_read(&read.value.other_kinds);
    let outcome = Model::new(Arc::new(read.value), cluster);
    let mut problems = read.problems;
    problems.extend(outcome.problems);
    let model = outcome.value;
    let now = arguments.at.unwrap_or(settings.now);
    let outside = arguments.from.map_or(Outside::Anybody, Outside::Address);
    let network = if arguments.routed_pods { PodNetwork::Routed } else { PodNetwork::Private };
    let mut exposure = model.exposure(outside, network, now);
    exposure.notes.extend(others);
    let newcomer = newcomer.map(|(namespace, labels)| model.newcomer(&namespace, &labels, now));
    let from = arguments.from.map_or_else(|| "world".to_owned(), |address| address.to_string());
    let mut output = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        ExposureFormat::Text => {
            let shown = text::render(&exposure, newcomer.as_ref(), &from, settings.colour);
            write!(output, "{shown}")?;
            output.flush()?;
            input::print_problems(&problems);
        }
        ExposureFormat::Markdown => write!(output, "{}", markdown::render(&exposure, newcomer.as_ref(), &from))?,
        ExposureFormat::Json => {
            let (exposure, newcomer, problems) = (&exposure, newcomer.as_ref(), problems.as_slice());
            let body = Report { version: VERSION, at: now, from, exposure, newcomer, problems };
            report::write_json(&mut output, &body)?;
        }
    }
    output.flush()?;
    Ok(status(&exposure, &problems, arguments.fail_on))
}

fn status(exposure: &Exposure, problems: &[Problem], fail_on: FailOn) -> ExitStatus {
    let has =
        |openness| exposure.workloads.iter().flat_map(|workload| &workload.ways).any(|way| way.openness == openness);
    let is_doubtful = problems.iter().any(|problem| problem.effect == palisade_model::Effect::MayChangeAnswers);
    let is_found = match fail_on {
        FailOn::Never => return ExitStatus::Clean,
        FailOn::Unguarded => has(Openness::Unguarded),
        FailOn::Reachable => has(Openness::Unguarded) || has(Openness::Guarded),
    };
    if has(Openness::Undecided) || is_doubtful {
        ExitStatus::Undecided
    } else if is_found {
        ExitStatus::Findings
    } else {
        ExitStatus::Clean
    }
}

/// `NAMESPACE[:KEY=VALUE,...]`
fn parse_newcomer(text: &str) -> Result<(Name, Labels), Failure> {
    let wrong = || {
        Failure::new(format!("`{text}` is no newcomer"))
            .hint(Hint::Change("write NAMESPACE, or NAMESPACE:KEY=VALUE,KEY=VALUE".into()))
    };
    let (namespace, labels) = text.split_once(':').unwrap_or((text, ""));
    if namespace.is_empty() || namespace.contains('/') {
        return Err(wrong());
    }
    let pairs = labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').ok_or_else(wrong));
    Ok((namespace.into(), pairs.collect::<Result<Labels, _>>()?))
}

fn doors_not_read(kinds: &std::collections::BTreeMap<(String, String), u32>) -> Vec<Problem> {
    let is_door = |version: &str, kind: &str| {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        OTHER_DOORS.iter().any(|(known, kinds)| group == *known && kinds.contains(&kind))
    };
    let found = kinds.iter().filter(|((version, kind), _)| is_door(version, kind));
    found
        .map(|((version, kind), count)| {
            let message =
                format!("{count} {kind} of `{version}` may be a door and is not read: its ways are not shown");
            Problem::warning("door-not-read", message)
        })
        .collect()
}
