//! A lab made by hand: two pods of one node.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use palisade_agent::{Agent, Config};
use palisade_bpf::cgroup;
use palisade_model::flow::FlowRecord;
use serde_json::{Value, json};

use crate::puppet::Puppet;

static NEXT: AtomicU32 = AtomicU32::new(0);

pub const WEB: &str = "10.244.1.2";
pub const DB: &str = "10.244.1.3";

/// The body of a test that needs root: skipped, or failed on CI, when it cannot run.
pub fn privileged(test: impl FnOnce()) {
    let why = if !rustix::process::geteuid().is_root() {
        "root is needed to attach programs".to_string()
    } else if let Err(error) = cgroup::mount_point() {
        error.to_string()
    } else {
        test();
        return;
    };
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "cannot run on CI: {why}");
    eprintln!("SKIPPED: {why}");
}

/// The state folder, the cgroups and the roots; dropping it removes everything.
pub struct Lab {
    pub folder: PathBuf,
    pub state: PathBuf,
    cgroup: PathBuf,
    /// The node's network: that of the thread that made the lab.
    netns: PathBuf,
    roots: Vec<PathBuf>,
    pods: BTreeMap<String, Value>,
    containers: BTreeMap<String, Value>,
}

impl Lab {
    /// The pods `shop/web` (containers `nginx` and `side`) and `shop/db`, without any rule.
    pub fn new() -> Self {
        let name = format!("palisade-agent-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&name);
        let state = folder.join("state");
        fs::create_dir_all(state.join("cluster")).expect("a folder");
        fs::create_dir_all(folder.join("manifests")).expect("a folder");
        let cgroup = cgroup::mount_point().expect("checked").join(&name).join("node1/kubepods");
        fs::create_dir_all(&cgroup).expect("a cgroup");
        // SAFETY: only this thread, and what it starts, moves to a new network namespace.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.expect("a network namespace");
        run("ip", &["link", "set", "lo", "up"]);
        for address in [WEB, DB] {
            run("ip", &["address", "add", &format!("{address}/32"), "dev", "lo"]);
        }
        let thread = rustix::thread::gettid();
        let netns = PathBuf::from(format!("/proc/{}/task/{thread}/ns/net", std::process::id()));
        let (pods, containers) = (BTreeMap::new(), BTreeMap::new());
        let mut lab = Self { folder, state, cgroup, netns, roots: Vec::new(), pods, containers };
        lab.add_pod("web", WEB, &["nginx", "side"]);
        lab.add_pod("db", DB, &["postgres"]);
        lab.publish();
        lab
    }

    /// A pod with its cgroups; told to the agent by [`Lab::publish`].
    pub fn add_pod(&mut self, name: &str, address: &str, containers: &[&str]) {
        for container in containers {
            fs::create_dir_all(self.cgroup_of(name, container)).expect("a cgroup");
        }
        let port = |container: &str| if container == "postgres" { json!([{"containerPort": 5432}]) } else { json!([]) };
        let specs: Vec<Value> =
            containers.iter().map(|name| json!({"name": name, "image": name, "ports": port(name)})).collect();
        let statuses: Vec<Value> = containers
            .iter()
            .map(|container| {
                json!({"name": container, "ready": true, "started": true,
                       "containerID": format!("palisade://{name}-{container}")})
            })
            .collect();
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": {"app": name}},
            "spec": {"nodeName": "node1", "containers": specs,
                     "resources": {}, "serviceAccountName": "default"},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": "172.31.0.11",
                       "containerStatuses": statuses},
        });
        self.pods.insert(name.to_string(), pod);
    }

    /// Gives a pod another `app` label.
    pub fn relabel(&mut self, pod: &str, app: &str) {
        self.pods.get_mut(pod).expect("there is one")["metadata"]["labels"]["app"] = json!(app);
    }

    pub fn cgroup_of(&self, pod: &str, container: &str) -> PathBuf {
        self.cgroup.join(format!("burstable/poduid-{pod}/{pod}-{container}"))
    }

    /// Tells of a container's first process.
    pub fn started(&mut self, pod: &str, container: &str, pid: u32) {
        let entry =
            json!({"pid": pid, "podUid": format!("uid-{pod}"), "name": container, "namespace": "shop", "pod": pod});
        self.containers.insert(format!("{pod}-{container}"), entry);
    }

    /// Writes the state as the lab does: live objects first, then `lab.json`.
    pub fn publish(&self) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": self.pods.values().collect::<Vec<_>>()});
        replace(&self.state.join("cluster/pods.yaml"), &list.to_string());
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node1"},
                          "status": {"addresses": [{"type": "InternalIP", "address": "172.31.0.11"}]}});
        replace(&self.state.join("cluster/nodes.yaml"), &node.to_string());
        let state = json!({
            "name": "by-hand", "pid": std::process::id(),
            "manifests": [self.folder.join("manifests")], "cluster": self.state.join("cluster"),
            "nodes": [{"name": "node1", "address": "172.31.0.11", "netns": self.netns, "cgroup": self.cgroup}],
            "containers": self.containers,
        });
        replace(&self.state.join("lab.json"), &state.to_string());
    }

    /// A rule file of the user.
    pub fn rules(&self, text: &str) {
        replace(&self.folder.join("manifests/rules.yaml"), text);
    }

    /// A container's root: the machine's, with copies of this executable at `programs`, and a layer to write to.
    pub fn root(&mut self, name: &str, programs: &[&str]) -> PathBuf {
        let base = self.folder.join(format!("root-{name}"));
        // Layers may not lie within each other: these are on a file system of their own.
        fs::create_dir_all(&base).expect("a folder");
        run("mount", &["-t", "tmpfs", "tmpfs", base.to_str().expect("plain")]);
        self.roots.push(base.clone());
        let (layer, merged) = (base.join("layer"), base.join("merged"));
        for folder in ["layer", "upper", "work", "merged"] {
            fs::create_dir_all(base.join(folder)).expect("a folder");
        }
        for program in programs {
            let path = layer.join(program.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("below the root")).expect("a folder");
            fs::copy(std::env::current_exe().expect("this executable"), path).expect("a copy");
        }
        let options = format!(
            "lowerdir={}:/,upperdir={},workdir={}",
            layer.display(),
            base.join("upper").display(),
            base.join("work").display()
        );
        run("mount", &["-t", "overlay", "overlay", "-o", &options, merged.to_str().expect("plain")]);
        self.roots.push(merged.clone());
        merged
    }

    /// Mounts a folder over another, until the lab goes.
    pub fn bind(&mut self, folder: &Path, over: &Path) {
        run("mount", &["--bind", folder.to_str().expect("plain"), over.to_str().expect("plain")]);
        self.roots.push(over.to_path_buf());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        palisade_agent::unload(&self.state).expect("unloaded");
        for root in self.roots.iter().rev() {
            run("umount", &["--lazy", root.to_str().expect("plain")]);
        }
        let _ = fs::remove_dir_all(&self.folder);
        remove_cgroups(self.cgroup.ancestors().nth(2).expect("below the mount"));
    }
}

