//! Text to a world, and its questions to their answers.

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::Expect;
use palisade_model::Timestamp;
use palisade_model::link::{End, Link, PodEnd, Which};
use palisade_model::settings::Settings;
use palisade_policy::Model;

/// The one place where the API is touched.
pub fn check(world: &str, expected: Expect) {
    expected.assert_eq(&answers(world, Settings::default()));
}

pub fn answers(world: &str, settings: Settings) -> String {
    let mut yaml = String::new();
    let mut questions = Vec::new();
    let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a constant");
    for line in world.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').expect("each line is a word and its rest");
        match word {
            "?" => questions.push((rest, now)),
            "at" => now = rest.parse().expect("an instant"),
            _ => {
                let _ = writeln!(yaml, "---\n{}", document(word, rest));
            }
        }
    }
    let loaded = palisade_manifests::load_text("world", &yaml);
    let mut text = String::new();
    for problem in &loaded.problems {
        let _ = writeln!(text, "problem: {}", problem.message);
    }
    let model = Model::new(Arc::new(loaded.value), settings);
    for problem in &model.problems {
        let _ = writeln!(text, "finding: {}", problem.message);
    }
    for (question, now) in questions {
        let link = link(question);
        let answer = match model.value.judge(&link, now) {
            Err(error) => error.to_string(),
            Ok(judgement) => {
                let explained = model.value.explain(&link, now, palisade_policy::Grant::Process).expect("judged above");
                assert_eq!(explained.judgement, judgement, "explain agrees with check");
                let enforced = judgement.enforced.link().1.to_string();
                let would_be = judgement.would_be.link().1.to_string();
                if enforced == would_be { enforced } else { format!("{enforced}; would be {would_be}") }
            }
        };
        let _ = writeln!(text, "{question}: {answer}");
    }
    text
}

pub fn document(word: &str, rest: &str) -> String {
    let policy = |version: &str, kind: &str| {
        let (name, spec) = rest.split_once(' ').expect("a name and a spec");
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {}\nspec: {spec}", metadata(name, ""))
    };
    match word {
        "raw" => rest.replace("\\n", "\n"),
        "netpol" => policy("networking.k8s.io/v1", "NetworkPolicy"),
        "perimeter" => policy("palisade.dev/v1alpha1", "Perimeter"),
        "clusterperimeter" => policy("palisade.dev/v1alpha1", "ClusterPerimeter"),
        "access" => policy("palisade.dev/v1alpha1", "AccessPolicy"),
        "clusteraccess" => policy("palisade.dev/v1alpha1", "ClusterAccessPolicy"),
        "cnp" => policy("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy"),
        "anp" => policy("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"),
        "banp" => policy("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy"),
        "ns" => {
            let (name, labels) = rest.split_once(' ').unwrap_or((rest, ""));
            format!("apiVersion: v1\nkind: Namespace\nmetadata: {}", metadata(name, labels))
        }
        "node" => {
            let mut words = rest.splitn(3, ' ');
            let (name, address) = (words.next().expect("a name"), words.next().expect("an address"));
            let metadata = metadata(name, words.next().unwrap_or(""));
            format!(
                "apiVersion: v1\nkind: Node\nmetadata: {metadata}\nstatus: {{addresses: [{{type: InternalIP, address: \"{address}\"}}]}}"
            )
        }
        "pod" => pod(rest),
        "svc" => service(rest),
        other => panic!("unknown word {other}"),
    }
}

fn metadata(name: &str, labels: &str) -> String {
    let labels: Vec<String> = labels
        .split_whitespace()
        .map(|pair| {
            let (key, value) = pair.split_once('=').expect("key=value");
            format!("{key}: \"{value}\"")
        })
        .collect();
    let labels = labels.join(", ");
    match name.split_once('/') {
        Some((namespace, name)) => format!("{{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}"),
        None => format!("{{name: {name}, labels: {{{labels}}}}}"),
    }
}

