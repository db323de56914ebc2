//! Programs and libraries: what their compilers wrote into them.

use std::sync::Arc;

use crate::elf::{Elf, Spans, executable_ranges};
use crate::go::{self, GoBinary, GoFunctions};
use crate::rust::{self, Crate};

/// What a program is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A Go program with its modules.
    Go(Arc<GoBinary>),
    /// A Go program that does not say what is in it.
    BareGo,
    /// A Rust program with its crates.
    Rust(Vec<Crate>),
    /// A Rust program that does not say what is in it.
    BareRust,
    /// Any other program or library.
    Plain,
    /// Headers that make no sense, or more bytes than are read.
    Unreadable,
}

/// Programs up to this size are kept whole while they are looked at; of larger ones the machine code is left out.
/// On some machines old linkers put the tables of C and Go programs beside the code, so it is not left out sooner.
const WHOLE: u64 = 24 << 20;

/// No more bytes of one program are kept, whatever its headers say.
const MOST_KEPT: usize = 192 << 20;

/// The headers at the beginning that tell where the machine code is.
const HEAD: usize = 4096;

/// Takes the bytes of a program as they come, and keeps what will be looked at.
#[derive(Debug, Default)]
pub struct Capture {
    spans: Spans,
    position: u64,
    size: u64,
    /// Ranges that are not kept; known once the head was seen.
    skipped: Option<Vec<(u64, u64)>>,
    overflown: bool,
}

impl Capture {
    /// Begins a file of that many bytes.
    pub fn begin(&mut self, size: u64) {
        self.spans.clear();
        self.position = 0;
        self.size = size;
        self.skipped = (size <= WHOLE).then(Vec::new);
        self.overflown = false;
    }

    /// The next bytes; false once no more are wanted: it is no program, or too much of one.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        if self.skipped.is_none() {
            // The head arrives in one piece, or in pieces that are kept.
            self.spans.push(self.position, bytes);
            self.position += bytes.len() as u64;
            if self.spans.kept() >= HEAD {
                self.skipped = Some(executable_ranges(self.spans.all()));
            }
        } else {
            self.keep(bytes);
        }
        let head = self.spans.up_to(0, 4);
        !self.overflown && (head.len() < 4 || head == b"\x7fELF")
    }

    fn keep(&mut self, bytes: &[u8]) {
        let (start, end) = (self.position, self.position + bytes.len() as u64);
        self.position = end;
        let skip = self.skipped.iter().flatten().find(|(from, to)| *from < end && start < *to).copied();
        let kept = match skip {
            None => (bytes, &bytes[bytes.len()..]),
            Some((from, to)) => {
                let first = from.saturating_sub(start).min(bytes.len() as u64) as usize;
                let last = to.saturating_sub(start).min(bytes.len() as u64) as usize;
                (&bytes[..first], &bytes[last..])
            }
        };
        for part in [kept.0, kept.1].into_iter().filter(|part| !part.is_empty()) {
            if self.spans.kept() + part.len() > MOST_KEPT {
                self.overflown = true;
                return;
            }
            let at = if std::ptr::eq(part.as_ptr(), bytes.as_ptr()) { start } else { end - part.len() as u64 };
            self.spans.push(at, part);
        }
    }

    /// What it is; `None` when it is no program, or one that is not linked (an object, a kernel module, a core).
    pub fn finish(&mut self, functions: Functions) -> Option<Program> {
        if !self.spans.up_to(0, 4).starts_with(b"\x7fELF") {
            return None;
        }
        if self.overflown || self.position < self.size {
            return Some(Program::Unreadable);
        }
        let Some(elf) = Elf::parse(&self.spans) else { return Some(Program::Unreadable) };
        const PROGRAM: u16 = 2;
        const LIBRARY: u16 = 3;
        matches!(elf.kind, PROGRAM | LIBRARY).then(|| look_at(&elf, functions))
    }
}

/// Whether the names of a Go program's functions are read as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Functions {
    /// They are.
    Read,
    /// They are not: nobody will ask whether a vulnerable function is linked.
    #[default]
    Skip,
}

fn look_at(elf: &Elf<'_>, functions: Functions) -> Program {
    if let Some(mut binary) = go::read_build_info(elf) {
        binary.functions = match functions {
            Functions::Read => go::read_functions(elf),
            Functions::Skip => GoFunctions::NotRead,
        };
        return Program::Go(Arc::new(binary));
    }
    if let Some(crates) = rust::read_crates(elf) {
        return Program::Rust(crates);
    }
    if is_packed(elf) {
        return Program::Unreadable;
    }
    let names_go = |name| elf.section(name).is_some();
    if names_go(".gopclntab") || names_go(".note.go.buildid") {
        return Program::BareGo;
    }
    if rust::is_rust(elf) { Program::BareRust } else { Program::Plain }
}

/// Whether UPX has packed it: what it is made of cannot be seen until it runs.
fn is_packed(elf: &Elf<'_>) -> bool {
    elf.sections.is_empty() && memchr::memmem::find(elf.spans().up_to(0, HEAD), b"UPX!").is_some()
}
