//! What a name server answers: zone and question in, records out.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, PTR, SOA, SRV};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::zone::{DOMAIN, Data, Zone};

/// How long a client may keep an answer, in seconds.
///
/// Source: CoreDNS, kubernetes plugin, `ttl`.
const TTL: u32 = 5;

/// An alias of an alias, and so on, ends here.
const LONGEST_CHAIN: usize = 8;

/// The parts of a response.
#[derive(Debug)]
pub(super) struct Answer {
    pub code: ResponseCode,
    pub answers: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
}

impl Answer {
    pub fn refused(code: ResponseCode) -> Self {
        Self { code, answers: Vec::new(), authority: Vec::new(), additional: Vec::new() }
    }
}

/// Answers the question for `kind` at `name`; `turn` turns lists of addresses round.
pub(super) fn answer(zone: &Zone, name: &str, kind: RecordType, turn: usize) -> Answer {
    let mut wanted = name.trim_end_matches('.').to_ascii_lowercase();
    let mut out = Answer::refused(ResponseCode::NoError);
    for _ in 0..LONGEST_CHAIN {
        let found = lookup(zone, &wanted);
        let Some(data) = found else {
            if out.answers.is_empty() && !exists_above_others(zone, &wanted) {
                out.code = ResponseCode::NXDomain;
            }
            break;
        };
        let alias = data.iter().find_map(|data| match data {
            Data::Alias(target) if kind != RecordType::CNAME => Some(target.clone()),
            _ => None,
        });
        let mut records: Vec<_> = data.iter().filter_map(|data| record(&wanted, data, kind)).collect();
        if !records.is_empty() {
            let middle = turn % records.len();
            records.rotate_left(middle);
        }
        out.answers.append(&mut records);
        match alias {
            Some(target) => wanted = target.trim_end_matches('.').to_ascii_lowercase(),
            None => break,
        }
    }
    let targets: Vec<String> = out.answers.iter().filter_map(|record| target_of(&record.data)).collect();
    for target in targets {
        let addresses = zone.records.get(&target).into_iter().flatten();
        out.additional.extend(addresses.filter_map(|data| record(&target, data, RecordType::ANY)));
    }
    if out.answers.is_empty() {
        out.authority.extend(start_of_authority());
    }
    out
}

fn lookup(zone: &Zone, name: &str) -> Option<Vec<Data>> {
    zone.records.get(name).cloned().or_else(|| pod_address(name).map(|address| vec![Data::Address(address)]))
}

/// A name with others below it exists: no data, but no NXDOMAIN either.
fn exists_above_others(zone: &Zone, name: &str) -> bool {
    let below = format!(".{name}");
    !name.is_empty() && zone.records.keys().any(|known| known.ends_with(&below))
}

/// `10-244-1-2.NAMESPACE.pod.cluster.local`, whoever has the address.
///
/// Source: CoreDNS, kubernetes plugin, `pods insecure`, which kubeadm sets.
fn pod_address(name: &str) -> Option<IpAddr> {
    let rest = name.strip_suffix(DOMAIN)?.strip_suffix(".pod.")?;
    let (label, namespace) = rest.split_once('.')?;
    if namespace.is_empty() || namespace.contains('.') {
        return None;
    }
    let v4 = label.replace('-', ".").parse::<Ipv4Addr>().map(IpAddr::V4);
    v4.or_else(|_| label.replace('-', ":").parse()).ok()
}

fn record(name: &str, data: &Data, kind: RecordType) -> Option<Record> {
    let wants = |own: RecordType| kind == own || kind == RecordType::ANY;
    let data = match data {
        Data::Address(IpAddr::V4(address)) if wants(RecordType::A) => RData::A(A(*address)),
        Data::Address(IpAddr::V6(address)) if wants(RecordType::AAAA) => RData::AAAA(AAAA(*address)),
        // An alias is part of the answer to every question.
        Data::Alias(target) => RData::CNAME(CNAME(absolute(target)?)),
        Data::Server(port, target) if wants(RecordType::SRV) => RData::SRV(SRV::new(0, 100, *port, absolute(target)?)),
        Data::Pointer(target) if wants(RecordType::PTR) => RData::PTR(PTR(absolute(target)?)),
        Data::Address(_) | Data::Server(..) | Data::Pointer(_) => return None,
    };
    Some(Record::from_rdata(absolute(name)?, TTL, data))
}

