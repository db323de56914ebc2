//! Attacks, each really made from inside a container, with what is expected of each ([`table`]).
//!
//! Every attack is made twice: in a world that nobody guards, where it must work (else its failing elsewhere says
//! nothing), and in a guarded one. Whether it worked is what the victim's own network saw, not what the intruder's program
//! says.
//!
//! The test has a `main` of its own, because the intruder's program is this executable: every container gets it as an open
//! descriptor, so that it is nobody's file. Words choose attacks: `cargo test -p palisade --test attacks -- fragments`.

mod capture;
mod frame;
#[path = "../lab/lab.rs"]
#[allow(dead_code, reason = "shared with other tests, which use the rest")]
mod lab;
mod limits;
mod packets;
mod pods;
mod programs;
mod sockets;
mod stage;
mod table;
mod tool;
mod world;

use std::process::ExitCode;

use stage::Stage;
use table::{ATTACKS, Attack, Evidence, Expected};

const NAME: &str = "each_attack_meets_its_verdict";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == tool::ATTACK) {
        return tool::main(&arguments[1..]);
    }
    if arguments.iter().any(|argument| argument == "--list") {
        println!("{NAME}: test");
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    // `cargo test NAME` asks every test program; words in quotation marks choose attacks.
    let chosen: Vec<&Attack> = match filters.iter().any(|filter| !NAME.contains(filter)) {
        true => ATTACKS.iter().filter(|attack| filters.iter().any(|filter| attack.name.contains(filter))).collect(),
        false => ATTACKS.iter().collect(),
    };
    if chosen.is_empty() || !lab::can_run() {
        return ExitCode::SUCCESS;
    }
    each_attack_meets_its_verdict(&chosen)
}

fn each_attack_meets_its_verdict(chosen: &[&Attack]) -> ExitCode {
    let (begun, own) = (std::time::Instant::now(), std::process::id());
    let failures: Vec<String> = std::thread::scope(|scope| {
        let bare = scope.spawn(|| run(&Stage::bare(&format!("attacks-bare-{own}")), chosen));
        let guarded = scope.spawn(|| run(&Stage::guarded(&format!("attacks-{own}")), chosen));
        [bare, guarded].into_iter().flat_map(|world| world.join().unwrap_or_else(|_| vec!["a panic".into()])).collect()
    });
    println!("{} attacks in {:.1} s", chosen.len(), begun.elapsed().as_secs_f32());
    if failures.is_empty() {
        println!("test {NAME} ... ok");
        return ExitCode::SUCCESS;
    }
    println!("test {NAME} ... FAILED\n{}", failures.join("\n"));
    ExitCode::FAILURE
}

fn run(stage: &Stage, attacks: &[&Attack]) -> Vec<String> {
    attacks.iter().filter_map(|attack| meet(stage, attack).err()).collect()
}

/// Makes the attack and holds what came of it against what is expected.
fn meet(stage: &Stage, attack: &Attack) -> Result<(), String> {
    let begun = std::time::Instant::now();
    let guarded = stage.is_guarded;
    let evidence = Before::of(stage, attack);
    let outcome = (attack.make)(stage);
    let (name, said) = (attack.name, outcome.said.trim().replace('\n', "; "));
    let world = if guarded { "guarded" } else { "bare" };
    let word = if outcome.arrived { "arrived" } else { "nothing arrived" };
    println!("{world:7} {name}: {word} ({} ms) {said}", begun.elapsed().as_millis());
    if !guarded {
        return match outcome.arrived {
            true => Ok(()),
            false => Err(format!("{name}: the attack itself does not work: {said}")),
        };
    }
    match (attack.expected, outcome.arrived) {
        (Expected::Stopped(_), false) => {
            evidence.is_there(stage).map_err(|what| format!("{name}: stopped, but {what}"))
        }
        (Expected::Allowed | Expected::NotYet | Expected::Limit, true) => Ok(()),
        (Expected::Allowed, false) => Err(format!("{name}: must go on: {said}")),
        (Expected::Stopped(_), true) => Err(format!("{name}: it worked: {said}")),
        (Expected::NotYet, false) => Err(format!("{name}: now stopped: move it ({said})")),
        (Expected::Limit, false) => Err(format!("{name}: now stopped: move it, and change the documentation ({said})")),
    }
}

/// What the guard had told before the attack.
struct Before {
    evidence: Evidence,
    records: usize,
    counter: u64,
}

impl Before {
    fn of(stage: &Stage, attack: &Attack) -> Self {
        let evidence = match attack.expected {
            Expected::Stopped(evidence) => evidence,
            Expected::Allowed | Expected::NotYet | Expected::Limit => Evidence::None,
        };
        let counter = if let Evidence::Counter(name) = evidence { stage.counter(name) } else { 0 };
        Self { evidence, records: stage.records(), counter }
    }

    fn is_there(&self, stage: &Stage) -> Result<(), String> {
        match self.evidence {
            Evidence::Record(pod, container) if stage.denied(self.records, pod, container) => Ok(()),
            Evidence::Record(pod, container) => Err(format!("no record of {pod} {container:?} was denied")),
            Evidence::Counter(name) if stage.counter(name) > self.counter => Ok(()),
            Evidence::Counter(name) => Err(format!("no counter `{name}` rose")),
            Evidence::None => Ok(()),
        }
    }
}
