//! Whether many rules cost more than few at connect.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::figures::{percentile, ratio};
use crate::lab::{Agent, Lab};
use crate::packet_filter::PacketFilter;
use crate::world::{PORT, client, servers, world};

/// Rules of the client's namespace; each names other addresses and another port.
const FEW: usize = 10;
const MANY: [usize; 2] = [1_000, 10_000];
/// Rules of the peer.
const PEER_RULES: usize = 1_000;
const SERVERS: usize = 20;
/// A compile that takes longer is not waited for.
const DEADLINE: Duration = Duration::from_secs(120);

pub fn measure(quick: bool) {
    let (rounds, tries) = if quick { (1, 50) } else { (7, 2000) };
    let many: &[usize] = if quick { &[100] } else { &MANY };
    let lab = Lab::up("bench-rules", &world(SERVERS + 1), 1);
    let targets = servers(&lab, SERVERS);
    let mut rows: Vec<(String, Vec<u64>)> = vec![("no agent".into(), Vec::new())];
    rows.extend([&FEW].into_iter().chain(many).map(|rules| (format!("{rules} rules"), Vec::new())));
    rows.push((format!("nftables, {PEER_RULES} rules, known first"), Vec::new()));
    let connect = |times: &mut Vec<u64>| {
        let mut client = client(&lab);
        for target in targets.iter().cycle().take(tries / 10) {
            client.call(target);
        }
        times.extend(targets.iter().cycle().take(tries).map(|target| {
            let answer = client.call(target);
            assert!(answer.ok, "the rule allows it: {answer:?}");
            answer.micros
        }));
    };
    for _ in 0..rounds {
        connect(&mut rows[0].1);
        let agent = lab.agent();
        agent.wait_until_guarded(&lab);
        for (position, rules) in [&FEW].into_iter().chain(many).enumerate() {
            bring_in(&lab, &agent, *rules);
            connect(&mut rows[1 + position].1);
        }
        drop(agent);
        lab.palisade(&["agent", "unload"]);
        let address = lab.address_of("client", 0);
        let address = address.split(':').next().unwrap_or_default();
        let filter = PacketFilter::new(&lab, address, &[PORT], PEER_RULES, true);
        let last = rows.len() - 1;
        connect(&mut rows[last].1);
        drop(filter);
    }
    println!("connect by number of rules, {} each, rounds of all variants in turn", rounds * tries);
    println!("  {:<36} {:>9} {:>9} {:>12} {:>12}", "", "p50 us", "p99 us", "x of none", "x of 10 rules");
    let bare = percentile(&mut rows[0].1, 50);
    let few = percentile(&mut rows[1].1, 50);
    for (name, times) in &mut rows {
        let (p50, p99) = (percentile(times, 50), percentile(times, 99));
        println!("  {name:<36} {p50:>9} {p99:>9} {:>12.2} {:>12.2}", ratio(p50, bare), ratio(p50, few));
    }
}

/// Replaces the policies and waits until they are in the kernel.
fn bring_in(lab: &Lab, agent: &Agent, rules: usize) {
    let revision = || agent.ask(r#"{"status":{}}"#).and_then(|status| status["nodes"][0]["revision"].as_u64());
    let before = revision().unwrap_or(0);
    let (text, begun) = (world(SERVERS + 1) + &blocks(rules), Instant::now());
    lab.replace(&text);
    while revision().unwrap_or(0) <= before {
        assert!(begun.elapsed() < DEADLINE, "{rules} rules are not in the kernel after {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// So many rules, each of an address of its own.
fn blocks(rules: usize) -> String {
    let mut yaml = String::from(
        "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: blocks, namespace: bench}\nspec:\n  rules:\n",
    );
    for rule in 0..rules {
        let (high, low) = (rule / 250, rule % 250);
        let _ = writeln!(
            yaml,
            "  - {{action: Allow, from: [{{workload: client, container: main, program: /app/client}}], to: [{{cidr: 198.18.{high}.{low}/32}}], ports: [{{port: {}}}]}}",
            1000 + rule
        );
    }
    yaml
}
