//! What is looked for, and what is found in the files.

use std::collections::BTreeMap;

use palisade_model::Severity;
use palisade_model::finding::{Details, FileDetails, Finding, Removable, Rule, ScoreDetails};

use super::config;
use super::files::Known;
use super::kinds::{Kind, Language, kind_of};
use super::reader::Seen;
use super::score::{REMOVABLE, score};
use crate::file_set::Held;
use crate::package::{Ecosystem, LayerRef};

/// Findings of one rule that are told one by one.
const MOST_OF_A_RULE: usize = 50;

/// Every rule, sorted by id.
pub fn rules() -> Vec<Rule> {
    let rule = |id, severity, title, help| Rule::new(id, severity, title, help);
    let mut rules = vec![
        rule(
            "shell",
            Severity::Medium,
            "there is a shell",
            "Whoever gets into the container has a tool to go on with. Build on a base without one (distroless), and copy the program alone into it.",
        ),
        rule(
            "package-manager",
            Severity::Medium,
            "there is a package manager",
            "It can bring in whatever is missing to go on, and nothing runs it in production. Leave it in the stage that builds.",
        ),
        rule(
            "compiler",
            Severity::Medium,
            "there is a compiler or a build tool",
            "Build in one stage, and copy what was built into another.",
        ),
        rule(
            "network-tool",
            Severity::Low,
            "there is a tool to fetch, connect or trace with",
            "It is how the second step of an attack is fetched. A debug container can bring it when it is needed.",
        ),
        rule(
            "package-cache",
            Severity::Low,
            "a package manager has left its cache behind",
            "Remove it in the step that made it, or mount a cache (`RUN --mount=type=cache`): a later step hides it, and saves nothing.",
        ),
        rule(
            "documentation",
            Severity::Info,
            "documentation that nothing reads",
            "Leave it out, as `dpkg` does with `path-exclude`, and `microdnf` with `--nodocs`.",
        ),
        rule(
            "unused-language-tree",
            Severity::Medium,
            "packages of a language that nothing here runs",
            "Vulnerabilities in them are found, told and discussed for nothing. Do not copy them.",
        ),
        rule(
            "setuid",
            Severity::Medium,
            "a program runs with the rights of another user",
            "`allowPrivilegeEscalation: false` takes their effect away; without these bits nothing depends on it (`chmod a-s`).",
        ),
        rule(
            "world-writable",
            Severity::Medium,
            "everybody may write a file or folder",
            "Whoever runs in the container can change what others run or read. Take the right away (`chmod o-w`).",
        ),
        rule(
            "secret",
            Severity::High,
            "there is a secret in a layer",
            "It is readable for whoever can pull the image, also when a later layer removes the file. Revoke it; hand secrets to the build with `RUN --mount=type=secret`.",
        ),
        rule(
            "image-score",
            Severity::Info,
            "how minimal the image is",
            "100, less for each rule with open findings: 40 when the worst is critical, 20 high, 10 medium, 3 low.",
        ),
    ];
    rules.extend(config::rules());
    rules.sort();
    rules
}

/// What is wrong with an image, in no order that means anything; the last of them is the score.
pub fn lint(seen: &Seen) -> Vec<Finding> {
    let rules = rules();
    let of =
        |id: &str| rules.iter().find(|rule| &*rule.id == id).expect("each rule that is used here stands in `rules`");
    let mut found = Found { seen, findings: Vec::new(), counts: BTreeMap::new() };
    for (path, held) in &seen.files {
        if held.fact.has_another_users_rights() {
            let whose = if held.fact.mode & 0o4000 != 0 { "its owner" } else { "its group" };
            let message = format!("`/{path}` runs with the rights of {whose} ({:o})", held.fact.mode);
            found.file(of("setuid"), path, held, None, message, format!("RUN chmod a-s /{path}"));
        }
        if held.fact.is_writable_by_all() {
            let what = if held.fact.is_folder { "the folder" } else { "the file" };
            let message = format!("everybody may write {what} `/{path}` ({:o})", held.fact.mode);
            found.file(of("world-writable"), path, held, None, message, format!("RUN chmod o-w /{path}"));
        }
    }
    for part in parts(seen) {
        let what = match part.kind {
            Kind::Shell => ("shell", "a shell", None),
            Kind::PackageManager => ("package-manager", "a package manager", None),
            Kind::Compiler => ("compiler", "a compiler or a build tool", None),
            Kind::NetworkTool => ("network-tool", "a tool to fetch, connect or trace with", None),
            Kind::Cache => ("package-cache", "a cache of a package manager", None),
            Kind::Documentation => ("documentation", "documentation", None),
            Kind::Interpreter(_) => continue,
            Kind::Tree(language) => match why_unused(seen, language) {
                Some((why, severity)) => ("unused-language-tree", "packages", Some((language, why, severity))),
                None => continue,
            },
        };
        let (rule, noun, tree) = (of(what.0), what.1, what.2);
        let size =
            if part.held.size_of_all == 0 { String::new() } else { format!(", {}", bytes(part.held.size_of_all)) };
        let message = match &tree {
            Some((language, ..)) => format!("`/{}` has {noun} of {}{size}", part.whole, language.name()),
            None => format!("`/{}` is {noun}{size}", part.whole),
        };
        found.part(rule, &part, message, tree.map(|(_, why, severity)| (why, severity)));
    }
    found.secrets(of("secret"));
    let mut findings = found.finish();
    findings.extend(config::lint(&seen.catalogue.config, &seen.users));
    let image = seen.catalogue.config.name.as_str();
    let summed = summed(&findings, of("image-score"));
    findings.push(summed);
    findings.into_iter().map(|finding| finding.of_image(image)).collect()
}

