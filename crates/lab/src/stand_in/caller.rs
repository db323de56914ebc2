//! The calling half of a stand-in.

use std::io::Write;
use std::time::{Duration, Instant};

use palisade_model::Timestamp;

use super::StandIn;
use super::attempt::{Answer, DEFAULT_TIMEOUT_MS, Try};
use crate::dependency::{Call, CallKind};

/// Pods start together; most are there after this, and the first calls find them.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// Calls each dependency, then waits for the rest of the rhythm, for ever.
pub(super) fn call_forever(orders: &StandIn) -> ! {
    std::thread::sleep(orders.rhythm.min(FIRST_PAUSE));
    loop {
        let begun = Instant::now();
        call_each_once(orders);
        std::thread::sleep(orders.rhythm.saturating_sub(begun.elapsed()));
    }
}

/// Calls each dependency; whether all answered.
pub(super) fn call_each_once(orders: &StandIn) -> bool {
    let answers: Vec<_> = orders.calls.iter().map(|call| (call, attempt(call).run())).collect();
    for (call, answer) in &answers {
        // A log that cannot take it is no reason to end.
        let _ = writeln!(std::io::stdout(), "{}", line(call, answer));
    }
    answers.iter().all(|(call, answer)| was_reached(call, answer))
}

/// A server that speaks another protocol may hang up: it was reached all the same.
fn was_reached(call: &Call, answer: &Answer) -> bool {
    answer.ok || (call.kind == CallKind::Tcp && answer.local.is_some())
}

fn attempt(call: &Call) -> Try {
    let host = if call.host.contains(':') { format!("[{}]", call.host) } else { call.host.clone() };
    let send = match call.kind {
        // Every stand-in answers HTTP with who it is, and echoes the rest.
        CallKind::Http | CallKind::Tcp => format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", call.host),
        CallKind::Udp => "palisade".to_owned(),
    };
    Try {
        udp: call.kind == CallKind::Udp,
        send: Some(send),
        timeout_ms: DEFAULT_TIMEOUT_MS,
        ..Try::tcp(format!("{host}:{}", call.port))
    }
}

/// One line a call: `2026-01-31T00:00:00Z call orders:80 ok 1.2ms shop/orders-0/orders port 80`.
fn line(call: &Call, answer: &Answer) -> String {
    let now = Timestamp::now();
    let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    let Call { host, port, .. } = call;
    let protocol = if call.kind == CallKind::Udp { "/udp" } else { "" };
    let what = match (&answer.error, was_reached(call, answer)) {
        (_, true) => {
            let body = answer.answer.as_deref().and_then(|text| text.rsplit("\r\n").next()).unwrap_or_default().trim();
            format!("ok {}.{}ms {body}", answer.micros / 1000, answer.micros % 1000 / 100)
        }
        (Some(error), false) => format!("failed {error}"),
        (None, false) => "failed".to_owned(),
    };
    format!("{now} call {host}:{port}{protocol} {what}")
}
