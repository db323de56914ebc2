//! Whether records are lost when very much happens, and what reading them costs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::lab::{Agent, Lab};
use crate::load::Load;
use crate::world::{ENDS_PORT, open_to_container};

/// The aim: so many events a second below one core.
const RATE: u64 = 50_000;
/// What the agent has not told after this long, it never will.
const SETTLES: Duration = Duration::from_secs(2);

pub fn measure(quick: bool) {
    let millis = if quick { 200 } else { 5000 };
    let lab = Lab::up("bench-events", &open_to_container(3), 1);
    let agent = lab.agent();
    agent.wait_until_guarded(&lab);
    let mut server = Load::start(&lab, "bench/server-0");
    server.tell("serve");
    let mut load = Load::start(&lab, "bench/client");
    let mut sender = Load::start(&lab, "bench/server-1");
    let reader = Reader::start(&lab);
    println!(
        "events of the kernel, for {} s each, read by the agent and one `observe -o json`",
        millis as f64 / 1000.0
    );
    println!(
        "  {:<40} {:>9} {:>10} {:>9} {:>9} {:>10} {:>10}",
        "", "tries/s", "events/s", "lost", "lost %", "agent cpu", "observe"
    );
    let to = lab.address_of("server-0", ENDS_PORT);
    let address = to.split(':').next().unwrap_or_default().to_owned();
    for threads in [1, 2] {
        let row = format!("connects, as fast as they go, {threads} threads");
        // Judged, sent, established, and the flow's begin and end at two veths.
        measured(&agent, &reader, &row, || {
            let done = load.tell(&format!("connects {to} {millis} {threads}"));
            (done[0], done[1])
        });
    }
    for rate in [RATE / 2, RATE, 2 * RATE] {
        measured(&agent, &reader, &format!("refused sends, {rate} a second"), || {
            let done = sender.tell(&format!("sends {address} {rate} {millis}"));
            assert_eq!(done[0], done[1], "all are refused");
            (done[0], done[2])
        });
    }
}

/// Makes the tries; prints how many events came of them, what was lost, and the agent's time.
fn measured(agent: &Agent, reader: &Reader, name: &str, tries: impl FnOnce() -> (u64, u64)) {
    let before = (Account::of(agent), reader.lines(), reader.lost(), cpu_seconds(agent.pid()));
    let (tried, micros) = tries();
    let cpu = cpu_seconds(agent.pid()) - before.3;
    reader.settle();
    let after = (Account::of(agent), reader.lines(), reader.lost());
    let seconds = micros as f64 / 1e6;
    let lost = after.0.lost - before.0.lost;
    let read = after.0.events - before.0.events;
    println!(
        "  {name:<40} {:>9.0} {:>10.0} {lost:>9} {:>9.2} {:>9.0}% {:>10}",
        tried as f64 / seconds,
        (read + lost) as f64 / seconds,
        100.0 * lost as f64 / (read + lost).max(1) as f64,
        100.0 * cpu / seconds,
        after.2 - before.2
    );
}

/// The kernel's and the agent's counts.
struct Account {
    events: u64,
    lost: u64,
}

impl Account {
    fn of(agent: &Agent) -> Self {
        let status = agent.ask(r#"{"status":{}}"#).expect("the agent answers");
        let node = &status["nodes"][0];
        Self {
            events: node["events"].as_u64().unwrap_or(0),
            lost: node["counters"]["events-lost"].as_u64().unwrap_or(0),
        }
    }
}

/// What a process used of the processors so far.
fn cpu_seconds(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    // utime and stime, fields 14 and 15 of proc(5), in hundredths.
    (ticks(11) + ticks(12)) / 100.0
}

/// Counts what `observe` prints.
struct Reader {
    child: Child,
    lines: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

impl Reader {
    fn start(lab: &Lab) -> Self {
        let mut command = lab.command(&["observe", "-o", "json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let (lines, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let counts = (lines.clone(), lost.clone());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let told = line.strip_prefix("{\"lost\":").and_then(|rest| rest.strip_suffix('}')?.parse::<u64>().ok());
                match told {
                    Some(told) => counts.1.fetch_add(told, Ordering::Relaxed),
                    None => counts.0.fetch_add(1, Ordering::Relaxed),
                };
            }
        });
        Self { child, lines, lost }
    }

    fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until nothing more comes.
    fn settle(&self) {
        let (mut seen, mut since) = (self.lines(), Instant::now());
        while since.elapsed() < SETTLES {
            std::thread::sleep(Duration::from_millis(50));
            if self.lines() != seen {
                (seen, since) = (self.lines(), Instant::now());
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
