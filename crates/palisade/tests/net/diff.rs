//! `palisade net diff` as a reader sees it.

use expect_test::{Expect, expect};

use crate::session::{published, root, run, shows};

const AT: &str = "--at 2026-11-22T00:00:00Z";

/// The example application with other policies.
fn changed(change: impl Fn(String) -> String) -> String {
    let read = |file: &str| {
        let path = root().join("examples/shop").join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    format!("{}\n---\n{}", read("app.yaml"), change(read("policies.yaml")))
}

#[track_caller]
fn differs(change: impl Fn(String) -> String, arguments: &str, expected: Expect) {
    let (output, errors, code) = run(&format!("net diff examples/shop - {AT} {arguments}"), &changed(change));
    expected.assert_eq(&format!("{output}{errors}[exit {code}]\n"));
}

/// The audit ends, orders move to another port, and the perimeter of `data` goes.
fn release(policies: String) -> String {
    let without_perimeter: Vec<&str> = policies
        .split("---\n")
        .filter(|text| !(text.contains("kind: Perimeter") && text.contains("namespace: data")))
        .collect();
    without_perimeter
        .join("---\n")
        .replace("mode: Audit", "mode: Enforce")
        .replace("/usr/sbin/nginx", "/usr/sbin/httpd")
}

#[test]
fn what_opens_and_what_closes_comes_with_the_rule() {
    differs(
        release,
        "",
        expect![[r#"
            opens
              data/cache, data/logs, data/db
                every port  from data/*, world
                  was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15)
              shop/orders
                8080  from shop/web:nginx:/usr/sbin/httpd
                  allowed: AccessPolicy shop/storefront rules[1] "web-reads-orders" (<stdin>:460)
              metadata, world, 203.0.113.10/32
                every port  from data/*
                  was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15)

            closes
              data/cache
                6379  from shop/search
                  denied: AccessPolicy shop/search-without-cache rules[0] "search-uses-no-cache" (<stdin>:524)
              shop/orders
                8080  from shop/web:nginx:/usr/sbin/nginx
                  denied: closed by Perimeter shop/default, and nothing opens it (<stdin>:427)
            [exit 1]
        "#]],
    );
}

#[test]
fn a_pull_request_gets_tables() {
    differs(
        release,
        "-o markdown --fail-on never",
        expect![[r####"
            ### Network reachability

            **Opens** (7)

            | From | To | Ports | Because |
            | --- | --- | --- | --- |
            | data/\*, world | data/cache | every port | was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15) |
            | data/\*, world | data/logs | every port | was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15) |
            | data/\*, world | data/db | every port | was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15) |
            | shop/web:nginx:/usr/sbin/httpd | shop/orders | 8080 | allowed: AccessPolicy shop/storefront rules\[1\] "web-reads-orders" (&lt;stdin>:460) |
            | data/\* | metadata | every port | was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15) |
            | data/\* | world | every port | was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15) |
            | data/\* | 203.0.113.10/32 | every port | was denied: closed by Perimeter data/default, and nothing opens it (examples/shop/policies.yaml:15) |

            **Closes** (2)

            | From | To | Ports | Because |
            | --- | --- | --- | --- |
            | shop/search | data/cache | 6379 | denied: AccessPolicy shop/search-without-cache rules\[0\] "search-uses-no-cache" (&lt;stdin>:524) |
            | shop/web:nginx:/usr/sbin/nginx | shop/orders | 8080 | denied: closed by Perimeter shop/default, and nothing opens it (&lt;stdin>:427) |
            [exit 0]
        "####]],
    );
}

#[test]
fn json_is_versioned_and_has_both_verdicts() {
    differs(
        |policies| policies.replace("mode: Audit", "mode: Enforce"),
        "-o json --fail-on opens",
        expect![[r#"
        {
          "version": 1,
          "at": "2026-11-22T00:00:00Z",
          "changes": [
            {
              "kind": "closes",
              "from": "shop/search",
              "to": "data/cache",
              "before": "allowed",
              "after": "denied",
              "ports": {
                "tcp": [
                  [
                    6379,
                    6379
                  ]
                ]
              },
              "now": {
                "deny": {
                  "kind": "rule",
                  "rule": {
                    "object": "AccessPolicy shop/search-without-cache",
                    "rule": 0,
                    "fromPeer": 0,
                    "toPeer": 0,
                    "list": "rules",
                    "name": "search-uses-no-cache",
                    "mode": "Enforce",
                    "place": "<stdin>:529"
                  }
                }
              },
              "was": {
                "allow": {
                  "kind": "rule",
                  "rule": {
                    "object": "AccessPolicy shop/storefront",
                    "rule": 9,
                    "fromPeer": 1,
                    "toPeer": 0,
                    "list": "rules",
                    "name": "to-cache",
                    "mode": "Enforce",
                    "place": "examples/shop/policies.yaml:89"
                  }
                }
              }
            }
          ],
          "added": [],
          "removed": [],
          "problems": []
        }
        [exit 0]
    "#]],
    );
}

#[test]
fn nothing_different_is_said() {
    shows(
        &format!("net diff examples/shop examples/shop {AT}"),
        expect![[r#"
        no link is different
    "#]],
    );
    shows(
        "net diff - -",
        expect![[r#"
        error: OLD and NEW cannot both come from standard input

        hint: write one of them to a file
        [exit 2]
    "#]],
    );
}

#[test]
fn the_first_policies_of_a_published_application() {
    let Some(folder) = published("sock-shop") else { return };
    let (manifests, policies) = (folder.join("manifests"), folder.join("networkpolicies"));
    let arguments = format!("net diff {0} {0},{1} --fail-on opens", manifests.display(), policies.display());
    let (output, errors, code) = run(&arguments, "");
    let text = format!("{output}{errors}[exit {code}]\n").replace(&folder.display().to_string(), "sock-shop");
    expect![[r#"
        closes
          sock-shop/carts, sock-shop/queue-master, sock-shop/session-db
            every port  from everyone
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          sock-shop/carts-db
            every port  from everyone
              denied: closed by NetworkPolicy sock-shop/carts-db-access, and nothing opens it (sock-shop/networkpolicies/netpol-cart-db-access.yaml:2)
          sock-shop/catalogue
            0-79, 81-65535, UDP, SCTP, ICMP  from
              sock-shop/front-end
              denied: closed by NetworkPolicy sock-shop/catalogue-access, and nothing opens it (sock-shop/networkpolicies/netpol-catalogue-access.yaml:2)
            every port  from everyone but sock-shop/front-end
              denied: closed by NetworkPolicy sock-shop/catalogue-access, and nothing opens it (sock-shop/networkpolicies/netpol-catalogue-access.yaml:2)
          sock-shop/catalogue-db
            0-3305, 3307-65535, UDP, SCTP, ICMP  from
              sock-shop/catalogue
              denied: closed by NetworkPolicy sock-shop/catalogue-db-access, and nothing opens it (sock-shop/networkpolicies/netpol-catalogue-db-access.yaml:2)
            every port  from everyone but sock-shop/catalogue
              denied: closed by NetworkPolicy sock-shop/catalogue-db-access, and nothing opens it (sock-shop/networkpolicies/netpol-catalogue-db-access.yaml:2)
          sock-shop/front-end
            0-8078, 8080-65535, UDP, SCTP, ICMP  from
              everyone
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          sock-shop/orders
            0-79, 81-65535, UDP, SCTP, ICMP  from
              sock-shop/front-end
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
            every port  from everyone but sock-shop/front-end
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          sock-shop/orders-db
            0-27016, 27018-65535, UDP, SCTP, ICMP  from
              sock-shop/orders
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
            every port  from everyone but sock-shop/orders
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          sock-shop/payment, sock-shop/shipping
            0-79, 81-65535, UDP, SCTP, ICMP  from
              sock-shop/orders
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
            every port  from everyone but sock-shop/orders
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          sock-shop/rabbitmq
            0-5671, 5673-65535, UDP, SCTP, ICMP  from
              sock-shop/queue-master, sock-shop/shipping
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
            every port  from everyone but sock-shop/queue-master, sock-shop/shipping
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          sock-shop/user
            0-79, 81-65535, UDP, SCTP, ICMP  from
              sock-shop/front-end, sock-shop/orders
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
            every port  from everyone but sock-shop/front-end, sock-shop/orders
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
          sock-shop/user-db
            0-27016, 27018-65535, UDP, SCTP, ICMP  from
              sock-shop/user
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
            every port  from everyone but sock-shop/user
              denied: closed by NetworkPolicy sock-shop/cortex-access, and nothing opens it (sock-shop/networkpolicies/netpol-cortex-access.yaml:2)
        [exit 0]
    "#]].assert_eq(&text);
}
