//! Traffic from inside the pods: this executable, started in a container as an open descriptor, told what to do by lines.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, ChildStdout, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::figures::percentile;
use crate::lab::Lab;
use crate::world::{ENDS_PORT, LOAD_PORT};

/// The first argument of the executable in a container.
pub const LOAD: &str = "load";

/// A request and its answer, headers of a short HTTP exchange each.
const REQUEST_BYTES: usize = 100;
/// What a bulk transfer writes at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// A paced sender looks at the clock after so many.
const BURST: u64 = 50;
/// Ports that a sender goes round; more than the kernel merges the records of.
const PORTS: u64 = 50_000;

// The side of the benchmark

/// The executable, running in a pod.
pub struct Load {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Load {
    pub fn start(lab: &Lab, pod: &str) -> Self {
        let executable = File::open("/proc/self/exe").expect("we have an executable");
        // SAFETY: plain fcntl on an open descriptor: what is started now inherits it.
        assert_eq!(unsafe { libc::fcntl(executable.as_raw_fd(), libc::F_SETFD, 0) }, 0, "it is open");
        let program = format!("/proc/self/fd/{}", executable.as_raw_fd());
        let mut command = lab.command(&["lab", "exec", pod, "-c", "main", "--", &program, LOAD]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, orders, answers }
    }

    /// Starts one order; [`Load::answer`] gives what came of it.
    pub fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("it reads");
    }

    /// The numbers of the answer.
    pub fn answer(&mut self) -> Vec<u64> {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        line.split_whitespace()
            .map(|word| word.parse().unwrap_or_else(|_| panic!("the load in the pod failed: {line}")))
            .collect()
    }

    pub fn tell(&mut self, order: &str) -> Vec<u64> {
        self.order(order);
        self.answer()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// The side of the pod

/// Obeys the lines of standard input, and answers each with a line of numbers.
pub fn main(_arguments: &[String]) -> ExitCode {
    for line in io::stdin().lines() {
        let Ok(line) = line else { break };
        let words: Vec<&str> = line.split(' ').collect();
        let said = match obey(&words) {
            Ok(numbers) => numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => format!("{line}: {error}"),
        };
        println!("{said}");
    }
    ExitCode::SUCCESS
}

fn obey(words: &[&str]) -> io::Result<Vec<u64>> {
    match words {
        ["serve"] => serve(),
        ["requests", to, count] => requests(parse(to)?, parse(count)?),
        ["queries", to, count] => queries(parse(to)?, parse(count)?),
        ["bulk", to, millis] => bulk(parse(to)?, Duration::from_millis(parse(millis)?)),
        ["connects", to, millis, threads] => {
            connects(parse(to)?, Duration::from_millis(parse(millis)?), parse(threads)?)
        }
        ["sends", to, rate, millis] => sends(parse(to)?, parse(rate)?, Duration::from_millis(parse(millis)?)),
        _ => Err(io::Error::other("no such order")),
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| io::Error::other(format!("`{text}` cannot be read")))
}

/// Answers requests of [`REQUEST_BYTES`], also as datagrams, takes in what comes in bulk, and on the next port ends whatever
/// comes; for ever.
fn serve() -> io::Result<Vec<u64>> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, LOAD_PORT))?;
    let ends = TcpListener::bind((Ipv4Addr::UNSPECIFIED, ENDS_PORT))?;
    let datagrams = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, LOAD_PORT))?;
    std::thread::spawn(move || ends.incoming().for_each(drop));
    std::thread::spawn(move || {
        let mut bytes = [0; REQUEST_BYTES];
        while let Ok((count, from)) = datagrams.recv_from(&mut bytes) {
            // Who asked may be gone.
            let _ = datagrams.send_to(&bytes[..count], from);
        }
    });
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || attend(stream));
        }
    });
    Ok(vec![0])
}

/// The first byte says what the connection is for: `b` for bulk, which gets no answers.
fn attend(mut stream: TcpStream) {
    let mut kind = [0];
    if stream.set_nodelay(true).and_then(|()| stream.read_exact(&mut kind)).is_err() {
        return;
    }
    let mut bytes = vec![0; CHUNK_BYTES];
    if kind == *b"b" {
        while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
        return;
    }
    while stream.read_exact(&mut bytes[..REQUEST_BYTES]).is_ok() {
        if stream.write_all(&bytes[..REQUEST_BYTES]).is_err() {
            return;
        }
    }
}

/// Requests on one kept connection: the nanoseconds of each at p50 and p99.
fn requests(to: SocketAddr, count: usize) -> io::Result<Vec<u64>> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.write_all(b"r")?;
    let mut bytes = [7; REQUEST_BYTES];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        stream.write_all(&bytes)?;
        stream.read_exact(&mut bytes)?;
        times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(vec![percentile(&mut times, 50), percentile(&mut times, 99)])
}

/// Datagrams and their answers, each by a socket of its own, as names are asked for: the nanoseconds of each at p50 and p99.
fn queries(to: SocketAddr, count: usize) -> io::Result<Vec<u64>> {
    let mut bytes = [7; REQUEST_BYTES];
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        socket.send_to(&bytes, to)?;
        socket.recv_from(&mut bytes)?;
        times.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(vec![percentile(&mut times, 50), percentile(&mut times, 99)])
}

/// Bytes a second on one connection.
fn bulk(to: SocketAddr, time: Duration) -> io::Result<Vec<u64>> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(b"b")?;
    let bytes = vec![7; CHUNK_BYTES];
    let (begun, mut sent) = (Instant::now(), 0u64);
    while begun.elapsed() < time {
        stream.write_all(&bytes)?;
        sent += CHUNK_BYTES as u64;
    }
    Ok(vec![(sent as f64 / begun.elapsed().as_secs_f64()) as u64])
}

/// Connects as fast as they are accepted, each closed with a reset, so that no port rests: how many, and in how many
/// microseconds.
fn connects(to: SocketAddr, time: Duration, threads: usize) -> io::Result<Vec<u64>> {
    let begun = Instant::now();
    let counts: Vec<io::Result<u64>> = std::thread::scope(|scope| {
        let connect = || {
            let mut count = 0;
            while begun.elapsed() < time {
                let mut stream = TcpStream::connect(to)?;
                // The server ends it: it has accepted, and its queue does not overflow.
                stream.read_exact(&mut [0]).unwrap_or_default();
                reset_on_close(&stream)?;
                count += 1;
            }
            Ok(count)
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(connect)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a panic")))).collect()
    });
    let count = counts.into_iter().sum::<io::Result<u64>>()?;
    Ok(vec![count, u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)])
}

fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: an open socket, and an option of the size that is told.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            std::ptr::from_ref(&linger).cast(),
            size_of::<libc::linger>() as u32,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Datagrams that the policy refuses, each to another port, so many a second: how many were tried, how many
/// were refused, and in how many microseconds.
fn sends(to: std::net::IpAddr, rate: u64, time: Duration) -> io::Result<Vec<u64>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let (begun, mut tried, mut refused) = (Instant::now(), 0u64, 0u64);
    while begun.elapsed() < time {
        for _ in 0..BURST {
            let port = 10_000 + u16::try_from(tried % PORTS).unwrap_or(0);
            let sent = socket.send_to(b"x", (to, port));
            refused += u64::from(sent.is_err_and(|error| error.raw_os_error() == Some(libc::EACCES)));
            tried += 1;
        }
        let due = Duration::from_secs_f64(tried as f64 / rate as f64);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    Ok(vec![tried, refused, u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)])
}
