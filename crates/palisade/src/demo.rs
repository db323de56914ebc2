//! `palisade demo`: a guarded application on this machine, its visitors, an intruder, and what
//! becomes of both.

mod application;
mod script;
mod stage;
mod watch;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use palisade_agent::probe;
use palisade_lab::LabName;
use palisade_lab::stand_in::attempt::Answer;
use palisade_model::flow::{FlowRecord, FlowVerdict, VerdictWord};
use palisade_policy::Model;

use crate::answer;
use crate::arguments::DemoArguments;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::observe::row::render_end;
use crate::settings::Settings;
use crate::terminal::Tone;
use crate::{input, question};

use application::Application;
use script::{INTRUDER, Step};
use stage::Stage;
use watch::{Enough, Watch, is_name_lookup};

/// Two rounds of the application's calls.
const AT_WORK: Duration = Duration::from_millis(4500);
/// The record of a step comes within milliseconds.
const RECORD: Duration = Duration::from_secs(5);
/// The NodePort of the example's gateway, on its first node.
const FRONT_DOOR: &str = "172.31.0.11:30080";
/// "Permission denied": what a refused connect returns.
const EACCES: i32 = 13;

/// Runs the demo; where it cannot run, says why and shows what the engine says of the same tries.
///
/// # Errors
/// When the manifests cannot be used, or the lab or the agent does not start.
pub fn run(arguments: &DemoArguments, settings: &Settings) -> Result<ExitStatus, Failure> {
    let name = "demo".parse::<LabName>().map_err(Failure::new)?;
    if let Some(scratch) = &arguments.clean_up_after {
        stage::clean_up_after(&name, scratch);
        return Ok(ExitStatus::Clean);
    }
    let scratch = std::env::temp_dir().join(format!("palisade-demo-{}", std::process::id()));
    let application = Application::choose(&arguments.manifests, &scratch).map_err(Failure::new)?;
    let input = palisade_manifests::load(&application.manifests, io::empty()).map_err(Failure::new)?;
    input::print_problems(&input.problems);
    if input::status(&input) == ExitStatus::Unusable {
        return Ok(ExitStatus::Unusable);
    }
    let of_cluster = palisade_model::settings::Settings::of(&input.value);
    let model = Model::new(Arc::new(input.value), of_cluster).value;
    let mut show = Show { model, settings: settings.clone(), output: io::stdout(), unexpected: 0 };
    let missing = missing();
    if !missing.is_empty() {
        show.static_half(&missing, application.is_example)?;
        return Ok(ExitStatus::Clean);
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(Failure::new)?;
    }
    let stage = Stage::set(name, &application.manifests, &scratch)?;
    show.live_half(&stage, &application, &stop)?;
    Ok(if show.unexpected == 0 { ExitStatus::Clean } else { ExitStatus::Findings })
}

/// What this machine or user lacks.
fn missing() -> Vec<String> {
    // The probe itself needs root to tell more.
    match rustix::process::geteuid().is_root() {
        false => vec!["root: namespaces, cgroups and BPF need it".to_owned()],
        true => probe::missing(&probe::probe())
            .map(|capability| format!("{}: {}", capability.name, capability.purpose))
            .collect(),
    }
}

struct Show {
    model: Model,
    settings: Settings,
    output: io::Stdout,
    /// What came out otherwise than the policies say.
    unexpected: u32,
}

