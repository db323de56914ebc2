//! Network namespaces without names: each is held open by a descriptor and dies with its holder.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::LabError;

/// An open network namespace.
#[derive(Debug)]
pub struct Netns(File);

impl Netns {
    /// A new namespace, with a loopback that is down.
    pub fn create() -> Result<Self, LabError> {
        let made = in_a_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        made.map(Self).map_err(LabError::system("make a network namespace"))
    }

    /// Runs `act` on a thread of its own that lives in this namespace.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        in_a_thread(|| {
            self.join()?;
            act()
        })
    }

    /// Moves the calling thread into this namespace, and every thread that it starts from now on.
    pub fn join(&self) -> io::Result<()> {
        Ok(setns(self.0.as_fd(), CloneFlags::CLONE_NEWNET)?)
    }

    /// A path that names this namespace as long as this process, `pid` in procfs, holds it.
    pub fn path(&self, pid: u32) -> PathBuf {
        PathBuf::from(format!("/proc/{pid}/fd/{}", self.0.as_raw_fd()))
    }

    /// Sets sysctls below `/proc/sys/net`, which show the namespace of who opens them.
    ///
    /// A setting that this kernel does not have is passed over.
    pub fn sysctls(&self, settings: &[(&str, &str)]) -> Result<(), LabError> {
        self.enter(|| {
            refuse_the_machines_own()?;
            for (key, value) in settings {
                let path = Path::new("/proc/sys/net").join(key);
                match std::fs::OpenOptions::new().write(true).open(&path) {
                    Ok(mut file) => file.write_all(value.as_bytes())?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
                }
            }
            Ok(())
        })
        .map_err(LabError::system("set sysctls of a network namespace"))
    }

    /// Feeds `script` to `ip -batch` inside this namespace.
    pub fn ip(&self, script: &str) -> Result<(), LabError> {
        self.feed("ip", &["-batch", "-"], script)
    }

    /// Feeds `script` to `nft -f` inside this namespace: all of it is applied, or nothing.
    pub fn nft(&self, script: &str) -> Result<(), LabError> {
        self.feed("nft", &["-f", "-"], script)
    }

    fn feed(&self, tool: &'static str, arguments: &[&str], script: &str) -> Result<(), LabError> {
        let output = self.enter(|| {
            refuse_the_machines_own()?;
            let mut child = Command::new(tool)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?;
            let input = child.stdin.take();
            if let Some(mut input) = input {
                // A tool that stops reading says why on its standard error.
                let _ = input.write_all(script.as_bytes());
            }
            child.wait_with_output()
        });
        match output {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let message = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
                Err(LabError::Tool { tool, message })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LabError::ToolMissing { tool }),
            Err(error) => Err(LabError::system(format!("run `{tool}`"))(error)),
        }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Namespaces belong to threads: what joins one needs a thread that nobody uses afterwards.
fn in_a_thread<T: Send>(act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 * 1024).spawn_scoped(scope, act)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the lab panicked")))
    })
}

/// Settings and rules of the machine's own network, in which our first thread stays, are never
/// touched, whatever goes wrong above.
fn refuse_the_machines_own() -> io::Result<()> {
    let here = std::fs::metadata("/proc/thread-self/ns/net")?;
    let machine = std::fs::metadata("/proc/self/ns/net")?;
    if (here.dev(), here.ino()) == (machine.dev(), machine.ino()) {
        return Err(io::Error::other("this is the machine's own network namespace"));
    }
    Ok(())
}