fn pod(rest: &str) -> String {
    let mut words = rest.split_whitespace();
    let name = words.next().expect("a name");
    let (mut labels, mut spec, mut status) = (String::new(), String::new(), "phase: Running".to_owned());
    let (mut containers, mut ports, mut probe) = (vec!["main"], String::new(), String::new());
    for word in words {
        match word.split_once('=') {
            None if word == "hostNetwork" => spec.push_str("hostNetwork: true, "),
            None => panic!("unknown {word}"),
            Some(("ip", addresses)) => {
                let ips: Vec<String> = addresses.split(',').map(|ip| format!("{{ip: \"{ip}\"}}")).collect();
                let _ = write!(status, ", podIPs: [{}]", ips.join(", "));
            }
            Some(("phase", phase)) => status = status.replace("Running", phase),
            Some(("node", node)) => {
                let _ = write!(spec, "nodeName: {node}, ");
            }
            Some(("sa", account)) => {
                let _ = write!(spec, "serviceAccountName: {account}, ");
            }
            Some(("containers", names)) => containers = names.split('+').collect(),
            Some(("probe", port)) => probe = format!(", readinessProbe: {{tcpSocket: {{port: {port}}}}}"),
            Some(("ports", text)) => {
                let each = text.split(',').map(|port| {
                    let (port, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
                    match port.split_once(':') {
                        Some((name, number)) => {
                            format!("{{name: {name}, containerPort: {number}, protocol: {protocol}}}")
                        }
                        None => format!("{{containerPort: {port}, protocol: {protocol}}}"),
                    }
                });
                ports = format!(", ports: [{}]", each.collect::<Vec<_>>().join(", "));
            }
            Some(_) => {
                let _ = write!(labels, "{word} ");
            }
        }
    }
    // The first container has the ports and the probe.
    let containers: Vec<String> = containers
        .iter()
        .enumerate()
        .map(|(position, name)| match position {
            0 => format!("{{name: {name}, image: x{ports}{probe}}}"),
            _ => format!("{{name: {name}, image: x}}"),
        })
        .collect();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {{{spec}containers: [{}]}}\nstatus: {{{status}}}",
        metadata(name, &labels),
        containers.join(", ")
    )
}

fn service(rest: &str) -> String {
    let mut words = rest.split_whitespace();
    let name = words.next().expect("a name");
    let (mut selector, mut spec) = (Vec::new(), String::new());
    for word in words {
        match word.split_once('=').expect("key=value") {
            ("ip", address) => {
                let _ = write!(spec, "clusterIP: \"{address}\", ");
            }
            ("ports", text) => {
                let ports = text.split(',').map(|port| {
                    let (port, target) = port.split_once("->").unwrap_or((port, port));
                    format!("{{name: p{port}, port: {port}, targetPort: {target}}}")
                });
                let _ = write!(spec, "ports: [{}], ", ports.collect::<Vec<_>>().join(", "));
            }
            (key, value) => selector.push(format!("{key}: {value}")),
        }
    }
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {}\nspec: {{{spec}selector: {{{}}}}}",
        metadata(name, ""),
        selector.join(", ")
    )
}

pub fn link(question: &str) -> Link {
    let (from, to) = question.split_once(" -> ").expect("FROM -> TO");
    let (to, port) = to.rsplit_once(':').expect("TO:PORT");
    let (port, protocol) = port.split_once('/').unwrap_or((port, "TCP"));
    Link {
        from: end(from),
        to: end(to),
        protocol: protocol.parse().expect("a protocol"),
        port: port.parse().expect("a port"),
    }
}

fn end(text: &str) -> End {
    if let Ok(address) = text.trim_matches(['[', ']']).parse() {
        return End::Address(address);
    }
    if let Some(name) = text.strip_prefix("node/") {
        return End::Node { name: name.into(), address: None };
    }
    let mut parts = text.splitn(3, ':');
    let (namespace, name) = parts.next().and_then(|name| name.split_once('/')).expect("namespace/name");
    let which = |part: Option<&str>| match part {
        None => Which::Unsaid,
        Some("*") => Which::Other,
        Some(name) => Which::Named(name.into()),
    };
    let (container, program) = (which(parts.next()), which(parts.next()));
    End::Pod(PodEnd { namespace: namespace.into(), name: name.into(), container, program, address: None })
}
