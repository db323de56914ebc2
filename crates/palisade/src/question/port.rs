//! The port of a question: `8080`, `http`, `53/udp`.

use palisade_model::Protocol;

use crate::failure::{Failure, Hint};

/// `8080`, `http`, `53/udp`.
pub(super) struct WantedPort {
    pub(super) protocol: Option<Protocol>,
    pub(super) port: NumberOrName,
    pub(super) text: String,
}

pub(super) enum NumberOrName {
    Number(u16),
    Name(String),
}

impl WantedPort {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let (port, protocol) = match text.split_once('/') {
            Some((port, protocol)) => (port, Some(protocol.parse::<Protocol>().map_err(Failure::new)?)),
            None => (text, None),
        };
        let port = match port.parse::<u32>() {
            Ok(number) => {
                NumberOrName::Number(u16::try_from(number).ok().filter(|port| *port != 0).ok_or_else(|| {
                    Failure::new(format!("port {number} is out of range"))
                        .hint(Hint::Change("ports are 1 to 65535".into()))
                })?)
            }
            Err(_) => NumberOrName::Name(port.to_owned()),
        };
        Ok(Self { protocol, port, text: text.to_owned() })
    }

    pub(super) fn tcp(number: u16) -> Self {
        Self { protocol: Some(Protocol::Tcp), port: NumberOrName::Number(number), text: number.to_string() }
    }

    pub(super) fn protocol_matches(&self, protocol: Protocol) -> bool {
        match self.protocol {
            Some(wanted) => wanted == protocol,
            None => matches!(self.port, NumberOrName::Name(_)) || protocol == Protocol::Tcp,
        }
    }
}