/// Files that are removed together.
struct Part<'s> {
    kind: Kind,
    whole: &'s str,
    held: Sum,
}

#[derive(Clone, Copy)]
struct Sum {
    layer: u32,
    size_of_all: u64,
}

/// By what they are for; a folder of many counts as one.
fn parts(seen: &Seen) -> Vec<Part<'_>> {
    let mut sums: BTreeMap<(Kind, &str), Sum> = BTreeMap::new();
    for (path, held) in seen.files.iter().filter(|(_, held)| !held.fact.is_folder) {
        let Some((kind, whole)) = kind_of(path) else { continue };
        let sum = sums.entry((kind, whole)).or_insert(Sum { layer: held.layer, size_of_all: 0 });
        sum.size_of_all += held.fact.size;
        sum.layer = sum.layer.min(held.layer);
    }
    sums.into_iter().map(|((kind, whole), held)| Part { kind, whole, held }).collect()
}

/// Why nothing runs packages of a language; `None` when something may.
fn why_unused(seen: &Seen, language: Language) -> Option<(String, Severity)> {
    let runs = |path: &str| kind_of(path).is_some_and(|(kind, _)| kind == Kind::Interpreter(language));
    if !seen.files.keys().any(|path| runs(path)) {
        return Some((format!("nothing in the image runs {}", language.name()), Severity::Medium));
    }
    let config = &seen.catalogue.config;
    let program = config.entrypoint.first().or(config.command.first())?;
    let is_compiled = seen
        .catalogue
        .packages
        .iter()
        .any(|it| matches!(it.ecosystem, Ecosystem::Go | Ecosystem::CratesIo) && it.path == *program);
    is_compiled.then(|| (format!("the image runs `{program}`, which is compiled"), Severity::Low))
}

struct Found<'s> {
    seen: &'s Seen,
    findings: Vec<Finding>,
    counts: BTreeMap<String, usize>,
}

