//! At the host side of a pod's veth: nothing leaves a pod but what its sockets were allowed, and nothing comes in but what
//! the pod's own end allows.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use palisade_bpf::layout::FlowEvent;
use palisade_bpf::layout::constants as c;
use palisade_bpf::tables::{Decision, Network, ReceiverCell, Refusal, Source, UnknownPods};
use palisade_bpf::{Event, Guard, Tables, network};

use crate::earlier::only_the_program;
use crate::privileged;
use crate::puppet::{Came, Puppet};
use crate::routes::{GATEWAY, ip, make_node};
use crate::wire::{Pod, udp};
use crate::world::{ALLOW, DENY, TCP, UDP, WORLD, World, all_ports, await_event, cell, container, tables, udp_cell};

/// Over IPv4 and over IPv6.
const OWN_NODE: [u32; 2] = [0, 3];
const ANYBODY: u32 = 9;

/// Two guarded pods of a node.
pub struct Wire {
    pub world: World,
    pub node: std::fs::File,
    pub guard: Guard,
    pub one: Pod,
    pub two: Pod,
    pub program: std::path::PathBuf,
}

impl Wire {
    /// Two pods: `one` may reach everybody, `two` nobody; both let in whoever is allowed to by the sender's tables, and the
    /// node, and nobody else.
    pub fn new() -> Self {
        let world = World::new();
        let node = make_node();
        let (one, two) = (Pod::new(&world, 2), Pod::new(&world, 3));
        let program = world.program("program");
        let guard = world.guard();
        Self { world, node, guard, one, two, program }
    }

    pub fn tables(&self, revision: u64) -> Tables {
        let mut rules = tables(revision);
        for pod in [&self.one, &self.two] {
            let subject = u32::from(pod.number);
            rules.containers.push(container(pod.container_id, subject, 10 * subject));
            rules.veths.push(pod.veth(Refusal::Reset));
            for address in pod.addresses() {
                let prefix = if address.is_ipv4() { 32 } else { 128 };
                rules.destinations.push(Network {
                    address,
                    prefix,
                    destination: 100 + subject,
                    own_subject: Some(subject),
                });
            }
            for protocol in [TCP, UDP, 0] {
                let cell = |source, port_table| ReceiverCell { receiver: subject, source, protocol, port_table };
                rules.receiver_cells.extend(OWN_NODE.map(|own| cell(own, ALLOW)));
                rules.receiver_cells.push(cell(ANYBODY, DENY));
            }
        }
        let any = |address: &str| Source { address: address.parse().expect("an address"), prefix: 0, source: ANYBODY };
        rules.sources = vec![any("0.0.0.0"), any("::")];
        for destination in [WORLD, 102, 103] {
            rules.cells.extend([cell(20, destination, ALLOW), udp_cell(20, destination, ALLOW)]);
            rules.cells.extend([cell(30, destination, DENY), udp_cell(30, destination, DENY)]);
        }
        rules
    }

    pub fn install(&mut self, rules: &Tables) {
        self.guard.install(rules).expect("installed");
        let interfaces: Vec<u32> = rules.veths.iter().map(|veth| veth.interface).collect();
        self.guard.guard_links(&self.node, &interfaces, &[]).expect("attached");
    }

    pub fn dropped(&self, reason: &str) -> u64 {
        self.guard.counters().expect("counters").value(&format!("dropped-{reason}"))
    }

    fn start(&mut self) -> (Puppet, Puppet) {
        let rules = self.tables(1);
        self.install(&rules);
        (self.one.puppet(&self.program), self.two.puppet(&self.program))
    }
}

/// A server in a pod that holds what it accepts.
pub fn serve(pod: &Pod, address: IpAddr) -> (SocketAddr, std::sync::mpsc::Receiver<TcpStream>) {
    let listener = pod.inside(|| TcpListener::bind((address, 0)).expect("a listener"));
    let at = listener.local_addr().expect("an address");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if sender.send(stream).is_err() {
                break;
            }
        }
    });
    (at, receiver)
}

/// A connection from the first pod to the second, by its server's end; the puppet holds the other.
fn held(wire: &Wire, one: &mut Puppet) -> TcpStream {
    let (at, accepted) = serve(&wire.two, wire.two.four.into());
    assert_eq!(one.tell(&format!("hold {at}")), "ok");
    accepted.recv_timeout(Duration::from_secs(3)).expect("accepted")
}

