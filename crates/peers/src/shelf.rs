//! A folder of the user with what takes long to make: made once, and kept for whoever asks next.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::unavailable::Unavailable;

/// Stands in a folder that is whole; its time is that of the last use.
const WHOLE: &str = ".whole";

/// So long what was made of other inputs is kept: two trees of the project may want both in turn.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Everything that decides what is made: the same inputs, the same thing.
#[derive(Default)]
pub struct Inputs(DefaultHasher);

impl Inputs {
    /// A version, a flag, the text of a script.
    pub fn text(mut self, text: &str) -> Self {
        text.hash(&mut self.0);
        self
    }

    /// Every file below a folder.
    pub fn folder(mut self, folder: &Path) -> io::Result<Self> {
        let mut paths = vec![folder.to_owned()];
        while let Some(path) = paths.pop() {
            path.strip_prefix(folder).unwrap_or(&path).hash(&mut self.0);
            if path.is_dir() {
                let mut below = fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
                below.sort();
                paths.append(&mut below);
            } else {
                fs::read(&path)?.hash(&mut self.0);
            }
        }
        Ok(self)
    }
}

/// Where things are kept.
pub struct Shelf(PathBuf);

impl Shelf {
    /// `palisade/peers` in the user's cache folder.
    pub fn of_the_user() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let caches = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        Self::at(caches.unwrap_or_else(std::env::temp_dir).join("palisade/peers"))
    }

    /// Another one, which is made when something is put there.
    pub fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder of `what`, which is filled by `make` if nobody did it before, of these inputs.
    ///
    /// One at a time: who comes while somebody makes it waits, in other processes too. What was begun and not ended, by
    /// whoever was killed, is begun anew.
    pub fn keep(
        &self,
        what: &str,
        inputs: Inputs,
        make: impl FnOnce(&Path) -> Result<(), Unavailable>,
    ) -> Result<PathBuf, Unavailable> {
        let folder = self.0.join(format!("{what}-{:016x}", inputs.0.finish()));
        let on_disk = |error: io::Error| unavailable(what, &folder, &error);
        fs::create_dir_all(&self.0).map_err(on_disk)?;
        let lock = File::create(self.0.join(format!("{what}.lock"))).map_err(on_disk)?;
        lock.lock().map_err(on_disk)?;
        if !folder.join(WHOLE).exists() {
            remove(&folder).map_err(on_disk)?;
            fs::create_dir(&folder).map_err(on_disk)?;
            if let Err(why) = make(&folder) {
                remove(&folder).map_err(on_disk)?;
                return Err(why);
            }
            self.tidy(what, &folder);
        }
        // Its time is now, whether it was there or not.
        File::create(folder.join(WHOLE)).and_then(|whole| whole.set_modified(SystemTime::now())).map_err(on_disk)?;
        Ok(folder)
    }

    /// Whether it is there already.
    pub fn has(&self, what: &str, inputs: Inputs) -> bool {
        self.0.join(format!("{what}-{:016x}", inputs.0.finish())).join(WHOLE).exists()
    }

    /// Removes what was made of other inputs and not used for long. What cannot be removed stays until the next time.
    fn tidy(&self, what: &str, but: &Path) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_older = || path.join(WHOLE).metadata().and_then(|it| it.modified()).is_ok_and(is_long_ago);
            if path != but && is_of(what, &entry.file_name()) && is_older() {
                let _ = remove(&path);
            }
        }
    }
}

fn is_of(what: &str, folder: &OsStr) -> bool {
    let hash = folder.to_str().and_then(|name| name.strip_prefix(what)?.strip_prefix('-'));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_long_ago(time: SystemTime) -> bool {
    time.elapsed().is_ok_and(|ago| ago > KEPT)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn unavailable(what: &str, folder: &Path, error: &io::Error) -> Unavailable {
    let why = format!("cannot be kept in {}: {error}", folder.display());
    Unavailable { what: what.to_owned(), why, hint: Some("XDG_CACHE_HOME names another cache folder") }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Scratch(Shelf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(Shelf(std::env::temp_dir().join(format!("palisade-shelf-{}-{name}", std::process::id()))))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0.0);
        }
    }

    fn version(text: &str) -> Inputs {
        Inputs::default().text(text)
    }

    fn write(folder: &Path, text: &str) -> Result<(), Unavailable> {
        fs::write(folder.join("program"), text).expect("the folder is there, and empty");
        Ok(())
    }

    fn fail(folder: &Path) -> Result<(), Unavailable> {
        fs::write(folder.join("half"), "").expect("the folder is there");
        Err(Unavailable { what: "x".into(), why: "no".into(), hint: None })
    }

    #[test]
    fn who_asks_at_the_same_time_gets_what_one_of_them_makes() {
        let scratch = Scratch::new("once");
        let made = AtomicUsize::new(0);
        let ask = || {
            let make = |folder: &Path| {
                made.fetch_add(1, Ordering::Relaxed);
                write(folder, "1")
            };
            let folder = scratch.0.keep("x", version("1"), make).expect("made");
            assert_eq!(fs::read_to_string(folder.join("program")).expect("whole"), "1");
        };
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(ask))));
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn what_failed_or_was_cut_short_is_begun_anew() {
        let scratch = Scratch::new("failed");
        assert_eq!(scratch.0.keep("x", version("1"), fail).expect_err("it fails").to_string(), "x: no");
        let folder = scratch.0.keep("x", version("1"), |folder| write(folder, "1")).expect("made");
        assert!(!folder.join("half").exists());
        fs::remove_file(folder.join(WHOLE)).expect("it was whole");
        fs::write(folder.join("half"), "").expect("as if somebody was killed");
        let again = scratch.0.keep("x", version("1"), |folder| write(folder, "2")).expect("made");
        assert_eq!(fs::read_to_string(again.join("program")).expect("whole"), "2");
        assert!(!again.join("half").exists());
    }

    #[test]
    fn other_inputs_are_another_thing_and_the_old_one_goes_when_nobody_uses_it() {
        let scratch = Scratch::new("other");
        let keep = |what: &str, of: &str| scratch.0.keep(what, version(of), |folder| write(folder, of)).expect("made");
        let [old, used, longer] = [keep("x", "1"), keep("x", "2"), keep("x-y", "1")];
        for folder in [&old, &longer] {
            let whole = File::options().write(true).open(folder.join(WHOLE)).expect("it is whole");
            whole.set_modified(SystemTime::now() - 2 * KEPT).expect("a time of the past");
        }
        let new = keep("x", "3");
        let there = [&old, &used, &longer, &new].map(|folder| folder.exists());
        assert_eq!(there, [false, true, true, true], "what is called otherwise is not touched");
        assert!(scratch.0.has("x", version("3")) && !scratch.0.has("x", version("1")));
    }

    #[test]
    fn every_file_of_a_folder_is_an_input() {
        let scratch = Scratch::new("inputs");
        let folder = &scratch.0.0;
        let hash = || Inputs::default().folder(folder).expect("it can be read").0.finish();
        fs::create_dir_all(folder.join("below")).expect("a folder");
        fs::write(folder.join("below/a"), "1").expect("a file");
        let first = hash();
        assert_eq!(hash(), first);
        fs::write(folder.join("below/a"), "2").expect("a file");
        assert_ne!(hash(), first);
        fs::write(folder.join("below/a"), "1").expect("a file");
        fs::rename(folder.join("below/a"), folder.join("below/b")).expect("a file");
        assert_ne!(hash(), first);
    }
}