fn remove_cgroups(cgroup: &Path) {
    for entry in fs::read_dir(cgroup).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&entry.path());
        }
    }
    let end = Instant::now() + Duration::from_secs(2);
    while fs::remove_dir(cgroup).is_err() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("written");
    fs::rename(new, path).expect("renamed");
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An agent in a thread of its own.
pub struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    socket: PathBuf,
}

impl Running {
    pub fn start(lab: &Lab) -> Self {
        let config =
            Config { state: lab.state.clone(), node: None, manifests: Vec::new(), flows: palisade_agent::FLOWS };
        let socket = config.socket();
        let stop = Arc::new(AtomicBool::new(false));
        let (asked, told) = (stop.clone(), std::sync::mpsc::channel());
        let (sender, receiver) = told;
        let thread = std::thread::spawn(move || {
            let mut agent = Agent::start(config).unwrap_or_else(|error| panic!("{error}: {:?}", error));
            sender.send(()).expect("somebody waits");
            agent.run(&asked).expect("runs");
        });
        receiver.recv_timeout(Duration::from_secs(20)).expect("started");
        Self { stop, thread: Some(thread), socket }
    }

    /// One question, one line.
    pub fn ask(&self, question: &Value) -> Value {
        let mut lines = self.stream(question);
        let mut line = String::new();
        lines.read_line(&mut line).expect("answered");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    pub fn observe(&self, since: &str) -> Observer {
        Observer { lines: self.stream(&json!({"observe": {"since": since}})) }
    }

    fn stream(&self, question: &Value) -> BufReader<UnixStream> {
        let mut stream = UnixStream::connect(&self.socket).expect("the agent listens");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        writeln!(stream, "{question}").expect("asked");
        BufReader::new(stream)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A stream of records.
pub struct Observer {
    lines: BufReader<UnixStream>,
}

impl Observer {
    /// All records until there are enough.
    pub fn until(&mut self, enough: impl Fn(&[FlowRecord]) -> bool) -> Vec<FlowRecord> {
        let mut records = Vec::new();
        while !enough(&records) {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap_or_else(|error| panic!("{error}, after {records:#?}"));
            records.push(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
        }
        records
    }

    /// The next record of that process.
    pub fn of(&mut self, puppet: &Puppet) -> FlowRecord {
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("a record within the deadline");
            let Ok(record) = serde_json::from_str::<FlowRecord>(&line) else {
                panic!("no record: {line}");
            };
            if record.from.pid == Some(puppet.pid()) {
                return record;
            }
        }
    }
}