pub fn await_flow(guard: &mut Guard, mut wanted: impl FnMut(&FlowEvent) -> bool) -> FlowEvent {
    await_event(guard, |event| match event {
        Event::Flow(flow) if wanted(flow) => Some(*flow),
        _ => None,
    })
}

#[test]
fn a_connect_between_pods_is_judged_at_both_ends_and_its_end_is_told() {
    privileged(|| {
        let mut wire = Wire::new();
        let (mut one, mut two) = wire.start();
        for (from, to) in wire.one.addresses().into_iter().zip(wire.two.addresses()) {
            let (at, accepted) = serve(&wire.two, to);
            assert_eq!(one.connect(at), Came::Through);
            drop(accepted.recv_timeout(Duration::from_secs(3)).expect("accepted"));
            let started =
                await_flow(&mut wire.guard, |event| event.phase == c::PHASE_START && event.key.pod_port == at.port());
            assert_eq!(started.pod, wire.two.cgroup_id);
            assert_eq!(u32::from(started.flow.strength), c::STRENGTH_SAME_NODE);
            assert_eq!((started.flow.container, started.flow.enforced), (wire.one.container_id, 1));
            let ended = await_flow(&mut wire.guard, |event| {
                event.phase == c::PHASE_END
                    && u32::from(event.flow.origin) == c::FLOW_OUT
                    && event.key.remote_port == at.port()
            });
            assert_eq!(palisade_bpf::address(ended.key.pod), from);
            assert!(ended.flow.packets_out >= 3 && ended.flow.packets_in >= 2, "{ended:?}");
            assert_eq!(ended.flow.attempt, started.flow.attempt, "both ends tell of one connect");
        }
        let (back, _held) = serve(&wire.one, wire.one.four.into());
        assert_eq!(two.connect(back), crate::puppet::REFUSED);
    });
}

#[test]
fn what_a_pod_may_not_send_does_not_leave_it() {
    privileged(|| {
        let mut wire = Wire::new();
        let _puppets = wire.start();
        let (one, two) = (&wire.one, &wire.two);
        let other = two.four;
        let mut vlan = one.ethernet(0x8100);
        vlan.extend([0, 7, 8, 0]);
        vlan.extend([0; 46]);
        let arp = |hardware: [u8; 6], address: [u8; 4]| {
            let mut frame = one.ethernet(0x0806);
            frame.extend([0, 1, 8, 0, 6, 4, 0, 2]);
            frame.extend(hardware);
            frame.extend(address);
            frame.extend([0xff; 6]);
            frame.extend(other.octets());
            frame
        };
        let mut forged_hardware = one.ipv4(one.four, other, 17, 0, &udp());
        forged_hardware[6..12].copy_from_slice(&two.link.hardware);
        let mut with_options = one.ipv4(one.four, other, 17, 0, &[&[1u8; 4][..], &udp()].concat());
        with_options[14] = 0x46;
        let mut advertisement = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
        advertisement.extend(two.six.octets());
        advertisement.extend([2, 1]);
        advertisement.extend(one.link.hardware);
        let all_nodes: Ipv6Addr = "ff02::1".parse().expect("an address");
        let router = [vec![134, 0, 0, 0, 64, 0, 7, 8], vec![0; 8]].concat();
        let options = [vec![17, 0, 1, 4, 0, 0, 0, 0], udp()].concat();
        let mut bits = one.ethernet(0x88cc);
        bits.extend([0; 46]);
        let mut own_news = advertisement.clone();
        own_news[8..24].copy_from_slice(&one.six.octets());
        let cases: [(&str, Vec<u8>); 20] = [
            ("raw-socket", one.ipv6(one.six, all_nodes, 58, &own_news)),
            ("raw-socket", arp(one.link.hardware, one.four.octets())),
            ("raw-socket", one.ipv4(one.four, other, 17, 0, &udp())),
            ("raw-socket", one.ipv6(one.six, two.six, 17, &udp())),
            ("source-hardware", forged_hardware),
            ("source-address", one.ipv4(other, one.four, 17, 0, &udp())),
            ("source-address", one.ipv6(two.six, one.six, 17, &udp())),
            ("source-address", one.ipv4([169, 254, 7, 7].into(), other, 17, 0, &udp())),
            ("source-address", one.ipv6("fe80::7".parse().expect("an address"), two.six, 17, &udp())),
            ("arp", arp(one.link.hardware, other.octets())),
            ("arp", arp(two.link.hardware, one.four.octets())),
            ("neighbour", one.ipv6(one.six, all_nodes, 58, &advertisement)),
            ("router", one.ipv6(one.six, all_nodes, 58, &router)),
            ("vlan", vlan),
            ("ethertype", bits),
            ("header", with_options),
            ("protocol", one.ipv6(one.six, two.six, 60, &options)),
            ("protocol", one.ipv4(one.four, other, 4, 0, &[0; 40])),
            ("protocol", one.ipv4(one.four, other, 47, 0, &[0; 40])),
            ("raw-socket", one.ipv4(one.four, other, 17, 0x2000 | 1, &udp())),
        ];
        let listener = two.inside(|| UdpSocket::bind((other, 2000)).expect("a socket"));
        listener.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
        for (number, (reason, frame)) in cases.iter().enumerate() {
            let before = wire.dropped(reason);
            one.send_frame(frame);
            assert_eq!(wire.dropped(reason), before + 1, "case {number}: {reason}");
        }
        assert!(listener.recv(&mut [0; 64]).is_err(), "nothing came through");
        let event = await_event(&mut wire.guard, |event| match event {
            Event::Drop(drop) if u32::from(drop.reason) == c::DROP_SOURCE_ADDRESS => Some(*drop),
            _ => None,
        });
        assert_eq!((event.pod, palisade_bpf::address(event.source)), (wire.one.cgroup_id, IpAddr::V4(other)));
    });
}

