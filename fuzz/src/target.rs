//! What is fed.

mod advisories;
mod images;
mod registry;
mod signatures;

#[cfg(test)]
pub use images::go_functions;

use std::sync::Arc;

use palisade_manifests::load;
use palisade_model::access_policy::Entity;
use palisade_model::finding::{Finding, Severity};
use palisade_model::link::{End, Link, OWN_NODE, PodEnd, Which};
use palisade_model::settings::Settings;
use palisade_model::workload::WorkloadKind;
use palisade_model::{Inventory, Place, Protocol, Timestamp};
use palisade_policy::{Grant, Model, lint};
use palisade_report::{Format, Report};

/// A way in for bytes that nobody vouches for.
pub struct Target {
    /// As the command line names it.
    pub name: &'static str,
    /// What it tries, in a line.
    pub what: &'static str,
    /// What its inputs are.
    pub kind: Kind,
    /// Panics when something is wrong.
    pub run: fn(&[u8]),
}

/// What the inputs of a target are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Manifests.
    Manifests,
    /// Signatures of images: bundles, envelopes, payloads, policies, certificates, keys.
    Signatures,
    /// Files of images: the path in the first line, then the bytes.
    Files,
    /// Layers, plain and compressed.
    Layers,
    /// Indexes, manifests, configs, bills of materials, advisories, statements: JSON of the trade.
    Documents,
    /// Exports of advisories: archives.
    Exports,
    /// Short texts.
    Words,
}

impl Kind {
    /// Its folder in `fuzz/corpus`.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Manifests => "manifests",
            Self::Signatures => "signatures",
            Self::Files => "files",
            Self::Layers => "layers",
            Self::Documents => "documents",
            Self::Exports => "exports",
            Self::Words => "words",
        }
    }
}

/// Each of them.
pub const ALL: &[Target] = &[
    Target { name: "manifests", what: "bytes to an inventory", kind: Kind::Manifests, run: manifests },
    Target {
        name: "evaluator",
        what: "an inventory to verdicts, reasons and tables",
        kind: Kind::Manifests,
        run: evaluator,
    },
    Target { name: "oracle", what: "the engine against the brute force", kind: Kind::Manifests, run: oracle },
    Target { name: "lint", what: "an inventory to findings", kind: Kind::Manifests, run: linted },
    Target {
        name: "registry",
        what: "names of images, and what registries say",
        kind: Kind::Words,
        run: registry::run,
    },
    Target { name: "report", what: "findings to each form", kind: Kind::Words, run: report },
    Target { name: "signatures", what: "signatures to answers", kind: Kind::Signatures, run: signatures::run },
    Target {
        name: "trust",
        what: "policies, certificates, lists and keys",
        kind: Kind::Signatures,
        run: signatures::trust,
    },
    Target {
        name: "layers",
        what: "a layer of an image to packages and lint",
        kind: Kind::Layers,
        run: images::layers,
    },
    Target { name: "packages", what: "a file of an image to packages", kind: Kind::Files, run: images::packages },
    Target { name: "documents", what: "index, manifest and config", kind: Kind::Documents, run: images::documents },
    Target { name: "bills", what: "bills of materials", kind: Kind::Documents, run: images::bills },
    Target { name: "records", what: "advisories to versions", kind: Kind::Documents, run: advisories::records },
    Target { name: "decisions", what: "VEX and ignore files", kind: Kind::Documents, run: advisories::decisions },
    Target { name: "exports", what: "archives of advisories", kind: Kind::Exports, run: advisories::exports },
    Target { name: "versions", what: "the orders of versions", kind: Kind::Words, run: advisories::versions },
    Target { name: "words", what: "words of the command line", kind: Kind::Words, run: words },
];

/// What stands behind every input: it must survive.
/// The end of a document goes before it: a directive belongs to the next.
const MARK: &[u8] = b"\n...\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: marker}\n";

