//! What an intruder runs in a container: this test's own executable, told what to do by its arguments.
//!
//! It ends with one line: `ok`, or `errno NUMBER` of the step that failed.

mod converse;
mod dial;
mod express;
mod forge;
mod inject;
mod interject;
mod pass;
mod send;
mod steal;
pub mod system;

use std::io;
use std::process::ExitCode;

/// The first argument of an intruder.
pub const ATTACK: &str = "attack";

/// What an attack carries, so that the victim's view can tell it from everything else.
pub const MARKER: &[u8] = b"palisade-attack";

/// Runs the attack that `arguments` name.
pub fn main(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("errno {} {error}", error.raw_os_error().unwrap_or(-1));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> io::Result<String> {
    match words {
        ["dial", kind, target, options @ ..] => dial::dial(kind, target, options),
        ["uring", target] => dial::by_ring(target, false),
        ["uring-thread", target] => dial::by_ring(target, true),
        ["frames", device, frames @ ..] => send::frames(device, frames),
        ["express", device, frame] => send::express(device, frame),
        ["packets", packets @ ..] => send::packets(packets),
        ["answer", local, forged, target] => send::answer_to_forged(local, forged, target),
        ["answer-bound", local, target] => forge::answer(local, target),
        ["answer-frame", device, frame, local, target] => forge::answer_to_frame(device, frame, local, target),
        ["accept-bound", local, target] => forge::accept(local, target),
        ["taken-apart", device, local, target, frame] => {
            forge::taken_apart(device, local, target, &send::bytes(frame)?)
        }
        ["flood", target, count] => send::flood(target, count),
        ["flood-itself", count] => send::flood_itself(count),
        ["ask", target] => converse::ask(target),
        ["ask-much", target] => converse::ask_much(target),
        ["ask-connected", target] => converse::ask_connected(target),
        ["ask-patiently", target] => converse::ask_patiently(target),
        ["converse", target] => converse::converse(target),
        ["serve-slowly", address] => converse::serve_slowly(address),
        ["steal", how, address] => steal::steal(how, address),
        ["owned", address] => steal::own(address),
        ["give", name, how, target] => pass::give(name, how, target),
        ["take", name, target] => pass::take(name, target),
        ["speak", descriptor] => pass::speak(descriptor),
        ["hold", name, descriptor] => pass::hold(name, descriptor),
        ["memory", source, arguments @ ..] => inject::run_from_memory(source, arguments),
        ["mounted", source, path, arguments @ ..] => inject::run_mounted_over(source, path, arguments),
        ["talk-inside", kind, port] => interject::talk_inside(kind, port),
        ["interject", port] => interject::interject(port),
        ["nested", target] => inject::dial_from_nested_cgroup(target),
        ["trace", program, target] => inject::trace(program, target),
        ["preload", object, target] => inject::write_object(object, target),
        _ => Err(io::Error::other(format!("no such attack: {words:?}"))),
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::other(format!("`{text}` cannot be read")))
}
