//! What a named program is: a file of the image that nobody has touched since.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use palisade_bpf::layout::JudgedEvent;
use palisade_bpf::layout::constants::{PROGRAM_FORGED, PROGRAM_NAMED, PROGRAM_UPPER_LAYER};
use palisade_bpf::tables::{FileKey, Program};
use palisade_bpf::{Guard, Tables, program_file};

use crate::privileged;
use crate::puppet::{Came, Puppet, REFUSED};
use crate::world::{ALLOW, DENY, SELF, World, await_judged, cell, container, file_key, listener, run, tables};

/// An overlay as container runtimes make it: the image below on one file system, what is written above on another.
struct Overlay {
    merged: PathBuf,
    upper: PathBuf,
}

impl Overlay {
    fn new(world: &World, programs: &[&str]) -> Self {
        let (lower, upper, merged) =
            (world.folder.join("lower"), world.folder.join("upper"), world.folder.join("root"));
        for folder in [&lower, &upper, &merged] {
            fs::create_dir(folder).expect("a folder");
        }
        for program in programs {
            fs::copy(std::env::current_exe().expect("this executable"), lower.join(program)).expect("a copy");
        }
        run("mount", &["-t", "tmpfs", "tmpfs", upper.to_str().expect("plain")]);
        for folder in ["upper", "work"] {
            fs::create_dir(upper.join(folder)).expect("a folder");
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.join("upper").display(),
            upper.join("work").display()
        );
        run("mount", &["-t", "overlay", "overlay", "-o", &options, merged.to_str().expect("plain")]);
        Self { merged, upper }
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        for mount in [&self.merged, &self.upper] {
            run("umount", &["--lazy", mount.to_str().expect("plain")]);
        }
    }
}

/// One container, in which each of `files` is named and may connect, and nothing else may.
fn only(revision: u64, id: u64, files: &[FileKey]) -> Tables {
    let mut rules = tables(revision);
    rules.containers = vec![container(id, 0, 10)];
    rules.programs = files.iter().map(|file| Program { container: id, file: *file, class: 11 }).collect();
    rules.cells = vec![cell(10, SELF, DENY), cell(11, SELF, ALLOW)];
    rules
}

fn try_it(guard: &mut Guard, program: &Path, cgroup: &Path, to: std::net::SocketAddr) -> (Came, JudgedEvent) {
    let mut puppet = Puppet::start(program, cgroup);
    let came = puppet.connect(to);
    let event = await_judged(guard, puppet.pid());
    (came, event)
}

#[test]
fn a_file_of_the_image_is_known_by_what_the_kernel_sees() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let overlay = Overlay::new(&world, &["nginx"]);
        let nginx = overlay.merged.join("nginx");
        let key = program_file::below(&overlay.merged, "/nginx").expect("resolved");
        let mut guard = world.guard();
        guard.install(&only(1, id, &[key])).expect("installed");

        let (came, event) = try_it(&mut guard, &nginx, &web, to);
        assert_eq!(FileKey::from(event.program), key);
        assert_eq!((came, event.program_flags), (Came::Through, PROGRAM_NAMED));
    });
}

#[test]
fn what_was_written_to_the_container_is_never_a_named_program() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let overlay = Overlay::new(&world, &["overwritten", "touched", "linked", "replaced"]);
        let file = |name: &str| overlay.merged.join(name);
        let key = |name: &str| program_file::below(&overlay.merged, name).expect("resolved");
        let mut guard = world.guard();
        let before: Vec<FileKey> = ["overwritten", "touched", "linked", "replaced"].map(key).to_vec();
        guard.install(&only(1, id, &before)).expect("installed");

        let same = fs::read(file("overwritten")).expect("read");
        let mut open = fs::OpenOptions::new().write(true).open(file("overwritten")).expect("opened");
        open.write_all(&same).expect("written");
        drop(open);
        drop(fs::OpenOptions::new().write(true).open(file("touched")).expect("opened"));
        fs::hard_link(file("linked"), file("second-name")).expect("linked");
        fs::remove_file(file("replaced")).expect("removed");
        fs::write(file("replaced"), &same).expect("written");
        fs::set_permissions(file("replaced"), fs::Permissions::from_mode(0o755)).expect("executable");
        for name in ["overwritten", "touched", "linked", "second-name", "replaced"] {
            let (came, event) = try_it(&mut guard, &file(name), &web, to);
            assert_eq!(came, REFUSED, "{name}: {event:?}");
            assert_eq!(event.program_flags, PROGRAM_UPPER_LAYER, "{name}");
        }

        // Named by the rules after it was written: the key fits, and it is still not of the image.
        let after: Vec<FileKey> = ["overwritten", "touched", "replaced"].map(key).to_vec();
        guard.install(&only(2, id, &after)).expect("installed");
        for name in ["overwritten", "touched", "replaced"] {
            let (came, event) = try_it(&mut guard, &file(name), &web, to);
            assert_eq!((came, event.class), (REFUSED, 10), "{name}: {event:?}");
        }
    });
}

#[test]
fn a_process_that_poses_as_a_named_program_is_not_it() {
    privileged(|| {
        let world = World::new();
        let (_listener, to) = listener();
        let (web, id) = world.make_cgroup("pod1/web");
        let (nginx, malware) = (world.program("nginx"), world.program("malware"));
        let mut guard = world.guard();
        guard.install(&only(1, id, &[file_key(&nginx)])).expect("installed");
        let mut puppet = Puppet::start(&malware, &web);
        let answer = puppet.tell(&format!("pose-as {}", nginx.display()));
        assert_eq!(answer, "ok", "the attack itself must work for this test to say anything");
        let shown = fs::read_link(format!("/proc/{}/exe", puppet.pid())).expect("read");
        assert_eq!(shown, nginx);
        assert_eq!(puppet.connect(to), REFUSED);
        let event = await_judged(&mut guard, puppet.pid());
        assert_eq!((event.program_flags, event.class), (PROGRAM_FORGED, 10));
        assert_eq!(FileKey::from(event.program), file_key(&nginx));
    });
}
