//! The cluster's name server, which runs in a pod of its own.

mod answer;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use hickory_proto::op::{Edns, Metadata, ResponseCode};
use hickory_proto::rr::Record;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo, Server};
use hickory_server::zone_handler::MessageResponseBuilder;

use crate::runtime::locked;
use crate::zone::Zone;
use answer::{Answer, answer};

/// Where the name server's container finds the zone.
pub(crate) const ZONE_FOLDER: &str = "/etc/coredns/zone";

/// The zone's file in its folder.
pub(crate) const ZONE_FILE: &str = "zone.json";

/// The port of DNS.
const PORT: u16 = 53;

/// A client over TCP that asks nothing for so long is left alone.
const TCP_IDLE: Duration = Duration::from_secs(10);

/// Answers of one TCP connection that wait to be sent.
const TCP_BACKLOG: usize = 32;

/// What a client over UDP takes that supports more than the 512 bytes of old.
const UDP_PAYLOAD: u16 = 1232;

/// The `dns` command: answers on port 53 from the zone that the lab keeps current.
pub fn dns() -> ExitCode {
    match run(Path::new(ZONE_FOLDER)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the name server cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let names = Names { file: folder.join(ZONE_FILE), current: Mutex::default() };
        let mut server = Server::new(names);
        let any: [SocketAddr; 2] = [(Ipv6Addr::UNSPECIFIED, PORT).into(), (Ipv4Addr::UNSPECIFIED, PORT).into()];
        server.register_socket(tokio::net::UdpSocket::bind(&any[..]).await?);
        server.register_listener(tokio::net::TcpListener::bind(&any[..]).await?, TCP_IDLE, TCP_BACKLOG);
        server.block_until_done().await.map_err(std::io::Error::other)
    })
}

/// The zone as it is now.
struct Names {
    file: PathBuf,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    /// Inode and time of the file that was read: the lab replaces it as a whole.
    version: (u64, i64, i64),
    zone: Zone,
    /// Turns the addresses of a name round, so that clients spread.
    turn: usize,
}

impl Names {
    /// A file that is missing or broken for a moment leaves the names as they were.
    fn answer(&self, request: &Request) -> Answer {
        let mut current = locked(&self.current);
        if let Ok(found) = fs::metadata(&self.file) {
            let version = (found.ino(), found.mtime(), found.mtime_nsec());
            if version != current.version
                && let Some(zone) = fs::read(&self.file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
            {
                current.zone = zone;
                current.version = version;
            }
        }
        current.turn = current.turn.wrapping_add(1);
        match request.request_info() {
            Ok(info) => answer(&current.zone, &info.query.name().to_string(), info.query.query_type(), current.turn),
            Err(_) => Answer::refused(ResponseCode::FormErr),
        }
    }
}

#[async_trait::async_trait]
impl RequestHandler for Names {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let Answer { code, answers, authority, additional } = self.answer(request);
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = true;
        metadata.recursion_available = true;
        metadata.response_code = code;
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD);
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if request.edns.is_some() {
            builder.edns(&edns);
        }
        let nothing: [Record; 0] = [];
        let message = builder.build(metadata, &answers, &nothing, &authority, &additional);
        match response.send_response(message).await {
            Ok(info) => info,
            Err(error) => {
                eprintln!("cannot answer {}: {error}", request.src());
                let header = hickory_proto::op::Header { metadata, counts: hickory_proto::op::HeaderCounts::default() };
                ResponseInfo::from(header)
            }
        }
    }
}
