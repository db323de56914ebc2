//! The answering half of a stand-in: one thread, one poll loop.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use palisade_model::Protocol;

use super::{Listen, StandIn};

/// More open connections than this are closed unanswered.
const MOST_CONNECTIONS: usize = 256;

/// A connection that is silent for so long is closed.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// A request's head, or what an echo keeps for a slow reader.
const BUFFER_LIMIT: usize = 16 * 1024;

/// Between two looks for idle connections.
const TICK_MS: u16 = 5_000;

const METHODS: [&[u8]; 7] = [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"PATCH ", b"OPTIONS "];

pub(super) struct Server {
    name: String,
    listeners: Vec<(TcpListener, u16)>,
    datagrams: Vec<UdpSocket>,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    port: u16,
    input: Vec<u8>,
    output: Vec<u8>,
    closing: bool,
    last: Instant,
}

impl Server {
    /// Listens where it can; says so where it cannot.
    pub fn bind(orders: &StandIn) -> Self {
        let mut server =
            Self { name: orders.name.clone(), listeners: Vec::new(), datagrams: Vec::new(), connections: Vec::new() };
        for listen in &orders.listen {
            if let Err(error) = server.bind_one(listen) {
                // A log that cannot take it is no reason to end.
                let _ = writeln!(io::stdout(), "cannot listen on {}/{}: {error}", listen.port, listen.protocol);
            }
        }
        server
    }

    fn bind_one(&mut self, listen: &Listen) -> io::Result<()> {
        let addresses = match listen.address {
            Some(address) => vec![address],
            // The first takes IPv4 as well; the second is for kernels without IPv6.
            None => vec![IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            let bound = match listen.protocol {
                Protocol::Tcp => TcpListener::bind((address, listen.port)).and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    self.listeners.push((listener, listen.port));
                    Ok(())
                }),
                Protocol::Udp => UdpSocket::bind((address, listen.port)).and_then(|socket| {
                    socket.set_nonblocking(true)?;
                    self.datagrams.push(socket);
                    Ok(())
                }),
                Protocol::Sctp => Err(io::ErrorKind::Unsupported.into()),
            };
            match bound {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    pub fn serve_forever(mut self) -> ! {
        loop {
            let (ready_listeners, ready_datagrams, ready_connections) = self.wait();
            for index in ready_connections {
                self.connections[index].turn(&self.name);
            }
            self.connections.retain(|connection| !connection.is_over());
            for index in ready_datagrams {
                echo_datagrams(&self.datagrams[index]);
            }
            for index in ready_listeners {
                self.accept(index);
            }
        }
    }

    /// The indices of what is ready, by kind.
    fn wait(&self) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let wanted = |connection: &Connection| {
            if connection.output.is_empty() { PollFlags::POLLIN } else { PollFlags::POLLIN | PollFlags::POLLOUT }
        };
        let fds: Vec<(BorrowedFd<'_>, PollFlags)> = self
            .listeners
            .iter()
            .map(|(listener, _)| (listener.as_fd(), PollFlags::POLLIN))
            .chain(self.datagrams.iter().map(|socket| (socket.as_fd(), PollFlags::POLLIN)))
            .chain(self.connections.iter().map(|connection| (connection.stream.as_fd(), wanted(connection))))
            .collect();
        let mut polled: Vec<_> = fds.iter().map(|(fd, flags)| PollFd::new(*fd, *flags)).collect();
        // Nothing open means nothing to wake for; idle connections alone need a clock.
        let timeout = if self.connections.is_empty() { PollTimeout::NONE } else { PollTimeout::from(TICK_MS) };
        if poll(&mut polled, timeout).is_err() {
            return (Vec::new(), Vec::new(), Vec::new());
        }
        let is_ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        let ready: Vec<usize> =
            polled.iter().enumerate().filter(|(_, fd)| is_ready(fd)).map(|(index, _)| index).collect();
        let (first, second) = (self.listeners.len(), self.listeners.len() + self.datagrams.len());
        let listeners = ready.iter().copied().filter(|index| *index < first).collect();
        let datagrams =
            ready.iter().copied().filter(|index| (first..second).contains(index)).map(|index| index - first).collect();
        let connections = ready.iter().copied().filter(|index| *index >= second).map(|index| index - second).collect();
        (listeners, datagrams, connections)
    }

    fn accept(&mut self, index: usize) {
        let (listener, port) = &self.listeners[index];
        while let Ok((stream, _)) = listener.accept() {
            if self.connections.len() >= MOST_CONNECTIONS || stream.set_nonblocking(true).is_err() {
                continue;
            }
            let (input, output) = (Vec::new(), Vec::new());
            self.connections.push(Connection {
                stream,
                port: *port,
                input,
                output,
                closing: false,
                last: Instant::now(),
            });
        }
    }
}

impl Connection {
    fn is_over(&self) -> bool {
        (self.closing && self.output.is_empty()) || self.last.elapsed() > IDLE_LIMIT
    }

    /// Reads what is there, answers it, and writes what can be written.
    fn turn(&mut self, name: &str) {
        self.last = Instant::now();
        let mut buffer = [0; 4096];
        while !self.closing && self.output.len() < BUFFER_LIMIT {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.closing = true,
                Ok(count) => {
                    self.input.extend_from_slice(&buffer[..count]);
                    self.answer(name);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.closing = true;
                    self.output.clear();
                }
            }
        }
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(count) => drop(self.output.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.closing = true;
                    self.output.clear();
                }
            }
        }
    }

    /// HTTP is answered with who answers; anything else comes back as it is.
    fn answer(&mut self, name: &str) {
        let may_be_http = METHODS.iter().any(|method| {
            let length = method.len().min(self.input.len());
            self.input[..length] == method[..length]
        });
        if !may_be_http {
            self.output.append(&mut self.input);
            return;
        }
        let head_is_whole = self.input.windows(4).any(|bytes| bytes == b"\r\n\r\n");
        if head_is_whole || self.input.len() > BUFFER_LIMIT {
            let body = format!("{name} port {}\n", self.port);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            self.output.extend_from_slice(head.as_bytes());
            if !self.input.starts_with(b"HEAD ") {
                self.output.extend_from_slice(body.as_bytes());
            }
            self.input.clear();
            self.closing = true;
        }
    }
}

fn echo_datagrams(socket: &UdpSocket) {
    let mut buffer = [0; 2048];
    while let Ok((count, from)) = socket.recv_from(&mut buffer) {
        // A datagram that cannot go back is lost, as datagrams may be.
        let _: io::Result<usize> = socket.send_to(&buffer[..count], from as SocketAddr);
    }
}
