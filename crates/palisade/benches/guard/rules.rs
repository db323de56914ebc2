//! Whether many rules cost more than few at connect.
//!
//! The agent is killed while it is measured: what the kernel holds judges on, and an agent that reads events keeps the
//! other processor awake, the more so the longer it takes to name a rule, which makes connects faster.

use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::{Beside, Rounds, in_turn, percentile};
use crate::lab::Lab;
use crate::packet_filter::PacketFilter;
use crate::world::{PORT, client, servers, world};

/// What the client's node has.
#[derive(Clone, Copy)]
enum Variant {
    /// So many rules of the client's; each names an address and a port of its own.
    Rules(usize),
    /// No Palisade, but so many rules of nftables.
    PacketFilter(usize),
}

/// The first is what the others are held against.
const VARIANTS: [Variant; 4] =
    [Variant::Rules(10), Variant::Rules(1_000), Variant::Rules(10_000), Variant::PacketFilter(1_000)];
const QUICK: [Variant; 3] = [Variant::Rules(10), Variant::Rules(100), Variant::PacketFilter(100)];
const SERVERS: usize = 20;
/// What was installed or taken away is still being freed by the kernel for a moment.
const SETTLES: Duration = Duration::from_millis(500);

#[derive(Default)]
struct Figures {
    middle: Rounds,
    late: Rounds,
}

pub fn measure(quick: bool) {
    let (rounds, tries) = if quick { (1, 50) } else { (12, 2000) };
    let variants: &[Variant] = if quick { &QUICK } else { &VARIANTS };
    let lab = Lab::up("bench-rules", &world(SERVERS + 1), 1);
    let targets = servers(&lab, SERVERS);
    let mut client = client(&lab);
    let mut connect = || {
        std::thread::sleep(SETTLES);
        for target in targets.iter().cycle().take(tries / 10) {
            client.call(target);
        }
        let times = targets.iter().cycle().take(tries).map(|target| {
            let answer = client.call(target);
            assert!(answer.ok, "the rule allows it: {answer:?}");
            answer.micros
        });
        let mut times: Vec<u64> = times.collect();
        [percentile(&mut times, 50), percentile(&mut times, 99)]
    };
    let mut figures: Vec<Figures> = variants.iter().map(|_| Figures::default()).collect();
    let mut bare = vec![connect()];
    for round in 0..rounds {
        for (index, variant) in in_turn(variants, round) {
            let measured = with(&lab, *variant, &mut connect);
            let (before, after) = (bare[bare.len() - 1], connect());
            bare.push(after);
            figures[index].middle.push(Beside::new(measured[0], before[0], after[0]));
            figures[index].late.push(Beside::new(measured[1], before[1], after[1]));
        }
    }
    println!(
        "connect by number of rules, {tries} a time, {rounds} rounds of all variants in turn, each between two without agent"
    );
    println!("  {:<36} {:>7} {:>16} {:>18} {:>7}", "", "p50 us", "x of none", "x of 10 rules", "p99 us");
    let middle = |which: usize| percentile(&mut bare.iter().map(|one| one[which]).collect::<Vec<_>>(), 50);
    println!("  {:<36} {:>7} {:>16} {:>18} {:>7}", "no agent", middle(0), "", "", middle(1));
    for (variant, of) in variants.iter().zip(&figures) {
        let name = match variant {
            Variant::Rules(count) => format!("{count} rules"),
            Variant::PacketFilter(count) => format!("nftables, {count} rules, known first"),
        };
        println!(
            "  {name:<36} {:>7} {:>16} {:>18} {:>7}",
            of.middle.value(),
            of.middle.ratio().to_string(),
            of.middle.ratio_to(&figures[0].middle).to_string(),
            of.late.value()
        );
    }
}

/// What `connect` measures while that is in place. Nothing of it stays, and it always comes to a node without anything.
fn with<T>(lab: &Lab, variant: Variant, connect: impl FnOnce() -> T) -> T {
    match variant {
        Variant::Rules(count) => {
            lab.replace(&(world(SERVERS + 1) + &blocks(count)));
            let agent = lab.agent();
            agent.wait_until_guarded(lab);
            drop(agent);
            let measured = connect();
            lab.palisade(&["agent", "unload"]);
            measured
        }
        Variant::PacketFilter(count) => {
            let address = lab.address_of("client", 0);
            let address = address.split(':').next().unwrap_or_default();
            let filter = PacketFilter::new(lab, address, &[PORT], count, true);
            let measured = connect();
            drop(filter);
            measured
        }
    }
}

/// So many rules, each of an address of its own; the addresses lie around those of the servers, so that a search by prefix
/// meets all of them.
fn blocks(rules: usize) -> String {
    let mut yaml = String::from(
        "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: blocks, namespace: bench}\nspec:\n  rules:\n",
    );
    for rule in 0..rules {
        let (high, low) = (100 + rule / 250, rule % 250);
        let _ = writeln!(
            yaml,
            "  - {{action: Allow, from: [{{workload: client, container: main, program: /app/client}}], to: [{{cidr: 10.244.{high}.{low}/32}}], ports: [{{port: {}}}]}}",
            1000 + rule
        );
    }
    yaml
}
