//! A lab for one case, and what is left of it afterwards.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use palisade_lab::stand_in::attempt::{Answer, Try};
use palisade_lab::{LabFile, LabName, PodStatus, RunningLab, Status, read_lab_file};

/// No condition takes longer on a machine that is not broken.
const DEADLINE: Duration = Duration::from_secs(30);

/// Why these tests cannot run here, if they cannot.
pub fn missing() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("the lab needs root".to_owned());
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if !mounts.contains(" - cgroup2 ") {
        return Some("no cgroup2 is mounted".to_owned());
    }
    ["ip", "nft"]
        .into_iter()
        .find(|tool| Command::new(tool).arg("-V").output().is_err())
        .map(|tool| format!("`{tool}` is missing"))
}

/// Waits until `condition` holds.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A lab that goes when the case ends.
pub struct Lab {
    pub name: LabName,
    folder: PathBuf,
    foreground: Option<Child>,
}

/// This executable, told to be the lab's command.
pub fn lab_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test has an executable"));
    command.args(arguments).env(super::AS_COMMAND, "1").stdin(Stdio::null());
    command
}

impl Lab {
    /// A lab that is not up yet.
    pub fn named(case: &str) -> Self {
        let name = format!("test-{case}-{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        fs::create_dir_all(&folder).expect("the temporary folder takes a folder");
        Self { name: name.parse().expect("a good name"), folder, foreground: None }
    }

    /// Writes `yaml` beside the others, and returns its path.
    pub fn manifest(&self, file: &str, yaml: &str) -> String {
        let path = self.folder.join(file);
        fs::write(&path, yaml).expect("the temporary folder takes a file");
        path.display().to_string()
    }

    /// A lab of `yaml` on `nodes` nodes, up.
    pub fn up(case: &str, nodes: u8, yaml: &str) -> Self {
        let lab = Self::named(case);
        let output = lab.try_up(nodes, yaml);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        lab
    }

    pub fn try_up(&self, nodes: u8, yaml: &str) -> Output {
        let path = self.manifest("lab.yaml", yaml);
        let nodes = nodes.to_string();
        let name = self.name.as_str();
        let arguments = ["up", "--name", name, "-f", &path, "--nodes", &nodes, "--rhythm-ms", "300", "--detach"];
        lab_command(&arguments).output().expect("the test's executable runs")
    }

    /// A lab in the foreground, up.
    pub fn up_in_foreground(case: &str, yaml: &str) -> Self {
        let mut lab = Self::named(case);
        let path = lab.manifest("lab.yaml", yaml);
        let mut command = lab_command(&["up", "--name", lab.name.as_str(), "-f", &path]);
        lab.foreground = Some(command.stderr(Stdio::null()).spawn().expect("the test's executable runs"));
        wait_for("the lab is up", || {
            lab.try_status().is_some_and(|status| status.pods.len() > 1 && status.pods.iter().all(|pod| pod.ready))
        });
        lab
    }

    /// The process in the foreground.
    pub fn foreground(&mut self) -> &mut Child {
        self.foreground.as_mut().expect("the lab is in the foreground")
    }

    pub fn open(&self) -> RunningLab {
        RunningLab::open(&self.name).expect("the lab runs")
    }

    pub fn try_status(&self) -> Option<Status> {
        RunningLab::open(&self.name).ok()?.status().ok()
    }

    pub fn status(&self) -> Status {
        self.open().status().expect("the supervisor answers")
    }

    pub fn file(&self) -> LabFile {
        read_lab_file(&self.name.state_dir().lab_file()).expect("a running lab has a `lab.json`")
    }

    /// The first pod of `namespace/workload`, or the pod of that name.
    pub fn pod(&self, reference: &str) -> PodStatus {
        self.pods(reference).into_iter().next().unwrap_or_else(|| panic!("no pod {reference}"))
    }

    pub fn pods(&self, reference: &str) -> Vec<PodStatus> {
        let (namespace, name) = reference.split_once('/').expect("namespace/name");
        let is_meant = |pod: &PodStatus| {
            pod.namespace == namespace && (pod.name == name || pod.name.starts_with(&format!("{name}-")))
        };
        self.status().pods.into_iter().filter(is_meant).collect()
    }

    /// What `command` prints, run in `pod` (`world`, `node:NAME`, `NS/POD` or `NS/POD:CONTAINER`).
    pub fn exec(&self, at: &str, command: &[&str]) -> Output {
        self.exec_with_input(at, command, "")
    }

    pub fn exec_with_input(&self, at: &str, command: &[&str], input: &str) -> Output {
        let mut arguments = vec!["exec", "--name", self.name.as_str()];
        match at.split_once(':') {
            _ if at == "world" => arguments.push("--world"),
            Some(("node", node)) => arguments.extend(["--node", node]),
            Some((pod, container)) => arguments.extend([pod, "-c", container]),
            None => arguments.push(at),
        }
        arguments.push("--");
        arguments.extend(command);
        let mut child = lab_command(&arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the test's executable runs");
        let mut stdin = child.stdin.take().expect("it was piped");
        // A command that reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("the command ends")
    }

    /// The standard output of a command that must succeed.
    pub fn output(&self, at: &str, command: &[&str]) -> String {
        let output = self.exec(at, command);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{at} {command:?}: {} {error}", output.status);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Makes `tries` at `at`, by the program at `program`.
    pub fn tries(&self, at: &str, program: &str, tries: &[Try]) -> Vec<Answer> {
        let lines: Vec<_> =
            tries.iter().map(|attempt| serde_json::to_string(attempt).expect("a try is plain data")).collect();
        let output = self.exec_with_input(at, &[program, "call", "-"], &format!("{}\n", lines.join("\n")));
        let text = String::from_utf8_lossy(&output.stdout);
        let answers: Vec<Answer> =
            text.lines().map(|line| serde_json::from_str(line).expect("an answer a line")).collect();
        assert_eq!(answers.len(), tries.len(), "{}", String::from_utf8_lossy(&output.stderr));
        answers
    }

    /// Who answers HTTP at `target`, asked from `at`.
    pub fn who_answers(&self, at: &str, program: &str, target: &str) -> Result<String, String> {
        let ask = Try { send: Some("GET / HTTP/1.0\r\n\r\n".to_owned()), ..Try::tcp(target) };
        let answer = self.tries(at, program, &[ask]).remove(0);
        match answer.answer {
            Some(text) => Ok(text.rsplit("\r\n").next().unwrap_or_default().trim().to_owned()),
            None => Err(answer.error.unwrap_or_default()),
        }
    }

    pub fn down(&self) {
        palisade_lab::down(&self.name).expect("a lab can be ended");
    }

    /// What of this lab is on the machine now.
    pub fn traces(&self) -> Traces {
        let cgroup = self.cgroup();
        let mut processes = processes_below(&cgroup);
        let file = read_lab_file(&self.name.state_dir().lab_file());
        processes.extend(file.iter().map(|file| file.pid));
        processes.extend(file.iter().flat_map(|file| file.containers.values().map(|container| container.pid)));
        let networks =
            processes.iter().filter_map(|pid| Some(fs::metadata(format!("/proc/{pid}/ns/net")).ok()?.ino())).collect();
        Traces {
            cgroup,
            state: self.name.state_dir().path().to_owned(),
            name: self.name.to_string(),
            processes,
            networks,
            own: own_network(),
        }
    }

    /// Mounts a bpffs with a pin's folder in it where the agent does.
    pub fn mount_pins(&self) {
        let folder = self.name.state_dir().path().join("bpf");
        fs::create_dir(&folder).expect("the lab's folder takes one");
        let none: Option<&str> = None;
        nix::mount::mount(Some("bpf"), &folder, Some("bpf"), nix::mount::MsFlags::empty(), none)
            .expect("bpffs can be mounted");
        fs::create_dir_all(folder.join("node1/maps")).expect("a bpffs takes folders");
    }

    pub fn cgroup(&self) -> PathBuf {
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("there is a mount table");
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("cgroup2 is mounted");
        Path::new(mount.split(' ').nth(4).expect("a mount has a point")).join(self.name.cgroup())
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let state = self.name.state_dir();
        if std::thread::panicking() {
            let log = fs::read_to_string(state.supervisor_log()).unwrap_or_default();
            eprintln!("--- what the lab said:\n{log}");
        }
        let _ = palisade_lab::down(&self.name);
        if let Some(mut child) = self.foreground.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a lab has on the machine.
pub struct Traces {
    cgroup: PathBuf,
    state: PathBuf,
    name: String,
    pub processes: BTreeSet<u32>,
    networks: BTreeSet<u64>,
    own: u64,
}

impl Traces {
    /// Waits until nothing of it is left.
    pub fn wait_until_gone(&self) {
        assert!(self.processes.len() > 3, "there was a lab");
        wait_for("its processes are gone", || self.processes.iter().all(|pid| is_gone(*pid)));
        wait_for("its namespaces are gone", || {
            let living = living_networks();
            self.networks.iter().all(|network| *network == self.own || !living.contains(network))
        });
        wait_for("its cgroups are gone", || !self.cgroup.exists());
        wait_for("its folder is gone", || !self.state.exists());
        wait_for("its mounts are gone", || {
            let mounts = fs::read_to_string("/proc/self/mountinfo").expect("there is a mount table");
            !mounts.contains(&self.name)
        });
        let links = Command::new("ip").args(["-o", "link"]).output().expect("`ip` runs");
        let links = String::from_utf8_lossy(&links.stdout).into_owned();
        assert!(!links.contains(" pod-") && !links.contains("underlay"), "a link is left: {links}");
    }

    /// Waits until its processes alone are gone.
    pub fn wait_until_dead(&self) {
        wait_for("its processes are gone", || self.processes.iter().all(|pid| is_gone(*pid)));
    }
}

fn own_network() -> u64 {
    fs::metadata("/proc/self/ns/net").expect("a process has a network").ino()
}

fn living_networks() -> BTreeSet<u64> {
    let entries = fs::read_dir("/proc").expect("`/proc` is there").flatten();
    entries.filter_map(|entry| Some(fs::metadata(entry.path().join("ns/net")).ok()?.ino())).collect()
}

/// A zombie is gone as far as it can go.
fn is_gone(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => true,
    }
}

fn processes_below(cgroup: &Path) -> BTreeSet<u32> {
    let own = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    let mut processes: BTreeSet<u32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            processes.extend(processes_below(&entry.path()));
        }
    }
    processes
}
