//! A program that stands in for an image's own: it answers on its ports and calls its dependencies.

pub mod attempt;
mod caller;
mod server;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use palisade_model::Protocol;
use serde::{Deserialize, Serialize};

use crate::dependency::{self, Call};

/// The variable that makes this executable, under whatever name, a stand-in.
pub(crate) const STAND_IN_VARIABLE: &str = "PALISADE_LAB_STAND_IN";

/// What a stand-in does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StandIn {
    /// Who it is, for its answers: `namespace/pod/container`.
    pub name: String,
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// Whom it calls.
    pub calls: Vec<Call>,
    /// How often it calls each.
    pub rhythm: Duration,
    /// Whether it ends after one round of calls, as a job does.
    pub once: bool,
}

/// A port that a stand-in listens on.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Listen {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// One address only; every address when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl Listen {
    /// Every address at `port`.
    pub fn any(protocol: Protocol, port: u16) -> Self {
        Self { protocol, port, address: None }
    }
}

/// What this executable is told to be in a container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Orders {
    /// A stand-in for the image's program.
    StandIn(StandIn),
    /// The cluster's name server.
    Dns,
    /// A tool that a script calls: it calls whom its arguments name, once, and ends.
    Tool {
        /// How long it takes.
        rhythm: Duration,
    },
}

/// Becomes a stand-in when the environment says so; the first thing that `main` must ask.
///
/// A container's program is this executable under the image's path, with the image's arguments, so
/// that no argument can tell.
pub fn stand_in() -> Option<ExitCode> {
    let orders = std::env::var(STAND_IN_VARIABLE).ok()?;
    Some(match serde_json::from_str(&orders) {
        Ok(Orders::StandIn(orders)) => run(&orders),
        Ok(Orders::Dns) => crate::dns::dns(),
        Ok(Orders::Tool { rhythm }) => run_tool(rhythm),
        Err(error) => {
            eprintln!("error: `{STAND_IN_VARIABLE}` holds no orders: {error}");
            ExitCode::from(2)
        }
    })
}

fn run_tool(rhythm: Duration) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let calls = dependency::of_environment(arguments.iter().map(|argument| ("", argument.as_str())));
    let name = std::env::args().next().unwrap_or_default();
    let all_answered = caller::call_each_once(&StandIn { name, listen: Vec::new(), calls, rhythm, once: true });
    std::thread::sleep(rhythm);
    if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Serves and calls as told; ends only when there is nothing to do.
pub fn run(orders: &StandIn) -> ExitCode {
    let server = server::Server::bind(orders);
    if orders.once {
        let all_answered = caller::call_each_once(orders);
        return if all_answered { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    if !orders.calls.is_empty() {
        let orders = orders.clone();
        let spawned = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || caller::call_forever(&orders));
        if let Err(error) = spawned {
            eprintln!("cannot call anybody: {error}");
        }
    }
    server.serve_forever()
}