#[test]
fn who_is_refused_at_the_receiver_gets_a_reset_or_nothing() {
    privileged(|| {
        let mut wire = Wire::new();
        // A stranger: a namespace behind the node that no veth is guarded of.
        let stranger = Pod::new(&wire.world, 9);
        let (_one, _two) = wire.start();
        for (number, address) in wire.two.addresses().into_iter().enumerate() {
            let (at, accepted) = serve(&wire.two, address);
            let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(700));
            connect().expect("the node's own process passes");
            drop(accepted.recv_timeout(Duration::from_secs(3)).expect("accepted"));
            let event = await_flow(&mut wire.guard, |event| event.key.pod_port == at.port());
            assert_eq!(u32::from(event.flow.strength), c::STRENGTH_OWN_NODE);

            let refused = stranger.inside(connect).expect_err("refused");
            assert_eq!(refused.raw_os_error(), Some(libc::ECONNREFUSED), "{address}: {refused}");
            let event =
                await_flow(&mut wire.guard, |event| event.key.pod_port == at.port() && event.flow.enforced == 0);
            assert_eq!(u32::from(event.flow.strength), c::STRENGTH_ADDRESS);
            assert_eq!(palisade_bpf::address(event.flow.peer), stranger.addresses()[number]);

            let mut rules = wire.tables(2 + 2 * number as u64);
            rules.veths[1].refusal = Refusal::Drop;
            wire.install(&rules);
            let refused = stranger.inside(connect).expect_err("refused");
            assert_eq!(refused.kind(), std::io::ErrorKind::TimedOut, "{address}: {refused}");
            assert!(accepted.try_recv().is_err(), "nothing was accepted");
            let rules = wire.tables(3 + 2 * number as u64);
            wire.install(&rules);
        }
    });
}

