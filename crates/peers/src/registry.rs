//! Registries that others wrote, as processes of a test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::programs::REGISTRIES;

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
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(kind: &str, options: &[&str]) -> Option<Self> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let program = REGISTRIES.get()?;
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
    ///
    /// # Panics
    /// When it cannot be written.
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