impl Show {
    fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.output, "\n{}", self.settings.colour.paint(Tone::Strong, text))
    }

    // Without root or BPF

    fn static_half(&mut self, missing: &[String], is_example: bool) -> Result<(), Failure> {
        self.heading("The demo cannot run here")?;
        for what in missing {
            writeln!(self.output, "  missing: {what}")?;
        }
        writeln!(self.output, "  Run it with `sudo make demo` on Linux 5.8 or newer with cgroup v2.")?;
        if !is_example {
            return Ok(());
        }
        self.heading("What the engine says of the same tries")?;
        writeln!(self.output, "{}", self.says("shop/web:nginx:/usr/sbin/nginx", ("shop/svc/orders", "8080"))?)?;
        for step in INTRUDER {
            writeln!(self.output, "\n{}", step.title)?;
            writeln!(self.output, "{}", self.says(&step.from(), step.asked)?)?;
        }
        writeln!(self.output, "\nhint: palisade explain -f examples/shop shop/web:log-shipper shop/svc/orders 8080")?;
        Ok(())
    }

    fn says(&self, from: &str, (to, port): (&str, &str)) -> Result<String, Failure> {
        let question = question::resolve(&self.model, from, to, Some(port), self.settings.now)?;
        let answers = answer::answer(&self.model, &question).map_err(Failure::new)?;
        Ok(answers.iter().map(|answer| answer.render(self.settings.colour)).collect::<String>().trim_end().to_owned())
    }

    /// The engine's word on a step.
    fn predicts(&self, step: &Step) -> Result<&'static str, Failure> {
        let (to, port) = step.asked;
        let question = question::resolve(&self.model, &step.from(), to, Some(port), self.settings.now)?;
        let answers = answer::answer(&self.model, &question).map_err(Failure::new)?;
        Ok(answers.first().map_or("undecided", |answer| answer.verdict))
    }

    // With them

    fn live_half(&mut self, stage: &Stage, application: &Application, stop: &AtomicBool) -> Result<(), Failure> {
        let mut watch = Watch::start(&stage.name)?;
        self.introduce(stage)?;
        self.at_work(&mut watch, stop)?;
        if application.is_example && !stop.load(Ordering::Relaxed) {
            self.visitor(stage, &mut watch)?;
            self.intruder(stage, &mut watch, stop)?;
            self.outside(stage, &mut watch)?;
        }
        self.summary(stage, &watch)
    }

    fn introduce(&mut self, stage: &Stage) -> Result<(), Failure> {
        let status = stage.lab()?.status().map_err(Failure::from)?;
        let processes: usize = status.pods.iter().map(|pod| pod.containers.len()).sum();
        self.heading("A guarded application on this machine")?;
        writeln!(
            self.output,
            "  {} pods with {processes} containers: real processes in network namespaces and cgroups, {:.1} s",
            status.pods.len(),
            stage.took.0.as_secs_f64()
        )?;
        writeln!(self.output, "  guarded in the kernel by container and program, {:.1} s", stage.took.1.as_secs_f64())?;
        Ok(())
    }

    fn at_work(&mut self, watch: &mut Watch, stop: &AtomicBool) -> Result<(), Failure> {
        self.heading("At work: every link that it uses, as it is first used")?;
        let mut links = BTreeSet::new();
        let mut broken = Ok(());
        watch.during(AT_WORK, |record| {
            if !is_name_lookup(record) && links.insert(link_of(record)) {
                let line = self.line(record);
                broken = writeln!(self.output, "{line}");
            }
            if broken.is_err() || stop.load(Ordering::Relaxed) { Enough::Yes } else { Enough::No }
        });
        broken?;
        writeln!(
            self.output,
            "  (and names asked of the cluster's DNS, and the kubelet's probes, which the Perimeters except)"
        )?;
        Ok(())
    }

    fn visitor(&mut self, stage: &Stage, watch: &mut Watch) -> Result<(), Failure> {
        self.heading("A visitor from outside opens the shop")?;
        let Answer { ok, answer, error, .. } = stage.visit(FRONT_DOOR)?;
        let said = answer.or(error).unwrap_or_default();
        let first = said.lines().next().unwrap_or_default();
        let (tone, word) = if ok { (Tone::Good, "served ") } else { (Tone::Bad, "failed ") };
        let word = self.settings.colour.paint(tone, word).to_string();
        writeln!(self.output, "  {word}  world -> edge/gateway {FRONT_DOOR}: {first}")?;
        self.unexpected += u32::from(!ok);
        watch.during(Duration::ZERO, |_| Enough::Yes);
        Ok(())
    }

    fn intruder(&mut self, stage: &Stage, watch: &mut Watch, stop: &AtomicBool) -> Result<(), Failure> {
        self.heading("An intruder")?;
        for step in INTRUDER {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            writeln!(self.output, "  {}", step.title)?;
            let predicted = self.predicts(step)?;
            let Answer { ok, errno, error, .. } = stage.make(step)?;
            let refused = !ok && errno == Some(EACCES);
            let mut shown = false;
            watch.during(RECORD, |record| {
                if is_of(record, step) {
                    let line = self.line(record);
                    shown = writeln!(self.output, "{line}").is_ok();
                    return Enough::Yes;
                }
                Enough::No
            });
            if !refused || !shown || predicted != "denied" {
                self.unexpected += 1;
                let said = error.unwrap_or_else(|| "it was answered".to_owned());
                let words =
                    format!("    not as expected: the engine says {predicted}, the call: {said}, recorded: {shown}");
                writeln!(self.output, "{}", self.settings.colour.paint(Tone::Caution, &words))?;
            }
        }
        Ok(())
    }

    /// From outside past the gateway, to the address of a pod: refused at the receiver's node.
    fn outside(&mut self, stage: &Stage, watch: &mut Watch) -> Result<(), Failure> {
        let status = stage.lab()?.status().map_err(Failure::from)?;
        let orders = status.pods.iter().find(|pod| pod.namespace == "shop" && pod.name.starts_with("orders-"));
        let Some(address) = orders.and_then(|pod| pod.addresses.iter().find(|address| address.is_ipv4())) else {
            return Ok(());
        };
        writeln!(self.output, "  somebody outside, past the gateway, wants the orders at their pod's own address")?;
        let Answer { ok, error, .. } = stage.visit(&format!("{address}:8080"))?;
        let mut shown = false;
        watch.during(RECORD, |record| {
            let refused = record.verdict.verdict == VerdictWord::Denied;
            if refused && record.from.kind == "world" && record.to.workload.as_deref() == Some("Deployment/orders") {
                let line = self.line(record);
                shown = writeln!(self.output, "{line}").is_ok();
                return Enough::Yes;
            }
            Enough::No
        });
        if ok || !shown {
            self.unexpected += 1;
            let said = error.unwrap_or_else(|| "it was answered".to_owned());
            let words = format!("    not as expected: the call: {said}, recorded: {shown}");
            writeln!(self.output, "{}", self.settings.colour.paint(Tone::Caution, &words))?;
        }
        Ok(())
    }

    fn summary(&mut self, stage: &Stage, watch: &Watch) -> Result<(), Failure> {
        let status = stage.status().map_err(Failure::new)?;
        let kernel: u64 =
            status["nodes"].as_array().into_iter().flatten().filter_map(|node| node["kernelBytes"].as_u64()).sum();
        let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        self.heading("In all")?;
        writeln!(
            self.output,
            "  {} connections tried, {} allowed, {} refused; {} records lost",
            watch.tried,
            watch.tried - watch.refused,
            watch.refused,
            watch.lost
        )?;
        if watch.would_be_refused > 0 {
            writeln!(
                self.output,
                "  {} of the allowed ones would be refused if the policies in Audit were enforced",
                watch.would_be_refused
            )?;
        }
        writeln!(
            self.output,
            "  the agent holds {:.1} MiB, its maps and programs in the kernel {:.1} MiB",
            mebibytes(status["residentBytes"].as_u64().unwrap_or(0)),
            mebibytes(kernel)
        )?;
        match self.unexpected {
            0 => writeln!(self.output, "  everything came out as the policies say")?,
            count => writeln!(self.output, "  {count} tries came out otherwise than the policies say")?,
        }
        writeln!(
            self.output,
            "\n  palisade explain -f examples/shop shop/web:log-shipper shop/orders 8080   tells why"
        )?;
        Ok(())
    }

    /// A record in one line: the word, who, whom and why.
    fn line(&self, record: &FlowRecord) -> String {
        let (tone, word) = match (record.verdict.verdict, record.would_be.verdict) {
            (VerdictWord::Allowed, VerdictWord::Denied) => (Tone::Caution, "audit  "),
            (VerdictWord::Allowed, VerdictWord::Allowed) => (Tone::Good, "allowed"),
            (VerdictWord::Denied, _) => (Tone::Bad, "REFUSED"),
        };
        let to = match &record.dialled.service {
            Some(service) => service.clone(),
            None => short_end(record, End::To),
        };
        let why = match tone {
            Tone::Caution => format!("would be refused: {}", render_why(&record.would_be)),
            _ => render_why(&record.verdict),
        };
        let word = self.settings.colour.paint(tone, word).to_string();
        let why = self.settings.colour.paint(Tone::Faint, &why).to_string();
        format!(
            "  {word}  {} -> {to} {}\n             {why}",
            short_end(record, End::From),
            answer::shown_port(record.protocol, record.dialled.port)
        )
    }
}

