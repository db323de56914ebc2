//! `palisade net scenario` as a reader sees it; that the policies do in the kernel what they are for is
//! `scenarios.rs`'s.

use expect_test::expect;

use crate::session::{run, shows};

const WORLD: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system}
spec: {selector: {matchLabels: {k8s-app: kube-dns}}, template: {metadata: {labels: {k8s-app: kube-dns}}, spec: {containers: [{name: coredns, image: coredns, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 53}]}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web, version: v7}}, spec: {containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec: {selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: db, image: db, ports: [{containerPort: 5432}]}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: else, labels: {app: other}}
spec: {containers: [{name: other, image: other}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: edge}
spec: {selector: {matchLabels: {app: gateway}}, template: {metadata: {labels: {app: gateway}}, spec: {containers: [{name: gateway, image: envoy, ports: [{containerPort: 8443}]}]}}}
"#;

/// What stays open although a scenario forbids it.
const ADMIN: &str = r#"
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: monitoring}
spec: {tier: Admin, priority: 10, subject: {namespaces: {}}, ingress: [{action: Accept, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: other}}}}]}]}
"#;

#[track_caller]
fn writes(arguments: &str, more: &str, expected: expect_test::Expect) {
    let (output, errors, code) = run(&format!("net scenario {arguments} -f -"), &format!("{WORLD}{more}"));
    expected.assert_eq(&format!("{output}--- told\n{errors}[exit {code}]\n"));
}

#[test]
fn a_namespace_talks_only_to_its_dependency() {
    writes(
        "only-dependency -n shop --dependency data/db",
        "",
        expect![[r#"
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: only-dependency, namespace: shop}
        spec:
          podSelector: {}
          policyTypes: [Ingress, Egress]
          ingress:
          - from: [{podSelector: {}}]
          egress:
          - to: [{podSelector: {}}]
          - to:
            - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}
              podSelector: {matchLabels: {app: db}}
            ports: [{port: 5432}]
          - to:
            - namespaceSelector:
                matchLabels: {kubernetes.io/metadata.name: kube-system}
              podSelector: {matchLabels: {k8s-app: kube-dns}}
            ports: [{port: 53}, {port: 53, protocol: UDP}]
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: only-shop, namespace: data}
        spec:
          podSelector: {matchLabels: {app: db}}
          policyTypes: [Ingress]
          ingress:
          - from:
            - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
              podSelector: {}
            ports: [{port: 5432}]
        --- told
        closes
          data/db
            0-5431, 5433-65535, UDP, SCTP, ICMP  from
              shop/web
              denied: closed by NetworkPolicy shop/only-dependency, and nothing opens it (proposed)
            every port  from edge/gateway, else/other, kube-system/coredns, world
              denied: closed by NetworkPolicy data/only-shop, and nothing opens it (proposed)
          edge/gateway, else/other, metadata, world
            every port  from shop/web
              denied: closed by NetworkPolicy shop/only-dependency, and nothing opens it (proposed)
          kube-system/coredns
            0-52, 54-65535, 0-52/UDP, 54-65535/UDP, SCTP, ICMP  from
              shop/web
              denied: closed by NetworkPolicy shop/only-dependency, and nothing opens it (proposed)
          shop/web
            every port  from everyone
              denied: closed by NetworkPolicy shop/only-dependency, and nothing opens it (proposed)

        the scenario holds, with every other policy in force
        [exit 0]
    "#]],
    );
}

#[test]
fn outside_reaches_only_the_gateway() {
    writes(
        "only-gateway -n shop --gateway edge/gateway",
        "",
        expect![[r#"
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: only-gateway, namespace: shop}
        spec:
          podSelector: {}
          policyTypes: [Ingress]
          ingress:
          - from:
            - {podSelector: {}}
            - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: edge}}
              podSelector: {matchLabels: {app: gateway}}
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: open-gateway, namespace: edge}
        spec:
          podSelector: {matchLabels: {app: gateway}}
          policyTypes: [Ingress]
          ingress:
          - ports: [{port: 8443}]
        --- told
        closes
          edge/gateway
            0-8442, 8444-65535, UDP, SCTP, ICMP  from
              everyone
              denied: closed by NetworkPolicy edge/open-gateway, and nothing opens it (proposed)
          shop/web
            every port  from data/db, else/other, kube-system/coredns, world
              denied: closed by NetworkPolicy shop/only-gateway, and nothing opens it (proposed)

        the scenario holds, with every other policy in force
        [exit 0]
    "#]],
    );
}

