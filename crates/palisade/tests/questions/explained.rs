//! Why, what would change it, and the way through the tiers.

use expect_test::expect;

use super::session::published;
use super::*;

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
                  to[0] {entity: metadata}: data/db-0 is not that party
                AccessPolicy shop/search-without-cache rules[0] "search-uses-no-cache"
                  [Audit] (examples/shop/policies.yaml:112): does not deny it
                  to[0] {workload: cache, namespace: data}: data/db-0 belongs to
                    StatefulSet/db
                AccessPolicy shop/storefront rules[4] "search-reads-catalogue"
                  (examples/shop/policies.yaml:63): does not allow it
                  to[0] {workload: catalogue}: without `namespace` it means namespace `shop`
                    alone
                AccessPolicy shop/storefront rules[9] "to-cache"
                  (examples/shop/policies.yaml:89): does not allow it
                  to[0] {workload: cache, namespace: data}: data/db-0 belongs to
                    StatefulSet/db
              8 rules of this namespace's policies about other pods

            receiver data/db-0 (ingress): denied: closed by Perimeter data/default, and
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
              to[0] {entity: metadata}: data/db-0 is not that party
            AccessPolicy shop/storefront rules[5] "orders-take-payments"
              (examples/shop/policies.yaml:68): does not allow it
              to[0] {workload: payments}: without `namespace` it means namespace `shop`
                alone
          + AccessPolicy shop/storefront rules[7] "to-database"
              (examples/shop/policies.yaml:78): allows it
            BaselineAdminNetworkPolicy default egress[0].to[0] "nobody" (<stdin>:19): is
              not asked: what comes before it answers
          9 rules of this namespace's policies about other pods

        receiver data/db-0 (ingress): allowed: AccessPolicy data/consent rules[0]
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
              to[0] {workload: web, namespace: shop}: data/db-0 is in another namespace
            BaselineAdminNetworkPolicy default egress[0].to[0] "nobody" (<stdin>:19): is
              not asked: what comes before it answers
          1 rule of this namespace's policies about other pods

        receiver data/db-0 (ingress): denied: ClusterNetworkPolicy tenants
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
