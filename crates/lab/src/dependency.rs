//! Which other programs a container calls, as far as its environment tells.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A stand-in calls no more dependencies than this.
const MOST_CALLS: usize = 32;

/// The ports of schemes that need not name theirs.
const DEFAULT_PORTS: [(&str, u16); 15] = [
    ("amqp", 5672),
    ("amqps", 5671),
    ("grpc", 443),
    ("http", 80),
    ("https", 443),
    ("kafka", 9092),
    ("ldap", 389),
    ("mongodb", 27017),
    ("mysql", 3306),
    ("nats", 4222),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("ws", 80),
    ("wss", 443),
];

/// How a dependency is called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CallKind {
    /// A connection over TCP, some bytes sent, an answer awaited.
    Tcp,
    /// An HTTP request.
    Http,
    /// A datagram, an answer awaited.
    Udp,
}

/// One dependency.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Call {
    /// How it is called.
    pub kind: CallKind,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// The dependencies that `environment` names: values like `orders:80` or
/// `http://orders.shop:8080/x`, lists of them, and pairs `X_HOST` and `X_PORT`.
pub fn of_environment<'a>(environment: impl IntoIterator<Item = (&'a str, &'a str)> + Clone) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut add = |call: Call| {
        if calls.len() < MOST_CALLS && !calls.contains(&call) {
            calls.push(call);
        }
    };
    for (name, value) in environment.clone() {
        for part in value.split(',') {
            if let Some(call) = parse_call(part.trim()) {
                add(call);
            }
        }
        let prefix = name.strip_suffix("_HOST").or_else(|| name.strip_suffix("_HOSTNAME"));
        if let Some(prefix) = prefix.filter(|_| is_host(value)) {
            let port = environment.clone().into_iter().find(|(other, _)| other.strip_suffix("_PORT") == Some(prefix));
            if let Some(port) = port.and_then(|(_, port)| port.parse().ok()) {
                add(Call { kind: CallKind::Tcp, host: value.to_owned(), port });
            }
        }
    }
    calls
}

/// Reads `host:port` or `scheme://host[:port][/path]`.
pub(crate) fn parse_call(text: &str) -> Option<Call> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let (host, port) = split_port(text)?;
        return is_host(host).then(|| Call { kind: CallKind::Tcp, host: host.to_owned(), port });
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let authority = authority.rsplit('@').next()?;
    let default = || DEFAULT_PORTS.iter().find(|(known, _)| *known == scheme).map(|(_, port)| *port);
    let (host, port) = match split_port(authority) {
        Some(found) => found,
        None => (authority.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(authority), default()?),
    };
    let kind = match scheme {
        "http" | "ws" => CallKind::Http,
        "udp" => CallKind::Udp,
        _ => CallKind::Tcp,
    };
    is_host(host).then(|| Call { kind, host: host.to_owned(), port })
}

/// `[::1]:80` or `name:80`.
fn split_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    port.parse().ok().filter(|port| *port > 0).map(|port| (host, port))
}

/// An address of somebody, or a name with a letter in it: `12:30` calls nobody, and `0.0.0.0:80`
/// is where a program listens.
fn is_host(text: &str) -> bool {
    if let Ok(address) = text.parse::<IpAddr>() {
        return !address.is_unspecified();
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.len() <= 253 && text.bytes().all(allowed) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], expected: &[&str]) {
        let calls = of_environment(environment.iter().copied());
        let calls: Vec<_> = calls.iter().map(|call| format!("{:?} {} {}", call.kind, call.host, call.port)).collect();
        assert_eq!(calls, expected);
    }

    #[test]
    fn addresses_in_values_are_calls() {
        check(&[("CART_SERVICE_ADDR", "cartservice:7070")], &["Tcp cartservice 7070"]);
        check(&[("ORDERS", "http://orders.shop:8080/x?y=1")], &["Http orders.shop 8080"]);
        check(
            &[("A", "http://orders"), ("B", "https://pay.example.com")],
            &["Http orders 80", "Tcp pay.example.com 443"],
        );
        check(&[("DB", "postgres://user:secret@db.shop/orders")], &["Tcp db.shop 5432"]);
        check(
            &[("DNS", "udp://203.0.113.9:53"), ("V6", "[2001:db8:203::9]:443")],
            &["Udp 203.0.113.9 53", "Tcp 2001:db8:203::9 443"],
        );
        check(&[("BROKERS", "a:9092, b:9092")], &["Tcp a 9092", "Tcp b 9092"]);
        check(&[("DB_HOST", "db"), ("DB_PORT", "5432")], &["Tcp db 5432"]);
    }

    #[test]
    fn other_values_are_no_calls() {
        check(
            &[("LISTEN", "0.0.0.0:80"), ("AT", "12:30"), ("PORT", "8080"), ("TEXT", "a b:80"), ("DB_HOST", "db")],
            &[],
        );
        check(
            &[("JAVA_OPTS", "-Djava.security.egd=file:/dev/urandom"), ("EMPTY", ""), ("X", "a:99999"), ("Y", "://")],
            &[],
        );
    }
}
