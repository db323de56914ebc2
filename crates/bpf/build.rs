//! Compiles `bpf/guard.bpf.c`, generates its skeleton, and reads the layout of the shared structs from the object, so
//! that a mirror in Rust that disagrees does not compile.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use libbpf_rs::btf::types::{MemberAttr, Struct};
use libbpf_rs::btf::{Btf, HasSize};

/// The structs of `bpf/layout.h` and their mirrors in `src/layout.rs`.
const MIRRORS: &[(&str, &str)] = &[
    ("container_value", "ContainerValue"),
    ("program_file", "ProgramFile"),
    ("program_key", "ProgramKey"),
    ("program_value", "ProgramValue"),
    ("frontend_key", "FrontendKey"),
    ("destination_key", "DestinationKey"),
    ("destination_value", "DestinationValue"),
    ("cell_key", "CellKey"),
    ("cell_value", "CellValue"),
    ("port_span", "PortSpan"),
    ("decision_value", "DecisionValue"),
    ("listener_key", "ListenerKey"),
    ("listener_value", "ListenerValue"),
    ("event_header", "EventHeader"),
    ("process", "Process"),
    ("judged_event", "JudgedEvent"),
    ("socket_event", "SocketEvent"),
    ("listen_event", "ListenEvent"),
    ("exec_event", "ExecEvent"),
    ("exit_event", "ExitEvent"),
    ("veth_value", "VethValue"),
    ("source_value", "SourceValue"),
    ("receiver_cell_key", "ReceiverCellKey"),
    ("flow_key", "FlowKey"),
    ("flow_value", "FlowValue"),
    ("flow_event", "FlowEvent"),
    ("drop_event", "DropEvent"),
    ("earlier_socket", "EarlierSocket"),
    ("answer_key", "AnswerKey"),
    ("listening_key", "ListeningKey"),
];

fn main() {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let sources = manifest.join("../../bpf");
    println!("cargo:rerun-if-changed={}", sources.display());
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CLANG");

    let clang = env::var_os("CLANG").map_or_else(|| PathBuf::from("clang"), PathBuf::from);
    if Command::new(&clang).arg("--version").output().is_err() {
        panic!(
            "\n\n`{}` not found: the kernel half of Palisade is C for BPF.\n\
             hint: apt-get install clang libelf-dev zlib1g-dev pkg-config   (or set CLANG to a clang of 14 or newer)\n\n",
            clang.display()
        );
    }

    let object = out.join("guard.bpf.o");
    let mut builder = libbpf_cargo::SkeletonBuilder::new();
    builder.source(sources.join("guard.bpf.c")).obj(&object).clang(&clang).reference_obj(true).clang_args(clang_args());
    if let Err(error) = builder.build_and_generate(out.join("guard.skel.rs")) {
        panic!(
            "\n\ncannot build bpf/guard.bpf.c: {error:#}\n\
             hint: apt-get install clang llvm libelf-dev zlib1g-dev linux-libc-dev   (clang 14 or newer)\n\n"
        );
    }
    fs::write(out.join("layout_asserts.rs"), layout_asserts(&object)).expect("OUT_DIR is writable");
    let header = fs::read_to_string(sources.join("layout.h")).expect("bpf/layout.h exists");
    fs::write(out.join("constants.rs"), constants(&header)).expect("OUT_DIR is writable");
    println!("cargo:rustc-env=PALISADE_LAYOUT_HASH={:016x}", source_hash(&sources));
}

/// The kernel's user headers lie in a folder of the machine's architecture on Debian and Ubuntu.
fn clang_args() -> Vec<String> {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH").expect("cargo sets it");
    let mut args = vec!["-Wall".to_string(), "-Werror".to_string(), "-Wno-unknown-warning-option".to_string()];
    args.push("-idirafter".to_string());
    args.push(format!("/usr/include/{architecture}-linux-gnu"));
    args
}

/// Pins carry this hash: an agent takes over only what was built from the same sources.
fn source_hash(sources: &Path) -> u64 {
    let mut files: Vec<PathBuf> =
        fs::read_dir(sources).expect("bpf/ exists").map(|entry| entry.expect("bpf/ is readable").path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        if matches!(file.extension().and_then(|extension| extension.to_str()), Some("c" | "h")) {
            println!("cargo:rerun-if-changed={}", file.display());
            fs::read(&file).expect("bpf/ is readable").hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn layout_asserts(object: &Path) -> String {
    let btf = Btf::from_path(object).expect("the object carries BTF");
    let mut text = String::new();
    for (c_name, rust_name) in MIRRORS {
        let Some(shape) = btf.type_by_name::<Struct<'_>>(c_name) else {
            panic!("struct {c_name} is not in the object: is it in `struct layout` of guard.bpf.c?");
        };
        writeln!(text, "const _: () = assert!(size_of::<{rust_name}>() == {}, \"{rust_name}: size\");", shape.size())
            .expect("writing to a string");
        for member in shape.iter() {
            let name = member.name.expect("members are named").to_str().expect("C names are ASCII");
            let MemberAttr::Normal { offset } = member.attr else { panic!("{c_name}.{name} is a bit field") };
            writeln!(
                text,
                "const _: () = assert!(offset_of!({rust_name}, {name}) == {}, \"{rust_name}.{name}: offset\");",
                offset / 8
            )
            .expect("writing to a string");
        }
    }
    text
}

/// The enumerators and plain numbers of the header: lines of the form `NAME = 1, /* why */` and `#define NAME 1`.
fn constants(header: &str) -> String {
    let mut text = String::new();
    for line in header.lines() {
        let line = line.trim();
        let (name, rest) = if let Some(define) = line.strip_prefix("#define ") {
            match define.split_once(' ') {
                Some(parts) => parts,
                None => continue,
            }
        } else if let Some(parts) = line.split_once(" = ") {
            parts
        } else {
            continue;
        };
        let (value, comment) = rest.split_once("/*").unwrap_or((rest, ""));
        let value = value.trim().trim_end_matches(',').trim_end_matches("ULL").trim_end_matches('u');
        let parsed = match value.strip_prefix("0x") {
            Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16),
            None => value.parse(),
        };
        let Ok(parsed) = parsed else { continue };
        let comment = comment.trim_end_matches("*/").trim();
        let comment = if comment.is_empty() { "As in `bpf/layout.h`" } else { comment };
        let kind = if u32::try_from(parsed).is_ok() { "u32" } else { "u64" };
        writeln!(text, "/// {comment}.\npub const {name}: {kind} = {parsed};").expect("writing to a string");
    }
    text
}
