//! `palisade demo`: the example application in the lab, guarded; then a visitor and an intruder.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use palisade_agent::probe;
use palisade_model::flow::VerdictWord;

use crate::arguments::DemoArguments;
use crate::exit::ExitStatus;
use crate::failure::{Failure, Hint};
use crate::settings::Settings;
use crate::table::{Table, pad};
use crate::terminal::{Colour, Tone};

use acts::{ACTS, Act, Sender};
use feed::{Feed, Seen};
use stage::Stage;

mod acts;
mod at_the_desk;
mod feed;
mod stage;

/// How long the application gets to make each of its calls once.
const OPENING: Duration = Duration::from_secs(10);
/// How long a record may take from a connection to the view.
const RECORD: Duration = Duration::from_secs(3);

/// Runs the demo.
///
/// # Errors
/// When the example is not there, or the lab or the agent refuses.
pub fn run(arguments: &DemoArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    if !arguments.shop.is_dir() {
        return Err(Failure::new(format!("the example application is not at `{}`", arguments.shop.display()))
            .hint(Hint::Change("run it in the root of the repository, or name the folder with --shop".into())));
    }
    let found = probe::probe();
    let mut missing: Vec<_> = probe::missing(&found).collect();
    if let Some(root) = missing.iter().position(|capability| capability.name == "root") {
        // Nobody but root can tell about the rest.
        missing = vec![missing.swap_remove(root)];
    }
    match missing.is_empty() {
        true => live(arguments, settings),
        false => {
            eprintln!("this machine cannot show the live half. It lacks:");
            for capability in missing {
                eprintln!("  {}: {}", capability.name, capability.purpose);
            }
            let own = std::env::current_exe().map_or_else(|_| "palisade".into(), |path| path.display().to_string());
            eprintln!("\nhint: sudo {own} demo\n");
            at_the_desk::run(arguments, settings)
        }
    }
}

/// What became of an act.
struct Played {
    act: &'static Act,
    seen: Option<Seen>,
}

fn live(arguments: &DemoArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(Failure::new)?;
    }
    let mut view = View { colour: settings.colour };
    view.title("A storefront: ten workloads in three namespaces, one provider outside")?;
    let stage = Stage::set(&arguments.shop, &mut view)?;
    let mut feed = Feed::open(&stage.agent_socket(), Arc::clone(&stop))?;

    view.title("The application works: each kind of connection once")?;
    feed.watch(OPENING, |feed, seen| {
        view.seen(seen)?;
        Ok(acts::LINKS.iter().all(|link| feed.has_seen(link)))
    })?;
    for link in acts::LINKS.iter().filter(|link| !feed.has_seen(link)) {
        view.remark(&format!("not seen within {} s: {link}", OPENING.as_secs()))?;
    }

    visit("A visitor comes in from the outside, through the node's port", &stage, &mut view)?;
    let mut results = Vec::new();
    for act in ACTS {
        feed.watch(view.pause(), |_, seen| view.seen(seen).map(|()| false).map_err(Failure::from))?;
        if stop.load(Ordering::Relaxed) {
            view.remark("interrupted")?;
            return Ok(ExitStatus::Findings);
        }
        results.push(play(act, &stage, &mut feed, &mut view)?);
    }
    visit("The visitor comes again: the application still works", &stage, &mut view)?;
    summary(&results, &feed, &mut view)
}

fn visit(title: &str, stage: &Stage, view: &mut View) -> Result<(), Failure> {
    view.title(title)?;
    let (tone, words) = stage.visitor()?;
    Ok(view.line(tone, &words)?)
}

