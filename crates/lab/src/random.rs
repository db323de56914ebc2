//! Ids that nobody else has.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};

/// A container id as containerd makes them: 64 hexadecimal digits.
pub(crate) fn container_id() -> io::Result<String> {
    Ok(hexadecimal(&bytes::<32>()?))
}

/// A version 4 UUID.
///
/// Source: RFC 9562, section 5.4.
pub(crate) fn uid() -> io::Result<String> {
    let mut bytes = bytes::<16>()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hexadecimal(&bytes);
    Ok(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]))
}

fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
