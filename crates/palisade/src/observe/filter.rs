//! Which records are shown.

use palisade_model::flow::{FlowEnd, FlowRecord, VerdictWord};

use crate::arguments::{DirectionFilter, ObserveFilters, VerdictFilter};

/// The filters of the command line, applied to one record at a time.
#[derive(Debug, Clone)]
pub struct Filter {
    wanted: ObserveFilters,
}

impl Filter {
    /// The filter that `wanted` describes; an empty one passes everything.
    pub fn new(wanted: &ObserveFilters) -> Self {
        Self { wanted: wanted.clone() }
    }

    /// Whether `record` passes every filter.
    pub fn passes(&self, record: &FlowRecord) -> bool {
        let wanted = &self.wanted;
        self.ends(record).any(|end| self.end_passes(end, record))
            && any(&wanted.verdict, |verdict| verdict_passes(*verdict, record))
            && any(&wanted.port, |port| *port == record.dialled.port)
            && any(&wanted.protocol, |protocol| *protocol == record.protocol)
    }

    /// The ends that the filters of an end look at.
    fn ends<'a>(&self, record: &'a FlowRecord) -> impl Iterator<Item = &'a FlowEnd> {
        let (from, to) = match self.wanted.direction {
            None => (Some(&record.from), Some(&record.to)),
            Some(DirectionFilter::Egress) => (Some(&record.from), None),
            Some(DirectionFilter::Ingress) => (None, Some(&record.to)),
        };
        // A Service is its name, and who is behind it.
        from.into_iter().chain(to).chain(to.and(record.receiver.as_ref()))
    }

    fn end_passes(&self, end: &FlowEnd, record: &FlowRecord) -> bool {
        let wanted = &self.wanted;
        let is_receiver = !std::ptr::eq(end, &record.from);
        any(&wanted.namespace, |name| end.namespace.as_ref() == Some(name))
            && any(&wanted.pod, |pod| is_pod(end, pod))
            && any(&wanted.workload, |workload| is_workload(end, workload))
            && any(&wanted.program, |program| is_program(end, program))
            && any(&wanted.address, |address| {
                end.address == Some(*address) || is_receiver && record.dialled.address == *address
            })
    }
}

/// Whether one of `values` passes; no values, no filter.
fn any<T>(values: &[T], passes: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(passes)
}

fn verdict_passes(wanted: VerdictFilter, record: &FlowRecord) -> bool {
    match wanted {
        VerdictFilter::Allowed => record.verdict.verdict == VerdictWord::Allowed,
        VerdictFilter::Denied => record.verdict.verdict == VerdictWord::Denied,
        VerdictFilter::Differs => record.verdict.verdict != record.would_be.verdict,
    }
}

fn is_pod(end: &FlowEnd, wanted: &str) -> bool {
    let name = match wanted.split_once('/') {
        Some((namespace, _)) if end.namespace.as_deref() != Some(namespace) => return false,
        Some((_, name)) => name,
        None => wanted,
    };
    end.kind == "pod" && end.name.as_deref() == Some(name)
}

fn is_workload(end: &FlowEnd, wanted: &str) -> bool {
    let Some(workload) = end.workload.as_deref() else { return false };
    match wanted.contains('/') {
        true => workload.eq_ignore_ascii_case(wanted),
        false => workload.rsplit('/').next() == Some(wanted),
    }
}

fn is_program(end: &FlowEnd, wanted: &str) -> bool {
    let Some(program) = end.program.as_deref() else { return false };
    match wanted.starts_with('/') {
        true => program == wanted,
        false => program.rsplit('/').next() == Some(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::row::tests::record;

    fn passes(change: impl FnOnce(&mut ObserveFilters)) -> bool {
        let mut wanted = ObserveFilters::default();
        change(&mut wanted);
        Filter::new(&wanted).passes(&record())
    }

    #[test]
    fn a_filter_of_an_end_matches_either_end_unless_a_direction_is_given() {
        assert!(passes(|_| ()));
        assert!(passes(|wanted| wanted.workload = vec!["orders".into()]));
        assert!(passes(|wanted| wanted.workload = vec!["Deployment/web".into()]));
        assert!(!passes(|wanted| wanted.workload = vec!["StatefulSet/web".into()]));
        assert!(!passes(|wanted| {
            wanted.workload = vec!["orders".into()];
            wanted.direction = Some(DirectionFilter::Egress);
        }));
        assert!(passes(|wanted| {
            wanted.workload = vec!["orders".into()];
            wanted.direction = Some(DirectionFilter::Ingress);
        }));
    }

    #[test]
    fn a_service_is_met_by_who_is_behind_it() {
        let mut record = record();
        record.receiver = Some(record.to.clone());
        record.to = FlowEnd {
            kind: "service".into(),
            namespace: Some("shop".into()),
            name: Some("orders".into()),
            ..FlowEnd::default()
        };
        let passes = |direction, wanted: ObserveFilters| {
            Filter::new(&ObserveFilters { direction: Some(direction), ..wanted }).passes(&record)
        };
        let orders = || ObserveFilters { workload: vec!["orders".into()], ..ObserveFilters::default() };
        assert!(passes(DirectionFilter::Ingress, orders()));
        assert!(!passes(DirectionFilter::Egress, orders()));
        let pod = ObserveFilters { pod: vec!["shop/orders-1".into()], ..ObserveFilters::default() };
        assert!(passes(DirectionFilter::Ingress, pod));
    }

    #[test]
    fn filters_of_an_end_must_hold_for_the_same_end() {
        assert!(passes(|wanted| {
            wanted.workload = vec!["web".into()];
            wanted.program = vec!["malware".into()];
        }));
        assert!(!passes(|wanted| {
            wanted.workload = vec!["orders".into()];
            wanted.program = vec!["malware".into()];
        }));
    }

    #[test]
    fn of_several_values_one_must_match() {
        assert!(passes(|wanted| wanted.port = vec![1, 8080]));
        assert!(!passes(|wanted| wanted.port = vec![1, 2]));
        assert!(passes(|wanted| wanted.verdict = vec![VerdictFilter::Allowed, VerdictFilter::Denied]));
        assert!(!passes(|wanted| wanted.verdict = vec![VerdictFilter::Differs]));
        assert!(passes(|wanted| wanted.pod = vec!["shop/web-1".into()]));
        assert!(!passes(|wanted| wanted.pod = vec!["data/web-1".into()]));
    }
}
