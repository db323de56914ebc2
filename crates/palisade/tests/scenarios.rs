//! The three scenarios that are hard to get right with NetworkPolicies alone, in the kernel: every
//! try is really made, from pods and from outside.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use palisade_lab::stand_in::attempt::{Answer, Try};

use lab::Lab;

fn pod(namespace: &str, name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}, annotations: {{lab.palisade.dev/program.main: /app/main}}}}\nspec: {{containers: [{{name: main, image: x, ports: [{{name: http, containerPort: 8080}}]}}]}}\n"
    )
}

fn namespace(name: &str) -> String {
    format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
}

fn closed(namespace: &str) -> String {
    format!(
        "---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {{name: default, namespace: {namespace}}}\nspec: {{subject: {{selector: {{}}}}, except: [dns, kubelet]}}\n"
    )
}

fn access(namespace: &str, name: &str, rule: &str) -> String {
    format!(
        "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{rules: [{rule}]}}\n"
    )
}

struct Scenario {
    lab: Lab,
    _agent: lab::Agent,
}

impl Scenario {
    fn run(name: &str, yaml: &[String]) -> Self {
        Self::run_on(name, yaml, 1)
    }

    fn run_on(name: &str, yaml: &[String], nodes: u8) -> Self {
        let lab = Lab::up(name, &yaml.concat(), nodes);
        let agent = lab.agent();
        agent.wait_until_guarded(&lab);
        Self { lab, _agent: agent }
    }

    fn call(&self, from: &str, target: &str) -> Answer {
        self.lab.try_all(from, "main", "/app/main", &[Try::tcp(target)]).remove(0)
    }

    fn outside_calls(&self, target: &str) -> Answer {
        let binary = env!("CARGO_BIN_EXE_palisade");
        let mut command = self.lab.command(&["lab", "exec", "world", "--", binary, "lab", "call", target]);
        let output = command.output().expect("the binary starts");
        serde_json::from_slice(&output.stdout).expect("an answer is JSON")
    }

    #[track_caller]
    fn reaches(&self, from: &str, target: &str) {
        let answer = self.call(from, target);
        assert!(answer.ok, "{from} -> {target}: {answer:?}");
    }

    #[track_caller]
    fn is_refused(&self, from: &str, target: &str) {
        let answer = self.call(from, target);
        assert_eq!((answer.ok, answer.errno), (false, Some(13)), "{from} -> {target}: {answer:?}");
    }
}

#[test]
fn a_namespace_talks_only_to_its_dependency() {
    if !lab::can_run() {
        return;
    }
    let rule = "{action: Allow, from: [{namespace: shop, selector: {}}], to: [{namespace: data, workload: db}], ports: [{port: http}]}";
    let scenario = Scenario::run(
        "scenario-1",
        &[
            namespace("shop"),
            namespace("data"),
            namespace("other"),
            pod("shop", "web"),
            pod("data", "db"),
            pod("data", "cache"),
            pod("other", "x"),
            closed("shop"),
            closed("data"),
            access("shop", "to-db", rule),
            access("data", "from-shop", rule),
        ],
    );
    let address = |name| scenario.lab.address_of(name, 8080);
    scenario.reaches("shop/web", &address("db"));
    for target in [address("cache"), address("x"), "203.0.113.66:443".to_owned()] {
        scenario.is_refused("shop/web", &target);
    }
    scenario.is_refused("other/x", &address("db"));
    scenario.is_refused("other/x", &address("web"));
}

#[test]
fn outside_reaches_only_the_gateway() {
    if !lab::can_run() {
        return;
    }
    let scenario = Scenario::run(
        "scenario-2",
        &[
            namespace("shop"),
            pod("shop", "gateway"),
            pod("shop", "web"),
            closed("shop"),
            access(
                "shop",
                "visitors",
                "{action: Allow, from: [{entity: world}], to: [{workload: gateway}], ports: [{port: http}]}",
            ),
            access(
                "shop",
                "inside",
                "{action: Allow, from: [{workload: gateway}], to: [{workload: web}], ports: [{port: http}]}",
            ),
        ],
    );
    let (gateway, web) = (scenario.lab.address_of("gateway", 8080), scenario.lab.address_of("web", 8080));
    assert!(scenario.outside_calls(&gateway).ok);
    scenario.reaches("shop/gateway", &web);
    let refused = scenario.outside_calls(&web);
    assert!(!refused.ok, "outside -> web: {refused:?}");
    // Answered by a reset, not by silence.
    assert_eq!(refused.errno, Some(111), "{refused:?}");
}

#[test]
fn no_egress_but_dns() {
    if !lab::can_run() {
        return;
    }
    let scenario = Scenario::run(
        "scenario-3",
        &[
            namespace("jobs"),
            namespace("other"),
            pod("jobs", "worker"),
            pod("other", "x"),
            "---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: no-egress, namespace: jobs}\nspec: {subject: {selector: {}}, directions: [Egress], except: [dns]}\n".to_owned(),
        ],
    );
    let (worker, x) = (scenario.lab.address_of("worker", 8080), scenario.lab.address_of("x", 8080));
    // The name is resolved, and then the connection refused.
    let answer = scenario.call("jobs/worker", "kube-dns.kube-system:9153");
    assert_eq!(answer.errno, Some(13), "{answer:?}");
    assert!(answer.peer.is_some(), "the name has its address: {answer:?}");
    scenario.is_refused("jobs/worker", &x);
    scenario.is_refused("jobs/worker", "203.0.113.66:443");
    // Egress alone is closed: others come in, and get their answers.
    scenario.reaches("other/x", &worker);
}

