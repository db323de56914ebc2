//! Tells which files that the rules or the pods come from have changed.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
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

/// What has happened since the last time.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Something that matters has changed.
    pub(crate) any: bool,
    /// Anything may have changed: events were dropped.
    pub(crate) all: bool,
    /// In their order: what was closed, replaced, or went away, and files that were made and are not closed yet.
    pub(crate) paths: Vec<Change>,
}

/// One change of a file or folder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It has its new content, or is gone.
    Whole(PathBuf),
    /// It was made, and whoever makes it is still writing.
    Unfinished(PathBuf),
}

impl Change {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Whole(path) | Self::Unfinished(path) => path,
        }
    }
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
            // It may have been moved here with its watch.
            (Some(watched), None) => *watched = Watched { folder: folder.to_owned(), names: None },
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

    /// Whether a change of that file would be told. One behind a link changes where nobody looks.
    pub(crate) fn covers(&self, file: &Path) -> bool {
        let Some(name) = file.file_name() else { return false };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let wanted = |names: &Vec<std::ffi::OsString>| names.iter().any(|wanted| wanted == name);
        self.folders.values().any(|one| one.folder == folder && one.names.as_ref().is_none_or(wanted))
            && !file.is_symlink()
    }

    /// Takes what has happened.
    pub(crate) fn take(&mut self) -> Changes {
        let mut changes = Changes::default();
        let mut new_folders = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        while let Ok(event) = reader.next() {
            if event.events().contains(ReadFlags::IGNORED) {
                // The folder is gone, or was replaced by another of its name.
                if let Some(gone) = self.folders.remove(&event.wd()) {
                    self.lost = true;
                    changes.paths.push(Change::Whole(gone.folder));
                }
                changes.any = true;
                continue;
            }
            let Some(watched) = self.folders.get(&event.wd()) else {
                changes.any = true;
                changes.all = true;
                continue;
            };
            let Some(name) = event.file_name().map(|name| std::ffi::OsStr::from_bytes(name.to_bytes())) else {
                changes.any |= watched.names.is_none();
                continue;
            };
            if watched.names.as_ref().is_some_and(|names| !names.iter().any(|wanted| wanted == name)) {
                continue;
            }
            changes.any = true;
            let path = watched.folder.join(name);
            if watched.names.is_none() && path.is_dir() {
                new_folders.push(path.clone());
            }
            let made = event.events().contains(ReadFlags::CREATE) && is_one_file(&path);
            changes.paths.push(if made { Change::Unfinished(path) } else { Change::Whole(path) });
        }
        for folder in new_folders {
            self.add_tree(&folder);
        }
        changes
    }
}

/// A link to a file that there was is whole at once.
fn is_one_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file() && found.nlink() == 1)
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
        assert!(!watch.take().any);
        std::fs::write(root.join(".new"), "a").expect("written");
        std::fs::rename(root.join(".new"), root.join("pods.yaml")).expect("renamed");
        assert!(watch.take().any);
        std::fs::create_dir(root.join("more")).expect("a folder");
        assert!(watch.take().any);
        std::fs::write(root.join("more/policy.yaml"), "a").expect("written");
        assert!(watch.take().any);
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_file_is_whole_when_it_is_closed() {
        let root = folder("whole");
        let mut watch = Watch::new().expect("inotify");
        watch.add(&root);
        let path = root.join("rules.yaml");
        let mut file = std::fs::File::create(&path).expect("made");
        assert_eq!(watch.take().paths, [Change::Unfinished(path.clone())]);
        std::io::Write::write_all(&mut file, b"a").expect("written");
        assert!(!watch.take().any);
        drop(file);
        assert_eq!(watch.take().paths, [Change::Whole(path.clone())]);
        assert!(watch.covers(&path));
        assert!(!watch.covers(&root.join("more/rules.yaml")));
        std::fs::hard_link(&path, root.join("link.yaml")).expect("linked");
        assert_eq!(watch.take().paths, [Change::Whole(root.join("link.yaml"))]);
        std::fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn a_neighbour_of_a_watched_file_does_not_matter() {
        let root = folder("file");
        let mut watch = Watch::new().expect("inotify");
        watch.add(&root.join("lab.json"));
        std::fs::write(root.join("agent.log"), "a").expect("written");
        assert!(!watch.take().any);
        std::fs::write(root.join("lab.json"), "a").expect("written");
        assert!(watch.take().any);
        std::fs::remove_dir_all(root).expect("removed");
    }
}
