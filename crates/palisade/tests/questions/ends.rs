//! Who can be asked about: pods, workloads, Services and the parties that have no label.

use expect_test::expect;

use super::*;

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

/// Two pods of one Service on two nodes, one of them refused; who asks from either, from a third, and from none yet.
const NEAR: &str = "
apiVersion: v1
kind: Service
metadata: {name: logs, namespace: shop}
spec: {internalTrafficPolicy: Local, clusterIP: 10.96.0.7, externalIPs: [192.0.2.7], selector: {app: logs}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: logs-open, namespace: shop, labels: {app: logs}}
spec: {nodeName: one, containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: logs-shut, namespace: shop, labels: {app: logs, shut: 'yes'}}
spec: {nodeName: two, containers: [{name: c, image: x}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: shut, namespace: shop}
spec: {podSelector: {matchLabels: {shut: 'yes'}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: at-one, namespace: shop}, spec: {nodeName: one, containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: at-two, namespace: shop}, spec: {nodeName: two, containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: at-three, namespace: shop}, spec: {nodeName: three, containers: [{name: c, image: x}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: pending, namespace: shop}, spec: {containers: [{name: c, image: x}]}}
";

#[test]
fn a_service_for_its_own_node_is_answered_by_the_backends_there() {
    let said = ["at-one", "at-two", "at-three", "pending"]
        .map(|from| run(&format!("check -f - shop/{from} shop/svc/logs"), NEAR));
    expect![[r#"
        allowed    shop/at-one -> shop/svc/logs 80
          only backends on the sender's own node count (internalTrafficPolicy: Local)
          backend shop/logs-open port 8080: allowed
            egress  allowed: nothing closes it
            ingress allowed: nothing closes it
        [exit 0]
        denied     shop/at-two -> shop/svc/logs 80
          only backends on the sender's own node count (internalTrafficPolicy: Local)
          backend shop/logs-shut port 8080: denied
            egress  allowed: nothing closes it
            ingress denied: closed by NetworkPolicy shop/shut, and nothing opens it (<stdin>:17)
        [exit 1]
        denied     shop/at-three -> shop/svc/logs 80
          only backends on the sender's own node count (internalTrafficPolicy: Local)
          no ready endpoint: refused, and not by policy
        [exit 1]
        denied     shop/pending -> shop/svc/logs 80
          only backends on the sender's own node count (internalTrafficPolicy: Local)
          1 of 2 backends allowed: each connection is judged by the one that it reaches
          backend shop/logs-open port 8080: allowed
            egress  allowed: nothing closes it
            ingress allowed: nothing closes it
          backend shop/logs-shut port 8080: denied
            egress  allowed: nothing closes it
            ingress denied: closed by NetworkPolicy shop/shut, and nothing opens it (<stdin>:17)
        [exit 1]
    "#]]
    .assert_eq(&said.concat());
    // At any other address the Service is as from outside.
    expect![[r#"
        denied     shop/at-one -> 192.0.2.7 (Service shop/logs) 80
          1 of 2 backends allowed: each connection is judged by the one that it reaches
          backend shop/logs-open port 8080: allowed
            egress  allowed: nothing closes it
            ingress allowed: nothing closes it
          backend shop/logs-shut port 8080: denied
            egress  allowed: nothing closes it
            ingress denied: closed by NetworkPolicy shop/shut, and nothing opens it (<stdin>:17)
        [exit 1]
    "#]]
    .assert_eq(&run("check -f - shop/at-one 192.0.2.7 80", NEAR));
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

/// A pod without an owner, and a Deployment of its name whose pods are not in the input.
#[test]
fn of_a_pod_and_a_template_of_one_name_the_pod_is_meant() {
    let pod = |name: &str, container: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: data}}, spec: {{containers: [{{name: {container}, image: x}}]}}}}\n---\n"
        )
    };
    let template = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: db, namespace: data}, spec: {selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: of-template, image: x}]}}}}";
    let input = [pod("db", "of-pod"), pod("web", "main"), template.to_owned()].concat();
    assert!(run("check -f - data/db:of-pod data/web 80", &input).contains("[exit 0]"));
}
