//! Logs that do not grow for ever.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

/// A container's log is cut when it is longer than this.
///
/// Source: kubelet, `containerLogMaxSize`.
const LONGEST: u64 = 10 << 20;

/// So much of its end stays.
const KEPT: u64 = 2 << 20;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(5);

/// Cuts logs below `folder` on a thread of its own, as long as the process lives.
pub(crate) fn start(folder: &Path) -> io::Result<()> {
    let folder = folder.to_owned();
    let watch = move || {
        loop {
            std::thread::sleep(PERIOD);
            for file in log_files(&folder) {
                if let Err(error) = cut(&file, LONGEST, KEPT) {
                    crate::said::say!("lab: cannot cut `{}`: {error}", file.display());
                }
            }
        }
    };
    std::thread::Builder::new().name("logs".into()).stack_size(256 * 1024).spawn(watch).map(drop)
}

fn log_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let pods = fs::read_dir(folder).into_iter().flatten().flatten();
    pods.flat_map(|pod| fs::read_dir(pod.path()).into_iter().flatten().flatten()).map(|file| file.path()).collect()
}

/// Writers append, so a file may be cut under their hands; what they write meanwhile is lost.
fn cut(path: &Path, longest: u64, kept: u64) -> io::Result<()> {
    let length = fs::metadata(path)?.len();
    if length <= longest {
        return Ok(());
    }
    let mut end = Vec::new();
    let mut file = File::options().read(true).append(true).open(path)?;
    file.seek(SeekFrom::Start(length - kept))?;
    file.read_to_end(&mut end)?;
    let first_whole_line = end.iter().position(|byte| *byte == b'\n').map_or(0, |position| position + 1);
    file.set_len(0)?;
    file.write_all(&end[first_whole_line..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_keeps_its_last_lines() {
        let path = std::env::temp_dir().join(format!("palisade-log-{}", std::process::id()));
        fs::write(&path, "one\ntwo\nthree\n").expect("the temporary folder takes a file");
        cut(&path, 100, 8).expect("a short log stays");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "one\ntwo\nthree\n");
        cut(&path, 10, 8).expect("a long log is cut");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "three\n");
        fs::remove_file(&path).expect("it can be removed");
    }
}
