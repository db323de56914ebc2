//! What the guard adds over loopback, in alternating rounds: to a connect, to a request of one byte and its answer, and to
//! bulk; without it, with it, and with it but for the programs that see packets inside a pod.
//!
//! `cargo run --release -p palisade-bpf --example connect_bench [ROUNDS] [CONNECTS]`, as root. It makes a cgroup, a network
//! namespace and a bpffs of its own and removes them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use palisade_bpf::tables::{Cell, Container, ContainerKind, Decision, Network, Program, Span, Verdict};
use palisade_bpf::{FLOWS, Guard, Options, RING_BYTES, Tables, cgroup, pins, program_file};

const SELF: u32 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).filter_map(|text| text.parse::<usize>().ok());
    let (rounds, connects) = (arguments.next().unwrap_or(10), arguments.next().unwrap_or(5000));
    let name = format!("palisade-bench-{}", std::process::id());
    let folder = std::env::temp_dir().join(&name);
    let root = cgroup::mount_point()?.join(&name);
    let result = measure(&folder, &root, rounds, connects);
    fs::write(cgroup::mount_point()?.join("cgroup.procs"), std::process::id().to_string())?;
    pins::unmount(&folder.join("bpf"))?;
    fs::remove_dir_all(&folder)?;
    for cgroup in [root.join("kubepods/pod1/web"), root.join("kubepods/pod1"), root.join("kubepods"), root] {
        let _ = fs::remove_dir(cgroup);
    }
    result
}

fn measure(folder: &Path, root: &Path, rounds: usize, connects: usize) -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(folder)?;
    pins::mount(&folder.join("bpf"))?;
    let pods = root.join("kubepods");
    let web = pods.join("pod1/web");
    fs::create_dir_all(&web)?;
    // SAFETY: no other thread has been started yet.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }?;
    std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
    fs::write(web.join("cgroup.procs"), std::process::id().to_string())?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let to = listener.local_addr()?;
    let options = Options { pins: folder.join("bpf/node1"), cgroup: pods, ring_bytes: RING_BYTES, flows: FLOWS };
    let tables = tables(cgroup::id(&web)?)?;

    let mut figures: [Vec<[f64; 3]>; 3] = Default::default();
    for _ in 0..rounds {
        figures[0].push(figures_of(&listener, to, connects, &mut || {})?);
        let mut guard = Guard::load(&options)?;
        guard.install(&tables)?;
        let mut events = 0;
        figures[1].push(figures_of(&listener, to, connects, &mut || {
            let _ = guard.events(Duration::ZERO, &mut |_| events += 1);
        })?);
        for generation in fs::read_dir(&options.pins)? {
            for name in ["inside_out", "inside_in"] {
                fs::remove_file(generation.as_ref().map_err(|_| "no pins")?.path().join("links").join(name))?;
            }
        }
        figures[2].push(figures_of(&listener, to, connects, &mut || {
            let _ = guard.events(Duration::ZERO, &mut |_| events += 1);
        })?);
        println!("{events} events, {} lost", guard.counters()?.lost());
        drop(guard);
        pins::unmount(&folder.join("bpf"))?;
        pins::mount(&folder.join("bpf"))?;
    }
    let names = ["connect, microseconds", "request, microseconds", "bulk, seconds per GiB"];
    for (figure, name) in names.iter().enumerate() {
        let median = |which: usize| {
            let mut values: Vec<f64> = figures[which].iter().map(|row| row[figure]).collect();
            values.sort_by(f64::total_cmp);
            values[rounds / 2]
        };
        let [without, with, but_inside] = [0, 1, 2].map(median);
        println!(
            "{name:<22}  without {without:>7.2}  with {with:>7.2} ({:.3})  of that packets inside a pod {:.3}",
            with / without,
            with / but_inside
        );
    }
    Ok(())
}

/// Median of a connect and of a request in microseconds, and seconds for a GiB.
fn figures_of(
    listener: &TcpListener,
    to: SocketAddr,
    connects: usize,
    read: &mut dyn FnMut(),
) -> std::io::Result<[f64; 3]> {
    let connect = median(listener, to, connects, read)?;
    let mut client = TcpStream::connect(to)?;
    let (mut server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut times = Vec::with_capacity(connects);
    let mut byte = [0; 1];
    for _ in 0..connects {
        let began = Instant::now();
        client.write_all(&byte)?;
        server.read_exact(&mut byte)?;
        server.write_all(&byte)?;
        client.read_exact(&mut byte)?;
        times.push(began.elapsed());
    }
    times.sort();
    // One thread for both ends: what is measured is the path, not who is woken when.
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 4096;
    let mut bytes = vec![0; PIECE];
    let began = Instant::now();
    for _ in 0..PIECES {
        client.write_all(&bytes)?;
        server.read_exact(&mut bytes)?;
    }
    let gib = (1u64 << 30) as f64 / (PIECE * PIECES) as f64;
    read();
    Ok([connect.as_secs_f64() * 1e6, times[times.len() / 2].as_secs_f64() * 1e6, began.elapsed().as_secs_f64() * gib])
}

/// The median of `connects` connects; events are read now and then, as the agent does, outside of what is measured.
fn median(
    listener: &TcpListener,
    to: SocketAddr,
    connects: usize,
    read: &mut dyn FnMut(),
) -> std::io::Result<Duration> {
    let mut times = Vec::with_capacity(connects);
    for number in 0..connects {
        let began = Instant::now();
        let stream = TcpStream::connect(to)?;
        times.push(began.elapsed());
        // Accepted here, so that the queue never fills and no connect waits for another thread.
        drop(listener.accept()?);
        // Closed by a reset: a port that waits would be missing soon.
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        drop(stream);
        if number % 200 == 0 {
            read();
        }
    }
    read();
    times.sort();
    Ok(times[times.len() / 2])
}

/// Tables of a size that a small cluster has, so that look-ups are not flattered.
fn tables(container: u64) -> Result<Tables, Box<dyn std::error::Error>> {
    let program = std::env::current_exe()?;
    let file = program_file::below(Path::new("/"), program.to_str().ok_or("an odd path")?)?;
    let plain = |verdict| Decision { enforced: verdict, would: verdict, mixed: false, expires: None };
    let mut tables = Tables {
        revision: 1,
        decisions: vec![plain(Verdict::Allow), plain(Verdict::Deny)],
        programs: vec![Program { container, file, class: 2 }],
        port_tables: vec![
            (0..64).map(|part| Span { first: part * 1024, last: part * 1024 + 1023, decision: 0 }).collect(),
        ],
        ..Tables::default()
    };
    let entry = |cgroup, class| Container {
        cgroup,
        subject: 1,
        class,
        kind: ContainerKind::Known,
        host_network: false,
        packets: Default::default(),
    };
    tables.containers = (1..200).map(|number| entry(u64::MAX - number, 1)).chain([entry(container, 1)]).collect();
    for number in 0..1000u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + number);
        let network = Network { address: address.into(), prefix: 32, destination: number + 2, own_subject: None };
        tables.destinations.push(network);
        tables.cells.push(Cell { class: 2, destination: number + 2, protocol: 6, port_table: 0 });
    }
    tables.cells.push(Cell { class: 2, destination: SELF, protocol: 6, port_table: 0 });
    Ok(tables)
}
