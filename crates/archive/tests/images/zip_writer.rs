//! Writes archives of Java by hand.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// How a member is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Stored,
    Deflated,
}

/// An archive of (name, bytes).
pub fn zip(members: &[(&str, &[u8])], method: Method) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, body) in members {
        let packed = match method {
            Method::Stored => body.to_vec(),
            Method::Deflated => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(body).expect("memory can be written");
                encoder.finish().expect("memory can be written")
            }
        };
        let offset = bytes.len() as u32;
        let mut fields = vec![20, 0, 0, 0, if method == Method::Stored { 0 } else { 8 }, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        fields.extend((packed.len() as u32).to_le_bytes());
        fields.extend((body.len() as u32).to_le_bytes());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&fields);
        bytes.extend(name.as_bytes());
        bytes.extend(&packed);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let start = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        bytes.extend((members.len() as u16).to_le_bytes());
    }
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}
