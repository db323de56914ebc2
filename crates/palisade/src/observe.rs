//! `palisade observe`: the agents' records, live.

use std::io::{self, Write};

use palisade_model::flow::{FlowPhase, FlowRecord, Strength};

use crate::arguments::{ObserveArguments, OutputFormat};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::records::{Line, Records};
use crate::settings::Settings;
use crate::terminal::Tone;

use filter::Filter;
use row::Rows;
use strangers::strangers;

mod filter;
pub mod row;
mod strangers;

/// Prints records until the last agent goes away, the limit is reached or the reader leaves.
pub fn run(arguments: &ObserveArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let lab = &arguments.manifests.lab.name;
    let sockets = match &arguments.socket {
        Some(socket) => vec![socket.clone()],
        None => lab.state_dir().agent_sockets(),
    };
    let records = Records::connect(&sockets, lab, arguments.since)?;
    for stranger in strangers(arguments)? {
        eprintln!("{stranger}");
    }
    let filter = Filter::new(&arguments.filters);
    let mut rows = Rows::new(settings.colour);
    let mut output = io::stdout().lock();
    if arguments.output == OutputFormat::Text {
        writeln!(output, "{}", rows.header())?;
    }
    let mut shown = 0;
    while arguments.limit.is_none_or(|limit| shown < limit) {
        let Some((text, line)) = records.next()? else {
            eprintln!("the agent went away: its records end here");
            break;
        };
        match line {
            Line::Lost { lost } => print_lost(&mut output, arguments.output, lost, settings)?,
            Line::Record(record) if is_shown(&record, arguments.output) && filter.passes(&record) => {
                match arguments.output {
                    OutputFormat::Text => writeln!(output, "{}", rows.render(&record))?,
                    OutputFormat::Json => writeln!(output, "{text}")?,
                }
                shown += 1;
            }
            Line::Record(_) => {}
        }
        output.flush()?;
    }
    Ok(ExitStatus::Clean)
}

/// As text each connection is one line: its sender's, or its receiver's when no sender on the same node tells of it.
/// JSON has every record.
fn is_shown(record: &FlowRecord, format: OutputFormat) -> bool {
    format == OutputFormat::Json
        || record.is_try()
        || record.phase == FlowPhase::Changed
        || (record.phase == FlowPhase::Start && record.strength != Some(Strength::SameNode))
}

fn print_lost(output: &mut impl Write, format: OutputFormat, lost: u64, settings: &Settings) -> io::Result<()> {
    match format {
        OutputFormat::Json => writeln!(output, "{{\"lost\":{lost}}}"),
        OutputFormat::Text => {
            let words = format!("-- {lost} records lost: the agent was not fast enough for them --");
            writeln!(output, "{}", settings.colour.paint(Tone::Caution, &words))
        }
    }
}
