//! May it? Answers about one link, and what they hang on.

use expect_test::expect;

use super::*;

#[test]
fn programs_of_one_pod_get_their_own_answers() {
    asks(
        &format!("check {SHOP} shop/web shop/orders"),
        expect![[r#"
        allowed    shop/web:nginx:/usr/sbin/nginx -> shop/orders 8080
          egress  allowed: AccessPolicy shop/storefront rules[1] "web-reads-orders" (examples/shop/policies.yaml:48)
          ingress allowed: AccessPolicy shop/storefront rules[1] "web-reads-orders" (examples/shop/policies.yaml:48)
        denied     shop/web:nginx:(other program), shop/web:log-shipper -> shop/orders 8080
          egress  denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
          ingress denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
        [exit 1]
    "#]],
    );
    asks(
        &format!("check {SHOP} shop/web:nginx:/usr/sbin/nginx shop/orders http"),
        expect![[r#"
        allowed    shop/web:nginx:/usr/sbin/nginx -> shop/orders 8080
          egress  allowed: AccessPolicy shop/storefront rules[1] "web-reads-orders" (examples/shop/policies.yaml:48)
          ingress allowed: AccessPolicy shop/storefront rules[1] "web-reads-orders" (examples/shop/policies.yaml:48)
        [exit 0]
    "#]],
    );
}

#[test]
fn the_instant_and_the_guarded_nodes_are_part_of_the_question() {
    asks(
        "check -f examples/shop --at 2036-01-01T00:00:00Z shop/stock-report data/db pg",
        expect![[r#"
        denied     shop/stock-report -> data/db 5432
          egress  denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
          ingress allowed: AccessPolicy data/consent rules[0] "database" (examples/shop/policies.yaml:123)
        [exit 1]
    "#]],
    );
    asks(
        &format!("check {SHOP} --guarded node1 shop/search data/db pg"),
        expect![[r#"
        denied     shop/search -> data/db 5432
          egress  denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
          ingress denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15)
          judged    nowhere: neither node is guarded
        [exit 1]
    "#]],
    );
}

#[test]
fn audit_objects_show_what_they_would_change() {
    asks(
        &format!("check {SHOP} shop/search data/cache redis"),
        expect![[r#"
        allowed    shop/search -> data/cache 6379
          egress  allowed: AccessPolicy shop/storefront rules[9] "to-cache" (examples/shop/policies.yaml:89)
                  would be denied: AccessPolicy shop/search-without-cache rules[0] "search-uses-no-cache" (examples/shop/policies.yaml:112)
          ingress allowed: AccessPolicy data/consent rules[1] "cache" (examples/shop/policies.yaml:131)
          with the policies in Audit enforced: denied
        [exit 0]
    "#]],
    );
}

#[test]
fn two_pods_with_one_address_end_with_3_and_policies_of_other_engines_do_not() {
    let foreign = "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: p}\n".to_owned();
    let pod = |name: &str, address: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{containers: [{{name: a, image: i}}]}}\nstatus: {{phase: Running, podIP: {address}}}\n"
        )
    };
    let alone = foreign + &pod("web", "10.0.0.1") + &pod("db", "10.0.0.2");
    expect![[r#"
        allowed    default/web -> default/db 80
          egress  allowed: nothing closes it
          ingress allowed: nothing closes it
        warning: <stdin>:2: the CiliumNetworkPolicy of `cilium.io/v2` is not read: Palisade's answers leave it out
          hint: another engine enforces it, and may refuse or open what is answered here
        [exit 0]
    "#]]
    .assert_eq(&run("check -f - default/web default/db 80", &alone));
    let shared = pod("web", "10.0.0.1") + &pod("db", "10.0.0.1");
    expect![[r#"
        allowed    default/web -> default/db 80
          egress  allowed: nothing closes it
          ingress allowed: nothing closes it
        problem: <stdin>:8: Pod default/db: its address 10.0.0.1 is also that of Pod default/web
          hint: one of the two is gone, or its status is of another moment: take all objects from the cluster at once
        problem: <stdin>:2: Pod default/web: its address 10.0.0.1 is also that of Pod default/db
          hint: one of the two is gone, or its status is of another moment: take all objects from the cluster at once
        [exit 3]
    "#]]
    .assert_eq(&run("check -f - default/web default/db 80", &shared));
}

#[test]
fn what_cannot_be_decided_ends_with_3() {
    let world = "
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: x, ports: [{containerPort: 80}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: typo}
spec: {podSelector: {matchLabels: [app, web]}
";
    expect![[r#"
        undecided  world -> default/web 80
          egress  allowed: not a pod with an address of its own
          ingress undecided: a document that may be a policy cannot be read (<stdin>:6)
        problem: <stdin>:10: cannot read the document (NetworkPolicy), column 7: a bracket that is not closed by `}`
          hint: close the bracket, or put the value in quotes
        [exit 3]
    "#]]
    .assert_eq(&run("check -f - world default/web", world));
}

#[test]
fn corner_11_a_source_that_a_node_may_translate_is_not_guessed() {
    let world = "
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: a, labels: {app: db}}
spec: {nodeName: n1, containers: [{name: db, image: x, ports: [{containerPort: 5432}]}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: a}
spec: {type: NodePort, selector: {app: db}, ports: [{port: 5432, nodePort: 30500}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: a}
spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}
";
    expect![[r#"
        undecided  203.0.113.5 -> 192.168.0.1 (Service a/db) 30500
          whether a node translates the source on the way to Service `a/db` (externalTrafficPolicy) is not known
          backend a/db port 5432: allowed
            egress  allowed: not a pod with an address of its own
            ingress allowed: NetworkPolicy a/db ingress[0].from[0] (<stdin>:25)
        [exit 3]
    "#]]
    .assert_eq(&run("check -f - 203.0.113.5 192.168.0.1 30500", world));
    // Refused whichever address the pod sees.
    expect![[r#"
        denied     198.51.100.9 -> 192.168.0.1 (Service a/db) 30500
          backend a/db port 5432: denied
            egress  allowed: not a pod with an address of its own
            ingress denied: closed by NetworkPolicy a/db, and nothing opens it (<stdin>:22)
        [exit 1]
    "#]]
    .assert_eq(&run("check -f - 198.51.100.9 192.168.0.1 30500", world));
}

#[test]
fn json_is_versioned_and_carries_rule_and_place() {
    let text = run(&format!("check {SHOP} -o json shop/web:nginx:/usr/sbin/nginx shop/orders http"), "");
    let (json, code) = text.rsplit_once("[exit ").expect("ends with the code");
    assert_eq!(code, "0]\n");
    let report: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
    assert_eq!(report["version"], 1);
    let answer = &report["answers"][0];
    assert_eq!(answer["verdict"], "allowed");
    let rule = &answer["links"][0]["judgement"]["enforced"]["egress"]["allow"]["rule"];
    assert_eq!(rule["object"], "AccessPolicy shop/storefront");
    assert_eq!(rule["name"], "web-reads-orders");
    assert!(rule["place"].as_str().is_some_and(|place| place.starts_with("examples/shop/policies.yaml:")));
}

#[test]
fn pods_without_a_common_address_family_are_told_of_whatever_policies_say() {
    let pod = |name: &str, addresses: &[&str]| {
        let addresses: Vec<String> = addresses.iter().map(|address| format!("{{ip: '{address}'}}")).collect();
        let addresses = addresses.join(", ");
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: a}}, spec: {{containers: [{{name: c, image: c}}]}}, status: {{phase: Running, podIPs: [{addresses}]}}}}\n---\n"
        )
    };
    let input = [pod("old", &["10.0.0.1"]), pod("new", &["fd00::1"]), pod("both", &["10.0.0.2", "fd00::2"])].concat();
    let says = |command: &str| run(command, &input).contains("nothing can be sent");
    assert!(says("check -f - a/old a/new 80") && says("explain -f - a/new a/old 80"));
    assert!(!says("check -f - a/old a/both 80") && !says("check -f - a/both a/new 80"));
}

#[test]
fn a_host_port_leads_to_its_pod_and_an_unreadable_pod_leaves_addresses_open() {
    let world = "
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: a, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: web, image: x}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: a, labels: {app: db}}
spec: {nodeName: n1, containers: [{name: db, image: x, ports: [{containerPort: 5432, hostPort: 15432}]}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: odd, namespace: a, labels: {app: [x]}}
spec: {containers: [{name: odd, image: x}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.3}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: a}
spec: {podSelector: {matchLabels: {app: db}}}
";
    expect![[r#"
        denied     a/web -> 192.168.0.1 (hostPort) 15432
          backend a/db port 5432: denied
            egress  allowed: nothing closes it
            ingress denied: closed by NetworkPolicy a/db, and nothing opens it (<stdin>:29)
        problem: <stdin>:25: Pod a/odd: `metadata.labels.app`: cannot use a list as string
        [exit 3]
    "#]]
    .assert_eq(&run("check -f - a/web 192.168.0.1 15432", world));
    expect![[r#"
        allowed    a/web -> 10.0.0.3 80
          egress  allowed: nothing closes it
          ingress allowed: not a pod with an address of its own
        problem: <stdin>:25: Pod a/odd: `metadata.labels.app`: cannot use a list as string
        [exit 3]
    "#]]
    .assert_eq(&run("check -f - a/web 10.0.0.3 80", world));
}
