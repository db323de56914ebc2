//! The peer: nftables on the node, doing the same with a list of rules.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use palisade_lab::RunningLab;

use crate::lab::Lab;

const TABLE: &str = "palisade_bench";

/// Rules of nftables in a node's network; removed when dropped.
pub struct PacketFilter {
    node: PathBuf,
}

impl PacketFilter {
    /// `rules` rules of which the last lets `client` reach the servers' port and be answered, and nothing else passes.
    /// With `established_first`, only the first packet of a connection meets them.
    pub fn new(lab: &Lab, client: &str, ports: &[u16], rules: usize, established_first: bool) -> Self {
        let mut text =
            format!("table ip {TABLE} {{ chain forward {{ type filter hook forward priority -10; policy drop;\n");
        if established_first {
            text.push_str("ct state established,related accept\n");
        }
        for rule in 0..rules.saturating_sub(2) {
            let (high, low) = (rule / 250, rule % 250);
            let _ = writeln!(text, "ip saddr 198.18.{high}.{low} ip daddr 198.19.{high}.{low} tcp dport 443 accept");
        }
        let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "ip saddr {client} meta l4proto {{ tcp, udp }} th dport {{ {ports} }} accept");
        let _ = writeln!(text, "ip daddr {client} meta l4proto {{ tcp, udp }} th sport {{ {ports} }} accept\n}}\n}}");
        let running = RunningLab::open(&lab.name().parse().expect("a good name")).expect("the lab runs");
        let filter = Self { node: running.file().nodes[0].netns.clone() };
        nft(&filter.node, &text);
        filter
    }
}

impl Drop for PacketFilter {
    fn drop(&mut self) {
        nft(&self.node, &format!("delete table ip {TABLE}\n"));
    }
}

fn nft(node: &Path, text: &str) {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net={}", node.display())).args(["nft", "-f", "-"]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("nsenter is there, as for the lab");
    child.stdin.take().expect("piped").write_all(text.as_bytes()).expect("nft reads");
    assert!(child.wait().expect("it ends").success(), "nft takes the rules");
}
