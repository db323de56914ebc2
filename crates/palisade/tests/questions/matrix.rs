//! Many links at once, and what other network plugins would say.

use expect_test::expect;

use super::*;

#[test]
fn a_matrix_gives_each_probe_its_answer() {
    let probes = r#"[
        ["shop/orders", "data/db", 5432, "TCP"], ["shop/web", "data/db", 5432, "TCP"],
        ["203.0.113.7", "edge/gateway", 8080, "TCP"], ["shop/orders", "203.0.113.7", 53, "udp"],
        ["shop/web", "shop/orders", 8080, "TCP"], ["shop/nobody", "data/db", 5432, "TCP"],
        ["shop/orders", "data/svc/db", 5432, "TCP"], ["shop/orders", "data/db", 5432, "QUIC"]]"#;
    let asks = |arguments: &str, expected: Expect| {
        expected.assert_eq(&run(&format!("net matrix {SHOP} --probes - {arguments}"), probes));
    };
    asks(
        "-o json",
        expect![[r#"
        [
        ["shop/orders","data/db",5432,"TCP",true],
        ["shop/web","data/db",5432,"TCP",false],
        ["203.0.113.7","edge/gateway",8080,"TCP",true],
        ["shop/orders","203.0.113.7",53,"udp",false],
        ["shop/web","shop/orders",8080,"TCP",null],
        ["shop/nobody","data/db",5432,"TCP",null],
        ["shop/orders","data/svc/db",5432,"TCP",true],
        ["shop/orders","data/db",5432,"QUIC",null]
        ]
        problem: probe 5: `shop/nobody` is not in the input
        problem: probe 7: unknown protocol `QUIC`, expected TCP, UDP or SCTP
        [exit 3]
    "#]],
    );
    asks(
        "",
        expect![[r#"
        allowed    shop/orders -> data/db 5432/TCP
        denied     shop/web -> data/db 5432/TCP
        allowed    203.0.113.7 -> edge/gateway 8080/TCP
        denied     shop/orders -> 203.0.113.7 53/udp
        undecided  shop/web -> shop/orders 8080/TCP
        undecided  shop/nobody -> data/db 5432/TCP
        allowed    shop/orders -> data/svc/db 5432/TCP
        undecided  shop/orders -> data/db 5432/QUIC
        problem: probe 5: `shop/nobody` is not in the input
        problem: probe 7: unknown protocol `QUIC`, expected TCP, UDP or SCTP
        [exit 3]
    "#]],
    );
    expect![[r#"
        error: `-` is no list of probes
          caused by: invalid type: string "http", expected u32 at line 1 column 31

        hint: write [["shop/web", "data/db", 5432, "TCP"], ...]: source, destination, port, protocol
        [exit 2]
    "#]]
    .assert_eq(&run(&format!("net matrix {SHOP} --probes -"), r#"[["shop/web", "data/db", "http", "TCP"]]"#));
    expect![[r#"
        error: manifests and probes cannot both come from standard input
        [exit 2]
    "#]]
    .assert_eq(&run("net matrix -f - --probes -", "[]"));
    expect![[r#"
        error: cannot read `/nowhere.json`
          caused by: No such file or directory (os error 2)
        [exit 2]
    "#]]
    .assert_eq(&run(&format!("net matrix {SHOP} --probes /nowhere.json"), ""));
}

#[test]
fn a_network_plugin_decides_what_the_api_leaves_open() {
    let pods = |name: &str, address: &str| {
        format!(
            "---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: a, labels: {{app: {name}}}}}
spec: {{containers: [{{name: c, image: c}}]}}
status: {{phase: Running, podIP: {address}}}
"
        )
    };
    let input = format!(
        "{}{}---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: block, namespace: a}}
spec: {{podSelector: {{matchLabels: {{app: db}}}}, ingress: [{{from: [{{ipBlock: {{cidr: 10.0.0.0/8}}}}]}}]}}
",
        pods("web", "10.0.0.1"),
        pods("db", "10.0.0.2")
    );
    let probes = std::env::temp_dir().join(format!("palisade-probes-{}.json", std::process::id()));
    std::fs::write(&probes, r#"[["a/web", "a/db", 80, "TCP"]]"#).expect("written");
    let answer = |cni: &str| run(&format!("net matrix -f - --probes {} --cni {cni} -o json", probes.display()), &input);
    assert_eq!(answer("generic"), answer("calico"));
    expect![[r#"
        [
        ["a/web","a/db",80,"TCP",true]
        ]
        [exit 0]
        [
        ["a/web","a/db",80,"TCP",false]
        ]
        [exit 0]
    "#]]
    .assert_eq(&(answer("generic") + &answer("cilium")));
    std::fs::remove_file(&probes).expect("removed");
}

const BESIDE_A_PLUGIN: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {containers: [{name: web, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: db, image: x, ports: [{containerPort: 5432}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: db, namespace: shop}
spec: {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 5432}]}]}
";

#[test]
fn an_answer_says_with_which_network_plugin_it_would_be_another() {
    expect![[r#"
        allowed    shop/web -> shop/db 5432
          egress  allowed: AccessPolicy shop/db rules[0] (<stdin>:24)
          ingress allowed: AccessPolicy shop/db rules[0] (<stdin>:24)
          with the network plugin calico or cilium: denied
        [exit 0]
    "#]]
    .assert_eq(&run("check -f - shop/web shop/db", BESIDE_A_PLUGIN));
    expect![[r#"
        denied     shop/web -> shop/db 5432

        sender shop/web (egress): allowed: AccessPolicy shop/db rules[0] (<stdin>:24)
          rules about this end
          + AccessPolicy shop/db rules[0] (<stdin>:24): allows it

        receiver shop/db (ingress): denied: closed by NetworkPolicy shop/db, which the
            network plugin enforces itself: AccessPolicy shop/db rules[0] cannot open it
            (<stdin>:16)
          closed by
            NetworkPolicy shop/db (<stdin>:16)
          rules about this end
          + AccessPolicy shop/db rules[0] (<stdin>:24): allows it

        no AccessPolicy can open this: the network plugin asks NetworkPolicies alone.
          Lower AccessPolicy shop/db to one

        the smallest change that opens it
          NetworkPolicy shop/db ingress (<stdin>:16)
            add      {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port:
                     5432}]}
          turns no other link

        with the network plugin generic or flannel: allowed
        [exit 1]
    "#]]
    .assert_eq(&run("explain -f - --cni calico shop/web shop/db", BESIDE_A_PLUGIN));
    let json = run("check -f - -o json shop/web shop/db", BESIDE_A_PLUGIN);
    let json: serde_json::Value = serde_json::from_str(json.trim_end_matches("[exit 0]\n")).expect("it is JSON");
    let expected = serde_json::json!([{"cni": ["calico", "cilium"], "verdict": "denied"}]);
    assert_eq!(json["answers"][0]["withOtherCni"], expected);
    assert!(run("check -f - --cni nothing shop/web shop/db", BESIDE_A_PLUGIN).ends_with("[exit 2]\n"));
}

/// The API's conformance cases ask so: pods of StatefulSets by their numbers, of which only the template is in the input.
const NUMBERED: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: a, labels: {house: a}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: a}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: x}]}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: web, namespace: a}
spec:
  selector: {app: web}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: x}]}}
---
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: first-alone}
spec:
  tier: Admin
  priority: 1
  subject: {pods: {podSelector: {matchLabels: {statefulset.kubernetes.io/pod-name: db-0}}}}
  ingress: [{action: Deny, from: [{namespaces: {matchLabels: {house: a}}}]}]
";

#[test]
fn pods_of_a_stateful_set_are_asked_about_by_their_numbers() {
    let probes = std::env::temp_dir().join(format!("palisade-numbered-{}.json", std::process::id()));
    let asked = r#"[["a/db-1", "a/db-0", 80, "TCP"], ["a/db-0", "a/db-1", 80, "TCP"], ["a/db-0", "a/db-0", 80, "TCP"],
        ["a/web", "a/db-0", 80, "TCP"], ["a/web", "a/db-1", 80, "TCP"], ["a/web", "a/db-2", 80, "TCP"], ["a/web", "a/db", 80, "TCP"]]"#;
    std::fs::write(&probes, asked).expect("written");
    expect![[r#"
        [
        ["a/db-1","a/db-0",80,"TCP",false],
        ["a/db-0","a/db-1",80,"TCP",true],
        ["a/db-0","a/db-0",80,"TCP",true],
        ["a/web","a/db-0",80,"TCP",false],
        ["a/web","a/db-1",80,"TCP",true],
        ["a/web","a/db-2",80,"TCP",null],
        ["a/web","a/db",80,"TCP",null]
        ]
        problem: probe 5: `a/db-2` is not in the input
        [exit 3]
    "#]]
    .assert_eq(&run(&format!("net matrix -f - --probes {} -o json", probes.display()), NUMBERED));
    std::fs::remove_file(&probes).expect("removed");
    expect![[r#"
        denied     a/web -> a/db-0 80
          egress  allowed: nothing closes it
          ingress denied: ClusterNetworkPolicy first-alone ingress[0].from[0] (<stdin>:29)
        allowed    a/web -> a/db-1 80
          egress  allowed: nothing closes it
          ingress allowed: nothing closes it
        [exit 1]
    "#]]
    .assert_eq(&run("check -f - a/web a/db 80", NUMBERED));
    expect![[r#"
        a/db [db-0]
          every port  world

        a/db [db-1], a/web
          every port  everyone

        metadata, world
          every port  every pod
        [exit 0]
    "#]]
    .assert_eq(&run("net map -f -", NUMBERED));
}

/// A node's address is an address: what comes by it may come through the node.
#[test]
fn by_its_address_a_node_reaches_no_closed_pod_wherever_that_runs() {
    let pod = |name: &str, node: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: a}}\nspec: {{{node}containers: [{{name: c, image: c}}]}}\n"
        )
    };
    let input = format!(
        "{}{}---
apiVersion: v1
kind: Node
metadata: {{name: n1}}
status: {{addresses: [{{type: InternalIP, address: 192.0.2.1}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: closed, namespace: a}}
spec: {{podSelector: {{}}}}
",
        pod("here", "nodeName: n1, "),
        pod("anywhere", "")
    );
    let probes = std::env::temp_dir().join(format!("palisade-by-node-{}.json", std::process::id()));
    std::fs::write(&probes, r#"[["192.0.2.1", "a/here", 80, "TCP"], ["192.0.2.1", "a/anywhere", 80, "TCP"]]"#)
        .expect("written");
    expect![[r#"
        [
        ["192.0.2.1","a/here",80,"TCP",false],
        ["192.0.2.1","a/anywhere",80,"TCP",false]
        ]
        [exit 0]
    "#]]
    .assert_eq(&run(&format!("net matrix -f - --probes {} -o json", probes.display()), &input));
    std::fs::remove_file(&probes).expect("removed");
}