fn manifests(bytes: &[u8]) {
    let marked = [bytes, MARK].concat();
    let outcome = load(&["-".into()], marked.as_slice()).expect("standard input can be read");
    let is_there = outcome.value.namespaces.iter().any(|namespace| namespace.meta.name() == "marker");
    assert!(is_there, "a document was lost");
    assert!(outcome.problems.iter().all(|problem| problem.place.is_some()), "a problem has no place");
    for problem in &outcome.problems {
        assert!(!problem.message.contains('\n'), "more than a line: {}", problem.message);
    }
    serde_json::to_string(&outcome.value).expect("an inventory is JSON");
}

fn inventory(bytes: &[u8]) -> Inventory {
    load(&["-".into()], bytes).expect("standard input can be read").value
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().expect("a constant")
}

/// The ends of links to ask about: a few pods, with and without their containers, nodes and addresses.
fn ends(model: &Model) -> Vec<End> {
    const PODS: usize = 6;
    let mut ends = Vec::new();
    for pod in model.pods().iter().take(PODS) {
        let container = model.spec(pod).containers.first().map(|container| Which::Named(container.name.clone()));
        for container in [Some(Which::Unsaid), container].into_iter().flatten() {
            let (namespace, name) = (pod.namespace.clone(), pod.name.clone());
            ends.push(End::Pod(PodEnd { namespace, name, container, program: Which::Other, address: None }));
        }
        ends.extend(pod.addresses.first().map(|address| End::Address(*address)));
    }
    ends.push(End::Node { name: OWN_NODE.into(), address: None });
    let nodes = model.inventory().nodes.iter().take(2);
    ends.extend(nodes.map(|node| End::Node { name: node.meta.reference.name.clone(), address: None }));
    let services = model.inventory().services.iter().filter_map(|service| service.cluster_ips.first());
    ends.extend(services.take(2).map(|address| End::Address(*address)));
    ends.push(End::Address([203, 0, 113, 1].into()));
    ends.push(End::Address([169, 254, 169, 254].into()));
    ends
}

fn links(model: &Model) -> Vec<Link> {
    let ends = ends(model);
    let ports = [(Protocol::Tcp, 80), (Protocol::Udp, 53), (Protocol::Sctp, 65535)];
    // Two ends of which none is a pod are no question.
    let is_pod = |end: &End| matches!(end, End::Pod(_));
    let pairs = ends.iter().flat_map(|from| ends.iter().map(move |to| (from, to)));
    let pairs = pairs.filter(|(from, to)| is_pod(from) || is_pod(to));
    let links = pairs.enumerate().map(|(position, (from, to))| {
        let (protocol, port) = ports[position % ports.len()];
        Link { from: from.clone(), to: to.clone(), protocol, port }
    });
    links.collect()
}

fn evaluator(bytes: &[u8]) {
    /// `explain` builds a model for each consent that it proposes.
    const EXPLAINED: usize = 4;
    let inventory = inventory(bytes);
    let settings = Settings::of(&inventory);
    let model = Model::new(Arc::new(inventory), settings).value;
    for (position, link) in links(&model).into_iter().enumerate() {
        let Ok(judgement) = model.judge(&link, now()) else { continue };
        model.enforcement(&link, now()).expect("judged above");
        if position % 17 < EXPLAINED / 2 {
            let explained = model.explain(&link, now(), Grant::Process).expect("judged above");
            assert_eq!(explained.judgement, judgement, "explain does not agree with check: {link:?}");
        }
    }
    let nodes: std::collections::BTreeSet<_> = model.pods().iter().filter_map(|pod| pod.node.clone()).collect();
    for node in nodes.into_iter().take(2) {
        model.compile(&node, 1, now());
    }
    for service in model.inventory().services.iter().take(4) {
        model.behind(service);
    }
}

