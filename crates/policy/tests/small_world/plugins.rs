//! Network plugins: what NetworkPolicy's API leaves to them.

use expect_test::{Expect, expect};
use palisade_model::cni::CniProfile;
use palisade_model::settings::Settings;

use crate::world::answers;

fn check(world: &str, cni: &str, expected: Expect) {
    let profile = CniProfile::named(cni).expect("there is such a profile");
    expected.assert_eq(&answers(world, Settings::default().with_cni(&profile)));
}

const CLOSED: &str = "ns shop
    node n1 172.31.0.11
    pod shop/web app=web ip=10.0.0.1 node=n1
    pod shop/db app=db ip=10.0.0.2 node=n1
    netpol shop/db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}
    access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 5432}, {port: 9187}]}]}
    ? shop/web -> shop/db:5432
    ? shop/web -> shop/db:9187
    ? node/n1 -> shop/db:9187";

#[test]
fn beside_a_plugin_that_enforces_network_policies_an_access_policy_opens_nothing_that_one_closes() {
    check(
        CLOSED,
        "generic",
        expect![[r#"
        shop/web -> shop/db:5432: allowed: AccessPolicy shop/a rules[0]
        shop/web -> shop/db:9187: allowed: AccessPolicy shop/a rules[0]
        node/n1 -> shop/db:9187: allowed: own node (closed by NetworkPolicy shop/db)
    "#]],
    );
    check(
        CLOSED,
        "calico",
        expect![[r#"
        shop/web -> shop/db:5432: allowed: AccessPolicy shop/a rules[0]
        shop/web -> shop/db:9187: denied: closed by NetworkPolicy shop/db, which the network plugin enforces itself: AccessPolicy shop/a rules[0] cannot open it
        node/n1 -> shop/db:9187: allowed: own node (closed by NetworkPolicy shop/db)
    "#]],
    );
}

#[test]
fn beside_such_a_plugin_a_perimeter_is_still_opened() {
    let world = "ns shop
        pod shop/web app=web ip=10.0.0.1
        pod shop/db app=db ip=10.0.0.2
        perimeter shop/default {subject: {selector: {}}}
        access shop/a {rules: [{action: Allow, from: [{workload: web}], to: [{workload: db}], ports: [{port: 5432}]}]}
        ? shop/web -> shop/db:5432";
    check(
        world,
        "cilium",
        expect![[r#"
        shop/web -> shop/db:5432: allowed: AccessPolicy shop/a rules[0]
    "#]],
    );
}

#[test]
fn whether_a_pod_reaches_its_own_node_under_closed_egress_depends_on_the_plugin() {
    let world = "ns shop
        node n1 172.31.0.11
        pod shop/web app=web ip=10.0.0.1 node=n1
        netpol shop/closed {podSelector: {}, policyTypes: [Ingress, Egress]}
        ? shop/web -> 172.31.0.11:22
        ? node/n1 -> shop/web:80";
    check(
        world,
        "generic",
        expect![[r#"
        shop/web -> 172.31.0.11:22: allowed: own node (closed by NetworkPolicy shop/closed)
        node/n1 -> shop/web:80: allowed: own node (closed by NetworkPolicy shop/closed)
    "#]],
    );
    check(
        world,
        "calico",
        expect![[r#"
        shop/web -> 172.31.0.11:22: denied: closed by NetworkPolicy shop/closed, and nothing opens it
        node/n1 -> shop/web:80: allowed: own node (closed by NetworkPolicy shop/closed)
    "#]],
    );
}

#[test]
fn whether_an_ip_block_means_nodes_depends_on_the_plugin() {
    let world = "ns shop
        node n1 172.31.0.11
        node n2 172.31.0.12
        pod shop/web app=web ip=10.0.0.1 node=n1
        netpol shop/out {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 172.16.0.0/12}}]}]}
        ? shop/web -> 172.31.0.12:10250
        ? shop/web -> 172.16.0.1:443";
    check(
        world,
        "calico",
        expect![[r#"
        shop/web -> 172.31.0.12:10250: allowed: NetworkPolicy shop/out egress[0].to[0]
        shop/web -> 172.16.0.1:443: allowed: NetworkPolicy shop/out egress[0].to[0]
    "#]],
    );
    check(
        world,
        "cilium",
        expect![[r#"
        shop/web -> 172.31.0.12:10250: denied: closed by NetworkPolicy shop/out, and nothing opens it
        shop/web -> 172.16.0.1:443: allowed: NetworkPolicy shop/out egress[0].to[0]
    "#]],
    );
}
