//! Pods with networks of their own: the agent finds their veths, and ends what a change of the rules refuses.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use palisade_bpf::network;
use palisade_model::flow::{FlowPhase, FlowRecord, Reporter, Strength, VerdictWord};
use serde_json::json;

use crate::by_hand::{Lab, Running, privileged};
use crate::puppet::{Came, Puppet};
use crate::routes;

const OPEN: &str = "# nothing is closed\n";
const CLOSED: &str = r#"
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: shop}
spec: {mode: Enforce, subject: {selector: {}}, directions: [Ingress, Egress]}
"#;

/// Ten times what is promised of a revocation: the bench measures it.
const DEADLINE: Duration = Duration::from_secs(10);

#[test]
fn a_changed_policy_ends_an_established_connection_within_a_second_and_both_ends_tell() {
    privileged(|| {
        let mut lab = Lab::new();
        lab.rules(OPEN);
        let _node = routes::make_node();
        let program = std::env::current_exe().expect("this executable");
        let pods = [("near", 20), ("far", 21)].map(|(name, number)| {
            let address = Ipv4Addr::new(10, 244, 1, number);
            lab.add_pod(name, &address.to_string(), &["app"]);
            let network =
                routes::add_pod(name, address, format!("fd00:10:244:1::{number}").parse().expect("an address"));
            let puppet = network::inside(&network, || Puppet::start(&program, &lab.cgroup_of(name, "app")));
            let puppet = puppet.expect("started");
            lab.started(name, "app", puppet.pid());
            (address, network, puppet)
        });
        lab.publish();
        let [(_, _, mut near), (address, network, _far)] = pods;
        let agent = Running::start(&lab);
        assert_eq!(agent.ask(&json!({"guarded": {"podUid": "uid-near"}}))["guarded"], true);
        let listener =
            network::inside(&network, || TcpListener::bind((address, 0))).expect("inside").expect("a listener");
        let at: SocketAddr = listener.local_addr().expect("an address");
        assert_eq!(near.tell(&format!("hold {at}")), "ok");
        let (mut server, _) = listener.accept().expect("accepted");
        server.set_read_timeout(Some(DEADLINE)).expect("set");

        lab.rules(CLOSED);
        let began = Instant::now();
        let refused = server.read_exact(&mut [0; 1]).expect_err("reset");
        let took = began.elapsed();
        assert!(matches!(refused.raw_os_error(), Some(libc::ECONNRESET | libc::ECONNABORTED)), "{refused}");
        let told = near.tell("read-held");
        assert!(["errno 104", "errno 103"].contains(&&*told), "{told}");
        eprintln!("from a changed file to a reset at both ends: {took:?}");
        assert_ne!(near.connect(at), Came::Through);

        let records: Vec<FlowRecord> = agent.observe("start").until(|records| {
            records.iter().filter(|record: &&FlowRecord| record.phase == FlowPhase::Changed).count() == 2
        });
        let of = |reporter, phase| {
            let mut found = records.iter().filter(|record| record.reporter == reporter && record.phase == phase);
            found.next().unwrap_or_else(|| panic!("no {reporter:?} {phase:?} in {records:#?}"))
        };
        let (sender, receiver) = (of(Reporter::Sender, FlowPhase::Start), of(Reporter::Receiver, FlowPhase::Start));
        assert_eq!(sender.id, receiver.id, "both ends tell of one connection");
        assert_eq!(receiver.strength, Some(Strength::SameNode));
        assert_eq!(receiver.from.container.as_deref(), Some("app"));
        let changed = of(Reporter::Sender, FlowPhase::Changed);
        assert_eq!((changed.verdict.verdict, changed.verdict.reason.as_str()), (VerdictWord::Denied, "closed"));
        assert!(changed.traffic.is_some_and(|traffic| traffic.sent_packets >= 2 && traffic.received_packets >= 1));
    });
}

#[test]
fn a_pod_without_a_veth_is_named_and_its_connects_are_judged() {
    privileged(|| {
        let mut lab = Lab::new();
        lab.rules(CLOSED);
        let _node = routes::make_node();
        let (address, at) = ("10.244.1.30", SocketAddr::from(([10, 244, 1, 31], 80)));
        lab.add_pod("odd", address, &["app"]);
        let network = routes::add_macvlan_pod("odd", address);
        let program = std::env::current_exe().expect("this executable");
        let puppet = network::inside(&network, || Puppet::start(&program, &lab.cgroup_of("odd", "app")));
        let mut puppet = puppet.expect("started");
        lab.started("odd", "app", puppet.pid());
        lab.publish();
        let agent = Running::start(&lab);
        let status = agent.ask(&json!({"status": {}}));
        assert_eq!(status["nodes"][0]["podsWithoutPacketHook"], json!(["shop/odd"]));
        let said = status["problems"].as_array().into_iter().flatten().filter_map(|line| line.as_str());
        assert!(said.clone().any(|line| line.contains("pod shop/odd has no veth")), "{status}");
        assert_eq!(puppet.connect(at), crate::puppet::REFUSED);
    });
}
