//! The applications that are measured: a client, and servers of which each other is like it.

use std::fmt::Write as _;

use crate::lab::{Caller, Lab};

/// Where the lab's own servers listen.
pub const PORT: u16 = 8080;
/// Where the benchmark's servers listen ([`crate::load`]).
pub const LOAD_PORT: u16 = 9000;
/// Where they end whatever is accepted.
pub const ENDS_PORT: u16 = 9001;
/// The client's program; a rule names it.
pub const PROGRAM: &str = "/app/client";

/// A client and `pods - 1` servers; all closed, opened by container and program.
pub fn world(pods: usize) -> String {
    let mut yaml = closed(
        "{action: Allow, from: [{workload: client, container: main, program: /app/client}], to: [{selector: {}}], ports: [{port: 8080}]}",
    );
    yaml.push_str(&pod("client"));
    for server in 0..pods.saturating_sub(1) {
        yaml.push_str(&pod(&format!("server-{server}")));
    }
    yaml
}

/// The same, and the container's other programs may reach the servers as well: what is measured with the
/// benchmark's own executable, and with layers that cannot know the program.
pub fn open_to_container(pods: usize) -> String {
    world(pods)
        + "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: container, namespace: bench}\nspec: {rules: [{action: Allow, from: [{workload: client, container: main}], to: [{selector: {}}], ports: [{port: 8080}, {port: 9000, endPort: 9001}, {port: 9000, protocol: UDP}]}]}\n"
}

/// A namespace that only `rule` opens.
fn closed(rule: &str) -> String {
    let mut yaml = String::from("apiVersion: v1\nkind: Namespace\nmetadata: {name: bench}\n");
    yaml.push_str("---\napiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: bench}\nspec: {subject: {selector: {}}, except: [dns, kubelet]}\n");
    let _ = write!(
        yaml,
        "---\napiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {{name: client, namespace: bench}}\nspec: {{rules: [{rule}]}}\n"
    );
    yaml
}

pub fn pod(name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: bench, labels: {{app: {name}}}, annotations: {{lab.palisade.dev/program.main: {PROGRAM}}}}}\nspec: {{containers: [{{name: main, image: bench, ports: [{{name: http, containerPort: {PORT}}}]}}]}}\n"
    )
}

/// The named program of the client, which connects as it is told.
pub fn client(lab: &Lab) -> Caller {
    Caller::start(lab, "bench/client", "main", PROGRAM)
}

/// Addresses of the servers' own listeners.
pub fn servers(lab: &Lab, count: usize) -> Vec<String> {
    (0..count).map(|server| lab.address_of(&format!("server-{server}"), PORT)).collect()
}
