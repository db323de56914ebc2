//! Attacks by where a process is, and by when a pod comes.

use std::fs;
use std::time::Duration;

use super::capture::Trace;
use super::frame::{self, hexadecimal};
use super::stage::{Outcome, Stage, within};
use super::tool::MARKER;
use super::world::{NODE, NODE_PORT, ORDERS, ORDERS_UDP, OWNED_UDP, PROBED, hasty_pod};

/// A container's root may mount the cgroup file system in namespaces of its own, and make cgroups below its own.
pub fn nested_cgroup(stage: &Stage) -> Outcome {
    let target = format!("{}:{ORDERS}", stage.orders.v4());
    let trace = Trace::From(stage.pod("web").v4(), ORDERS);
    stage.at_orders(trace, || stage.attack("web:shipper", &["nested", &target]))
}

/// A process of another container is moved into the allowed one before it connects: its socket is from before.
pub fn moved_process(stage: &Stage) -> Outcome {
    let pod = stage.pod("web");
    moved(stage, &cgroup_of(pod.pid("nginx")))
}

/// A process is moved out of the pods' cgroups before it connects.
pub fn moved_out(stage: &Stage) -> Outcome {
    moved(stage, &cgroup_of(std::process::id()))
}

fn moved(stage: &Stage, cgroup: &std::path::Path) -> Outcome {
    let from = stage.pod("web").v4();
    let target = format!("{}:{ORDERS}", stage.orders.v4());
    stage.at_orders(Trace::From(from, ORDERS), || {
        let process = stage.start("web:shipper", &["dial", "tcp", &target, "wait"]);
        let pid = attacker_below(process.pid());
        fs::write(cgroup.join("cgroup.procs"), pid.to_string()).expect("it can be moved");
        process.go_on()
    })
}

/// The intruder's process, which `lab exec` started below itself.
fn attacker_below(pid: u32) -> u32 {
    let children = |pid: u32| fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut pid = pid;
    while let Some(child) = children(pid).split_whitespace().next().and_then(|child| child.parse().ok()) {
        pid = child;
    }
    pid
}

fn cgroup_of(pid: u32) -> std::path::PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("procfs");
    let mount = mounts.lines().find_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        (words.get(2) == Some(&"cgroup2")).then(|| words[1].to_owned())
    });
    let list = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the process lives");
    let relative = list.lines().find_map(|line| line.strip_prefix("0::/")).expect("a cgroup of version 2");
    std::path::Path::new(&mount.expect("cgroup2 is mounted")).join(relative)
}

pub fn node_port(stage: &Stage) -> Outcome {
    node_port_of(stage, "172.31.0.11")
}

pub fn node_port_elsewhere(stage: &Stage) -> Outcome {
    node_port_of(stage, "172.31.0.12")
}

/// The pods' network is routed.
pub fn routed(stage: &Stage) -> Outcome {
    let pod = stage.pod("probed");
    let victim = stage.watch(&pod);
    let target = format!("{}:{PROBED}", pod.v4());
    stage.at(&victim, Trace::Marker, || stage.attack("world", &["dial", "tcp", &target]))
}

/// What a node masquerades is not from the node. The victim answers nobody but the prober of its node.
fn node_port_of(stage: &Stage, node: &str) -> Outcome {
    let pod = stage.pod("probed");
    let victim = stage.watch(&pod);
    within(Duration::from_secs(5), || stage.pod("probed").status.ready);
    let target = format!("{node}:{NODE_PORT}");
    stage.at(&victim, Trace::Marker, || stage.attack("world", &["dial", "tcp", &target]))
}

/// A new container speaks as soon as it runs, and must not be heard even once.
pub fn first_packet(stage: &Stage) -> Outcome {
    new_pod(stage, "hasty")
}

pub fn agent_killed(stage: &Stage) -> Outcome {
    stage.kill_agent();
    new_pod(stage, "orphan")
}

fn new_pod(stage: &Stage, name: &str) -> Outcome {
    let path = stage.lab.manifests().with_file_name(format!("{name}.yaml"));
    fs::write(&path, hasty_pod(name, stage.orders.v4())).expect("it can be written");
    stage.victim.forget();
    stage.lab.palisade(&["lab", "pod", "add", "-f", &path.display().to_string()]);
    let pod = stage.pod(name);
    std::thread::sleep(Duration::from_millis(300));
    Outcome { arrived: stage.victim.saw(Trace::Any(pod.v4())), said: String::new() }
}

/// A datagram of the new pod by a packet socket, which no hook of the pods' cgroups sees.
pub fn frame_of_orphan(stage: &Stage) -> Outcome {
    let pod = stage.pod("orphan");
    let (from, to) = (pod.v4(), stage.orders.v4());
    let packet = frame::ip(from, to, frame::UDP, &frame::udp(from, to, (4444, ORDERS_UDP), MARKER));
    let frame = hexadecimal(&frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV4, &packet));
    stage.at_orders(Trace::Marker, || stage.attack("orphan", &["frames", "eth0", &frame]))
}

/// The same frame to somebody outside, where no pod's veth is on the way.
pub fn frame_of_orphan_to_outside(stage: &Stage) -> Outcome {
    let pod = stage.pod("orphan");
    let (from, to) = (pod.v4(), std::net::IpAddr::from([203, 0, 113, 9]));
    let packet = frame::ip(from, to, frame::UDP, &frame::udp(from, to, (4444, ORDERS_UDP), MARKER));
    let frame = hexadecimal(&frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV4, &packet));
    let victim = stage.watch_world();
    stage.at(&victim, Trace::Marker, || stage.attack("orphan", &["frames", "eth0", &frame]))
}