/// Plays one act, and waits for the record of the connection that it tried.
fn play(act: &'static Act, stage: &Stage, feed: &mut Feed, view: &mut View) -> Result<Played, Failure> {
    view.title(act.title)?;
    view.command(act)?;
    let before = feed.newest();
    stage.run(act)?;
    let mut met = None;
    feed.watch(RECORD, |_, seen| {
        if seen.id_after(before) && act.is_record(&seen.record) {
            view.seen(seen)?;
            met = Some(seen.clone());
        }
        Ok(met.is_some())
    })?;
    if let (Some(note), Some(_)) = (act.note, &met) {
        view.line(Tone::Faint, note)?;
    }
    if met.is_none() {
        view.remark(&format!("no record of it within {} s", RECORD.as_secs()))?;
    }
    Ok(Played { act, seen: met })
}

fn summary(results: &[Played], feed: &Feed, view: &mut View) -> Result<ExitStatus, Failure> {
    view.title("Summary")?;
    let mut table = Table::new(&["TRIED", "SHOULD BE", "WAS", "BY"]);
    for result in results {
        let (was, by) = match &result.seen {
            None => ("not seen", String::new()),
            Some(seen) => (word(seen.record.verdict.verdict), seen.by()),
        };
        table.row([result.act.title, word(result.act.expected), was, &by]);
    }
    view.text(&table.to_string())?;
    let counts = feed.counts();
    view.text(&format!(
        "\n{} connections recorded: {} allowed, {} refused; {} records lost; {} allowed today, refused once the policy in Audit is enforced\n",
        counts.records, counts.allowed, counts.refused, counts.lost, counts.would_be_refused
    ))?;
    view.text("\nWhy was it refused, and what would allow it?\n")?;
    view.text("  palisade explain -f examples/shop shop/web:nginx:/tmp/malware shop/svc/orders 8080\n")?;
    let as_it_should =
        |result: &Played| result.seen.as_ref().is_some_and(|seen| seen.record.verdict.verdict == result.act.expected);
    let all = results.iter().all(as_it_should) && acts::LINKS.iter().all(|link| feed.has_seen(link));
    Ok(if all { ExitStatus::Clean } else { ExitStatus::Findings })
}

fn word(verdict: VerdictWord) -> &'static str {
    match verdict {
        VerdictWord::Allowed => "allowed",
        VerdictWord::Denied => "refused",
    }
}

/// What the reader sees, from top to bottom.
pub struct View {
    colour: Colour,
}

/// Width of `web nginx /usr/sbin/nginx` and the like.
const FROM: usize = 52;
/// Width of `shop/catalogue 8080` and the like.
const TO: usize = 30;

/// Between two acts, for somebody who watches.
const PAUSE: Duration = Duration::from_millis(800);

impl View {
    /// How long to wait before the next act.
    fn pause(&self) -> Duration {
        if io::stdout().is_terminal() { PAUSE } else { Duration::ZERO }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }

    fn line(&mut self, tone: Tone, text: &str) -> io::Result<()> {
        let line = format!("  {}\n", self.colour.paint(tone, text));
        self.text(&line)
    }

    fn title(&mut self, text: &str) -> io::Result<()> {
        let line = format!("\n{}\n", self.colour.paint(Tone::Strong, text));
        self.text(&line)
    }

    fn remark(&mut self, text: &str) -> io::Result<()> {
        self.line(Tone::Caution, text)
    }

    fn command(&mut self, act: &Act) -> io::Result<()> {
        let Sender { pod, container, .. } = act.sender;
        self.line(Tone::Faint, &format!("{pod} {container} $ {}", act.shown))
    }

    fn seen(&mut self, seen: &Seen) -> io::Result<()> {
        let (tone, word) = match seen.record.verdict.verdict {
            VerdictWord::Allowed => (Tone::Good, "allowed"),
            VerdictWord::Denied => (Tone::Bad, "REFUSED"),
        };
        let mut line = format!(
            "  {}  {}{}{}",
            self.colour.paint(tone, word),
            pad(&seen.from(), FROM),
            pad(&seen.to(), TO),
            seen.by()
        );
        if seen.would_be_refused() {
            let audit = format!("  (audit: would be refused by {})", seen.would_be_by());
            line.push_str(&self.colour.paint(Tone::Caution, &audit).to_string());
        }
        line.push('\n');
        self.text(&line)
    }
}
