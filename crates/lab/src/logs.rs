//! Reading what containers print.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::control::RunningLab;
use crate::error::LabError;

/// Between two looks for more.
const PAUSE: Duration = Duration::from_millis(100);

impl RunningLab {
    /// Prints what the containers of a pod (or one of them) have printed to `output`; with
    /// `follow`, also what they print from now on, until the lab ends.
    ///
    /// # Errors
    /// When no container is meant, or `output` takes no more.
    pub fn print_logs(
        &self,
        pod: &str,
        container: Option<&str>,
        follow: bool,
        output: &mut impl Write,
    ) -> Result<(), LabError> {
        let files = self.logs(pod, container)?;
        let named = files.len() > 1;
        let mut tails: Vec<_> =
            files.into_iter().map(|(name, path)| Tail { name, path, offset: 0, partial: Vec::new() }).collect();
        loop {
            for tail in &mut tails {
                tail.print(named, output).map_err(LabError::file("read", &tail.path))?;
            }
            if !follow || UnixStream::connect(self.name().state_dir().control_socket()).is_err() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }
}

struct Tail {
    name: String,
    path: PathBuf,
    offset: u64,
    /// A line without its end.
    partial: Vec<u8>,
}

impl Tail {
    fn print(&mut self, named: bool, output: &mut impl Write) -> io::Result<()> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        // A log that was cut short begins anew.
        if file.metadata()?.len() < self.offset {
            self.offset = 0;
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        self.offset += file.read_to_end(&mut bytes)? as u64;
        self.partial.append(&mut bytes);
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            if named {
                write!(output, "{}: ", self.name)?;
            }
            output.write_all(&line)?;
        }
        output.flush()
    }
}
