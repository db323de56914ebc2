//! Writes archives by hand, hostile ones too: a library would refuse to.

/// An archive that grows entry by entry.
#[derive(Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn file(mut self, path: &str, body: &[u8]) -> Self {
        self.entry(path, b'0', body.len() as u64, "");
        self.body(body);
        self
    }

    pub fn link(mut self, kind: u8, path: &str, target: &str) -> Self {
        self.entry(path, kind, 0, target);
        self
    }

    /// A header of any kind, with any size, and no bytes behind it.
    pub fn header(mut self, path: &str, kind: u8, size: u64) -> Self {
        self.entry(path, kind, size, "");
        self
    }

    /// A record that gives the next entry its path.
    pub fn long_path(mut self, path: &str, form: LongPath) -> Self {
        match form {
            LongPath::Gnu => {
                self.entry("././@LongLink", b'L', path.len() as u64 + 1, "");
                self.body(format!("{path}\0").as_bytes());
            }
            LongPath::Pax => {
                let rest = format!(" path={path}\n");
                let mut length = rest.len() + 1;
                while format!("{length}{rest}").len() != length {
                    length += 1;
                }
                let record = format!("{length}{rest}");
                self.entry("pax", b'x', record.len() as u64, "");
                self.body(record.as_bytes());
            }
        }
        self
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    fn body(&mut self, body: &[u8]) {
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    fn entry(&mut self, path: &str, kind: u8, size: u64, target: &str) {
        let mut block = [0u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &path.as_bytes()[..path.len().min(100)]);
        put(100, b"0000755\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{size:011o}\0").as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, &target.as_bytes()[..target.len().min(100)]);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
    }
}

#[derive(Clone, Copy)]
pub enum LongPath {
    Gnu,
    Pax,
}
