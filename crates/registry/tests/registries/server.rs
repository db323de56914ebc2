//! Registries that others wrote, as processes of a test. Other crates' tests take this file in by its path.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The user of registries that want one, and the password.
pub const USER: (&str, &str) = ("me", "secret");

/// The tools that are asked for a second opinion, at the versions whose output tests read.
const CRANE: &str = "github.com/google/go-containerregistry/cmd/crane@v0.20.6";
const ORAS: &str = "oras.land/oras/cmd/oras@v1.2.3";

/// A running registry; nothing of it outlives the value.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Its files; `ca.pem` is the certificate of its authority.
    pub folder: PathBuf,
}

impl Server {
    /// Starts `simple`, `referrers` or `distribution`, with `tls`, `basic` or `token`. `None`, and SKIPPED is printed, where
    /// there is no Go; with CI=true that is a failure.
    pub fn start(kind: &str, options: &[&str]) -> Option<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| go().map(|()| build())).as_ref()?;
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("palisade-registry-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for the registry");
        let mut child = Command::new(program)
            .arg(&folder)
            .arg(kind)
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was just built");
        let mut address = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        output.read_line(&mut address).expect("the program says where it listens");
        assert!(!address.is_empty(), "the registry did not start");
        Some(Self { child, address: address.trim().to_owned(), folder })
    }

    /// Writes a config of Docker with these `auths` and gives the folder that it lies in.
    pub fn docker_config(&self, auths: &str) -> PathBuf {
        let folder = self.folder.join("docker");
        fs::create_dir_all(&folder).expect("a folder");
        let text = format!(r#"{{"auths": {{"{}": {auths}}}}}"#, self.address);
        fs::write(folder.join("config.json"), text).expect("written");
        folder
    }
}

impl Drop for Server {
    /// The program ends with its input.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `crane`, built once; `None` where there is no Go.
pub fn crane() -> Option<&'static Path> {
    static AT: OnceLock<Option<PathBuf>> = OnceLock::new();
    AT.get_or_init(|| install(CRANE)).as_deref()
}

/// `oras`, likewise.
pub fn oras() -> Option<&'static Path> {
    static AT: OnceLock<Option<PathBuf>> = OnceLock::new();
    AT.get_or_init(|| install(ORAS)).as_deref()
}

fn install(module: &str) -> Option<PathBuf> {
    go()?;
    let (path, version) = module.split_once('@').expect("a module has a version");
    let name = path.rsplit('/').next().expect("a path has an end");
    let folder = target().join(name);
    let program = folder.join(format!("{name}-{version}"));
    if program.exists() {
        return Some(program);
    }
    // A folder of its own for each process: nobody runs what another one writes.
    let own = folder.join(std::process::id().to_string());
    fs::create_dir_all(&own).expect("a folder");
    run(Command::new("go").args(["install", module]).env("GOBIN", &own));
    fs::rename(own.join(name), &program).expect("moved");
    let _ = fs::remove_dir(&own);
    Some(program)
}

/// Where tests build what they need: `target/tmp`, the same for all crates.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn go() -> Option<()> {
    if Command::new("go").arg("version").stdout(Stdio::null()).status().is_ok() {
        return Some(());
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true there must be Go");
    println!("SKIPPED: there is no Go on this machine to build a registry with");
    None
}

fn build() -> PathBuf {
    let program = target().join("palisade-registries");
    let own = target().join(format!("palisade-registries-{}", std::process::id()));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers/programs/registries");
    run(Command::new("go").args(["build", "-trimpath", "-o"]).arg(&own).arg(".").current_dir(sources));
    fs::rename(&own, &program).expect("moved");
    program
}

fn run(command: &mut Command) {
    let output = command.envs([("CGO_ENABLED", "0"), ("GOFLAGS", "-buildvcs=false")]).output().expect("go runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
