//! Running a command in a container, on a node's network or in the outside world.

use std::path::PathBuf;
use std::process::Command;

use crate::control::{JoinTarget, RunningLab};
use crate::error::LabError;
use crate::shim::JOIN_VARIABLE;

/// This executable, and how it is told to be the shim: `["lab"]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Executable {
    /// Its path.
    pub path: PathBuf,
    /// The arguments before `shim`.
    pub prefix: Vec<String>,
}

impl Executable {
    /// The running executable.
    pub fn current(prefix: Vec<String>) -> Self {
        Self { path: PathBuf::from("/proc/self/exe"), prefix }
    }
}

impl RunningLab {
    /// A command that, once started, runs `command` at `target`: in a container with the user,
    /// capabilities, environment and cgroup of its program; elsewhere as the caller, in the
    /// network namespace alone. The exit code is the command's; it dies with the lab.
    ///
    /// # Errors
    /// When there is no such target, or it does not run.
    pub fn exec(&self, executable: &Executable, target: &JoinTarget, command: &[String]) -> Result<Command, LabError> {
        let mut setup = self.join(target)?;
        match (&mut setup.process, command.split_first()) {
            (_, None) => return Err(LabError::Refused("no command to run".to_owned())),
            (Some(process), Some((program, _))) => {
                process.program.clone_from(program);
                process.arguments = command.to_vec();
            }
            (None, Some(_)) => setup.command = command.to_vec(),
        }
        let orders = serde_json::to_string(&setup)
            .map_err(std::io::Error::from)
            .map_err(LabError::system("describe the command"))?;
        let mut shim = Command::new(&executable.path);
        shim.args(&executable.prefix).arg("shim").env(JOIN_VARIABLE, orders);
        Ok(shim)
    }
}
