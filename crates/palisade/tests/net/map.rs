//! `palisade net map` as a reader sees it, on the example application and on published ones.

use std::collections::BTreeSet;
use std::path::Path;

use expect_test::{expect, expect_file};
use serde_json::Value;

use crate::session::{published, run, shows};

const SHOP: &str = "net map -f examples/shop --at 2026-11-22T00:00:00Z";

#[test]
fn a_paragraph_for_each_receiver_says_who_reaches_it() {
    shows(
        SHOP,
        expect![[r#"
            data/cache
              6379  shop/catalogue, shop/search
              6379  shop/search (refused once what is in Audit is enforced)

            data/db
              5432  shop/stock-report, shop/catalogue, shop/orders

            data/logs
              24224  shop/web:log-shipper

            edge/gateway
              8080  world

            shop/catalogue
              8080  shop/search, shop/web:nginx

            shop/orders
              8080  shop/web:nginx:/usr/sbin/nginx

            shop/payments
              8443  shop/orders

            shop/search
              8080  shop/web:nginx

            shop/stock-report, metadata, world
              nobody

            shop/web
              8080  edge/gateway

            203.0.113.10/32
              443  shop/payments:payments:/app/payments
        "#]],
    );
}

#[test]
fn links_of_one_namespace_in_every_form() {
    shows(
        &format!("{SHOP} -n data -o csv"),
        expect![[r#"
        from,to,family,protocol,ports,verdict
        shop/catalogue,data/cache,,TCP,6379,allowed
        shop/catalogue,data/db,,TCP,5432,allowed
        shop/orders,data/db,,TCP,5432,allowed
        shop/search,data/cache,,TCP,6379,allowed
        shop/search,data/cache,,TCP,6379,audit-refuses
        shop/stock-report,data/db,,TCP,5432,allowed
        shop/web:log-shipper,data/logs,,TCP,24224,allowed
    "#]],
    );
    shows(
        &format!("{SHOP} -n data -o dot"),
        expect![[r#"
        digraph palisade {
          rankdir=LR;
          node [shape=box, style=rounded];
          subgraph cluster_0 {
            label="data";
            n0 [label="cache"];
            n1 [label="logs"];
            n2 [label="db"];
          }
          subgraph cluster_1 {
            label="shop";
            n3 [label="stock-report"];
            n4 [label="catalogue"];
            n5 [label="orders"];
            n6 [label="search"];
            n7 [label="web:log-shipper"];
          }
          n3 -> n2 [label="5432"];
          n4 -> n0 [label="6379"];
          n4 -> n2 [label="5432"];
          n5 -> n2 [label="5432"];
          n6 -> n0 [label="6379"];
          n7 -> n1 [label="24224"];
        }
    "#]],
    );
    shows(
        &format!("{SHOP} -n edge -o mermaid"),
        expect![[r#"
        flowchart LR
          n0["world"]
          subgraph g1["edge"]
            n1["gateway"]
          end
          subgraph g2["shop"]
            n2["web"]
          end
          n1 -->|"8080"| n2
          n0 -->|"8080"| n1
    "#]],
    );
    shows(
        &format!("{SHOP} -n edge -o json"),
        expect![[r#"
            {
            "version": 1,
            "at": "2026-11-22T00:00:00Z",
            "senders": [
            {"id":0,"members":[{"kind":"pod","namespace":"data","workload":"Deployment/cache","pod":"cache"},{"kind":"pod","namespace":"data","workload":"StatefulSet/db","pod":"db-0"},{"kind":"pod","namespace":"data","workload":"Deployment/logs","pod":"logs"}]},
            {"id":1,"members":[{"kind":"pod","namespace":"edge","workload":"Deployment/gateway","pod":"gateway"}]},
            {"id":2,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/catalogue","pod":"catalogue"}]},
            {"id":3,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/orders","pod":"orders"}]},
            {"id":4,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/payments","pod":"payments","container":"payments","program":"/app/payments"}]},
            {"id":5,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/payments","pod":"payments","container":"payments","others":true}]},
            {"id":6,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/search","pod":"search"}]},
            {"id":7,"members":[{"kind":"pod","namespace":"shop","workload":"CronJob/stock-report","pod":"stock-report"}]},
            {"id":8,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/web","pod":"web","container":"nginx","program":"/usr/sbin/nginx"}]},
            {"id":9,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/web","pod":"web","container":"nginx","others":true}]},
            {"id":10,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/web","pod":"web","container":"log-shipper"}]},
            {"id":11,"members":[{"kind":"world","cidr":"0.0.0.0/0","except":["0.0.0.0/32","127.0.0.0/8","169.254.0.0/16","203.0.113.10/32","224.0.0.0/4","255.255.255.255/32"]},{"kind":"world","cidr":"203.0.113.10/32"}]},
            {"id":12,"members":[{"kind":"link-local","cidr":"169.254.0.0/16","except":["169.254.169.254/32"]},{"kind":"link-local","cidr":"224.0.0.0/4"},{"kind":"link-local","cidr":"255.255.255.255/32"}]},
            {"id":13,"members":[{"kind":"metadata","cidr":"169.254.169.254/32"}]}
            ],
            "receivers": [
            {"id":0,"members":[{"kind":"pod","namespace":"data","workload":"Deployment/cache","pod":"cache"}]},
            {"id":1,"members":[{"kind":"pod","namespace":"data","workload":"StatefulSet/db","pod":"db-0"}]},
            {"id":2,"members":[{"kind":"pod","namespace":"data","workload":"Deployment/logs","pod":"logs"}]},
            {"id":3,"members":[{"kind":"pod","namespace":"edge","workload":"Deployment/gateway","pod":"gateway"}]},
            {"id":4,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/catalogue","pod":"catalogue"}]},
            {"id":5,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/orders","pod":"orders"}]},
            {"id":6,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/payments","pod":"payments"}]},
            {"id":7,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/search","pod":"search"}]},
            {"id":8,"members":[{"kind":"pod","namespace":"shop","workload":"CronJob/stock-report","pod":"stock-report"}]},
            {"id":9,"members":[{"kind":"pod","namespace":"shop","workload":"Deployment/web","pod":"web"}]},
            {"id":10,"members":[{"kind":"world","cidr":"0.0.0.0/0","except":["0.0.0.0/32","127.0.0.0/8","169.254.0.0/16","203.0.113.10/32","224.0.0.0/4","255.255.255.255/32"]}]},
            {"id":11,"members":[{"kind":"link-local","cidr":"169.254.0.0/16","except":["169.254.169.254/32"]},{"kind":"link-local","cidr":"224.0.0.0/4"},{"kind":"link-local","cidr":"255.255.255.255/32"}]},
            {"id":12,"members":[{"kind":"metadata","cidr":"169.254.169.254/32"}]},
            {"id":13,"members":[{"kind":"world","cidr":"203.0.113.10/32"}]}
            ],
            "links": [
            {"from":1,"to":9,"answer":2},
            {"from":11,"to":3,"answer":2}
            ],
            "answers": [
            {"id":2,"allowed":{"tcp":[[8080,8080]]}}
            ],
            "problems": []
            }
        "#]],
    );
    shows(
        &format!("{SHOP} -n edge -o json --expand"),
        expect![[r#"
        {"from":{"kind":"pod","namespace":"edge","workload":"Deployment/gateway","pod":"gateway"},"to":{"kind":"pod","namespace":"shop","workload":"Deployment/web","pod":"web"},"allowed":{"tcp":[[8080,8080]]}}
        {"from":{"kind":"world","cidr":"0.0.0.0/0","except":["0.0.0.0/32","127.0.0.0/8","169.254.0.0/16","203.0.113.10/32","224.0.0.0/4","255.255.255.255/32"]},"to":{"kind":"pod","namespace":"edge","workload":"Deployment/gateway","pod":"gateway"},"allowed":{"tcp":[[8080,8080]]}}
        {"from":{"kind":"world","cidr":"203.0.113.10/32"},"to":{"kind":"pod","namespace":"edge","workload":"Deployment/gateway","pod":"gateway"},"allowed":{"tcp":[[8080,8080]]}}
    "#]],
    );
    shows(
        &format!("{SHOP} -n edge -o csv --expand"),
        expect![[r#"
        from,to,family,protocol,ports,verdict
        edge/gateway,shop/web,,TCP,8080,allowed
        0.0.0.0/0 except 0.0.0.0/32 127.0.0.0/8 169.254.0.0/16 203.0.113.10/32 224.0.0.0/4 255.255.255.255/32,edge/gateway,,TCP,8080,allowed
        203.0.113.10/32,edge/gateway,,TCP,8080,allowed
    "#]],
    );
}

#[test]
fn what_cannot_be_shown_is_told() {
    shows(
        &format!("{SHOP} -n dat"),
        expect![[r#"
        error: namespace `dat` has no pods

        hint: those that have are data, edge, shop
        [exit 2]
    "#]],
    );
    shows(
        &format!("{SHOP} --expand"),
        expect![[r#"
        error: `--expand` is written as JSON or CSV

        hint: add `-o json` or `-o csv`
        [exit 2]
    "#]],
    );
}

#[test]
fn a_map_of_nothing_that_could_be_read_is_no_map() {
    const BROKEN: &str = "{kind: NetworkPolicy, apiVersion: networking.k8s.io/v1, metadata: {name: x, namespace: shop}, spec: {podSelector: 7}}";
    for command in ["net map -f -", "net exposure -f -", "net diff - examples/shop"] {
        let (output, errors, code) = run(command, BROKEN);
        assert_eq!((&*output, code), ("", 2), "{command}");
        assert!(
            errors.contains("spec.podSelector") && errors.contains("nothing of the input could be read"),
            "{errors}"
        );
    }
}

#[test]
fn replicas_that_get_other_answers_are_named_and_families_that_differ_too() {
    let world = r#"
kind: Namespace
apiVersion: v1
metadata: {name: a}
---
kind: Pod
apiVersion: v1
metadata: {name: web-0, namespace: a, labels: {app: web, canary: "yes"}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: u, controller: true}]}
spec: {containers: [{name: web, image: web}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
kind: Pod
apiVersion: v1
metadata: {name: web-1, namespace: a, labels: {app: web}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: u, controller: true}]}
spec: {containers: [{name: web, image: web}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.2}, {ip: "fd00::2"}]}
---
kind: Pod
apiVersion: v1
metadata: {name: db, namespace: a, labels: {app: db}}
spec: {containers: [{name: db, image: db}]}
status: {phase: Running, podIPs: [{ip: 10.0.0.3}, {ip: "fd00::3"}]}
---
kind: NetworkPolicy
apiVersion: networking.k8s.io/v1
metadata: {name: db, namespace: a}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {canary: "yes"}}}]
    ports: [{port: 5432}]
  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.1/32]}}]
    ports: [{port: 80, endPort: 90}, {protocol: UDP, port: 53}]
"#;
    let (output, errors, code) = run("net map -f -", world);
    expect![[r#"
        a/db
          5432                     a/web [web-0]
          80-90, 53/UDP            10.0.0.0/8
          80-90, 53/UDP over IPv4  a/web [web-1]

        a/web
          every port  everyone

        metadata, metadata (IPv6), world, world (IPv6)
          every port  every pod
        [exit 0]
    "#]]
    .assert_eq(&format!("{output}{errors}[exit {code}]\n"));
}

#[test]
fn published_applications_are_shown_whole() {
    for (name, file) in [("sock-shop", "sock-shop.txt"), ("online-boutique", "online-boutique.txt")] {
        let Some(folder) = published(name) else { return };
        let folder = folder.display();
        let (output, _, code) = run(&format!("net map -f {folder}/manifests -f {folder}/networkpolicies"), "");
        assert_eq!(code, 0, "{name}");
        expect_file![format!("maps/{file}")].assert_eq(&output);
    }
}

/// Every pair that the map tells is open on a port, and no other, is so by `net matrix`, which asks link by link.
#[test]
fn the_map_agrees_with_the_matrix() {
    let mut manifests = vec!["-f examples/shop --at 2026-11-22T00:00:00Z".to_owned()];
    if let Some(folder) = published("online-boutique") {
        manifests.push(format!("-f {0}/manifests -f {0}/networkpolicies", folder.display()));
    }
    for manifests in manifests {
        let (output, _, _) = run(&format!("net map {manifests} -o json --expand"), "");
        let pairs: Vec<Value> =
            output.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
        let (output, _, _) = run(&format!("net map {manifests} -o json"), "");
        let map: Value = serde_json::from_str(&output).expect("the map is JSON");
        let pods = |side: &str| -> BTreeSet<String> {
            let classes = map[side].as_array().expect("a list").iter();
            let members = classes.flat_map(|class| class["members"].as_array().expect("a list"));
            // Processes that rules tell apart are not what the matrix asks about.
            members.filter(|member| member["container"].is_null()).filter_map(pod_name).collect()
        };
        let ports = [80_u16, 443, 5432, 6379, 7070, 8080, 9555];
        let mut probes = Vec::new();
        for from in pods("senders") {
            for to in pods("receivers").into_iter().filter(|to| *to != from) {
                probes.extend(ports.map(|port| (from.clone(), to.clone(), port)));
            }
        }
        let asked: Vec<Value> =
            probes.iter().map(|(from, to, port)| serde_json::json!([from, to, port, "TCP"])).collect();
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("map-probes.json");
        std::fs::write(&file, serde_json::to_string(&asked).expect("it is JSON")).expect("the folder is writable");
        let (answers, _, _) = run(&format!("net matrix {manifests} --probes {} -o json", file.display()), "");
        let answers: Vec<Value> = serde_json::from_str(&answers).expect("the answers are JSON");
        let mut open = 0;
        for (answer, (from, to, port)) in answers.iter().zip(&probes) {
            let is_open = pairs.iter().any(|pair| {
                let spans = pair["allowed"]["tcp"].as_array().into_iter().flatten();
                let mut spans = spans.map(|span| (span[0].as_u64(), span[1].as_u64()));
                let port = Some(u64::from(*port));
                pod_name(&pair["from"]).as_ref() == Some(from)
                    && pod_name(&pair["to"]).as_ref() == Some(to)
                    && spans.any(|(first, last)| first <= port && port <= last)
            });
            assert_eq!(answer[4].as_bool(), Some(is_open), "{manifests}: {answer}");
            open += usize::from(is_open);
        }
        assert!(open > 5 && open < probes.len(), "{open} of {} are open", probes.len());
    }
}

fn pod_name(member: &Value) -> Option<String> {
    Some(format!("{}/{}", member["namespace"].as_str()?, member["pod"].as_str()?))
}