fn target_of(data: &RData) -> Option<String> {
    match data {
        RData::SRV(server) => Some(server.target.to_string().trim_end_matches('.').to_ascii_lowercase()),
        _ => None,
    }
}

/// `None` for what can be no name; the API server lets nothing of that kind through.
fn absolute(name: &str) -> Option<Name> {
    Name::from_ascii(format!("{}.", name.trim_end_matches('.'))).ok()
}

fn start_of_authority() -> Option<Record> {
    let data = SOA::new(
        absolute(&format!("ns.dns.{DOMAIN}"))?,
        absolute(&format!("hostmaster.{DOMAIN}"))?,
        1,
        7200,
        1800,
        86400,
        TTL,
    );
    Some(Record::from_rdata(absolute(DOMAIN)?, TTL, RData::SOA(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        let address = |text: &str| Data::Address(text.parse().expect("an address"));
        let records = [
            ("orders.shop.svc.cluster.local", vec![address("10.96.0.20"), address("fd00:10:96::14")]),
            (
                "_http._tcp.orders.shop.svc.cluster.local",
                vec![Data::Server(80, "orders.shop.svc.cluster.local".to_owned())],
            ),
            ("db.shop.svc.cluster.local", vec![address("10.244.1.2"), address("10.244.2.3")]),
            ("pay.shop.svc.cluster.local", vec![Data::Alias("api.pay.example".to_owned())]),
            ("api.pay.example", vec![address("203.0.113.100")]),
        ];
        Zone { records: records.map(|(name, data)| (name.to_owned(), data)).into() }
    }

    fn check(name: &str, kind: RecordType, expected: &[&str]) {
        let answer = answer(&zone(), name, kind, 0);
        let found: Vec<_> = answer.answers.iter().map(|record| record.data.to_string()).collect();
        assert_eq!(found, expected, "{name} {kind}: {:?}", answer.code);
    }

    #[test]
    fn names_have_their_addresses_by_family() {
        check("orders.shop.svc.cluster.local.", RecordType::A, &["10.96.0.20"]);
        check("ORDERS.shop.svc.cluster.local.", RecordType::AAAA, &["fd00:10:96::14"]);
        check("db.shop.svc.cluster.local.", RecordType::A, &["10.244.1.2", "10.244.2.3"]);
        check("10-244-1-9.shop.pod.cluster.local.", RecordType::A, &["10.244.1.9"]);
    }

    #[test]
    fn addresses_take_turns() {
        let first =
            |turn| answer(&zone(), "db.shop.svc.cluster.local", RecordType::A, turn).answers[0].data.to_string();
        assert_ne!(first(0), first(1));
    }

    #[test]
    fn an_alias_is_followed() {
        check("pay.shop.svc.cluster.local.", RecordType::A, &["api.pay.example.", "203.0.113.100"]);
        check("pay.shop.svc.cluster.local.", RecordType::CNAME, &["api.pay.example."]);
    }

    #[test]
    fn a_named_port_is_a_server_with_its_address() {
        let answer = answer(&zone(), "_http._tcp.orders.shop.svc.cluster.local.", RecordType::SRV, 0);
        assert_eq!(answer.answers[0].data.to_string(), "0 100 80 orders.shop.svc.cluster.local.");
        assert_eq!(answer.additional.len(), 2);
    }

    #[test]
    fn an_unknown_name_is_told_from_one_without_such_a_record() {
        let code = |name, kind| answer(&zone(), name, kind, 0).code;
        assert_eq!(code("nobody.shop.svc.cluster.local.", RecordType::A), ResponseCode::NXDomain);
        assert_eq!(
            code("orders.shop.svc.cluster.local.shop.svc.cluster.local.", RecordType::A),
            ResponseCode::NXDomain
        );
        assert_eq!(code("orders.shop.svc.cluster.local.", RecordType::SRV), ResponseCode::NoError);
        assert_eq!(code("svc.cluster.local.", RecordType::A), ResponseCode::NoError);
    }
}
