//! Fetching over plain HTTP 1.1: from a mirror in the cluster or on this machine.
//!
//! HTTPS is not spoken here yet: it brings a library of cryptography that nothing else in the program needs so far. What
//! is fetched is checked as an export, not trusted for where it came from.
//!
//! Source: RFC 9112.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::update::Fetch;

/// A server that does not answer is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No header that matters is longer.
const LONGEST_LINE: u64 = 16 << 10;
/// More headers than this are no answer.
const MOST_HEADERS: usize = 200;

/// A client of HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Http {
    /// What it calls itself.
    pub program: &'static str,
}

impl Fetch for Http {
    fn fetch(&self, url: &str, limit: u64) -> Result<Vec<u8>, String> {
        let rest = match url.split_once("://") {
            Some(("http", rest)) => rest,
            Some(("https", _)) => return Err("https is not spoken yet; name a mirror over http".into()),
            _ => return Err("it is no URL of http".into()),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let mut stream = connect(authority).map_err(|error| error.to_string())?;
        let program = self.program;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {program}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
        answer(&mut BufReader::new(stream), limit)
    }
}

fn connect(authority: &str) -> std::io::Result<TcpStream> {
    let with_port = match authority.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
        _ => format!("{authority}:80"),
    };
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for address in with_port.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads an answer with a length, in chunks, or to the end of the connection.
fn answer(stream: &mut impl BufRead, limit: u64) -> Result<Vec<u8>, String> {
    let status = line(stream)?;
    let words =
        status.split_once(' ').filter(|(version, _)| version.starts_with("HTTP/1.")).ok_or("no answer of HTTP")?;
    if !words.1.starts_with("200") {
        return Err(words.1.to_owned());
    }
    let (mut length, mut chunked) = (None, false);
    for _ in 0..MOST_HEADERS {
        let header = line(stream)?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.trim().to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<u64>().ok(),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let too_large = || format!("larger than {limit} bytes");
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = line(stream)?;
            let size = size.split(';').next().unwrap_or("").trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| "a broken chunk")?;
            if size == 0 {
                return Ok(body);
            }
            if size > limit - body.len() as u64 {
                return Err(too_large());
            }
            take(stream, size, &mut body)?;
            line(stream)?;
        }
    }
    match length {
        Some(length) if length > limit => return Err(too_large()),
        Some(length) => take(stream, length, &mut body)?,
        None => {
            stream.take(limit.saturating_add(1)).read_to_end(&mut body).map_err(|error| error.to_string())?;
            if body.len() as u64 > limit {
                return Err(too_large());
            }
        }
    }
    Ok(body)
}

fn take(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<(), String> {
    match stream.take(length).read_to_end(body) {
        Ok(read) if read as u64 == length => Ok(()),
        Ok(_) => Err("the connection ended too soon".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn line(stream: &mut impl BufRead) -> Result<String, String> {
    let mut line = Vec::new();
    stream.take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
    if !line.ends_with(b"\n") {
        return Err("the connection ended too soon".into());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, limit: u64) -> Result<String, String> {
        answer(&mut text.as_bytes(), limit).map(|body| String::from_utf8_lossy(&body).into_owned())
    }

    #[test]
    fn every_form_of_a_body_is_read_whole_or_refused() {
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", 9), Ok("abc".into()));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\nabcd", 9), Ok("abcd".into()));
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(chunks, 9), Ok("abcde".into()));
        for (text, why) in [
            ("HTTP/1.1 429 Too Many Requests\r\n\r\n", "429 Too Many Requests"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "the connection ended too soon"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", "larger than 9 bytes"),
            ("HTTP/1.1 200 OK\r\n\r\n0123456789", "larger than 9 bytes"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "larger than 9 bytes"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "a broken chunk"),
            ("SSH-2.0\r\n", "no answer of HTTP"),
            ("", "the connection ended too soon"),
        ] {
            assert_eq!(read(text, 9), Err(why.into()), "{text}");
        }
        for length in 0..chunks.len() {
            let _ = read(&chunks[..length], 9);
        }
    }

    #[test]
    fn https_is_refused_in_words() {
        let why = Http { program: "test" }.fetch("https://example.com/a", 1).expect_err("not spoken");
        assert_eq!(why, "https is not spoken yet; name a mirror over http");
    }
}