#[derive(Clone, Copy)]
enum End {
    From,
    To,
}

/// An end by its workload: replicas are alike.
fn short_end(record: &FlowRecord, end: End) -> String {
    let end = match end {
        End::From => &record.from,
        End::To => &record.to,
    };
    let (Some(namespace), Some(workload)) = (&end.namespace, &end.workload) else { return render_end(end) };
    let name = workload.rsplit('/').next().unwrap_or(workload);
    let mut words = vec![format!("{namespace}/{name}")];
    words.extend(end.container.clone());
    words.extend(end.program.clone());
    words.join(" ")
}

fn link_of(record: &FlowRecord) -> (String, String, u16) {
    let to = record.dialled.service.clone().unwrap_or_else(|| short_end(record, End::To));
    (short_end(record, End::From), to, record.dialled.port)
}

fn is_of(record: &FlowRecord, step: &Step) -> bool {
    let port = step.target.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    record.from.program.as_deref() == Some(step.program.path())
        && record.from.container.as_deref() == Some(step.container)
        && Some(record.dialled.port) == port
        && record.verdict.verdict == VerdictWord::Denied
}

/// The rule or the closing policy with file and line.
fn render_why(verdict: &FlowVerdict) -> String {
    let place = verdict.place.as_deref().map(|place| format!(" ({})", shorten(place))).unwrap_or_default();
    match (&verdict.rule, verdict.reason.as_str()) {
        (Some(rule), "closed") => format!("closed by {rule}, and nothing opens it{place}"),
        (Some(rule), "rule") => format!("{rule}{place}"),
        (Some(rule), reason) => format!("{reason}: {rule}{place}"),
        (None, reason) => reason.replace('-', " "),
    }
}

/// A place below the current folder as the user would type it.
fn shorten(place: &str) -> &str {
    let here = std::env::current_dir().ok();
    let here = here.as_deref().and_then(|path| path.to_str()).unwrap_or("\0");
    place.strip_prefix(here).map_or(place, |rest| rest.trim_start_matches('/'))
}