#[test]
fn a_server_of_datagrams_answers_under_closed_egress_and_strangers_do_not_reach_it() {
    privileged(|| {
        let mut wire = Wire::new();
        let stranger = Pod::new(&wire.world, 9);
        let (_one, mut two) = wire.start();
        for (to, own) in wire.two.addresses().into_iter().zip(wire.one.addresses()) {
            let to = SocketAddr::new(to, 5300);
            let rules_out = crate::puppet::REFUSED;
            let answer = std::thread::scope(|scope| {
                let served = scope.spawn(|| two.tell(&format!("serve {to}")));
                let asks = wire.world.program("asks");
                let mut client = wire.one.puppet(&asks);
                let mut answer = String::new();
                for _ in 0..100 {
                    answer = client.tell(&format!("ask {to}"));
                    if answer == "ok" {
                        break;
                    }
                }
                assert_eq!(served.join().expect("joined"), "ok");
                answer
            });
            assert_eq!(answer, "ok");
            assert_eq!(two.send(SocketAddr::new(own, 5301)), rules_out, "what it asks for itself is judged");
            let listener = wire.two.inside(|| UdpSocket::bind(to).expect("a socket"));
            listener.set_read_timeout(Some(Duration::from_millis(150))).expect("set");
            let from = stranger
                .inside(|| UdpSocket::bind((stranger.addresses()[usize::from(to.is_ipv6())], 0)).expect("a socket"));
            from.send_to(b"hello", to).expect("sent");
            assert!(listener.recv(&mut [0; 16]).is_err(), "the receiver's end refuses it");
        }
    });
}

