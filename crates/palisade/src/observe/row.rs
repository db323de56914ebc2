//! One record as one line that a person can read.

use palisade_model::Timestamp;
use palisade_model::flow::{FlowEnd, FlowOutcome, FlowRecord, FlowVerdict, VerdictWord};
use palisade_model::problem::one_line;

use crate::table::pad;
use crate::terminal::{Colour, Tone};

/// Lines of one table whose end is not known: a column starts at a usual width and grows with what
/// it meets, so that lines keep lining up.
#[derive(Debug)]
pub struct Rows {
    colour: Colour,
    from: usize,
    to: usize,
}

/// Widths to start with, of a usual line.
const FROM: usize = 52;
const TO: usize = 26;
/// A column grows no wider than this; a longer cell pushes its own line only.
const WIDEST: usize = 72;
/// `06:12:42.123`
const TIME: usize = 12;
/// `65535/SCTP`
const PORT: usize = 10;
/// `allowed`, `REFUSED`
const VERDICT: usize = 7;

impl Rows {
    /// Lines for a terminal with `colour` or without.
    pub fn new(colour: Colour) -> Self {
        Self { colour, from: FROM, to: TO }
    }

    /// The names of the columns.
    pub fn header(&self) -> String {
        let line = [
            pad("TIME", TIME),
            pad("FROM", self.from),
            pad("TO", self.to),
            pad("PORT", PORT),
            pad("VERDICT", VERDICT),
            "WHY".to_owned(),
        ]
        .join("  ");
        self.colour.paint(Tone::Strong, &line).to_string()
    }

    /// `record` as a line without its end.
    pub fn render(&mut self, record: &FlowRecord) -> String {
        let (from, to) = (render_end(&record.from), render_receiver(record));
        self.from = grown(self.from, &from);
        self.to = grown(self.to, &to);
        let (tone, word) = match record.verdict.verdict {
            VerdictWord::Allowed => (Tone::Good, "allowed"),
            VerdictWord::Denied => (Tone::Bad, "REFUSED"),
        };
        let verdict = self.colour.paint(tone, &pad(word, VERDICT)).to_string();
        let mut line = [
            self.colour.paint(Tone::Faint, &render_time(record.time)).to_string(),
            pad(&from, self.from),
            pad(&to, self.to),
            pad(&render_port(record), PORT),
            verdict,
            render_why(&record.verdict),
        ]
        .join("  ");
        for remark in remarks(record) {
            line.push_str(&format!("  {}", self.colour.paint(Tone::Caution, &remark)));
        }
        line
    }
}

fn grown(width: usize, cell: &str) -> usize {
    width.max(cell.chars().count().min(WIDEST))
}

/// The time of day in UTC, to the millisecond.
fn render_time(time: Timestamp) -> String {
    time.strftime("%H:%M:%S.%3f").to_string()
}

/// `8080/TCP`, or a protocol that has no ports.
fn render_port(record: &FlowRecord) -> String {
    match record.packet_protocol {
        None => format!("{}/{}", record.dialled.port, record.protocol),
        Some(1) => "ICMP".to_owned(),
        Some(58) => "ICMPv6".to_owned(),
        Some(number) => format!("protocol {number}"),
    }
}

/// `shop/web-1 nginx /usr/sbin/nginx`, or what else is known of the end.
pub fn render_end(end: &FlowEnd) -> String {
    let mut words = Vec::new();
    match (&end.namespace, &end.name) {
        (Some(namespace), Some(name)) => words.push(format!("{namespace}/{name}")),
        (None, Some(name)) => words.push(format!("{} {name}", end.kind)),
        (_, None) => match end.address {
            Some(address) => words.push(format!("{} {address}", end.kind)),
            None => words.push(end.kind.clone()),
        },
    }
    words.extend(end.container.clone());
    words.extend(end.program.clone());
    // A container names its files as it likes.
    one_line(words.join(" "))
}

/// The receiver as dialled: its Service when one was dialled, else the end itself.
fn render_receiver(record: &FlowRecord) -> String {
    match &record.dialled.service {
        Some(service) if record.to.kind == "service" || record.to.name.is_none() => format!("svc {service}"),
        _ => render_end(&record.to),
    }
}

/// The rule that decided, or the reason when no rule did.
pub fn render_why(verdict: &FlowVerdict) -> String {
    let reason = verdict.reason.replace('-', " ");
    if let Some(missing) = &verdict.missing {
        return format!("{reason}: {missing}");
    }
    match (&verdict.rule, verdict.reason.as_str()) {
        (Some(rule), "rule") => rule.clone(),
        (Some(rule), "closed") => format!("closed by {rule}, and nothing opens it"),
        (Some(rule), _) => format!("{reason}: {rule}"),
        (None, _) => reason,
    }
}