/// The same to a port of its own node.
pub fn frame_of_orphan_to_node(stage: &Stage) -> Outcome {
    let pod = stage.pod("orphan");
    let (from, to) = (pod.v6(), NODE);
    let packet = frame::ip(from, to, frame::UDP, &frame::udp(from, to, (4444, 10_255), MARKER));
    let frame = hexadecimal(&frame::ethernet(pod.gateway_mac, pod.mac, frame::IPV6, &packet));
    let node = stage.listen_on_node("[::]:10255");
    stage.at(&node, Trace::Marker, || stage.attack("orphan", &["frames", "eth0", &frame]))
}

/// A pod that may ask more than one packet holds.
pub fn asked_much(stage: &Stage) -> Outcome {
    let targets =
        [stage.orders.v4(), stage.orders.v6()].map(|to| std::net::SocketAddr::new(to, ORDERS_UDP).to_string());
    let said: String = targets.iter().map(|target| stage.attack("neighbour", &["ask-much", target])).collect();
    Outcome { arrived: said.matches("ok answered").count() == 2, said }
}

/// With one capability more than the default (NET_ADMIN) a pod that may send to orders translates what it sends.
pub fn translated(stage: &Stage) -> Outcome {
    let pod = stage.pod("probed");
    let rules = format!(
        "table ip own {{ chain out {{ type nat hook output priority -100; ip daddr {} dnat to {}\n}}\n}}",
        stage.orders.v4(),
        pod.v4()
    );
    let made = stage.run("selfmade", &["nft", &rules]);
    let victim = stage.watch(&pod);
    let target = format!("{}:{ORDERS_UDP}", stage.orders.v4());
    let outcome = stage.at(&victim, Trace::Marker, || stage.attack("selfmade", &["dial", "udp", &target]));
    stage.run("selfmade", &["nft", "delete table ip own"]);
    Outcome { said: made + &outcome.said, ..outcome }
}

/// A pod that may ask; the answer needs no rule.
pub fn asked_and_answered(stage: &Stage) -> Outcome {
    let target = format!("{}:{ORDERS_UDP}", stage.orders.v4());
    let said = stage.attack("neighbour", &["ask", &target]);
    Outcome { arrived: said.contains("ok answered"), said }
}

/// One pod opens many flows, as many as it may; a connection and a question of another go on.
pub fn flood(stage: &Stage) -> Outcome {
    let (tcp, udp) = (format!("{}:{ORDERS}", stage.orders.v4()), format!("{}:9000", stage.orders.v4()));
    let held = stage.start("neighbour", &["converse", &tcp]);
    let flooded = stage.attack("flooder", &["flood", &udp, FLOOD]);
    let went_on = held.go_on();
    let asked = asked_and_answered(stage);
    let arrived = asked.arrived && went_on.contains("ok answered");
    Outcome { arrived, said: format!("{flooded}{went_on}{}", asked.said) }
}

/// The world may not reach the pod, and tries so often that there is no room for its tries; its node may.
pub fn prober_under_flood(stage: &Stage) -> Outcome {
    let pod = stage.pod("probed");
    let victim = stage.watch(&pod);
    let (flooded, target) = (format!("{}:9000", pod.v4()), format!("{}:{PROBED}", pod.v4()));
    let said = stage.attack("world", &["flood", &flooded, FLOOD]);
    let outcome = stage.at(&victim, Trace::Marker, || stage.attack("node/node1", &["dial", "tcp", &target]));
    Outcome { said: said + &outcome.said, ..outcome }
}

/// A connection that is allowed by its program alone; meanwhile the world tries, more often than any table has room for.
pub fn connection_under_flood(stage: &Stage) -> Outcome {
    let script = format!(
        "exec 30<>/dev/tcp/{}/{ORDERS}; echo ready; read; echo hello >&30; read -t 1 answer <&30 && echo ok $answer",
        stage.orders.v4()
    );
    let held = stage.start_command("web:shell", &["bash", "-c", &script]);
    let said = flood_by_the_world(stage);
    let rest = held.go_on();
    Outcome { arrived: rest.contains("ok hello"), said: said + &rest }
}

/// More than any table of flows is likely to hold for one pod.
const FLOOD: &str = "20000";

/// A server under closed egress takes its time to answer; meanwhile another pod fills what the guard remembers.
pub fn answer_under_flood(stage: &Stage) -> Outcome {
    slow_answer(stage, "ask-patiently", || stage.attack("flooder", &["flood-itself", FLOOD]))
}

/// The same, and the world tries to reach a pod that it may not.
pub fn answer_under_flood_of_the_world(stage: &Stage) -> Outcome {
    slow_answer(stage, "ask-patiently", || flood_by_the_world(stage))
}

pub fn connected_answer_under_flood(stage: &Stage) -> Outcome {
    slow_answer(stage, "ask-connected", || flood_by_the_world(stage))
}

/// More often than any table has room for.
fn flood_by_the_world(stage: &Stage) -> String {
    let flooded = format!("{}:9000", stage.pod("probed").v4());
    stage.attack("world", &["flood", &flooded, "60000"])
}

fn slow_answer(stage: &Stage, how: &str, flood: impl FnOnce() -> String) -> Outcome {
    let mut server = stage.start("shared:owner", &["serve-slowly", &format!("0.0.0.0:{OWNED_UDP}")]);
    let target = format!("{}:{OWNED_UDP}", stage.pod("shared").v4());
    let client = stage.start("neighbour", &[how, &target]);
    assert_eq!(server.next_line(), "came");
    let flooded = flood();
    let served = server.go_on();
    let said = client.go_on();
    Outcome { arrived: said.contains("ok answered"), said: format!("{flooded}{served}{said}") }
}
