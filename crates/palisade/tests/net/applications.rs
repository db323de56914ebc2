//! Every command on whole applications: two that others published, and the example. What `map`, `diff`, `lint`, `exposure`
//! and `explain` say of them is in the tests of those commands.
//!
//! A snapshot for each application and command, in `applications/`; each was read before it was kept.

use std::path::Path;

use expect_test::expect_file;

use crate::session::{published, root, run_in};

/// Each command by the name of its snapshot; the files of the application follow after `-f`.
const OF_EACH: [(&str, &str); 3] =
    [("inventory", "inventory"), ("lower", "net lower -o text"), ("convert", "net convert")];
const AT: &str = "--at 2026-11-22T00:00:00Z";

fn shows(folder: &Path, application: &str, commands: &[(&str, String)], input: &str) {
    for (name, command) in commands {
        let (output, errors, code) = run_in(folder, command, input);
        let file = root().join(format!("crates/palisade/tests/net/applications/{application}-{name}.txt"));
        expect_file![file].assert_eq(&format!("$ palisade {command}\n{output}{errors}[exit {code}]\n"));
    }
}

fn commands(files: &str, others: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    OF_EACH
        .iter()
        .copied()
        .chain(others.iter().copied())
        .map(|(name, command)| (name, format!("{command} {files}")))
        .collect()
}

#[test]
fn sock_shop_through_every_command() {
    let Some(folder) = published("sock-shop") else { return };
    let files = "-f manifests -f networkpolicies";
    let commands = commands(
        files,
        &[
            ("check", "check sock-shop/front-end sock-shop/orders 80"),
            ("matrix", "net matrix --probes -"),
            ("only-dns", "net scenario only-dns -n loadtest"),
            ("only-gateway", "net scenario only-gateway -n sock-shop --gateway sock-shop/front-end -o text"),
            ("only-dependency", "net scenario only-dependency -n loadtest --dependency sock-shop/front-end"),
        ],
    );
    let probes = r#"[["sock-shop/carts", "sock-shop/carts-db", 27017, "TCP"], ["sock-shop/orders", "sock-shop/orders-db", 27017, "TCP"],
        ["loadtest/load-test", "sock-shop/front-end", 8079, "TCP"], ["203.0.113.7", "sock-shop/user-db", 27017, "TCP"]]"#;
    shows(&folder, "sock-shop", &commands, probes);
}

#[test]
fn online_boutique_through_every_command() {
    let Some(folder) = published("online-boutique") else { return };
    let files = "-f manifests -f networkpolicies";
    let commands = commands(
        files,
        &[
            ("check", "check default/frontend default/checkoutservice 5050"),
            ("matrix", "net matrix --probes -"),
            ("only-dns", "net scenario only-dns -n default -o text"),
            ("only-gateway", "net scenario only-gateway -n default --gateway default/frontend -o text"),
        ],
    );
    let probes = r#"[["default/frontend", "default/checkoutservice", 5050, "TCP"], ["default/adservice", "default/redis-cart", 6379, "TCP"],
        ["default/cartservice", "default/redis-cart", 6379, "TCP"], ["203.0.113.7", "default/frontend", 8080, "TCP"]]"#;
    shows(&folder, "online-boutique", &commands, probes);
    let diff = [("diff", "net diff manifests manifests,networkpolicies -o markdown".to_owned())];
    shows(&folder, "online-boutique", &diff, "");
}

#[test]
fn the_example_through_every_command() {
    let commands = commands(
        "-f examples/shop",
        &[
            ("check", &format!("check shop/web:nginx:/usr/sbin/nginx shop/orders 8080 {AT}")),
            ("matrix", &format!("net matrix --probes - {AT}")),
            ("only-gateway", &format!("net scenario only-gateway -n shop --gateway edge/gateway -o text {AT}")),
        ],
    );
    let probes = r#"[["shop/web", "shop/orders", 8080, "TCP"], ["shop/orders", "data/db", 5432, "TCP"], ["shop/search", "data/cache", 6379, "TCP"]]"#;
    shows(root(), "shop", &commands, probes);
}