/// What the reader should see beside the verdict: another would-be verdict, an end not by policy.
fn remarks(record: &FlowRecord) -> Vec<String> {
    let mut remarks = Vec::new();
    if record.would_be.verdict != record.verdict.verdict {
        let word = match record.would_be.verdict {
            VerdictWord::Allowed => "allowed",
            VerdictWord::Denied => "refused",
        };
        remarks.push(format!("(audit: would be {word}, {})", render_why(&record.would_be)));
    }
    let outcome = match record.outcome {
        FlowOutcome::Established | FlowOutcome::Refused | FlowOutcome::Sent | FlowOutcome::Pending => None,
        FlowOutcome::NobodyListens => Some("nobody listens"),
        FlowOutcome::TimedOut => Some("no answer"),
        FlowOutcome::Unreachable => Some("unreachable"),
        FlowOutcome::NeverSent => Some("never sent: no route"),
        FlowOutcome::NoEndpoints => Some("the Service has no endpoints"),
        FlowOutcome::Failed => Some("failed"),
    };
    remarks.extend(outcome.map(|outcome| format!("[not policy: {outcome}]")));
    remarks
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use expect_test::expect;

    /// Malware in the web container dials orders and is refused.
    pub fn record() -> FlowRecord {
        serde_json::from_value(serde_json::json!({
            "version": 1, "time": "2026-11-22T06:12:42.123456Z", "id": 7, "node": "node1",
            "reporter": "sender", "direction": "egress",
            "from": {"kind": "pod", "namespace": "shop", "name": "web-1", "workload": "Deployment/web",
                     "container": "nginx", "program": "/tmp/malware", "programNamed": false, "pid": 4711},
            "to": {"kind": "pod", "namespace": "shop", "name": "orders-1", "workload": "Deployment/orders"},
            "protocol": "TCP",
            "dialled": {"address": "10.96.0.7", "port": 8080, "service": "shop/orders"},
            "verdict": {"verdict": "denied", "reason": "closed", "rule": "Perimeter shop/default"},
            "wouldBe": {"verdict": "denied", "reason": "closed", "rule": "Perimeter shop/default"},
            "outcome": "refused", "revision": 3
        }))
        .expect("shaped like a record")
    }

    fn rendered(change: impl FnOnce(&mut FlowRecord)) -> String {
        let mut record = record();
        change(&mut record);
        Rows::new(Colour::Off).render(&record)
    }

    #[test]
    fn a_refusal_names_who_whom_and_why() {
        expect!["06:12:42.123  shop/web-1 nginx /tmp/malware                         shop/orders-1               8080/TCP    REFUSED  closed by Perimeter shop/default, and nothing opens it"]
            .assert_eq(&rendered(|_| ()));
    }

    #[test]
    fn an_audit_verdict_and_a_failure_that_is_not_policy_are_remarked() {
        expect![[r#"06:12:42.123  shop/web-1 nginx /tmp/malware                         shop/orders-1               8080/TCP    allowed  AccessPolicy shop/a rules[0] "x"  (audit: would be refused, closed by Perimeter shop/default, and nothing opens it)  [not policy: nobody listens]"#]]
            .assert_eq(&rendered(|record| {
                record.verdict = FlowVerdict {
                    verdict: VerdictWord::Allowed,
                    reason: "rule".into(),
                    rule: Some("AccessPolicy shop/a rules[0] \"x\"".into()),
                    place: None,
                    end: None,
                    missing: None,
                };
                record.outcome = FlowOutcome::NobodyListens;
            }));
    }

    #[test]
    fn what_is_not_known_is_said() {
        expect!["06:12:42.123  unknown 10.1.2.3                                      world 203.0.113.66          8080/TCP    REFUSED  undecided: the labels of namespace `x` are not known"].assert_eq(
            &rendered(|record| {
                record.from = FlowEnd {
                    kind: "unknown".into(),
                    address: Some([10, 1, 2, 3].into()),
                    ..FlowEnd::default()
                };
                record.to = FlowEnd {
                    kind: "world".into(),
                    address: Some([203, 0, 113, 66].into()),
                    ..FlowEnd::default()
                };
                record.dialled.service = None;
                record.verdict.reason = "undecided".into();
                record.verdict.missing = Some("the labels of namespace `x` are not known".into());
                record.verdict.rule = None;
            }),
        );
    }

    #[test]
    fn a_program_cannot_write_another_line_by_its_name() {
        let line = rendered(|record| {
            record.from.program = Some("/tmp/x\n06:12:42.124  shop/web-1 nginx\u{1b}[2J".into());
        });
        expect![[r#"06:12:42.123  shop/web-1 nginx /tmp/x\n06:12:42.124  shop/web-1 nginx\u{1b}[2J  shop/orders-1               8080/TCP    REFUSED  closed by Perimeter shop/default, and nothing opens it"#]].assert_eq(&line);
    }

    #[test]
    fn an_echo_has_no_port() {
        let port = |number| rendered(|record| record.packet_protocol = Some(number)).contains("8080");
        assert!(!port(1) && !port(58) && !port(132));
    }

    #[test]
    fn columns_keep_lining_up_after_a_wide_cell() {
        let mut rows = Rows::new(Colour::Off);
        let mut wide = record();
        wide.from.program = Some("/opt/a/rather/long/path/to/a/program/of/its/own".into());
        let first = rows.render(&wide);
        let second = rows.render(&record());
        assert_eq!(first.find("shop/orders-1"), second.find("shop/orders-1"));
    }
}
