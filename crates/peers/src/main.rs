//! Builds what tests ask for ahead of them: `palisade-peers [NAME]...`, all of it without a name.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use palisade_peers::python::Environment;
use palisade_peers::{Unavailable, images, programs};

fn main() -> ExitCode {
    let peers = peers();
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = asked.iter().find(|name| peers.iter().all(|peer| peer.name != **name)) {
        let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
        eprintln!("error: there is no `{unknown}`: one of {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut code = ExitCode::SUCCESS;
    for peer in peers.iter().filter(|peer| asked.is_empty() || asked.iter().any(|name| name == peer.name)) {
        let started = Instant::now();
        match (peer.build)() {
            Ok(()) => println!("{}: {:.0} s", peer.name, started.elapsed().as_secs_f64()),
            Err(unavailable) => {
                println!("{unavailable}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

struct Peer {
    name: &'static str,
    build: Box<dyn Fn() -> Result<(), Unavailable>>,
}

/// What takes longest and is asked for late does not stand in the way of what is asked for first.
fn peers() -> Vec<Peer> {
    let mut peers = vec![Peer { name: "python", build: Box::new(|| Environment::build().map(drop)) }];
    peers.extend(programs::ALL.iter().map(|it| Peer { name: it.name, build: Box::new(|| it.build().map(drop)) }));
    peers.extend(images::ALL.iter().map(|it| Peer { name: it.0, build: Box::new(|| it.build().map(drop)) }));
    peers
}