/// A pod on the first node, whose prober must reach it before it is an endpoint, behind a Service of every kind of door.
fn pod_with_doors(name: &str, number: u8) -> String {
    format!(
        "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}
spec:
  nodeName: node1
  containers:
  - {{name: main, image: x, ports: [{{name: http, containerPort: 8080}}], readinessProbe: {{tcpSocket: {{port: http}}, periodSeconds: 1}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: shop}}
spec:
  type: LoadBalancer
  selector: {{app: {name}}}
  externalIPs: [198.18.0.{number}]
  ports: [{{port: 80, targetPort: http, nodePort: 300{number}}}]
status: {{loadBalancer: {{ingress: [{{ip: 198.18.1.{number}}}]}}}}
"
    )
}

#[test]
fn outside_is_outside_by_every_door_and_on_every_node() {
    if !lab::can_run() {
        return;
    }
    let to = |whom: &str, from: &str| {
        format!("{{action: Allow, from: [{from}], to: [{{workload: {whom}}}], ports: [{{port: http}}]}}")
    };
    let scenario = Scenario::run_on(
        "scenario-doors",
        &[
            namespace("shop"),
            pod_with_doors("open", 80),
            pod_with_doors("partner", 81),
            pod_with_doors("shut", 82),
            closed("shop"),
            access("shop", "visitors", &to("open", "{entity: world}")),
            access("shop", "partners", &to("partner", "{cidr: 203.0.113.1/32}")),
        ],
        2,
    );
    let ready =
        |name: &str| scenario.lab.inventory().pods.iter().any(|pod| pod.meta.name() == name && pod.ready == Some(true));
    let begun = std::time::Instant::now();
    while !["open", "partner", "shut"].into_iter().all(ready) {
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(60),
            "the node's prober does not reach the closed pods"
        );
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    for (node, is_pods_own) in [("172.31.0.11", true), ("172.31.0.12", false)] {
        let route = ["ip", "route", "replace", "198.18.0.0/15", "via", node, "src", "203.0.113.1"];
        scenario.lab.palisade(&[&["lab", "exec", "world", "--"], &route[..]].concat());
        for (whom, number) in [("open", 80), ("partner", 81), ("shut", 82)] {
            let doors =
                [format!("{node}:300{number}"), format!("198.18.0.{number}:80"), format!("198.18.1.{number}:80")];
            for door in doors {
                let answer = scenario.outside_calls(&door);
                // Who comes by another node's door in that node's name is nobody in particular.
                let wanted = whom == "open" || whom == "partner" && is_pods_own;
                assert_eq!(answer.ok, wanted, "outside -> {whom} by {door} on {node}: {answer:?}");
            }
        }
    }
}

#[test]
fn an_agent_takes_its_rules_from_the_files_and_the_pipe_that_it_is_given() {
    if !lab::can_run() {
        return;
    }
    let application = [namespace("shop"), pod("shop", "web"), pod("shop", "db")].concat();
    let lab = Lab::up("scenario-given", &application, 1);
    let target = lab.address_of("db", 8080);
    let errno = || lab.try_all("shop/web", "main", "/app/main", &[Try::tcp(&target)]).remove(0).errno;
    let rules = lab.manifests().with_file_name("rules.yaml");
    let both = application.clone() + &closed("shop");
    std::fs::write(&rules, &both).expect("written");
    let given = lab.agent_by(&rules.display().to_string(), "");
    given.wait_until_guarded(&lab);
    assert_eq!(errno(), Some(13));
    // They are watched, as the lab's own are.
    let rule = "{action: Allow, from: [{workload: web}], to: [{workload: db}]}";
    std::fs::write(&rules, both.clone() + &access("shop", "web", rule)).expect("written");
    let begun = std::time::Instant::now();
    while errno().is_some() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "the changed file is not taken");
    }
    drop(given);
    let piped = lab.agent_by("-", &both);
    piped.wait_until_guarded(&lab);
    assert_eq!(errno(), Some(13));
    drop(piped);
    let own = lab.agent();
    own.wait_until_guarded(&lab);
    assert_eq!(errno(), None, "without -f the lab's own manifests count again");
}

#[test]
fn a_deny_of_the_nodes_covers_every_address_that_they_answer_on() {
    if !lab::can_run() {
        return;
    }
    let host = pod("shop", "exporter").replace("spec: {", "spec: {hostNetwork: true, ");
    let application = [namespace("shop"), pod("shop", "web"), host].concat();
    let lab = Lab::up("scenario-nodes", &application, 1);
    // The node's end of the pod's link: no Node object names it, and it is the same for every pod.
    let doors = ["169.254.1.1:8080", "172.31.0.11:8080"].map(Try::tcp);
    let errors =
        || lab.try_all("shop/web", "main", "/app/main", &doors).iter().map(|one| one.errno).collect::<Vec<_>>();
    assert_eq!(errors(), [None, None], "unguarded, both are the node");
    let deny = "---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: no-nodes, namespace: shop}
spec: {rules: [{action: Deny, from: [{workload: web}], to: [{entity: nodes}]}]}
";
    lab.replace(&(application.clone() + deny));
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    assert_eq!(errors(), [Some(13), Some(13)]);
}
