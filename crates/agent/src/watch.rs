//! Tells when a file that the rules or the pods come from has changed.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

/// Folders that are watched at most; deeper trees of manifests are read, but not watched.
const FOLDERS_MAX: usize = 4096;

/// A watch over folders. Files are watched by their folder, because editors and the lab replace files by renaming.
#[derive(Debug)]
pub(crate) struct Watch {
    inotify: OwnedFd,
    folders: HashMap<i32, Watched>,
    lost: bool,
}

#[derive(Debug)]
struct Watched {
    folder: PathBuf,
    /// The file names that matter; `None` = all.
    names: Option<Vec<std::ffi::OsString>>,
}

impl Watch {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            folders: HashMap::new(),
            lost: false,
        })
    }

    /// Watches a file, or a folder with everything below it. What is not there is no error: its folder is watched.
    pub(crate) fn add(&mut self, path: &Path) {
        if path.is_dir() {
            self.add_tree(path);
        } else if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            self.add_folder(folder, Some(name.to_os_string()));
        }
    }

    fn add_tree(&mut self, folder: &Path) {
        self.add_folder(folder, None);
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add_tree(&entry.path());
            }
        }
    }

    fn add_folder(&mut self, folder: &Path, name: Option<std::ffi::OsString>) {
        if self.folders.len() >= FOLDERS_MAX {
            return;
        }
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        let Ok(descriptor) = inotify::add_watch(&self.inotify, folder, flags) else { return };
        match (self.folders.get_mut(&descriptor), name) {
            (Some(Watched { names: Some(names), .. }), Some(name)) => names.push(name),
            (Some(watched), None) => watched.names = None,
            (Some(_), Some(_)) => {}
            (None, name) => {
                let names = name.map(|name| vec![name]);
                self.folders.insert(descriptor, Watched { folder: folder.to_owned(), names });
            }
        }
    }

    /// Becomes readable with a change.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// True, once, when a watched folder went away: it may be there again under its name.
    pub(crate) fn take_lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    /// Takes what has happened; true when something that matters has changed.
    pub(crate) fn take(&mut self) -> bool {
        let mut changed = false;
        let mut new_folders = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::IGNORED) {
                // The folder is gone, or was replaced by another of its name.
                self.lost |= self.folders.remove(&event.wd()).is_some();
                changed = true;
                continue;
            }
            // Events were dropped: anything may have changed.
            let Some(watched) = self.folders.get(&event.wd()) else {
                changed = true;
                continue;
            };
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
            let matters = match (&watched.names, &name) {
                (None, _) => true,
                (Some(names), Some(name)) => names.iter().any(|wanted| wanted == name.as_str()),
                (Some(_), None) => false,
            };
            changed |= matters;
            if let (None, Some(name)) = (&watched.names, name) {
                let path = watched.folder.join(name);
                if path.is_dir() {
                    new_folders.push(path);
                }
            }
        }
        for folder in new_folders {
            self.add_tree(&folder);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("palisade-watch-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }

    #[test]
    fn a_renamed_file_and_a_new_folder_are_seen() {
        let root = folder("tree");
        let mut watch = Watch::new().expect("inotify");
        watch.add(&root);
        assert!(!watch.take());
        std::fs::write(root.join(".new"), "a").expect("written");
        std::fs::rename(root.join(".new"), root.join("pods.yaml")).expect("renamed");
        assert!(watch.take());
        std::fs::create_dir(root.join("more")).expect("a folder");
        assert!(watch.take());
        std::fs::write(root.join("more/policy.yaml"), "a").expect("written");
        assert!(watch.take());
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_neighbour_of_a_watched_file_does_not_matter() {
        let root = folder("file");
        let mut watch = Watch::new().expect("inotify");
        watch.add(&root.join("lab.json"));
        std::fs::write(root.join("agent.log"), "a").expect("written");
        assert!(!watch.take());
        std::fs::write(root.join("lab.json"), "a").expect("written");
        assert!(watch.take());
        std::fs::remove_dir_all(root).expect("removed");
    }
}
