//! The half of the demo that needs nothing but the manifests.

use std::io::{self, Write};

use crate::arguments::{CommandLine, DemoArguments};
use crate::exit::ExitStatus;
use crate::explain;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::terminal::Tone;

use clap::Parser;

/// What is asked: nginx, malware in its container, the sidecar, and a link that an audit would refuse.
const QUESTIONS: &[[&str; 3]] = &[
    ["shop/web:nginx:/usr/sbin/nginx", "shop/orders", "8080"],
    ["shop/web:nginx:/tmp/malware", "shop/orders", "8080"],
    ["shop/web:log-shipper", "shop/orders", "8080"],
    ["shop/search", "data/db", "5432"],
];

/// Explains the example's manifests.
pub fn run(arguments: &DemoArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let shop = arguments.shop.display().to_string();
    for [from, to, port] in QUESTIONS {
        let words = ["palisade", "explain", "-f", &shop, from, to, port];
        let shown = words.join(" ");
        writeln!(io::stdout(), "{}", settings.colour.paint(Tone::Strong, &format!("$ {shown}")))?;
        let command_line = CommandLine::try_parse_from(words).map_err(Failure::new)?;
        if let crate::arguments::Command::Explain(question) = &command_line.command {
            // The answers are what there is to see; that some are "denied" is the point.
            explain::run(question, settings)?;
        }
        writeln!(io::stdout())?;
    }
    Ok(ExitStatus::Clean)
}
