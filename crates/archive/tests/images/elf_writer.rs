//! Writes programs by hand: headers, one segment over the whole file, and sections.

/// Where the file begins in memory.
pub const ADDRESS: u64 = 0x40_0000;

/// Where the first section begins in the file.
pub const START: u64 = 120;

/// A 64-bit little-endian program with these sections.
pub fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut names = vec![0];
    let mut bytes = vec![0; START as usize];
    let mut headers = vec![0; 64];
    for (name, body) in sections.iter().copied().chain([(".shstrtab", &[][..])]) {
        let name_at = names.len() as u32;
        names.extend(name.as_bytes());
        names.push(0);
        let body = if name == ".shstrtab" { names.clone() } else { body.to_vec() };
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let offset = bytes.len() as u64;
        headers.extend(name_at.to_le_bytes());
        headers.extend(1u32.to_le_bytes());
        for word in [0, ADDRESS + offset, offset, body.len() as u64, 0, 1, 0] {
            headers.extend(u64::to_le_bytes(word));
        }
        bytes.extend(&body);
    }
    let table = bytes.len() as u64;
    bytes.extend(&headers);
    let size = bytes.len() as u64;
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &2u16.to_le_bytes());
    put(32, &64u64.to_le_bytes());
    put(40, &table.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &1u16.to_le_bytes());
    put(58, &64u16.to_le_bytes());
    put(60, &(sections.len() as u16 + 2).to_le_bytes());
    put(62, &(sections.len() as u16 + 1).to_le_bytes());
    // One segment that can be read and written.
    put(64, &1u32.to_le_bytes());
    put(68, &6u32.to_le_bytes());
    put(80, &ADDRESS.to_le_bytes());
    put(96, &size.to_le_bytes());
    bytes
}