fn oracle(bytes: &[u8]) {
    let inventory = inventory(bytes);
    let settings = Settings::of(&inventory);
    let model = Model::new(Arc::new(inventory.clone()), settings.clone());
    // Whose an address is that two have cannot be told, and the two may take either.
    let hosts: Vec<_> = inventory.pods.iter().flat_map(|pod| &pod.host_addresses).collect();
    let is_shared = inventory.pods.iter().flat_map(|pod| &pod.addresses).any(|own| hosts.contains(&own));
    if is_shared || model.problems.iter().any(|problem| problem.code == "shared-address") {
        return;
    }
    let model = model.value;
    // The brute force knows nodes by their names alone.
    let is_nameless = |end: &End| matches!(end, End::Node { name, .. } if **name == *OWN_NODE);
    // Between addresses of two families there are no packets, and no answer.
    let families = |end: &End| -> (bool, bool) {
        let of = |addresses: &[std::net::IpAddr]| {
            let none = addresses.is_empty();
            (none || addresses.iter().any(|one| one.is_ipv4()), none || addresses.iter().any(|one| one.is_ipv6()))
        };
        match end {
            End::Pod(end) => model.pod_named(&end.namespace, &end.name).map_or((true, true), |pod| of(&pod.addresses)),
            End::Address(address) => of(&[*address]),
            End::Node { name, .. } => {
                let node = inventory.nodes.iter().find(|node| node.meta.reference.name == *name);
                node.map_or((true, true), |node| of(&node.addresses))
            }
        }
    };
    let meets = |link: &Link| {
        let (from, to) = (families(&link.from), families(&link.to));
        (from.0 && to.0) || (from.1 && to.1)
    };
    let links = links(&model).into_iter().filter(|link| !is_nameless(&link.from) && !is_nameless(&link.to));
    let links = links.filter(meets);
    for link in links.step_by(3) {
        let expected = palisade_oracle::judge(&inventory, &settings, &link, now()).ok();
        let actual = model.judge(&link, now()).ok();
        assert_eq!(actual, expected, "{link:?}");
    }
}

fn linted(bytes: &[u8]) {
    let outcome = load(&["-".into()], bytes).expect("standard input can be read");
    let settings = Settings::of(&outcome.value);
    let model = Model::new(Arc::new(outcome.value), settings);
    let mut problems = outcome.problems;
    problems.extend(model.problems);
    let findings = lint::lint(&model.value, &problems, now());
    let again = lint::lint(&model.value, &problems, now());
    assert!(findings == again, "the same input, and other findings");
    written(findings);
}

fn report(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let parts: Vec<&str> = text.splitn(6, '\n').collect();
    let part = |number: usize| *parts.get(number).unwrap_or(&"");
    let finding = Finding::new(part(0), Severity::High, part(1))
        .of_image(part(2))
        .part(part(3))
        .at(&Place::new(part(4), u32::try_from(bytes.len()).unwrap_or(0)))
        .reason(part(5))
        .fix_with_yaml(part(0), part(5))
        .related(&Place::new(part(2), 0), part(1));
    written(vec![finding.clone(), Finding { message: part(5).to_owned(), ..finding }]);
}

/// Writes every form; those for programs must be readable.
fn written(findings: Vec<Finding>) {
    let report = Report::new("palisade-fuzz", "0", lint::rules(), findings).fail_on(Severity::Low);
    for format in [Format::Text, Format::Json, Format::Sarif, Format::Junit, Format::Markdown] {
        let mut bytes = Vec::new();
        report.write(format, &mut bytes).expect("a vector takes everything");
        let text = String::from_utf8(bytes).expect("every form is UTF-8");
        match format {
            Format::Json | Format::Sarif => {
                serde_json::from_str::<serde_json::Value>(&text).expect("it is JSON");
            }
            Format::Text | Format::Junit => {
                let is_odd = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
                assert!(!text.contains(is_odd), "a control character came through");
            }
            Format::Markdown => assert!(text.len() < 65_536, "longer than a comment"),
        }
    }
}

fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for word in text.lines() {
        let _ = word.parse::<Protocol>().map(|protocol| assert_eq!(protocol.as_str().parse(), Ok(protocol)));
        let _ = word.parse::<Entity>().map(|entity| assert_eq!(entity.as_str().parse(), Ok(entity)));
        let _ = word.parse::<Severity>().map(|severity| assert_eq!(severity.as_str().parse(), Ok(severity)));
        let _ = word.parse::<WorkloadKind>();
        let _ = word.parse::<Timestamp>();
        let _ = word.parse::<palisade_model::IpNet>();
    }
}
