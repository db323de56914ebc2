//! What a scan costs, beside osv-scanner (packages and matching) and syft (packages alone), on the images that the tests
//! compare: time of processors and peak of resident memory of each program, the kernel's account of an ended process.
//!
//! `cargo bench -p palisade --bench images`; the first run builds the images and installs the peers.

#[path = "../tests/peers/images.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use the rest")]
mod images;
#[path = "../tests/peers/osv_scanner.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use the rest")]
mod osv_scanner;
#[path = "../tests/peers/reasons.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use the rest")]
mod reasons;
#[path = "../tests/peers/syft.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the tests, which use the rest")]
mod syft;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use palisade_peers::images::{APP, DEBIAN};

/// Each program on each image so often, in turn; the median counts.
const ROUNDS: usize = 5;

/// What one run took.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Cost {
    /// Seconds of processors.
    seconds: f64,
    /// Peak of resident memory.
    mebibytes: f64,
}

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--test") { 1 } else { ROUNDS };
    let (Some(peer), Some(syft)) = (osv_scanner::Peer::find(), syft::syft()) else { return };
    let (Some(app), Some(debian)) = (APP.get(), DEBIAN.get()) else { return };
    let store = images::folder().join("store");
    let imported = ours(&store, &["advisories", "import"]).arg(peer.shared.join("advisories")).output();
    assert!(imported.expect("the binary starts").status.success(), "the exports make a database");
    println!("median of {rounds} rounds; CPU seconds and peak MiB, and how many times ours");
    println!("  {:<12} {:>8} {:>20} {:>20} {:>20}", "image", "MB", "palisade scan", "osv-scanner", "syft");
    for (name, archive) in [("app", app), ("debian", debian), ("distroless", images::saved(&peer.shared, "distroless"))]
    {
        let mut costs: [Vec<Cost>; 3] = Default::default();
        for _ in 0..rounds {
            let scan = ours(&store, &["image", "scan", "-o", "json"]).arg(&archive).stdout(Stdio::null()).spawn();
            costs[0].push(cost(scan.expect("the binary starts")));
            let report = archive.with_extension("bench.json");
            costs[1].push(cost(quiet(&mut peer.scan(&archive, &report))));
            costs[2].push(cost(quiet(&mut syft::scan(&syft, &archive))));
        }
        let [own, osv, syft] = costs.map(median);
        let beside =
            |cost: Cost| format!("{:.2} s {:.0} ({:.1}x)", cost.seconds, cost.mebibytes, cost.seconds / own.seconds);
        let size = archive.metadata().map_or(0, |of| of.len()) / 1_000_000;
        let own = format!("{:.2} s {:.0}", own.seconds, own.mebibytes);
        println!("  {name:<12} {size:>8} {own:>20} {:>20} {:>20}", beside(osv), beside(syft));
    }
}

fn ours(store: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_palisade")));
    command.args(arguments).env("PALISADE_ADVISORIES", store).stderr(Stdio::null());
    command
}

fn quiet(command: &mut Command) -> std::process::Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it was installed")
}

/// Waits for the end, and asks the kernel what it took; children of the program are counted with it.
fn cost(child: std::process::Child) -> Cost {
    let pid = i32::try_from(child.id()).expect("a process id");
    let mut status = 0;
    // SAFETY: plain data, all zero is a value of it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: a child of ours that nobody else waits for, and places that are valid for the call.
    let waited = unsafe { libc::wait4(pid, &mut status, 0, &mut usage) };
    assert_eq!(waited, pid, "{}", std::io::Error::last_os_error());
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Cost { seconds: seconds(usage.ru_utime) + seconds(usage.ru_stime), mebibytes: usage.ru_maxrss as f64 / 1024.0 }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|one, other| one.partial_cmp(other).expect("no cost is NaN"));
    costs[costs.len() / 2]
}