impl Found<'_> {
    /// Counts a finding of the rule; false when enough of them are told.
    fn is_told(&mut self, rule: &Rule) -> bool {
        let count = self.counts.entry(rule.id.to_string()).or_default();
        *count += 1;
        *count <= MOST_OF_A_RULE
    }

    fn layer(&self, index: u32) -> LayerRef {
        let layer = self.seen.catalogue.layers.iter().find(|layer| layer.reference.index == index);
        layer.map_or(LayerRef { index, diff_id: "".into(), digest: "".into() }, |layer| layer.reference.clone())
    }

    fn details(&self, path: &str, layer: u32) -> FileDetails {
        let reference = self.layer(layer);
        let digest = if reference.digest.is_empty() { &reference.diff_id } else { &reference.digest };
        FileDetails {
            path: format!("/{path}").as_str().into(),
            layer: (&**digest).into(),
            layer_index: layer,
            line: None,
            bytes: None,
            is_visible: true,
        }
    }

    fn file(&mut self, rule: &Rule, path: &str, held: &Held<Known>, size: Option<u64>, message: String, fix: String) {
        if self.is_told(rule) {
            let mut details = self.details(path, held.layer);
            details.bytes = size;
            let finding = rule.finding(message).part(format!("/{path}")).fix(fix);
            self.findings.push(finding.details(Details::File(Box::new(details))));
        }
    }

    fn part(&mut self, rule: &Rule, part: &Part<'_>, message: String, why: Option<(String, Severity)>) {
        if !self.is_told(rule) {
            return;
        }
        let mut details = self.details(part.whole, part.held.layer);
        details.bytes = Some(part.held.size_of_all);
        let mut finding = rule.finding(message).part(format!("/{}", part.whole));
        if let Some((why, severity)) = why {
            finding = finding.reason(why);
            finding.severity = severity;
        }
        let fix = format!("leave it out: {}", self.step(part.held.layer));
        self.findings.push(finding.fix(fix).details(Details::File(Box::new(details))));
    }

    /// Which step of the build brings a layer.
    fn step(&self, layer: u32) -> String {
        const LONGEST: usize = 60;
        let found = self.seen.catalogue.layers.iter().find(|it| it.reference.index == layer);
        match found.and_then(|it| it.created_by.as_deref()) {
            Some(step) => {
                format!("layer {layer} brings it (`{}`)", config::short(step).chars().take(LONGEST).collect::<String>())
            }
            None => format!("layer {layer} brings it"),
        }
    }

    fn secrets(&mut self, rule: &Rule) {
        for place in &self.seen.secrets {
            if !self.is_told(rule) {
                continue;
            }
            let secret = &place.secret;
            let gone = if place.is_visible { "" } else { ", which a later layer removes or replaces" };
            let message = format!("a {} in `/{}`{gone}: {}", secret.what, place.path, secret.shown);
            let mut finding = rule.finding(message).part(format!("/{}:{}", place.path, place.line));
            finding.severity = secret.severity;
            finding.reason = Some(secret.proof.clone());
            if is_published(&place.path) {
                finding.severity = secret.severity.min(Severity::Low);
                finding.reason =
                    Some(format!("{}; it lies in a published package, where everybody has it", secret.proof));
            }
            if is_of_tests(&place.path) && finding.severity > Severity::Medium {
                finding.severity = Severity::Medium;
                finding.reason = Some(format!("{}; it lies among tests", secret.proof));
            }
            let mut details = self.details(&place.path, place.layer);
            details.line = Some(place.line);
            details.is_visible = place.is_visible;
            let fix = format!("revoke it, and build without it: {}", self.step(place.layer));
            self.findings.push(finding.fix(fix).details(Details::File(Box::new(details))));
        }
    }

    fn finish(self) -> Vec<Finding> {
        let mut findings = self.findings;
        for (rule, count) in self.counts.into_iter().filter(|(_, count)| *count > MOST_OF_A_RULE) {
            let message = format!("{} more of `{rule}`", count - MOST_OF_A_RULE);
            findings.push(Finding::new(rule, Severity::Info, message));
        }
        findings
    }
}

/// Keys of tests lie in packages that everybody can fetch.
fn is_published(path: &str) -> bool {
    kind_of(path).is_some_and(|(kind, _)| matches!(kind, Kind::Tree(_) | Kind::Documentation))
        || path.starts_with("usr/share/")
        || path.starts_with("usr/lib/python3")
}

/// Most keys there open nothing; whether one does, only its owner knows.
fn is_of_tests(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "test" | "tests" | "testdata" | "fixtures" | "examples"))
}

/// The score, and what to remove, the largest first.
fn summed(findings: &[Finding], rule: &Rule) -> Finding {
    let removable = findings.iter().filter(|finding| REMOVABLE.contains(&&*finding.rule)).filter_map(|finding| {
        let Some(Details::File(file)) = &finding.details else { return None };
        Some(Removable { path: file.path.clone(), rule: finding.rule.clone(), bytes: file.bytes? })
    });
    let mut removable: Vec<Removable> = removable.filter(|it| it.bytes > 0).collect();
    removable.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
    let score = score(findings);
    let saved: u64 = removable.iter().map(|it| it.bytes).sum();
    let message = match removable.len() {
        0 => format!("{score} of 100; nothing to remove"),
        count => format!("{score} of 100; {} less without what it does not need: {count} in all", bytes(saved)),
    };
    let largest = removable.iter().take(10).map(|it| format!("{} {}", it.path, bytes(it.bytes)));
    let largest: Vec<String> = largest.collect();
    let finding = rule.finding(message).details(Details::Score(ScoreDetails { score, removable }));
    if largest.is_empty() { finding } else { finding.reason(format!("the largest: {}", largest.join(", "))) }
}

/// `3.9 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}
