//! The world that is attacked: orders may be reached by named programs of the web pods, and by the neighbour's datagrams;
//! the job may reach nobody, and everybody may reach it.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

/// TCP of the victim.
pub const ORDERS: u16 = 8080;
/// UDP of the victim.
pub const ORDERS_UDP: u16 = 5353;
/// The address of the node that the pods are on: `fd00:172:31::11`.
pub const NODE: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x172, 0x31, 0, 0, 0, 0, 0x11));
/// A NodePort that leads to a pod that nobody but its node's prober may reach.
pub const NODE_PORT: u16 = 30_090;
/// What `probed` listens on.
pub const PROBED: u16 = 8081;
/// The ports that belong to the container `owner`, which listens on none of them. The last two lie where the kernel
/// itself chooses ports.
pub const OWNED: u16 = 7000;
pub const OWNED_HIGH: u16 = 40_051;
pub const OWNED_UDP: u16 = 40_053;

/// A named program that does not run, so that its file can be written.
pub const REPORT: &str = "/usr/bin/report";
/// A named program that runs what it is told.
pub const SHELL: &str = "/usr/bin/bash";

const POLICIES: &str = r#"
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: shop}
spec: {mode: Enforce, subject: {selector: {}}, directions: [Ingress, Egress], except: [kubelet]}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: orders, namespace: shop}
spec:
  mode: Enforce
  rules:
  - name: reports
    action: Allow
    from: [{selector: {matchLabels: {app: web}}, container: nginx, program: /usr/bin/report}]
    to: [{selector: {matchLabels: {app: orders}}}]
    ports: [{port: 8080}, {port: 5353, protocol: UDP}]
  - name: scripts
    action: Allow
    from: [{selector: {matchLabels: {app: web}}, container: shell, program: /usr/bin/bash}]
    to: [{selector: {matchLabels: {app: orders}}}]
    ports: [{port: 8080}]
  - name: neighbours
    action: Allow
    from: [{selector: {matchLabels: {app: neighbour}}}]
    to: [{selector: {matchLabels: {app: orders}}}]
    ports: [{port: 5353, protocol: UDP}, {port: 8080}]
  - name: neighbours-to-the-shared-pod
    action: Allow
    from: [{selector: {matchLabels: {app: neighbour}}}]
    to: [{selector: {matchLabels: {app: shared}}}]
  - name: floods
    action: Allow
    from: [{selector: {matchLabels: {app: flooder}}}]
    to: [{selector: {matchLabels: {app: orders}}}]
    ports: [{protocol: UDP}]
---
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: bank}
spec: {mode: Enforce, subject: {selector: {}}, directions: [Ingress, Egress], loopback: Closed}
---
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: batch}
spec: {mode: Enforce, subject: {selector: {}}, directions: [Egress]}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: surfer, namespace: batch}
spec:
  mode: Enforce
  rules:
  - {name: outwards, action: Allow, from: [{workload: surfer}], to: [{entity: world}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody, namespace: ops}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: []}
---
apiVersion: v1
kind: Service
metadata: {name: probed, namespace: ops}
spec: {type: NodePort, selector: {app: probed}, ports: [{port: 80, targetPort: 8081, nodePort: 30090}]}
"#;

const NGINX: &str = "{name: nginx, image: 'nginx:1.27', ports: [{containerPort: 80}]}";
const SLEEP: &str = "image: busybox, command: [sleep, '100000']";

/// The whole world as manifests.
pub fn yaml() -> String {
    let mut yaml = POLICIES.to_owned();
    let mut add = |pod: String| {
        let _ = write!(yaml, "---\n{pod}");
    };
    let side = |name: &str| format!("{{name: {name}, {SLEEP}}}");
    add(pod("shop", "web", "web", &[NGINX.to_owned(), side("shell"), side("shipper")]));
    for tampered in ["overwritten", "moved", "linked", "redirected"] {
        add(pod("shop", tampered, "web", &[NGINX.to_owned()]));
    }
    let strong =
        "{name: nginx, image: 'nginx:1.27', ports: [{containerPort: 80}], securityContext: {privileged: true}}";
    add(pod("shop", "privileged", "web", &[strong.to_owned()]));
    let orders =
        "{name: orders, image: 'shop/orders', ports: [{containerPort: 8080}, {containerPort: 5353, protocol: UDP}]}";
    add(pod("shop", "orders", "orders", &[orders.to_owned()]));
    let owner = format!(
        "{{name: owner, {SLEEP}, ports: [{{containerPort: 7000}}, {{containerPort: 40051}}, {{containerPort: 40053, protocol: UDP}}]}}"
    );
    add(pod("shop", "shared", "shared", &[owner, side("side")]));
    add(pod("shop", "neighbour", "neighbour", &[side("c")]));
    add(pod("shop", "flooder", "flooder", &[side("c")]));
    let open = "securityContext: {capabilities: {add: [NET_ADMIN]}}";
    add(pod("shop", "selfmade", "neighbour", &[format!("{{name: c, {SLEEP}, {open}}}")]));
    let vault =
        "{name: vault, image: 'bank/vault', ports: [{containerPort: 8080}, {containerPort: 5353, protocol: UDP}]}";
    add(pod("bank", "vault", "vault", &[vault.to_owned(), side("side")]));
    add(pod("batch", "job", "job", &[side("c")]));
    add(pod("batch", "surfer", "surfer", &[side("c")]));
    add(pod("batch", "router", "job", &[format!("{{name: c, {SLEEP}, {open}}}")]));
    let probe = "readinessProbe: {tcpSocket: {port: 8081}, periodSeconds: 1}";
    add(pod(
        "ops",
        "probed",
        "probed",
        &[format!("{{name: c, image: probed, ports: [{{containerPort: 8081}}], {probe}}}")],
    ));
    yaml
}

/// A pod whose first program says something at once.
pub fn hasty_pod(name: &str, orders: IpAddr) -> String {
    let script = format!(
        "while :; do : </dev/tcp/{orders}/{ORDERS}; echo x >/dev/udp/{orders}/{ORDERS_UDP}; sleep 0.01; done 2>/dev/null"
    );
    pod("shop", name, "hasty", &[format!("{{name: c, image: busybox, command: [bash, -c, '{script}']}}")])
}

fn pod(namespace: &str, name: &str, app: &str, containers: &[String]) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata:
  name: {name}
  namespace: {namespace}
  labels: {{app: {app}}}
  annotations: {{lab.palisade.dev/extra-programs.nginx: {REPORT}}}
spec:
  nodeSelector: {{kubernetes.io/hostname: node1}}
  containers: [{}]
",
        containers.join(", ")
    )
}