#[test]
fn a_new_revision_ends_an_established_connection_at_both_ends() {
    privileged(|| {
        let mut wire = Wire::new();
        let (mut one, _two) = wire.start();
        let server = held(&wire, &mut one);
        server.set_read_timeout(Some(Duration::from_secs(2))).expect("set");

        let mut rules = wire.tables(2);
        rules.cells.iter_mut().filter(|cell| cell.class == 20).for_each(|cell| cell.port_table = DENY);
        let began = Instant::now();
        wire.install(&rules);
        assert!(!wire.guard.sweep_flows().expect("swept"), "nothing is left to do");
        let mut ended = 0;
        for _ in 0..2 {
            let event = await_flow(&mut wire.guard, |event| event.phase == c::PHASE_CHANGED);
            assert_eq!(event.flow.enforced, 0);
            let pod = if event.pod == wire.one.cgroup_id { &wire.one } else { &wire.two };
            let end = |address, port| SocketAddr::new(palisade_bpf::address(address), port);
            let ends = (end(event.key.pod, event.key.pod_port), end(event.key.remote, event.key.remote_port));
            ended += network::end_sockets(&pod.network, &[ends]).expect("ended");
        }
        assert!(ended >= 1, "{ended}");
        use std::io::Read;
        let error = (&server).read(&mut [0; 8]).expect_err("reset");
        assert!(matches!(error.raw_os_error(), Some(libc::ECONNRESET | libc::ECONNABORTED)), "{error}");
        let told = one.tell("read-held");
        assert!(["errno 104", "errno 103"].contains(&&*told), "{told}");
        eprintln!("from the new revision to a reset at both ends: {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(1));
    });
}

/// Most packets are segments of a stream that was judged, and take a shorter way than its first one.
#[test]
fn a_segment_in_a_stream_still_shows_whose_it_is() {
    privileged(|| {
        let mut wire = Wire::new();
        let (mut one, _two) = wire.start();
        let server = held(&wire, &mut one);
        server.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
        let come = |bytes: usize| {
            use std::io::Read;
            (&server).read_exact(&mut [0; 8][..bytes]).is_ok()
        };
        for _ in 0..3 {
            assert_eq!(one.tell("write-held"), "ok");
            assert!(come(1));
        }

        // The pod gives itself another hardware address, and knows its way still.
        let hardware = |address: [u8; 6]| address.map(|byte| format!("{byte:02x}")).join(":");
        let own = hardware(wire.one.link.hardware);
        let rename = |address: &str| {
            let node = ip(&format!("neigh show {GATEWAY} dev eth0"));
            let node = node.split(' ').skip_while(|word| *word != "lladdr").nth(1).expect("it is known").to_owned();
            ip(&format!("link set dev eth0 address {address}"));
            ip(&format!("neigh replace {GATEWAY} lladdr {node} dev eth0 nud permanent"));
        };
        let before = wire.dropped("source-hardware");
        wire.one.inside(|| rename("02:00:00:00:00:77"));
        assert_eq!(one.tell("write-held"), "ok");
        assert!(!come(1));
        assert!(wire.dropped("source-hardware") > before);
        wire.one.inside(|| rename(&own));
        assert_eq!(one.tell("write-held"), "ok");
        server.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        assert!(come(2), "what was held back is sent again");

        // New rules, by which the address is no longer the pod's; the flow has been judged by them.
        server.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
        let mut rules = wire.tables(2);
        rules.veths.iter_mut().for_each(|veth| veth.four = Some(std::net::Ipv4Addr::new(10, 9, 0, 99)));
        wire.install(&rules);
        assert!(!wire.guard.sweep_flows().expect("swept"));
        let before = wire.dropped("source-address");
        assert_eq!(one.tell("write-held"), "ok");
        assert!(!come(1));
        assert!(wire.dropped("source-address") > before);
    });
}

#[test]
fn an_established_connection_ends_when_its_rule_does() {
    privileged(|| {
        let mut wire = Wire::new();
        let mut rules = wire.tables(1);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let ends = u64::try_from((now + Duration::from_millis(1500)).as_nanos()).expect("this century");
        rules.decisions.push(Decision { expires: Some((ends, DENY)), ..rules.decisions[ALLOW as usize] });
        rules.port_tables.push(all_ports(2));
        rules.cells.iter_mut().filter(|cell| cell.class == 20).for_each(|cell| cell.port_table = 2);
        wire.install(&rules);
        let mut one = wire.one.puppet(&wire.program);
        let _server = held(&wire, &mut one);
        assert!(!wire.guard.sweep_flows().expect("swept"));
        let begun = Instant::now();
        let event = loop {
            wire.guard.sweep_flows().expect("swept");
            let mut changed = None;
            let each = &mut |event| match event {
                Event::Flow(flow) if flow.phase == c::PHASE_CHANGED => changed = Some(flow),
                _ => {}
            };
            wire.guard.events(Duration::from_millis(20), each).expect("events");
            if let Some(event) = changed {
                break event;
            }
            assert!(begun.elapsed() < Duration::from_secs(4), "not in time");
        };
        assert_eq!((event.flow.enforced, event.flow.decision), (0, DENY));
    });
}

#[test]
fn veths_stay_guarded_without_an_agent_and_the_next_one_takes_them_over() {
    privileged(|| {
        let mut wire = Wire::new();
        let (mut one, _two) = wire.start();
        let (at, _held) = serve(&wire.two, wire.two.four.into());
        let frame = wire.one.ipv4(wire.two.four, wire.one.four, 17, 0, &udp());
        drop(std::mem::replace(&mut wire.guard, wire.world.guard()));
        let before = wire.dropped("source-address");
        wire.one.send_frame(&frame);
        assert_eq!(wire.dropped("source-address"), before + 1, "counters go on");
        assert_eq!(one.connect(at), Came::Through);
        let rules = wire.tables(2);
        wire.install(&rules);
        wire.one.send_frame(&frame);
        assert_eq!(wire.dropped("source-address"), before + 2, "one program, not two");
        // A generation that replaces this one guards the veths before this one lets go of them.
        let links = wire.world.options().pins;
        let generation = std::fs::read_dir(&links).expect("pins").next().expect("one").expect("readable").path();
        std::fs::remove_file(generation.join("links/connect4")).expect("removed");
        let mut other = wire.world.guard();
        assert_eq!(other.origin(), palisade_bpf::Origin::Loaded);
        let rules = wire.tables(3);
        other.install(&rules).expect("installed");
        assert_eq!(std::fs::read_dir(&links).expect("pins").count(), 2);
        drop(std::mem::replace(&mut wire.guard, other));
        let rules = wire.tables(4);
        wire.install(&rules);
        assert_eq!(std::fs::read_dir(&links).expect("pins").count(), 1);
        let before = wire.dropped("source-address");
        wire.one.send_frame(&frame);
        assert_eq!(wire.dropped("source-address"), before + 1);
        // A pod that the rules do not know any more is let through nowhere.
        let mut rules = wire.tables(5);
        rules.veths.remove(0);
        wire.guard.install(&rules).expect("installed");
        assert!(one.connect(at) != Came::Through);
        assert!(wire.dropped("unknown-pod") > 0);
        // Nor guarded, once it is gone.
        wire.guard.guard_links(&wire.node, &[wire.two.link.peer], &[]).expect("detached");
        let before = wire.dropped("unknown-pod");
        wire.one.send_frame(&frame);
        assert_eq!(wire.dropped("unknown-pod"), before);
    });
}

#[test]
fn one_pod_does_not_fill_the_table_for_all() {
    privileged(|| {
        let mut wire = Wire::new();
        let (mut one, _two) = wire.start();
        let (at, _held) = serve(&wire.two, wire.two.four.into());
        assert_eq!(one.tell(&format!("flood {} 6000", wire.two.four)), "ok");
        assert!(wire.dropped("flow-limit") >= 1500, "{}", wire.dropped("flow-limit"));
        // The node's own process reaches the other pod all the same.
        TcpStream::connect_timeout(&at, Duration::from_secs(1)).expect("another's flows go on");
    });
}

#[test]
fn whoever_is_answered_may_ask_as_often_as_it_likes() {
    privileged(|| {
        let mut wire = Wire::new();
        let (mut one, _two) = wire.start();
        let server = wire.two.inside(|| UdpSocket::bind((wire.two.four, 5300)).expect("a socket"));
        let at = server.local_addr().expect("an address");
        std::thread::spawn(move || {
            while let Ok((_, from)) = server.recv_from(&mut [0; 64]) {
                server.send_to(b"answer", from).expect("sent");
            }
        });
        assert_eq!(one.tell(&format!("ask-often {at} 6000")), "ok");
        assert_eq!(wire.dropped("flow-limit"), 0);
    });
}

/// More datagrams to the pod, each a flow, than the table has room for. It forgets the oldest of each processor apart.
pub fn flood(from: &Pod, to: &Pod) {
    let socket = from.inside(|| UdpSocket::bind((from.four, 0)).expect("a socket"));
    let all = rustix::thread::sched_getaffinity(None).expect("a thread has one");
    for processor in (0..rustix::thread::CpuSet::MAX_CPU).filter(|processor| all.is_set(*processor)) {
        let mut only = rustix::thread::CpuSet::new();
        only.set(processor);
        rustix::thread::sched_setaffinity(None, &only).expect("this thread may");
        for port in 1024..44_000 {
            let _ = socket.send_to(b"x", (to.four, port));
        }
    }
    rustix::thread::sched_setaffinity(None, &all).expect("this thread may");
}

#[test]
fn an_answer_comes_though_a_flood_pushed_its_question_out_of_the_table_and_not_once_its_rule_ended() {
    privileged(|| {
        let mut wire = Wire::new();
        let outside = Pod::new(&wire.world, 9);
        let server = outside.inside(|| UdpSocket::bind((outside.four, 5300)).expect("a socket"));
        server.set_read_timeout(Some(Duration::from_secs(2))).expect("set");
        let mut rules = wire.tables(1);
        wire.install(&rules);
        for (revision, answered) in [(2, true), (3, false)] {
            let mut one = wire.one.puppet(&wire.program);
            assert_eq!(one.tell(&format!("question {}", server.local_addr().expect("an address"))), "ok");
            let (_, from) = server.recv_from(&mut [0; 64]).expect("it came");
            flood(&outside, &wire.one);
            if !answered {
                rules.cells.retain(|cell| (cell.class, cell.destination) != (20, WORLD));
            }
            rules.revision = revision;
            wire.install(&rules);
            server.send_to(b"answer", from).expect("sent");
            assert_eq!(one.tell("hear-held") == "ok", answered);
        }
    });
}

#[test]
fn an_echo_passes_where_a_rule_without_ports_covers_it() {
    privileged(|| {
        let mut wire = Wire::new();
        let mut rules = wire.tables(1);
        wire.install(&rules);
        let mut one = wire.one.puppet(&wire.program);
        assert_ne!(one.tell(&format!("ping {}", wire.two.four)), "ok");
        rules.revision = 2;
        rules.cells.push(palisade_bpf::tables::Cell { class: 20, destination: 103, protocol: 0, port_table: ALLOW });
        wire.install(&rules);
        assert_eq!(one.tell(&format!("ping {}", wire.two.four)), "ok");
        assert_eq!(one.tell(&format!("ping {}", wire.two.six)), "ok");
        // Another container of the pod may not, whatever id it takes.
        let (side, id) = wire.world.make_cgroup("burstable/pod2/side");
        rules.revision = 3;
        rules.containers.push(container(id, 2, 40));
        wire.install(&rules);
        let mut side = wire.one.inside(|| Puppet::start(&wire.program, &side));
        for address in wire.two.addresses() {
            assert_eq!(one.tell(&format!("ping {address} 77")), "ok");
            assert_ne!(side.tell(&format!("ping {address} 77")), "ok", "{address}");
            assert_eq!(one.tell(&format!("ping {address} 77")), "ok");
        }
    });
}

#[test]
fn an_unknown_pod_passes_at_the_veth_only_where_unknown_pods_are_recorded() {
    privileged(|| {
        let mut wire = Wire::new();
        let (mut one, _two) = wire.start();
        let (at, _held) = serve(&wire.two, wire.two.four.into());
        let mut rules = wire.tables(2);
        // Pod one becomes one that nobody told of, by cgroup, veth and address; the programs at its veth stay.
        rules.veths.remove(0);
        rules.containers.retain(|container| container.cgroup != wire.one.container_id);
        rules.destinations.retain(|network| network.own_subject != Some(wire.one.number.into()));
        // Whoever has an address may reach pod two.
        rules.sources.iter_mut().for_each(|source| source.source = OWN_NODE[0]);
        for (revision, unknown_pods, comes) in [(2, UnknownPods::Record, true), (3, UnknownPods::Refuse, false)] {
            (rules.revision, rules.unknown_pods) = (revision, unknown_pods);
            wire.guard.install(&rules).expect("installed");
            let before = wire.dropped("unknown-pod");
            assert_eq!(one.connect(at) == Came::Through, comes, "{unknown_pods:?}");
            // The hooks refuse a connect; a frame of its own meets the veth alone.
            wire.one.send_frame(&wire.one.ipv4(wire.one.four, wire.two.four, 17, 0, &udp()));
            assert_eq!(wire.dropped("unknown-pod") > before, !comes, "{unknown_pods:?}");
        }
    });
}

#[test]
fn a_multipath_connect_of_the_program_that_a_rule_names_passes_and_of_others_does_not() {
    privileged(|| {
        let mut wire = Wire::new();
        let rules = only_the_program(&wire, 1);
        wire.install(&rules);
        let other = wire.world.program("other");
        let (mut named, mut unnamed) = (wire.one.puppet(&wire.program), wire.one.puppet(&other));
        for address in wire.two.addresses() {
            let (at, accepted) = serve(&wire.two, address);
            assert_eq!(named.tell(&format!("multipath {at}")), "ok");
            drop(accepted.recv_timeout(Duration::from_secs(3)).expect("accepted"));
            let event = await_flow(&mut wire.guard, |event| event.key.pod_port == at.port());
            assert_eq!((event.flow.enforced, event.flow.container), (1, wire.one.container_id));
            assert!(event.flow.program.inode != 0, "its packets are of that program's connect");
            assert_ne!(unnamed.tell(&format!("multipath {at}")), "ok");
        }
    });
}

#[test]
fn a_refused_datagram_is_answered_as_if_nobody_listened_or_meets_silence() {
    privileged(|| {
        let mut wire = Wire::new();
        let stranger = Pod::new(&wire.world, 9);
        let (_one, _two) = wire.start();
        for (number, address) in wire.two.addresses().into_iter().enumerate() {
            let _listener = wire.two.inside(|| UdpSocket::bind((address, 5300)).expect("a socket"));
            let ask = || -> std::io::Error {
                let own = stranger.addresses()[number];
                let socket = stranger.inside(|| UdpSocket::bind((own, 0)).expect("a socket"));
                socket.set_read_timeout(Some(Duration::from_millis(300))).expect("set");
                socket.connect((address, 5300)).expect("set");
                socket.send(b"hello").expect("sent");
                socket.recv(&mut [0; 16]).expect_err("refused")
            };
            let told = ask();
            assert_eq!(told.raw_os_error(), Some(libc::ECONNREFUSED), "{address}: {told}");
            let revision = 2 + 2 * number as u64;
            let mut rules = wire.tables(revision);
            rules.veths[1].refusal = Refusal::Drop;
            wire.install(&rules);
            let silent = ask();
            assert_eq!(silent.kind(), std::io::ErrorKind::WouldBlock, "{address}: {silent}");
            let rules = wire.tables(revision + 1);
            wire.install(&rules);
        }
    });
}
