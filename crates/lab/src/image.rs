//! What stands in for a container image: the host's programs, and the image's own one.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, mknod};

/// Annotation `lab.palisade.dev/program.<container>`: the path of the image's program.
pub const PROGRAM_ANNOTATION: &str = "lab.palisade.dev/program.";

/// Annotation `lab.palisade.dev/extra-programs.<container>`: further paths, separated by commas.
pub const EXTRA_PROGRAMS_ANNOTATION: &str = "lab.palisade.dev/extra-programs.";

/// The host's folders that a container sees, read-only; all others are hidden.
const HOST_FOLDERS: [&str; 9] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt"];

/// Folders that every image has, empty.
const EMPTY_FOLDERS: [(&str, u32); 15] = [
    ("dev", 0o755),
    ("proc", 0o555),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("run", 0o755),
    ("root", 0o700),
    ("home", 0o755),
    ("mnt", 0o755),
    ("srv", 0o755),
    ("var", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/cache", 0o755),
    ("var/run", 0o755),
    ("var/tmp", 0o1777),
];

/// The directory of an image's overlay layer that hides what lies below it.
const OPAQUE: &str = "trusted.overlay.opaque";

/// Where programs are looked for when a command has no slash.
pub(crate) const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The programs of well-known images, by the last part of the image's name.
const KNOWN_PROGRAMS: [(&str, &str); 24] = [
    ("caddy", "/usr/bin/caddy"),
    ("cassandra", "/usr/sbin/cassandra"),
    ("coredns", "/coredns"),
    ("elasticsearch", "/usr/share/elasticsearch/bin/elasticsearch"),
    ("envoy", "/usr/local/bin/envoy"),
    ("etcd", "/usr/local/bin/etcd"),
    ("grafana", "/usr/share/grafana/bin/grafana"),
    ("haproxy", "/usr/local/sbin/haproxy"),
    ("httpd", "/usr/local/apache2/bin/httpd"),
    ("java", "/usr/bin/java"),
    ("mariadb", "/usr/sbin/mariadbd"),
    ("memcached", "/usr/local/bin/memcached"),
    ("mongo", "/usr/bin/mongod"),
    ("mysql", "/usr/sbin/mysqld"),
    ("nats", "/nats-server"),
    ("nginx", "/usr/sbin/nginx"),
    ("node", "/usr/local/bin/node"),
    ("openjdk", "/usr/local/openjdk/bin/java"),
    ("postgres", "/usr/local/bin/postgres"),
    ("prometheus", "/bin/prometheus"),
    ("python", "/usr/local/bin/python3"),
    ("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server"),
    ("redis", "/usr/local/bin/redis-server"),
    ("traefik", "/usr/local/bin/traefik"),
];

/// Programs that scripts in manifests call, by the last part of the image's name: what no host has
/// and what, missing, makes the script spin.
const KNOWN_TOOLS: [(&str, &str); 1] = [("load-test", "/usr/local/bin/locust")];

/// The path of the tool that a script of `image` calls, where one is known.
pub fn tool_of(image: &str) -> Option<PathBuf> {
    let name = last_name(image);
    KNOWN_TOOLS.iter().find(|(known, _)| *known == name).map(|(_, path)| PathBuf::from(path))
}

/// The path of the program that `image` starts when the manifest names no command.
pub fn program_of(image: &str) -> PathBuf {
    let name = last_name(image);
    match KNOWN_PROGRAMS.binary_search_by_key(&name, |(known, _)| known) {
        Ok(index) => PathBuf::from(KNOWN_PROGRAMS[index].1),
        Err(_) => Path::new("/app").join(if name.is_empty() { "program" } else { name }),
    }
}

/// `registry:5000/team/web:1.2@sha256:..` is called `web`.
fn last_name(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split(':').next().unwrap_or_default()
}

/// Where the host has the program `command`, as a container would find it.
pub fn on_the_host(command: &str) -> Option<PathBuf> {
    let visible = |path: &Path| {
        let mut parts = path.components().skip(1);
        let top = parts.next().and_then(|part| part.as_os_str().to_str());
        let shown = top.is_some_and(|top| HOST_FOLDERS.contains(&top));
        let runs = || fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        (shown && runs()).then(|| path.to_owned())
    };
    match command {
        "" => None,
        path if path.starts_with('/') => visible(Path::new(path)),
        path if path.contains('/') => None,
        name => SEARCH_PATH.split(':').find_map(|folder| visible(&Path::new(folder).join(name))),
    }
}

/// Makes the overlay layer of an image in `layer`: `programs` as copies of `stand_in`, each an
/// inode of its own, and everything of the host hidden that no image would have.
///
/// # Errors
/// When the folder cannot be filled.
pub fn build_layer(layer: &Path, programs: &[PathBuf], stand_in: &Path) -> io::Result<()> {
    fs::create_dir_all(layer)?;
    for (folder, mode) in EMPTY_FOLDERS {
        let path = layer.join(folder);
        fs::create_dir_all(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        if !folder.contains('/') {
            hide_below(&path)?;
        }
    }
    for program in programs {
        let path = place_of(program);
        let top = path.components().next().map(|part| layer.join(part));
        let new_top = top.filter(|top| !top.exists());
        let target = layer.join(&path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        if let Some(top) = new_top.filter(|top| top.is_dir() && !is_host_folder(top)) {
            hide_below(&top)?;
        }
        fs::copy(stand_in, &target)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
    }
    for entry in fs::read_dir("/")? {
        let name = entry?.file_name();
        let hidden = layer.join(&name);
        let shown = name.to_str().is_some_and(|name| HOST_FOLDERS.contains(&name));
        if !shown && fs::symlink_metadata(&hidden).is_err() {
            // Overlayfs takes a character device 0:0 for "not there".
            mknod(&hidden, SFlag::S_IFCHR, Mode::empty(), 0)?;
        }
    }
    Ok(())
}

fn is_host_folder(top: &Path) -> bool {
    top.file_name().and_then(|name| name.to_str()).is_some_and(|name| HOST_FOLDERS.contains(&name))
}

fn hide_below(folder: &Path) -> io::Result<()> {
    rustix::fs::setxattr(folder, OPAQUE, b"y", rustix::fs::XattrFlags::empty())?;
    Ok(())
}

/// Where a program lies in a layer. A folder such as `/bin` may be a link on the host; a folder of
/// that name in the layer would hide the link with all behind it.
fn place_of(program: &Path) -> PathBuf {
    let clean: PathBuf = program.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let (Some(parent), Some(name)) = (clean.parent(), clean.file_name()) else { return clean };
    let mut existing = parent.to_owned();
    let mut missing = Vec::new();
    while !existing.as_os_str().is_empty() {
        let top = existing.components().next().and_then(|part| part.as_os_str().to_str());
        if !top.is_some_and(|top| HOST_FOLDERS.contains(&top)) {
            return clean;
        }
        if let Ok(real) = fs::canonicalize(Path::new("/").join(&existing)) {
            let mut place: PathBuf = real.components().skip(1).collect();
            place.extend(missing.iter().rev());
            return place.join(name);
        }
        missing.extend(existing.file_name().map(ToOwned::to_owned));
        existing.pop();
    }
    clean
}

/// The path under which a container sees the program `program` of its image.
pub fn seen_as(program: &Path) -> PathBuf {
    Path::new("/").join(place_of(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_last_name() {
        for (image, program) in [
            ("nginx", "/usr/sbin/nginx"),
            ("docker.io/library/redis:7-alpine", "/usr/local/bin/redis-server"),
            ("registry:5000/shop/orders:1.2@sha256:abcd", "/app/orders"),
            ("", "/app/program"),
        ] {
            assert_eq!(program_of(image), Path::new(program), "{image}");
        }
    }

    #[test]
    fn the_table_of_programs_is_sorted() {
        assert!(KNOWN_PROGRAMS.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn a_program_does_not_hide_a_linked_folder() {
        let bin_is_a_link = fs::symlink_metadata("/bin").is_ok_and(|bin| bin.is_symlink());
        if bin_is_a_link {
            assert_eq!(seen_as(Path::new("/bin/prometheus")), Path::new("/usr/bin/prometheus"));
        }
        assert_eq!(seen_as(Path::new("/usr/sbin/nginx")), Path::new("/usr/sbin/nginx"));
        assert_eq!(seen_as(Path::new("/app/../../orders")), Path::new("/app/orders"));
    }

    #[test]
    fn commands_are_looked_for_as_a_container_would() {
        assert!(on_the_host("sh").is_some() && on_the_host("/bin/sh").is_some());
        assert_eq!(on_the_host("no-such-program"), None);
        assert_eq!(on_the_host("/root/secret"), None);
    }
}