#[test]
fn no_egress_but_dns() {
    writes(
        "only-dns -n shop",
        "",
        expect![[r#"
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: only-dns, namespace: shop}
        spec:
          podSelector: {}
          policyTypes: [Egress]
          egress:
          - to:
            - namespaceSelector:
                matchLabels: {kubernetes.io/metadata.name: kube-system}
              podSelector: {matchLabels: {k8s-app: kube-dns}}
            ports: [{port: 53}, {port: 53, protocol: UDP}]
        --- told
        closes
          data/db, edge/gateway, else/other, shop/web, metadata, world
            every port  from shop/web
              denied: closed by NetworkPolicy shop/only-dns, and nothing opens it (proposed)
          kube-system/coredns
            0-52, 54-65535, 0-52/UDP, 54-65535/UDP, SCTP, ICMP  from
              shop/web
              denied: closed by NetworkPolicy shop/only-dns, and nothing opens it (proposed)

        the scenario holds, with every other policy in force
        [exit 0]
    "#]],
    );
}

#[test]
fn what_another_policy_keeps_open_is_told() {
    writes(
        "only-gateway -n shop --gateway edge/gateway",
        ADMIN,
        expect![[r#"
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: only-gateway, namespace: shop}
        spec:
          podSelector: {}
          policyTypes: [Ingress]
          ingress:
          - from:
            - {podSelector: {}}
            - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: edge}}
              podSelector: {matchLabels: {app: gateway}}
        ---
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: open-gateway, namespace: edge}
        spec:
          podSelector: {matchLabels: {app: gateway}}
          policyTypes: [Ingress]
          ingress:
          - ports: [{port: 8443}]
        --- told
        closes
          edge/gateway
            0-8442, 8444-65535, UDP, SCTP, ICMP  from
              data/db, kube-system/coredns, shop/web, world
              denied: closed by NetworkPolicy edge/open-gateway, and nothing opens it (proposed)
          shop/web
            every port  from data/db, kube-system/coredns, world
              denied: closed by NetworkPolicy shop/only-gateway, and nothing opens it (proposed)

        still open: else/other -> shop/web
        the scenario does not hold: `palisade explain` says by which policies
        [exit 1]
    "#]],
    );
}

#[test]
fn who_is_not_there_is_told() {
    shows(
        "net scenario only-dns -f examples/shop -n shopp",
        expect![[r#"
        error: namespace `shopp` has no pods
        [exit 2]
    "#]],
    );
    shows(
        "net scenario only-dependency -f examples/shop -n shop --dependency db",
        expect![[r#"
        error: `db` is no workload

        hint: write NAMESPACE/NAME, as in data/db
        [exit 2]
    "#]],
    );
    shows(
        "net scenario only-dependency -f examples/shop -n shop --dependency data/pg",
        expect![[r#"
        error: there is no workload `data/pg`
        [exit 2]
    "#]],
    );
}

#[test]
fn what_cannot_be_read_is_told_beside_who_is_not_there() {
    let (_, told, code) = run("net scenario only-dns -n a -f -", "kind: Pod\nmetadata: {name: x, namespace: [\n");
    assert!(told.contains("<stdin>:") && told.contains("namespace `a` has no pods"), "{told}");
    assert_eq!(code, 2);
}

/// The manifests that are written are what was verified: read together with the input they make the same difference.
#[test]
fn what_is_written_is_what_was_verified() {
    let (yaml, told, code) = run("net scenario only-dependency -n shop --dependency data/db -f -", WORLD);
    assert_eq!(code, 0, "{told}");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (before, after) = (folder.join("scenario-before.yaml"), folder.join("scenario-after.yaml"));
    std::fs::write(&before, WORLD).expect("the folder is writable");
    std::fs::write(&after, format!("{WORLD}---\n{yaml}")).expect("the folder is writable");
    let (difference, _, _) = run(&format!("net diff {} {}", before.display(), after.display()), "");
    let without_places = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| line.split(" (").next().unwrap_or_default().to_owned());
        lines.filter(|line| !line.is_empty() && !line.starts_with("the scenario")).collect()
    };
    assert_eq!(without_places(&difference), without_places(&told));
}
