//! Applications that others published, with their own NetworkPolicies, run in the lab and guarded.

#[path = "lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;

use std::path::PathBuf;

use palisade_lab::stand_in::attempt::Try;
use palisade_model::flow::{FlowOutcome, FlowRecord, VerdictWord};
use palisade_peers::shared;

use lab::{Agent, Lab};

/// "Permission denied": what a refused connect returns.
const EACCES: i32 = 13;

/// The folder of a published application, beside the project in development and in CI alone.
fn published(name: &str) -> Option<PathBuf> {
    shared(&format!("apps/{name}"))
}

/// What `from` got when it called `target` as its own program, and the record of it.
fn call(lab: &Lab, agent: &Agent, from: (&str, &str, &str), target: &str) -> (bool, Option<i32>, FlowRecord) {
    let (workload, container, program) = from;
    let port: u16 = target.rsplit(':').next().and_then(|port| port.parse().ok()).expect("NAME:PORT");
    let before = records(agent, workload, program, port, 0).len();
    let answers = lab.try_all(workload, container, program, &[Try::tcp(target)]);
    let record = records(agent, workload, program, port, before + 1).pop().expect("each try has its record");
    (answers[0].ok, answers[0].errno, record)
}

fn records(agent: &Agent, workload: &str, program: &str, port: u16, wanted: usize) -> Vec<FlowRecord> {
    let name = workload.rsplit('/').next().expect("a name");
    agent.records(wanted, |record| {
        record.from.program.as_deref() == Some(program)
            && record.from.workload.as_deref().is_some_and(|owner| owner.ends_with(&format!("/{name}")))
            && record.dialled.port == port
            && record.protocol == palisade_model::Protocol::Tcp
    })
}

#[test]
fn sock_shop_is_refused_where_its_policies_are_wrong() {
    let Some(folder) = published("sock-shop") else { return };
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up_files("sock-shop", &[folder.join("manifests"), folder.join("networkpolicies")]);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    // The policy of carts' database lets in `name: cart`; the pods are called `carts`.
    let carts = ("sock-shop/carts", "carts", "/app/carts");
    let (ok, errno, record) = call(&lab, &agent, carts, "carts-db:27017");
    assert_eq!((ok, errno), (false, Some(EACCES)));
    assert_eq!((record.verdict.verdict, record.outcome), (VerdictWord::Denied, FlowOutcome::Refused));
    assert_eq!(record.verdict.rule.as_deref(), Some("NetworkPolicy sock-shop/carts-db-access"));
    assert!(record.verdict.place.is_some_and(|place| place.ends_with("netpol-cart-db-access.yaml:2")));
    // Orders' own policy is right.
    let orders = ("sock-shop/orders", "orders", "/app/orders");
    let (ok, _, record) = call(&lab, &agent, orders, "orders-db:27017");
    assert!(ok);
    assert_eq!((record.verdict.verdict, record.outcome), (VerdictWord::Allowed, FlowOutcome::Established));
    assert_eq!(record.verdict.rule.as_deref(), Some("NetworkPolicy sock-shop/orders-db-access ingress[0].from[0]"));
}

#[test]
fn online_boutique_works_under_its_policies_and_nothing_else_does() {
    let Some(folder) = published("online-boutique") else { return };
    if !lab::can_run() {
        return;
    }
    let lab = Lab::up_files("boutique", &[folder.join("manifests"), folder.join("networkpolicies")]);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let frontend = ("default/frontend", "server", "/app/frontend");
    for target in ["cartservice:7070", "productcatalogservice:3550", "checkoutservice:5050"] {
        let (ok, errno, record) = call(&lab, &agent, frontend, target);
        assert!(ok, "{target}: {errno:?} {record:?}");
    }
    let (ok, errno, record) = call(&lab, &agent, frontend, "redis-cart:6379");
    assert_eq!((ok, errno), (false, Some(EACCES)));
    assert_eq!(record.verdict.rule.as_deref(), Some("NetworkPolicy default/deny-all"));
    assert_eq!(record.to.name.as_deref(), Some("redis-cart"));
}
