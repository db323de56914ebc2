//! `check` and `explain` as a reader sees them: on the example application, on published ones, and
//! on questions that mean nothing.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/palisade is two levels deep")
}

/// Standard output, then standard error, then the exit code.
fn run(arguments: &str, input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(arguments.split_whitespace())
        .current_dir(root())
        .env_remove("PALISADE_LAB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    // The command may end without reading it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the binary ends");
    let code = output.status.code().expect("it is not killed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    format!("{text}[exit {code}]\n")
}

#[track_caller]
fn asks(arguments: &str, expected: Expect) {
    expected.assert_eq(&run(arguments, ""));
}

const SHOP: &str = "-f examples/shop --at 2026-11-22T00:00:00Z";

/// A published application, beside the project in development and in CI alone.
fn published(name: &str) -> Option<PathBuf> {
    let folder = root().parent()?.join("shared/apps").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: {} is not there", folder.display());
    None
}

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
fn a_service_is_answered_per_backend() {
    asks(
        &format!("check {SHOP} shop/web:nginx:/usr/sbin/nginx shop/svc/orders"),
        expect![[r#"
        allowed    shop/web:nginx:/usr/sbin/nginx -> shop/svc/orders 8080
          backend shop/orders port 8080: allowed
            egress  allowed: AccessPolicy shop/storefront rules[1] "web-reads-orders" (examples/shop/policies.yaml:48)
            ingress allowed: AccessPolicy shop/storefront rules[1] "web-reads-orders" (examples/shop/policies.yaml:48)
        [exit 0]
    "#]],
    );
    let world = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop}
spec: {selector: {app: orders}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: shop}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {containers: [{name: web, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: orders-1, namespace: shop, labels: {app: orders}}
spec: {containers: [{name: orders, image: x, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: orders-canary, namespace: shop, labels: {app: orders, track: canary}}
spec: {containers: [{name: orders, image: x, ports: [{name: http, containerPort: 8181}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: canary, namespace: shop}
spec: {podSelector: {matchLabels: {track: canary}}}
";
    expect![[r#"
        denied     shop/web -> shop/svc/orders 80
          1 of 2 backends allowed: each connection is judged by the one that it reaches
          backend shop/orders-1 port 8080: allowed
            egress  allowed: nothing closes it
            ingress allowed: nothing closes it
          backend shop/orders-canary port 8181: denied
            egress  allowed: nothing closes it
            ingress denied: closed by NetworkPolicy shop/canary, and nothing opens it (<stdin>:31)
        [exit 1]
    "#]]
    .assert_eq(&run("check -f - shop/web shop/svc/orders", world));
    // No program of web's node sees what another node makes of its port.
    let nodes = world
        .replace(
            "metadata: {name: web, namespace: shop}\nspec: {",
            "metadata: {name: web, namespace: shop}\nspec: {nodeName: one, ",
        )
        .replace("targetPort: http}", "targetPort: http, nodePort: 30080}")
        .replace("spec: {selector: {app: orders}", "spec: {type: NodePort, selector: {app: orders}")
        + "---\napiVersion: v1\nkind: Node\nmetadata: {name: one}\nstatus: {addresses: [{type: InternalIP, address: 172.31.0.11}]}\n\
           ---\napiVersion: v1\nkind: Node\nmetadata: {name: two}\nstatus: {addresses: [{type: InternalIP, address: 172.31.0.12}]}\n";
    let second_line = |to: &str| {
        let said = run(&format!("check -f - shop/web {to} 30080"), &nodes);
        said.lines().skip(1).take(2).map(str::trim).collect::<Vec<_>>().join(" ")
    };
    expect!["1 of 2 backends allowed: each connection is judged by the one that it reaches backend shop/orders-1 port 8080: allowed"].assert_eq(&second_line("172.31.0.11"));
    expect!["1 of 2 backends allowed: refused as service-mixed, since no program of the sender's node sees which one a connection reaches"].assert_eq(&second_line("172.31.0.12"));
    expect![[r#"
        denied     shop/web -> shop/svc/nobody 80
          no ready endpoint: refused, and not by policy
        [exit 1]
    "#]]
    .assert_eq(&run("check -f - shop/web shop/svc/nobody", world));
}

#[test]
fn explain_names_every_policy_and_the_missing_consent_of_each_namespace() {
    asks(
        &format!("explain {SHOP} shop/search data/db 5432"),
        expect![[r#"
            denied     shop/search -> data/db 5432

            sender shop/search (egress): denied: closed by Perimeter shop/default, and
                nothing opens it (examples/shop/policies.yaml:10)
              closed by
                Perimeter shop/default (examples/shop/policies.yaml:10)
              rules about this end
                AccessPolicy shop/never rules[0] "no-metadata"
                  (examples/shop/policies.yaml:101): does not deny it
                  to[0] {entity: metadata}: data/db is not that party
                AccessPolicy shop/search-without-cache rules[0] "search-uses-no-cache"
                  [Audit] (examples/shop/policies.yaml:112): does not deny it
                  to[0] {workload: cache, namespace: data}: data/db belongs to
                    StatefulSet/db
                AccessPolicy shop/storefront rules[4] "search-reads-catalogue"
                  (examples/shop/policies.yaml:63): does not allow it
                  to[0] {workload: catalogue}: without `namespace` it means namespace `shop`
                    alone
                AccessPolicy shop/storefront rules[9] "to-cache"
                  (examples/shop/policies.yaml:89): does not allow it
                  to[0] {workload: cache, namespace: data}: data/db belongs to
                    StatefulSet/db
              8 rules of this namespace's policies about other pods

            receiver data/db (ingress): denied: closed by Perimeter data/default, and
                nothing opens it (examples/shop/policies.yaml:15)
              closed by
                Perimeter data/default (examples/shop/policies.yaml:15)
              rules about this end
                AccessPolicy data/consent rules[0] "database"
                  (examples/shop/policies.yaml:123): does not allow it
                  from[0] {workload: orders, namespace: shop}: shop/search belongs to
                    Deployment/search
                  from[1] {workload: catalogue, namespace: shop}: shop/search belongs to
                    Deployment/search
                  from[2] {workload: stock-report, namespace: shop}: shop/search belongs to
                    Deployment/search
              2 rules of this namespace's policies about other pods

            the smallest change that opens it
              AccessPolicy shop/storefront rules[7].from (examples/shop/policies.yaml:78)
                add      {workload: search}
              and also AccessPolicy data/consent rules[0].from
                (examples/shop/policies.yaml:123)
                add      {workload: search, namespace: shop}
              turns no other link

            or
              AccessPolicy shop/storefront rules[7].from (examples/shop/policies.yaml:78)
                add      {workload: search}
              and also an object of namespace `data`, which opens the receiver's end. Ready
              to apply:

                apiVersion: palisade.dev/v1alpha1
                kind: AccessPolicy
                metadata: {name: search-to-db-5432, namespace: data}
                spec:
                  rules:
                  - action: Allow
                    from: [{workload: search, namespace: shop}]
                    to: [{workload: db}]
                    ports: [{port: 5432}]
              turns no other link
            [exit 1]
        "#]],
    );
}

#[test]
fn explain_says_that_no_allow_helps_against_a_deny() {
    asks(
        &format!("explain {SHOP} shop/orders metadata 80"),
        expect![[r#"
            denied     shop/orders -> metadata 80

            sender shop/orders (egress): denied: AccessPolicy shop/never rules[0]
                "no-metadata" (examples/shop/policies.yaml:101)
              closed by
                Perimeter shop/default (examples/shop/policies.yaml:10)
              rules about this end
              - AccessPolicy shop/never rules[0] "no-metadata"
                  (examples/shop/policies.yaml:101): denies it
                AccessPolicy shop/storefront rules[5] "orders-take-payments"
                  (examples/shop/policies.yaml:68): does not allow it
                  to[0] {workload: payments}: it names pods, and 169.254.169.254 (metadata)
                    is none
                AccessPolicy shop/storefront rules[7] "to-database"
                  (examples/shop/policies.yaml:78): does not allow it
                  to[0] {workload: db, namespace: data}: it names pods, and 169.254.169.254
                    (metadata) is none
              9 rules of this namespace's policies about other pods

            receiver 169.254.169.254 (metadata) (ingress): allowed: not a pod with an
                address of its own

            no Allow can open this: AccessPolicy shop/never rules[0] "no-metadata" denies it
              (examples/shop/policies.yaml:101)

            no change of one object or field at an end opens it (1 tried)
            [exit 1]
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
fn world_and_kubelet_stand_for_themselves() {
    asks(
        &format!("check {SHOP} world edge/gateway http"),
        expect![[r#"
        allowed    world -> edge/gateway 8080
          egress  allowed: not a pod with an address of its own
          ingress allowed: AccessPolicy edge/gateway rules[0] "visitors" (examples/shop/policies.yaml:26)
        [exit 0]
    "#]],
    );
    asks(
        &format!("check {SHOP} kubelet shop/orders http"),
        expect![[r#"
        allowed    kubelet -> shop/orders 8080
          egress  allowed: not a pod with an address of its own
          ingress allowed: Perimeter shop/default except kubelet (examples/shop/policies.yaml:10)
        [exit 0]
    "#]],
    );
    asks(
        &format!("check {SHOP} shop/payments 203.0.113.11 443"),
        expect![[r#"
        denied     shop/payments -> 203.0.113.11 443
          egress  denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
          ingress allowed: not a pod with an address of its own
        [exit 1]
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
fn questions_about_nobody_say_who_is_there() {
    let questions = [
        "shop/webb shop/orders",
        "shop/web nowhere/x 80",
        "web shop/orders",
        "shop/web shop/orders grpc",
        "shop/web shop/svc/orders 1",
        "shop/web 203.0.113.1",
        "shop/web:sidecar shop/orders",
        "shop/svc/orders shop/web 80",
        "shop/web:nginx:nginx shop/orders",
        "a/b/c/d shop/web 1",
        "cluster shop/web 80",
        "shop/web shop/orders 70000",
    ];
    let answers: Vec<String> = questions
        .iter()
        .map(|question| format!("> {question}\n{}", run(&format!("check {SHOP} {question}"), "")))
        .collect();
    expect![[r#"
        > shop/webb shop/orders
        error: `shop/webb` is not in the input

        hint: namespace `shop` has catalogue, orders, payments, search, stock-report, web
        [exit 2]

        > shop/web nowhere/x 80
        error: `nowhere/x` is not in the input

        hint: namespace `nowhere` runs nothing here
        [exit 2]

        > web shop/orders
        error: `web` is not in the input

        hint: did you mean `shop/web`?
        [exit 2]

        > shop/web shop/orders grpc
        error: `shop/orders` declares no port `grpc`

        hint: its ports are http
        [exit 2]

        > shop/web shop/svc/orders 1
        error: Service `shop/svc/orders` has no port `1`

        hint: its ports are 8080/TCP
        [exit 2]

        > shop/web 203.0.113.1
        error: which PORT?

        hint: an address declares none: give it as the third word
        [exit 2]

        > shop/web:sidecar shop/orders
        error: `shop/web` has no container `sidecar`

        hint: its containers are log-shipper, nginx
        [exit 2]

        > shop/svc/orders shop/web 80
        denied     shop/svc/orders -> shop/web 80
          egress  denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
          ingress denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
        [exit 1]

        > shop/web:nginx:nginx shop/orders
        error: program `nginx` of `shop/web:nginx:nginx` is no absolute path

        hint: write it as in the image, such as `/usr/sbin/nginx`
        [exit 2]

        > a/b/c/d shop/web 1
        error: `a/b/c/d` is no end of a link

        hint: write NAMESPACE/NAME[:CONTAINER[:PROGRAM]], NAMESPACE/KIND/NAME, an address or an entity
        hint: palisade check --help
        [exit 2]

        > cluster shop/web 80
        denied     data/cache:valkey, data/db:postgres, data/logs:collector -> shop/web 80
          egress  denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15)
          ingress denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
        denied     edge/gateway:envoy -> shop/web 80
          egress  denied: closed by Perimeter edge/default, and nothing opens it (examples/shop/policies.yaml:5)
          ingress denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
        denied     shop/catalogue:catalogue, shop/orders:orders, shop/payments:payments:/app/payments, shop/payments:payments:(other program), shop/search:search, shop/stock-report:report -> shop/web 80
          egress  denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
          ingress denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
        allowed    shop/web:nginx:/usr/sbin/nginx, shop/web:nginx:(other program), shop/web:log-shipper -> shop/web 80
          egress  allowed: the pod's own address
          ingress allowed: the pod's own address
        denied     nodes -> shop/web 80
          egress  allowed: not a pod with an address of its own
          ingress denied: closed by Perimeter shop/default, and nothing opens it (examples/shop/policies.yaml:10)
        [exit 1]

        > shop/web shop/orders 70000
        error: port 70000 is out of range

        hint: ports are 1 to 65535
        [exit 2]
    "#]]
    .assert_eq(&answers.join("\n"));
}

/// A gateway, a database behind a Service, a job that has finished, the cluster's DNS and a node.
const PARTIES: &str = r#"
apiVersion: palisade.dev/v1alpha1
kind: ClusterSettings
metadata: {name: default}
spec:
  gateways: [{namespace: edge, selector: {matchLabels: {app: gateway}}}]
  dnsService: {namespace: kube-system, name: coredns}
---
{apiVersion: v1, kind: Namespace, metadata: {name: edge}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: data}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}
---
apiVersion: v1
kind: Pod
metadata: {name: gateway, namespace: edge, labels: {app: gateway}}
spec: {containers: [{name: envoy, image: envoy, ports: [{containerPort: 8443}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: data, labels: {app: db}}
spec: {containers: [{name: postgres, image: postgres, ports: [{name: pg, containerPort: 5432}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: migrate, namespace: data, labels: {app: migrate}}
spec: {containers: [{name: migrate, image: migrate}]}
status: {phase: Succeeded, podIP: 10.1.0.9}
---
apiVersion: v1
kind: Service
metadata: {name: database, namespace: data}
spec: {selector: {app: db}, ports: [{port: 5432, targetPort: pg}]}
---
apiVersion: v1
kind: Pod
metadata: {name: coredns, namespace: kube-system, labels: {app: dns}}
spec: {containers: [{name: coredns, image: coredns, ports: [{containerPort: 53, protocol: UDP}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: coredns, namespace: kube-system}
spec: {selector: {app: dns}, ports: [{port: 53, protocol: UDP}]}
---
{apiVersion: v1, kind: Node, metadata: {name: one}, status: {addresses: [{type: InternalIP, address: 192.168.1.1}]}}
---
apiVersion: palisade.dev/v1alpha1
kind: ClusterPerimeter
metadata: {name: all}
spec: {subject: {namespaceSelector: {}, selector: {}}, except: [dns]}
---
apiVersion: palisade.dev/v1alpha1
kind: ClusterAccessPolicy
metadata: {name: doors}
spec:
  rules:
  - {action: Allow, from: [{entity: gateway}], to: [{namespace: data}], ports: [{port: pg}]}
  - {action: Allow, from: [{workload: coredns, namespace: kube-system}], to: [{entity: world}]}
"#;

#[test]
fn a_service_and_every_entity_stand_at_either_end() {
    let asks = |question: &str, expected: Expect| {
        expected.assert_eq(&run(&format!("check -f - {question}"), PARTIES));
    };
    asks(
        "gateway data/svc/database",
        expect![[r#"
            allowed    gateway -> data/svc/database 5432
              backend data/db port 5432: allowed
                egress  allowed: ClusterAccessPolicy doors rules[0] (<stdin>:58)
                ingress allowed: ClusterAccessPolicy doors rules[0] (<stdin>:58)
            [exit 0]
        "#]],
    );
    asks(
        "data/svc/database gateway",
        expect![[r#"
            denied     data/svc/database -> gateway 8443
              egress  denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
              ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            [exit 1]
        "#]],
    );
    asks(
        "data/svc/database:postgres gateway",
        expect![[r#"
            denied     data/svc/database:postgres -> gateway 8443
              egress  denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
              ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            [exit 1]
        "#]],
    );
    asks(
        "dns world 53/udp",
        expect![[r#"
            allowed    dns -> world 53/UDP
              egress  allowed: ClusterAccessPolicy doors rules[1] (<stdin>:59)
              ingress allowed: not a pod with an address of its own
            [exit 0]
        "#]],
    );
    asks(
        "edge/gateway kubelet",
        expect![[r#"
            denied     edge/gateway -> node one 10250
              egress  denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
              ingress allowed: not a pod with an address of its own
            [exit 1]
        "#]],
    );
    asks(
        "kubelet edge/gateway",
        expect![[r#"
            denied     kubelet -> edge/gateway 8443
              egress  allowed: not a pod with an address of its own
              ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            [exit 1]
        "#]],
    );
    asks(
        "cluster data/svc/database",
        expect![[r#"
            allowed    data/db:postgres -> data/svc/database 5432
              backend data/db port 5432: allowed
                egress  allowed: the pod's own address
                ingress allowed: the pod's own address
            allowed    edge/gateway:envoy -> data/svc/database 5432
              backend data/db port 5432: allowed
                egress  allowed: ClusterAccessPolicy doors rules[0] (<stdin>:58)
                ingress allowed: ClusterAccessPolicy doors rules[0] (<stdin>:58)
            denied     kube-system/coredns:coredns -> data/svc/database 5432
              backend data/db port 5432: denied
                egress  denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
                ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            denied     node one -> data/svc/database 5432
              backend data/db port 5432: denied
                egress  allowed: not a pod with an address of its own
                ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            [exit 1]
        "#]],
    );
    asks(
        "world cluster 8443",
        expect![[r#"
            denied     world -> data/db 8443
              egress  allowed: not a pod with an address of its own
              ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            denied     world -> edge/gateway 8443
              egress  allowed: not a pod with an address of its own
              ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            denied     world -> kube-system/coredns 8443
              egress  allowed: not a pod with an address of its own
              ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            allowed    world -> node one 8443
              egress  allowed: not a pod with an address of its own
              ingress allowed: not a pod with an address of its own
            [exit 1]
        "#]],
    );
    asks(
        "world cluster pg",
        expect![[r#"
            denied     world -> data/db 5432
              egress  allowed: not a pod with an address of its own
              ingress denied: closed by ClusterPerimeter all, and nothing opens it (<stdin>:48)
            [exit 1]
        "#]],
    );
    asks(
        "edge/gateway data/svc/database:postgres",
        expect![[r#"
            error: `data/svc/database:postgres` names a process behind a Service: which one is reached follows from its port

            hint: name the Service alone, or the workload behind it
            [exit 2]
        "#]],
    );
    asks(
        "data/migrate data/db",
        expect![[r#"
            error: `data/migrate` has finished: it has no address any more

            hint: name a pod or workload that runs
            [exit 2]
        "#]],
    );
    asks(
        "data/svc/databases data/db",
        expect![[r#"
            error: `data/svc/databases` is not in the input

            hint: the Services of namespace `data` are database
            [exit 2]
        "#]],
    );
    let one_sided = "---
{apiVersion: palisade.dev/v1alpha1, kind: ClusterAccessPolicy, metadata: {name: one-sided},
 spec: {rules: [{action: Allow, from: [{entity: dns}], to: [{entity: kubelet}]}]}}
";
    expect![[r#"
        allowed    gateway -> data/db 5432
          egress  allowed: ClusterAccessPolicy doors rules[0] (<stdin>:58)
          ingress allowed: ClusterAccessPolicy doors rules[0] (<stdin>:58)
        warning: <stdin>:62: ClusterAccessPolicy one-sided: `entity: dns` in `from` matches nobody: it is the cluster DNS as it is asked
          hint: name the DNS server's workload and namespace
        warning: <stdin>:62: ClusterAccessPolicy one-sided: `entity: kubelet` in `to` matches nobody: it is the kubelet as it probes
          hint: use `entity: nodes` with the port
        [exit 0]
    "#]].assert_eq(&run("check -f - gateway data/db", &format!("{PARTIES}{one_sided}")));
}

#[test]
fn pods_alone_tell_their_deployment_and_a_name_alone_does_not() {
    // As `kubectl get pods -o yaml` prints them, without the ReplicaSets.
    let pod = |name: &str, owner: &str, labels: &str| {
        format!(
            "---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: shop
  labels: {{app: x{labels}}}
  ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: {owner}, uid: a, controller: true}}]
spec: {{containers: [{{name: c, image: c, ports: [{{containerPort: 80}}]}}]}}
"
        )
    };
    let rules = "
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: shop}
spec: {subject: {selector: {}}}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: web, namespace: shop}
spec: {rules: [{action: Allow, from: [{workload: deploy/web}], to: [{workload: db}]}]}
";
    let made = ", pod-template-hash: 7d4b9c";
    let pods = [
        pod("web-7d4b9c-x", "web-7d4b9c", made),
        pod("web-canary-x", "web-canary", ""),
        pod("db-7d4b9c-x", "db-7d4b9c", made),
    ];
    let input = format!("{rules}{}", pods.concat());
    expect![[r#"
        allowed    shop/web -> shop/db 80
          egress  allowed: AccessPolicy shop/web rules[0] (<stdin>:10)
          ingress allowed: AccessPolicy shop/web rules[0] (<stdin>:10)
        [exit 0]
    "#]]
    .assert_eq(&run("check -f - shop/web shop/db", &input));
    expect![[r#"
        denied     shop/rs/web-canary -> shop/db 80
          egress  denied: closed by Perimeter shop/default, and nothing opens it (<stdin>:2)
          ingress denied: closed by Perimeter shop/default, and nothing opens it (<stdin>:2)
        [exit 1]
    "#]]
    .assert_eq(&run("check -f - shop/rs/web-canary shop/db", &input));
}

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

#[test]
fn explain_shows_the_way_through_the_tiers() {
    let text = "
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: tenants}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress:
  - {name: shop, action: Pass, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}
  - {name: nobody-else, action: Deny, from: [{namespaces: {}}]}
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: BaselineAdminNetworkPolicy
metadata: {name: default}
spec:
  subject: {namespaces: {}}
  egress:
  - {name: nobody, action: Deny, to: [{networks: [0.0.0.0/0]}]}
";
    let shown = |question: &str| run(&format!("explain {SHOP} -f - {question}"), text);
    expect![[r#"
        allowed    shop/orders -> data/db 5432

        sender shop/orders (egress): allowed: AccessPolicy shop/storefront rules[7]
            "to-database" (examples/shop/policies.yaml:78)
          closed by
            Perimeter shop/default (examples/shop/policies.yaml:10)
          rules about this end
            AccessPolicy shop/never rules[0] "no-metadata"
              (examples/shop/policies.yaml:101): does not deny it
              to[0] {entity: metadata}: data/db is not that party
            AccessPolicy shop/storefront rules[5] "orders-take-payments"
              (examples/shop/policies.yaml:68): does not allow it
              to[0] {workload: payments}: without `namespace` it means namespace `shop`
                alone
          + AccessPolicy shop/storefront rules[7] "to-database"
              (examples/shop/policies.yaml:78): allows it
            BaselineAdminNetworkPolicy default egress[0].to[0] "nobody" (<stdin>:19): is
              not asked: what comes before it answers
          9 rules of this namespace's policies about other pods

        receiver data/db (ingress): allowed: AccessPolicy data/consent rules[0]
            "database" (examples/shop/policies.yaml:123)
          closed by
            Perimeter data/default (examples/shop/policies.yaml:15)
          rules about this end
          > ClusterNetworkPolicy tenants ingress[0].from[0] "shop" (<stdin>:10): passes
              it on to the next tier
          + AccessPolicy data/consent rules[0] "database"
              (examples/shop/policies.yaml:123): allows it
          2 rules of this namespace's policies about other pods

        the smallest change that closes it
          AccessPolicy shop/storefront rules[7].from[0] (examples/shop/policies.yaml:80)
            remove   {workload: orders}
          turns no other link

        or
          AccessPolicy data/consent rules[0].from[0] (examples/shop/policies.yaml:126)
            remove   {workload: orders, namespace: shop}
          turns no other link
        [exit 0]
    "#]]
    .assert_eq(&shown("shop/orders data/db 5432"));
    expect![[r#"
        denied     edge/gateway -> data/db 5432

        sender edge/gateway (egress): denied: closed by Perimeter edge/default, and
            nothing opens it (examples/shop/policies.yaml:5)
          closed by
            Perimeter edge/default (examples/shop/policies.yaml:5)
          rules about this end
            AccessPolicy edge/gateway rules[1] "gateway-to-web"
              (examples/shop/policies.yaml:31): does not allow it
              to[0] {workload: web, namespace: shop}: data/db is in another namespace
            BaselineAdminNetworkPolicy default egress[0].to[0] "nobody" (<stdin>:19): is
              not asked: what comes before it answers
          1 rule of this namespace's policies about other pods

        receiver data/db (ingress): denied: ClusterNetworkPolicy tenants
            ingress[1].from[0] "nobody-else" (<stdin>:11)
          closed by
            Perimeter data/default (examples/shop/policies.yaml:15)
          rules about this end
            ClusterNetworkPolicy tenants ingress[0] "shop" (<stdin>:10): does not pass
              it on
              from[0] every pod of namespaces `kubernetes.io/metadata.name=shop`:
                namespace `edge` has `kubernetes.io/metadata.name=edge`
          - ClusterNetworkPolicy tenants ingress[1].from[0] "nobody-else" (<stdin>:11):
              denies it
            AccessPolicy data/consent rules[0] "database"
              (examples/shop/policies.yaml:123): does not allow it
              from[0] {workload: orders, namespace: shop}: edge/gateway is in another
                namespace
              from[1] {workload: catalogue, namespace: shop}: edge/gateway is in another
                namespace
              from[2] {workload: stock-report, namespace: shop}: edge/gateway is in
                another namespace
          2 rules of this namespace's policies about other pods

        no Allow can open this: ClusterNetworkPolicy tenants ingress[1].from[0]
          "nobody-else" denies it (<stdin>:11)

        the smallest change that opens it
          an object of namespace `edge`. Ready to apply:

            apiVersion: palisade.dev/v1alpha1
            kind: AccessPolicy
            metadata: {name: gateway-to-db-5432, namespace: edge}
            spec:
              rules:
              - action: Allow
                from: [{workload: gateway}]
                to: [{workload: db, namespace: data}]
                ports: [{port: 5432}]
          and also ClusterNetworkPolicy tenants ingress[1] (<stdin>:11)
            before   {action: Accept, from: [{pods: {namespaceSelector: {matchLabels:
                     {kubernetes.io/metadata.name: edge}}, podSelector: {matchLabels:
                     {app: gateway}}}}], protocols: [{tcp: {destinationPort: {number:
                     5432}}}]}
          turns no other link
        [exit 1]
    "#]]
    .assert_eq(&shown("edge/gateway data/db 5432"));
}

/// A database that is open on its Service's port, which no policy ever sees.
const WRONG_PORT: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: data}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: shop, labels: {app: api}}, spec: {containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: data, labels: {app: db}}, spec: {containers: [{name: c, image: x, ports: [{containerPort: 5432}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: data}, spec: {selector: {app: db}, ports: [{port: 80, targetPort: 5432}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: data}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}}]
    ports: [{port: 80}]
";

#[test]
fn explain_proposes_the_smallest_change_and_tells_what_else_it_turns() {
    let said = run("explain -f - shop/web data/svc/db 80", WRONG_PORT);
    let changes = &said[said.find("the smallest change").expect("there is one")..];
    expect![[r#"
        the smallest change that opens it
          NetworkPolicy data/db ingress (<stdin>:14)
            add      {from: [{namespaceSelector: {matchLabels:
                     {kubernetes.io/metadata.name: shop}}, podSelector: {matchLabels:
                     {app: web}}}], ports: [{port: 5432}]}
          turns no other link

        or
          an object of namespace `data`, which opens the receiver's end. Ready to apply:

            apiVersion: palisade.dev/v1alpha1
            kind: AccessPolicy
            metadata: {name: web-to-db-5432, namespace: data}
            spec:
              rules:
              - action: Allow
                from: [{workload: web, namespace: shop}]
                to: [{workload: db}]
                ports: [{port: 5432}]
          turns no other link

        or
          NetworkPolicy data/db ingress[0].ports[0] (<stdin>:20)
            is       {port: 80}
            becomes  {port: 5432}
            (80 is the port of Service data/db; policies see the port of the pod, 5432)
          also opens 1 link of workloads
            shop/api -> data/db 5432
          also closes 1 link of workloads
            shop/api, shop/web -> data/db 80
        [exit 1]
    "#]]
    .assert_eq(changes);
    let said = run("explain -f - shop/web data/svc/db 80 -o json", WRONG_PORT);
    let json = &said[..said.rfind('}').expect("JSON") + 1];
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let changes = &json["explained"][0]["explanations"][0]["changes"];
    assert_eq!(changes["to"], "allowed");
    expect![[r#"
        {
          "alsoCloses": {
            "isCut": false,
            "links": []
          },
          "alsoOpens": {
            "isCut": false,
            "links": [
              {
                "from": "shop/api",
                "is": "allowed",
                "ports": "5432",
                "protocol": "TCP",
                "to": "data/db",
                "was": "denied"
              }
            ]
          },
          "edits": [
            {
              "action": {
                "do": "add",
                "value": "{port: 5432}"
              },
              "field": "ingress[0].ports",
              "object": "NetworkPolicy data/db",
              "place": "<stdin>:20"
            }
          ]
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&changes["found"][2]).expect("JSON"));
}

#[test]
fn explain_says_when_no_change_is_found() {
    let finished = "
{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: nobody}, spec: {tier: Admin, priority: 0,
  subject: {namespaces: {}}, ingress: [{action: Deny, from: [{futureField: {}}]}]}}
";
    let input = format!("{WRONG_PORT}---\n{finished}");
    let said = run("explain -f - world data/db 5432", &input);
    expect![[r#"
        denied     world -> data/db 5432

        sender 128.0.0.0 (world) (egress): allowed: not a pod with an address of its own

        receiver data/db (ingress): denied: ClusterNetworkPolicy nobody
            ingress[0].from[0] (<stdin>:25)
          closed by
            NetworkPolicy data/db (<stdin>:14)
          rules about this end
          - ClusterNetworkPolicy nobody ingress[0].from[0] (<stdin>:25): denies it
            NetworkPolicy data/db ingress[0] (<stdin>:20): does not allow it
              from[0] every pod of namespaces `kubernetes.io/metadata.name=shop`: it
                names pods, and 128.0.0.0 (world) is none
              ports are TCP 80; the link is TCP 5432

        no Allow can open this: ClusterNetworkPolicy nobody ingress[0].from[0] denies it
          (<stdin>:25)

        no change of one object or field at an end opens it (1 tried)
        warning: <stdin>:25: ClusterNetworkPolicy nobody: `spec.ingress[0].from[0].futureField`: unknown field: the API server drops it, `kubectl` refuses the object
        warning: <stdin>:25: ClusterNetworkPolicy nobody: `spec.ingress[0].from[0]`: `futureField` is a peer of another version of the API: this rule denies everything
        [exit 1]
    "#]].assert_eq(&said);
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
fn sock_shop_says_what_is_wrong_with_its_policies() {
    let Some(folder) = published("sock-shop") else { return };
    let text = run(&format!("explain -f {} sock-shop/carts sock-shop/carts-db", folder.display()), "");
    let text = text.replace(&folder.display().to_string(), "sock-shop");
    expect![[r#"
        denied     sock-shop/carts -> sock-shop/carts-db 27017

        sender sock-shop/carts (egress): allowed: nothing closes it

        receiver sock-shop/carts-db (ingress): denied: closed by NetworkPolicy
            sock-shop/carts-db-access, and nothing opens it
            (sock-shop/networkpolicies/netpol-cart-db-access.yaml:2)
          closed by
            NetworkPolicy sock-shop/carts-db-access
              (sock-shop/networkpolicies/netpol-cart-db-access.yaml:2)
            NetworkPolicy sock-shop/cortex-access
              (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          rules about this end
            NetworkPolicy sock-shop/carts-db-access ingress[0]
              (sock-shop/networkpolicies/netpol-cart-db-access.yaml:12):
              does not allow it
              from[0] pods `name=cart` of namespace `sock-shop`: sock-shop/carts has
                `name=carts`
              hint: did you mean `name: carts`?
            NetworkPolicy sock-shop/cortex-access ingress[0]
              (sock-shop/networkpolicies/netpol-cortex-access.yaml:11):
              does not allow it
              from[0] pods `name=cortex` of namespace `sock-shop`: sock-shop/carts has
                `name=carts`

        the smallest change that opens it
          NetworkPolicy sock-shop/carts-db-access ingress[0].from[0]
            (sock-shop/networkpolicies/netpol-cart-db-access.yaml:13)
            is       {podSelector: {matchLabels: {name: cart}}}
            becomes  {podSelector: {matchLabels: {name: carts}}}
            (did you mean `name: carts`?)
          turns no other link

        or
          NetworkPolicy sock-shop/carts-db-access ingress[0].from
            (sock-shop/networkpolicies/netpol-cart-db-access.yaml:12)
            add      {podSelector: {matchLabels: {name: carts}}}
          turns no other link
        warning: sock-shop/networkpolicies/netpol-cart-access.yaml:2: NetworkPolicy sock-shop/cart-access: podSelector `name=cart` matches no pod of namespace `sock-shop`
          hint: did you mean `name: carts`?
        warning: sock-shop/networkpolicies/netpol-cart-db-access.yaml:13: NetworkPolicy sock-shop/carts-db-access: peer `name=cart` matches no pod of namespace `sock-shop`
          hint: did you mean `name: carts`?
        warning: sock-shop/networkpolicies/netpol-cortex-access.yaml:12: NetworkPolicy sock-shop/cortex-access: peer `name=cortex` matches no pod of namespace `sock-shop`
        [exit 1]
    "#]].assert_eq(&text);
}

#[test]
fn online_boutique_works_under_its_published_policies() {
    let Some(folder) = published("online-boutique") else { return };
    let files = format!("-f {0}/manifests -f {0}/networkpolicies", folder.display());
    for (from, to) in [
        ("frontend", "cartservice"),
        ("cartservice", "redis-cart"),
        ("checkoutservice", "paymentservice"),
        ("loadgenerator", "frontend"),
    ] {
        let text = run(&format!("check {files} default/{from} default/svc/{to}"), "");
        assert!(text.starts_with("allowed") && text.ends_with("[exit 0]\n"), "{from} -> {to}: {text}");
    }
    let text = run(&format!("check {files} default/adservice default/redis-cart 6379"), "");
    assert!(text.starts_with("denied") && text.ends_with("[exit 1]\n"), "{text}");
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

        no AccessPolicy can open this: the network plugin asks NetworkPolicies alone. Lower AccessPolicy shop/db to one

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
