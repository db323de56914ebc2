//! `palisade net exposure` as a reader sees it: on published applications, on the example, and on a world with every kind
//! of door.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use crate::session::{self, root};

/// Standard output, then the exit code; problems of the input are tested elsewhere.
fn run_in(folder: &Path, arguments: &str, input: &str) -> String {
    run_command(folder, &format!("net exposure {arguments}"), input)
}

fn run_command(folder: &Path, arguments: &str, input: &str) -> String {
    let (output, _, code) = session::run_in(folder, arguments, input);
    format!("{output}[exit {code}]\n")
}

fn run(arguments: &str) -> String {
    run_in(root(), arguments, "")
}

const DOORS: &str = "-f crates/palisade/tests/net/doors.yaml";

/// The published applications, beside the project in development and in CI alone.
fn applications() -> Option<PathBuf> {
    palisade_peers::shared("apps")
}

#[track_caller]
fn shows(output: &str, expected: Expect) {
    let widest = output.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest <= 80, "a line of {widest} columns:\n{output}");
    expected.assert_eq(output);
}

#[test]
fn the_example_is_entered_by_its_gateway_alone() {
    shows(
        &run("-f examples/shop --at 2026-11-22T00:00:00Z"),
        expect![[r#"
        edge Deployment/gateway
          guarded    every node, port 30080, Service edge/gateway 80 -> 8080
                     allowed: AccessPolicy edge/gateway rules[0] "visitors"
                       (examples/shop/policies.yaml:26)

        1 way in from world: 1 guarded
        [exit 0]
    "#]],
    );
}

#[test]
fn without_policies_sock_shop_is_open() {
    let Some(folder) = applications() else { return };
    shows(
        &run_in(&folder, "-f sock-shop/manifests", ""),
        expect![[r#"
        sock-shop Deployment/front-end
          OPEN       every node, port 30001, Service sock-shop/front-end 80 -> 8079
                     nothing guards it: no policy closes the pods for ingress

        1 way in from world: 1 without any guard
        [exit 1]
    "#]],
    );
    shows(
        &run_in(&folder, "-f sock-shop/manifests -f sock-shop/networkpolicies", ""),
        expect![[r#"
        sock-shop Deployment/front-end
          guarded    every node, port 30001, Service sock-shop/front-end 80 -> 8079
                     allowed: NetworkPolicy sock-shop/front-end-access ingress[0]
                       (sock-shop/networkpolicies/netpol-frontend-access.yaml:12)

        1 way in from world: 1 guarded
        [exit 0]
    "#]],
    );
}

#[test]
fn online_boutique_shows_who_a_newcomer_meets() {
    let Some(folder) = applications() else { return };
    let arguments = "-f online-boutique/manifests -f online-boutique/networkpolicies --newcomer default:app=debug";
    shows(
        &run_in(&folder, arguments, ""),
        expect![[r#"
            default Deployment/frontend
              guarded    load balancer, port 80, Service default/frontend-external
                         80 -> 8080
                         allowed: NetworkPolicy default/frontend ingress[0]
                           (online-boutique/networkpolicies/network-policy-frontend.yaml:27)
              guarded    every node, port that the cluster chooses, Service
                         default/frontend-external 80 -> 8080
                         allowed: NetworkPolicy default/frontend ingress[0]
                           (online-boutique/networkpolicies/network-policy-frontend.yaml:27)

            a newcomer in default app=debug
              could reach
                no workload: 11 refuse
                world: denied: closed by NetworkPolicy default/deny-all, and nothing opens
                  it (online-boutique/networkpolicies/network-policy-deny-all.yaml:15)
              could be reached on TCP 8080 by
                nobody
              no door leads to it

            2 ways in from world: 2 guarded
            [exit 0]
        "#]],
    );
}

#[test]
fn every_kind_of_door_is_followed_to_its_pods() {
    shows(
        &run(DOORS),
        expect![[r#"
            edge DaemonSet/exporter
              OPEN       its node, port 9100 (host network) -> 9100
                         nothing guards it: no policy holds on the host network

            edge Deployment/nginx
              OPEN       load balancer 203.0.113.7, port 80, Service edge/nginx 80 -> 80
                         nothing guards it: no policy closes the pods for ingress
              OPEN       every node, port 30080, Service edge/nginx 80 -> 80
                         nothing guards it: no policy closes the pods for ingress

            shop Deployment/web
              OPEN       Ingress shop/shop: shop.example.com/*, Service shop/web 80 -> 8080
                         world -> edge/nginx 80: allowed: nothing closes it
                         edge/nginx -> shop/web 8080: allowed: nothing closes it
                         no policy has a say on the way
              OPEN       Gateway edge/edge https, HTTPRoute shop/api: api.example.com/v1/*,
                         Service shop/web 80 -> 8080
                         world -> edge/edge-envoy: taken as reached: nothing in the input
                           leads there
                         edge/edge-envoy -> shop/web 8080: allowed: nothing closes it
                         no policy has a say on the way

            shop StatefulSet/db
              guarded    its node, port 5432 (hostPort) -> 5432
                         allowed: NetworkPolicy shop/db ingress[0].from[1]
                           (crates/palisade/tests/net/doors.yaml:90)
                         only from 198.51.100.0/25
              undecided  load balancer, port 5432, Service shop/db 5432 -> 5432
                         undecided: whether a node translates the source on the way to
                           Service `shop/db` (externalTrafficPolicy) is not known
                         the load balancer takes 198.51.100.0/24 alone
                           (loadBalancerSourceRanges)
              undecided  every node, port that the cluster chooses, Service shop/db
                         5432 -> 5432
                         undecided: whether a node translates the source on the way to
                           Service `shop/db` (externalTrafficPolicy) is not known
              undecided  Ingress shop/shop: shop.example.com = /admin, Service shop/db
                         5432 -> 5432
                         world -> edge/nginx 80: allowed: nothing closes it
                         edge/nginx -> shop/db-0 5432: undecided: the address of pod
                           `edge/nginx` is not known

            doors that lead nowhere, or are not known
              crates/palisade/tests/net/doors.yaml:49: Ingress shop/shop: there is no
                Service `shop/gone`
                hint: correct the name, or add the Service
              crates/palisade/tests/net/doors.yaml:126: HTTPRoute shop/api: no
                ReferenceGrant of namespace `lab` lets it name Service `lab/canary`
                hint: add one there, or move the Service
              crates/palisade/tests/net/doors.yaml:131: HTTPRoute lab/stranger: does not
                attach to Gateway `edge/edge`: `allowedRoutes.namespaces` of the listener
                does not let this namespace in
              1 VirtualService of `networking.istio.io/v1` may be a door and is not read:
                its ways are not shown

            9 ways in from world: 5 without any guard, 1 guarded, 3 undecided
            [exit 3]
        "#]],
    );
}

#[test]
fn one_source_is_followed_and_others_are_not() {
    shows(
        &run(&format!("{DOORS} --from 198.51.100.200")),
        expect![[r#"
            edge DaemonSet/exporter
              OPEN       its node, port 9100 (host network) -> 9100
                         nothing guards it: no policy holds on the host network

            edge Deployment/nginx
              OPEN       load balancer 203.0.113.7, port 80, Service edge/nginx 80 -> 80
                         nothing guards it: no policy closes the pods for ingress
              OPEN       every node, port 30080, Service edge/nginx 80 -> 80
                         nothing guards it: no policy closes the pods for ingress

            shop Deployment/web
              OPEN       Ingress shop/shop: shop.example.com/*, Service shop/web 80 -> 8080
                         198.51.100.200 -> edge/nginx 80: allowed: nothing closes it
                         edge/nginx -> shop/web 8080: allowed: nothing closes it
                         no policy has a say on the way
              OPEN       Gateway edge/edge https, HTTPRoute shop/api: api.example.com/v1/*,
                         Service shop/web 80 -> 8080
                         world -> edge/edge-envoy: taken as reached: nothing in the input
                           leads there
                         edge/edge-envoy -> shop/web 8080: allowed: nothing closes it
                         no policy has a say on the way

            shop StatefulSet/db
              undecided  Ingress shop/shop: shop.example.com = /admin, Service shop/db
                         5432 -> 5432
                         198.51.100.200 -> edge/nginx 80: allowed: nothing closes it
                         edge/nginx -> shop/db-0 5432: undecided: the address of pod
                           `edge/nginx` is not known
              closed     load balancer, port 5432, Service shop/db 5432 -> 5432
                         denied: closed by NetworkPolicy shop/db, and nothing opens it
                           (crates/palisade/tests/net/doors.yaml:84)
                         the load balancer takes 198.51.100.0/24 alone
                           (loadBalancerSourceRanges)
              closed     every node, port that the cluster chooses, Service shop/db
                         5432 -> 5432
                         denied: closed by NetworkPolicy shop/db, and nothing opens it
                           (crates/palisade/tests/net/doors.yaml:84)
              closed     its node, port 5432 (hostPort) -> 5432
                         denied: closed by NetworkPolicy shop/db, and nothing opens it
                           (crates/palisade/tests/net/doors.yaml:84)

            doors that lead nowhere, or are not known
              crates/palisade/tests/net/doors.yaml:49: Ingress shop/shop: there is no
                Service `shop/gone`
                hint: correct the name, or add the Service
              crates/palisade/tests/net/doors.yaml:126: HTTPRoute shop/api: no
                ReferenceGrant of namespace `lab` lets it name Service `lab/canary`
                hint: add one there, or move the Service
              crates/palisade/tests/net/doors.yaml:131: HTTPRoute lab/stranger: does not
                attach to Gateway `edge/edge`: `allowedRoutes.namespaces` of the listener
                does not let this namespace in
              1 VirtualService of `networking.istio.io/v1` may be a door and is not read:
                its ways are not shown

            9 ways in from 198.51.100.200: 5 without any guard, 1 undecided, 3 closed
            [exit 3]
        "#]],
    );
}

#[test]
fn a_pull_request_gets_a_table() {
    expect![[r#"
        ### 9 ways in from world: 5 without any guard, 1 guarded, 3 undecided

        | | workload | port | way in | what guards it |
        | --- | --- | --- | --- | --- |
        | **OPEN** | edge DaemonSet/exporter | 9100 | its node, port 9100 (host network) | **nothing** |
        | **OPEN** | edge Deployment/nginx | 80 | load balancer 203.0.113.7, port 80, Service edge/nginx 80 | **nothing** |
        | **OPEN** | edge Deployment/nginx | 80 | every node, port 30080, Service edge/nginx 80 | **nothing** |
        | **OPEN** | shop Deployment/web | 8080 | Ingress shop/shop: shop.example.com/\*, Service shop/web 80 | **nothing** |
        | **OPEN** | shop Deployment/web | 8080 | Gateway edge/edge https, HTTPRoute shop/api: api.example.com/v1/\*, Service shop/web 80 | **nothing** |
        | **guarded** | shop StatefulSet/db | 5432 | its node, port 5432 (hostPort) | NetworkPolicy shop/db ingress\[0\].from\[1\] (crates/palisade/tests/net/doors.yaml:90) |
        | **undecided** | shop StatefulSet/db | 5432 | load balancer, port 5432, Service shop/db 5432 | the load balancer takes 198.51.100.0/24 alone (loadBalancerSourceRanges); whether a node translates the source on the way to Service `shop/db` (externalTrafficPolicy) is not known |
        | **undecided** | shop StatefulSet/db | 5432 | every node, port that the cluster chooses, Service shop/db 5432 | whether a node translates the source on the way to Service `shop/db` (externalTrafficPolicy) is not known |
        | **undecided** | shop StatefulSet/db | 5432 | Ingress shop/shop: shop.example.com = /admin, Service shop/db 5432 | the address of pod `edge/nginx` is not known |

        Doors that lead nowhere, or are not known:

        - crates/palisade/tests/net/doors.yaml:49: Ingress shop/shop: there is no Service `shop/gone`
        - crates/palisade/tests/net/doors.yaml:126: HTTPRoute shop/api: no ReferenceGrant of namespace `lab` lets it name Service `lab/canary`
        - crates/palisade/tests/net/doors.yaml:131: HTTPRoute lab/stranger: does not attach to Gateway `edge/edge`: `allowedRoutes.namespaces` of the listener does not let this namespace in
        - 1 VirtualService of `networking.istio.io/v1` may be a door and is not read: its ways are not shown
        [exit 0]
    "#]].assert_eq(&run(&format!("{DOORS} -o markdown --fail-on never")));
}

#[test]
fn the_exit_code_is_by_what_the_reader_minds() {
    let code = |arguments: &str| run(arguments).lines().last().map(str::to_owned);
    assert_eq!(code("-f examples/shop --fail-on reachable").as_deref(), Some("[exit 1]"));
    assert_eq!(code("-f examples/shop").as_deref(), Some("[exit 0]"));
    assert_eq!(code(DOORS).as_deref(), Some("[exit 3]"));
    assert_eq!(code(&format!("{DOORS} --fail-on never")).as_deref(), Some("[exit 0]"));
    assert_eq!(code("-f examples/shop --newcomer shop/web").as_deref(), Some("[exit 2]"));
    let open = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: x, ports: [{containerPort: 80, hostPort: 80}]}]}\n";
    assert!(run_in(root(), "-f -", open).ends_with("[exit 1]\n"));
}

#[test]
fn json_is_versioned_and_names_each_step() {
    let output = run(&format!("{DOORS} -o json"));
    let json = output.strip_suffix("[exit 3]\n").expect("some ways are undecided");
    let json: serde_json::Value = serde_json::from_str(json).expect("it is JSON");
    assert_eq!((&json["version"], &json["from"]), (&1.into(), &"world".into()));
    let ways: Vec<&serde_json::Value> = json["workloads"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|it| it["ways"].as_array().into_iter().flatten())
        .collect();
    let kinds: std::collections::BTreeSet<&str> = ways.iter().filter_map(|way| way["door"]["kind"].as_str()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["gateway", "host-network", "host-port", "ingress", "load-balancer", "node-port"]
    );
    let through = ways.iter().find(|way| way["door"]["kind"] == "ingress").expect("there is an Ingress");
    assert_eq!(through["steps"].as_array().map(Vec::len), Some(2));
    assert_eq!(through["servedBy"]["kind"], "pods");
}

#[test]
fn a_policy_that_closes_the_pods_closes_each_door() {
    let closed = std::fs::read_to_string(root().join("crates/palisade/tests/net/doors.yaml")).expect("it is there")
        + "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: edge}\nspec: {podSelector: {}}\n"
        + "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: shop}\nspec: {podSelector: {}}\n";
    let output = run_in(root(), "-f -", &closed);
    let open: Vec<&str> = output.lines().filter(|line| line.starts_with("  OPEN")).collect();
    // No policy reaches the host network.
    assert_eq!(open, ["  OPEN       its node, port 9100 (host network) -> 9100"], "{output}");
}

#[test]
fn a_door_is_asked_for_by_its_name_or_by_a_request() {
    let ask = |to: &str| run_command(root(), &format!("check {DOORS} world {to}"), "");
    expect![[r#"
        allowed    world -> edge/svc/nginx (by its load balancer) 80
          backend edge/nginx port 80: allowed
            egress  allowed: not a pod with an address of its own
            ingress allowed: nothing closes it
        allowed    world -> edge/svc/nginx (by every node) 30080
          backend edge/nginx port 80: allowed
            egress  allowed: not a pod with an address of its own
            ingress allowed: nothing closes it
        allowed    edge/deployment/nginx -> shop/svc/web (by Ingress shop/shop, shop.example.com /*) 80
          backend shop/web port 8080: allowed
            egress  allowed: nothing closes it
            ingress allowed: nothing closes it
        undecided  edge/deployment/nginx -> shop/svc/db (by Ingress shop/shop, shop.example.com = /admin) 5432
          backend shop/db-0 port 5432: undecided
            egress  allowed: nothing closes it
            ingress undecided: the address of pod `edge/nginx` is not known
          with the network plugin cilium: denied
        [exit 3]
    "#]]
    .assert_eq(&ask("shop/ingress/shop"));
    expect![[r#"
        allowed    edge/deployment/edge-envoy -> shop/svc/web (by HTTPRoute shop/api, api.example.com /v1/*) 80
          backend shop/web port 8080: allowed
            egress  allowed: nothing closes it
            ingress allowed: nothing closes it
        [exit 0]
    "#]]
    .assert_eq(&ask("edge/gateway/edge"));
    expect![[r#"
        allowed    world -> edge/svc/nginx (by its load balancer) 80
          backend edge/nginx port 80: allowed
            egress  allowed: not a pod with an address of its own
            ingress allowed: nothing closes it
        allowed    world -> edge/svc/nginx (by every node) 30080
          backend edge/nginx port 80: allowed
            egress  allowed: not a pod with an address of its own
            ingress allowed: nothing closes it
        undecided  edge/deployment/nginx -> shop/svc/db (by Ingress shop/shop, shop.example.com = /admin) 5432
          backend shop/db-0 port 5432: undecided
            egress  allowed: nothing closes it
            ingress undecided: the address of pod `edge/nginx` is not known
          with the network plugin cilium: denied
        [exit 3]
    "#]]
    .assert_eq(&ask("shop.example.com/admin"));
    assert_eq!(ask("shop/httproute/api"), ask("api.example.com/v1/orders"));
    assert!(ask("shop/ingress/nothing").ends_with("[exit 2]\n") && ask("other.example.com").ends_with("[exit 2]\n"));
    let with_port = run_command(root(), &format!("check {DOORS} world shop/ingress/shop 80"), "");
    assert!(with_port.ends_with("[exit 2]\n"));
    let explained = run_command(root(), &format!("explain {DOORS} world shop.example.com/"), "");
    assert!(explained.contains("receiver shop/web (ingress): allowed: nothing closes it"), "{explained}");
}

/// One program of the gateway is named by the rules: that the others are refused does not close the door.
#[test]
fn a_door_works_when_one_process_of_its_gateway_gets_through() {
    let ingress = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: palisade.dev/v1alpha1
kind: ClusterSettings
metadata: {name: default}
spec: {gateways: [{namespace: edge, selector: {matchLabels: {app: gateway}}}]}
";
    let manifests = ["app.yaml", "policies.yaml"]
        .map(|file| std::fs::read_to_string(root().join("examples/shop").join(file)).expect("the example is there"));
    let text = manifests.join("\n---\n") + "---" + ingress;
    let output = run_command(root(), "check -f - --at 2026-11-22T00:00:00Z world shop/ingress/shop", &text);
    expect![[r#"
        allowed    world -> edge/svc/gateway (by every node) 30080
          backend edge/gateway port 8080: allowed
            egress  allowed: not a pod with an address of its own
            ingress allowed: AccessPolicy edge/gateway rules[0] "visitors" (<stdin>:443)
        allowed    edge/deployment/gateway -> shop/svc/web (by Ingress shop/shop, any host) 80
          backend shop/web port 8080: allowed
            egress  allowed: AccessPolicy edge/gateway rules[1] "gateway-to-web" (<stdin>:448)
            ingress allowed: AccessPolicy shop/storefront rules[0] "from-gateway" (<stdin>:460)
        [exit 0]
    "#]]
    .assert_eq(&output);
    let output = run_in(root(), "-f - --at 2026-11-22T00:00:00Z", &text);
    expect![[r#"
        edge Deployment/gateway
          guarded    every node, port 30080, Service edge/gateway 80 -> 8080
                     allowed: AccessPolicy edge/gateway rules[0] "visitors"
                       (<stdin>:443)

        shop Deployment/web
          guarded    Ingress shop/shop: any host, Service shop/web 80 -> 8080
                     served by the gateways that ClusterSettings names
                     world -> edge/gateway 8080: allowed: AccessPolicy edge/gateway
                       rules[0] "visitors" (<stdin>:443)
                     edge/gateway -> shop/web 8080: allowed: AccessPolicy edge/gateway
                       rules[1] "gateway-to-web" (<stdin>:448)

        2 ways in from world: 2 guarded
        [exit 0]
    "#]]
    .assert_eq(&output);
}

/// Each pod has a block of its own: none is lost among the others.
#[test]
fn a_block_of_one_pod_is_found_among_hundreds() {
    use std::fmt::Write as _;
    const PODS: usize = 300;
    let mut text = String::new();
    for pod in 0..PODS {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{pod}, labels: {{app: p{pod}}}}}\nspec: {{containers: [{{name: c, image: x, ports: [{{containerPort: 80, hostPort: {}}}]}}]}}\n",
            1000 + pod
        );
        let _ = write!(
            text,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{pod}}}\nspec: {{podSelector: {{matchLabels: {{app: p{pod}}}}}, ingress: [{{from: [{{ipBlock: {{cidr: 198.51.{}.{}/32}}}}]}}]}}\n",
            pod / 200,
            pod % 200
        );
    }
    let output = run_in(root(), "-f -", &text);
    let found = (0..PODS).filter(|pod| output.contains(&format!("only from 198.51.{}.{}/32\n", pod / 200, pod % 200)));
    assert_eq!(found.count(), PODS);
    assert!(output.ends_with("300 ways in from world: 300 guarded\n[exit 0]\n"));
}
