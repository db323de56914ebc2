//! What the lab promises.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use palisade_lab::RestartWhat;
use palisade_lab::stand_in::attempt::Try;

use crate::fixture::{Lab, lab_command, wait_for};

type Case = fn();

pub const ALL: [(&str, Case); 15] = [
    ("pods_reach_each_other_by_address_service_and_name", pods_reach_each_other_by_address_service_and_name),
    ("the_world_and_the_cluster_reach_each_other", the_world_and_the_cluster_reach_each_other),
    ("containers_of_a_pod_share_the_network_alone", containers_of_a_pod_share_the_network_alone),
    ("a_container_has_its_user_and_capabilities", a_container_has_its_user_and_capabilities),
    ("a_program_is_a_file_of_its_image", a_program_is_a_file_of_its_image),
    ("state_files_tell_what_lives", state_files_tell_what_lives),
    ("readiness_decides_endpoints", readiness_decides_endpoints),
    ("pods_come_change_and_go", pods_come_change_and_go),
    ("a_host_network_pod_is_its_node", a_host_network_pod_is_its_node),
    ("jobs_end_and_what_cannot_run_is_named", jobs_end_and_what_cannot_run_is_named),
    ("a_first_program_waits_for_the_agent", a_first_program_waits_for_the_agent),
    ("down_leaves_nothing", down_leaves_nothing),
    ("an_interrupt_leaves_nothing", an_interrupt_leaves_nothing),
    ("a_killed_guard_leaves_nothing", a_killed_guard_leaves_nothing),
    (
        "a_killed_supervisor_leaves_nothing_and_up_cleans_after_both",
        a_killed_supervisor_leaves_nothing_and_up_cleans_after_both,
    ),
];

/// A web server that calls its orders, a database with two pods, and the outside.
const SHOP: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {kubernetes.io/hostname: node1}
      containers:
      - name: nginx
        image: nginx:1.27
        ports: [{containerPort: 80}]
        env: [{name: ORDERS_URL, value: "http://orders/"}]
      - name: shipper
        image: vendor/log-shipper
        env: [{name: BANK_ADDR, value: "203.0.113.20:443"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: orders}}
  template:
    metadata: {labels: {app: orders}}
    spec:
      containers:
      - name: orders
        image: shop/orders
        ports: [{containerPort: 8080, name: http}, {containerPort: 5353, protocol: UDP}]
        readinessProbe: {httpGet: {port: http}, initialDelaySeconds: 300}
---
apiVersion: v1
kind: Service
metadata: {name: orders, namespace: shop, annotations: {lab.palisade.dev/dual-stack: "true"}}
spec:
  type: NodePort
  selector: {app: orders}
  ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}, {name: time, port: 53, targetPort: 5353, protocol: UDP}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: data}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - {name: postgres, image: "postgres:16", ports: [{containerPort: 5432, name: pg}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: data}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: pg, port: 5432, targetPort: pg}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody, namespace: shop}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop}
spec: {type: ExternalName, externalName: api.pay.example, ports: [{port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: bank, namespace: shop}
spec: {ports: [{port: 443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: bank-1, namespace: shop, labels: {kubernetes.io/service-name: bank}}
addressType: IPv4
endpoints: [{addresses: [203.0.113.20]}]
ports: [{port: 8443}]
"#;

const NGINX: &str = "/usr/sbin/nginx";

fn pods_reach_each_other_by_address_service_and_name() {
    let lab = Lab::up("reach", 2, SHOP);
    let orders = lab.pods("shop/orders");
    let nodes: Vec<_> = orders.iter().map(|pod| pod.node.as_str()).collect();
    assert!(nodes.contains(&"node1") && nodes.contains(&"node2"), "the two pods are spread: {nodes:?}");
    let who = |target: &str| lab.who_answers("shop/web", NGINX, target);
    for pod in &orders {
        for address in &pod.addresses {
            let target = std::net::SocketAddr::new(*address, 8080).to_string();
            assert_eq!(who(&target), Ok(format!("shop/{}/orders port 8080", pod.name)), "{target}");
        }
    }
    // A Service spreads its connections over all its pods, on both nodes, in both families.
    let service =
        lab.status().services.into_iter().find(|service| service.name == "orders").expect("the Service is there");
    assert_eq!(service.addresses.len(), 2);
    for target in service
        .addresses
        .iter()
        .map(|address| std::net::SocketAddr::new(*address, 80).to_string())
        .chain(["orders:80".into()])
    {
        let mut seen = std::collections::BTreeSet::new();
        wait_for("both pods answered", || {
            seen.insert(who(&target).expect("a Service answers"));
            seen.len() == 2
        });
    }
    for name in
        ["orders", "orders.shop", "orders.shop.svc", "orders.shop.svc.cluster.local", "orders.shop.svc.cluster.local."]
    {
        assert!(who(&format!("{name}:80")).is_ok(), "{name}");
    }
    for index in ["0", "1"] {
        let name = format!("db-{index}.db.data:5432");
        assert_eq!(who(&name), Ok(format!("data/db-{index}/postgres port 5432")));
    }
    let refused = 111;
    let tries = ["nobody:80", "orders:81", "nosuch:80"].map(Try::tcp);
    let answers = lab.tries("shop/web", NGINX, &tries);
    let errors: Vec<_> = answers.iter().map(|answer| (answer.ok, answer.errno)).collect();
    assert_eq!(errors, [(false, Some(refused)), (false, Some(refused)), (false, None)]);
    for unconnected in [false, true] {
        let ask = Try { udp: true, unconnected, ..Try::tcp("orders:53") };
        assert!(lab.tries("shop/web", NGINX, &[ask]).remove(0).ok, "UDP by Service, unconnected {unconnected}");
    }
    // A pod that reaches itself by its Service (hairpin).
    let own = format!("shop/{}", orders[0].name);
    let mut seen = std::collections::BTreeSet::new();
    wait_for("it reached itself", || {
        seen.insert(lab.who_answers(&own, "/app/orders", "orders:80").expect("a Service answers"));
        seen.contains(&format!("{own}/orders port 8080"))
    });
    let calls = || {
        fs::read_to_string(lab.name.state_dir().log_file("shop", &lab.pod("shop/web").name, "nginx"))
            .unwrap_or_default()
    };
    wait_for("the stand-in called its dependency", || calls().contains("call orders:80 ok"));
}

fn the_world_and_the_cluster_reach_each_other() {
    let lab = Lab::up("world", 2, SHOP);
    let who = |target: &str| lab.who_answers("shop/web", NGINX, target);
    wait_for("the outside serves", || who("203.0.113.20:443").is_ok());
    assert_eq!(who("203.0.113.20:443").as_deref(), Ok("world port 443"));
    assert_eq!(who("bank:443").as_deref(), Ok("world port 8443"), "a Service with an EndpointSlice of the outside");
    assert_eq!(who("pay:443").as_deref(), Ok("world port 443"), "an ExternalName");
    assert!(who("203.0.113.21:443").is_err(), "nobody else is served");
    let executable = std::env::current_exe().expect("a test has an executable").display().to_string();
    let from_world = |target: &str| lab.who_answers("world", &executable, target);
    for node in ["172.31.0.11", "172.31.0.12", "[fd00:172:31::12]"] {
        let answer = from_world(&format!("{node}:30080"));
        assert!(answer.as_ref().is_ok_and(|answer| answer.contains("/orders port 8080")), "{node}: {answer:?}");
    }
    let web = lab.pod("shop/web");
    let target = std::net::SocketAddr::new(web.addresses[0], 80).to_string();
    assert!(from_world(&target).is_ok(), "the pods' network is routed");
    assert!(lab.output("node:node2", &["ip", "-4", "-o", "addr"]).contains("172.31.0.12"));
}

fn containers_of_a_pod_share_the_network_alone() {
    let lab = Lab::up("share", 1, SHOP);
    assert!(lab.who_answers("shop/web:shipper", "/app/log-shipper", "127.0.0.1:80").is_ok());
    let file = lab.file();
    let web = lab.pod("shop/web");
    let pids: Vec<_> =
        file.containers.values().filter(|container| container.pod == web.name).map(|container| container.pid).collect();
    assert_eq!(pids.len(), 2);
    let namespace =
        |pid: u32, kind: &str| fs::metadata(format!("/proc/{pid}/ns/{kind}")).expect("the container lives").ino();
    assert_eq!(namespace(pids[0], "net"), namespace(pids[1], "net"));
    for kind in ["pid", "mnt", "ipc", "uts", "cgroup"] {
        assert_ne!(namespace(pids[0], kind), namespace(pids[1], kind), "{kind}");
    }
    let node = fs::metadata(&file.nodes[0].netns).expect("the node's namespace has a path").ino();
    assert_ne!(node, namespace(pids[0], "net"));
    // A file of one is not in the other, and neither sees the machine's.
    lab.output("shop/web:nginx", &["sh", "-c", "echo x > /tmp/mine"]);
    assert!(!lab.exec("shop/web:shipper", &["cat", "/tmp/mine"]).status.success());
    for hidden in ["/root", "/home", "/run", "/sys/fs/cgroup", "/sys/fs/bpf"] {
        assert_eq!(lab.output("shop/web", &["ls", "-A", hidden]), "", "{hidden}");
    }
    let processes = lab.output("shop/web", &["sh", "-c", "ls /proc | grep -c '^[0-9]'"]);
    assert!(processes.parse::<u32>().is_ok_and(|count| count < 8), "{processes}");
}

fn a_container_has_its_user_and_capabilities() {
    let lab = Lab::up(
        "caps",
        1,
        r#"
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: t}
spec: {containers: [{name: c, image: plain, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: strict, namespace: t}
spec:
  securityContext: {runAsUser: 1000, runAsGroup: 1001, fsGroup: 1002}
  volumes: [{name: v, emptyDir: {}}]
  containers:
  - name: c
    image: strict
    ports: [{containerPort: 80}]
    volumeMounts: [{name: v, mountPath: /var/cache/v}]
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [all]}}
---
apiVersion: v1
kind: Pod
metadata: {name: extra, namespace: t}
spec:
  containers:
  - {name: c, image: extra, securityContext: {capabilities: {add: [NET_ADMIN], drop: [NET_RAW]}}}
  - {name: nobody, image: extra, securityContext: {runAsNonRoot: true}}
"#,
    );
    let status = |pod: &str, field: &str| {
        let pod = lab.pod(pod);
        let pid = pod.containers[0].pid.expect("the container lives");
        let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("the container lives");
        let line = text.lines().find(|line| line.starts_with(&format!("{field}:"))).expect("the field is there");
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    for set in ["CapBnd", "CapEff", "CapPrm"] {
        assert_eq!(status("t/plain", set), "00000000a80425fb", "Docker's default");
        assert_eq!(status("t/strict", set), "0000000000000000");
        assert_eq!(status("t/extra", set), "00000000a80415fb", "NET_ADMIN for NET_RAW");
    }
    assert_eq!(status("t/plain", "NoNewPrivs"), "0");
    assert_eq!(status("t/strict", "NoNewPrivs"), "1");
    assert_eq!(status("t/strict", "Uid"), "1000 1000 1000 1000");
    assert_eq!(status("t/strict", "Gid"), "1001 1001 1001 1001");
    assert!(status("t/strict", "Groups").contains("1002"));
    assert_eq!(lab.output("t/strict", &["id", "-u"]), "1000", "exec runs as the container's user");
    assert_eq!(lab.output("t/extra:nobody", &["id", "-u"]), "65532");
    lab.output("t/strict", &["touch", "/var/cache/v/file"]);
    for place in ["/tmp/file", "/usr/file", "/var/log/file"] {
        assert!(!lab.exec("t/strict", &["touch", place]).status.success(), "{place} is read-only");
    }
    lab.output("t/plain", &["touch", "/usr/file"]);
    assert!(!std::path::Path::new("/usr/file").exists(), "the machine's own tree is not written");
    assert_eq!(lab.exec("t/plain", &["sh", "-c", "exit 42"]).status.code(), Some(42));
}

fn a_program_is_a_file_of_its_image() {
    let lab = Lab::up(
        "program",
        1,
        r#"
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: t
  annotations: {lab.palisade.dev/extra-programs.nginx: "/usr/bin/report,/opt/tool/run", lab.palisade.dev/program.other: /srv/other}
spec:
  containers:
  - {name: nginx, image: "nginx:1.27", ports: [{containerPort: 80}]}
  - {name: other, image: other, ports: [{containerPort: 81}]}
  - {name: shell, image: busybox, command: [sh, -c, "sleep 1000 & wait"]}
"#,
    );
    let pids: BTreeMap<String, u32> = lab
        .pod("t/web")
        .containers
        .into_iter()
        .map(|container| (container.name, container.pid.expect("it lives")))
        .collect();
    let program = |name: &str| {
        fs::read_link(format!("/proc/{}/exe", pids[name])).expect("the container lives").display().to_string()
    };
    assert_eq!(program("nginx"), NGINX);
    assert_eq!(program("other"), "/srv/other");
    let root = format!("/proc/{}/root", pids["nginx"]);
    let file = |path: &str| fs::metadata(format!("{root}{path}")).expect("the program is there");
    let (nginx, report, tool) = (file(NGINX), file("/usr/bin/report"), file("/opt/tool/run"));
    assert!(nginx.ino() != report.ino() && report.ino() != tool.ino(), "each is an inode of its own");
    assert_eq!(nginx.dev(), file("/").dev(), "one device number, as the kernel sees it");
    assert!(fs::metadata("/usr/bin/report").is_err(), "nothing of it is on the machine");
    let by_report = lab.who_answers("t/web:nginx", "/usr/bin/report", "127.0.0.1:81");
    assert_eq!(by_report.as_deref(), Ok("t/web/other port 81"));
    assert!(
        lab.output("t/web:shell", &["sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '"]).starts_with("sh -c sleep 1000")
    );
}

fn state_files_tell_what_lives() {
    let lab = Lab::up("files", 2, SHOP);
    let file = lab.file();
    assert_eq!(file.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["node1", "node2"]);
    for (id, container) in &file.containers {
        let cgroup = fs::read_to_string(format!("/proc/{}/cgroup", container.pid)).expect("the container lives");
        let own = cgroup.lines().find_map(|line| line.strip_prefix("0::")).expect("a process has a cgroup2");
        let expected = format!("/kubepods/besteffort/pod{}/{id}", container.pod_uid);
        let burstable = expected.replace("besteffort", "burstable");
        assert!(own.ends_with(&expected) || own.ends_with(&burstable), "{own}");
        assert!(
            file.nodes
                .iter()
                .any(|node| node.cgroup.join(own.rsplit("kubepods/").next().expect("it is there")).exists())
        );
    }
    let loaded = palisade_manifests::load_lab(lab.name.state_dir().path()).expect("the state is readable");
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let inventory = loaded.value;
    assert_eq!(inventory.pods.len(), 6, "web, two orders, two databases, the name server");
    assert_eq!(inventory.nodes.len(), 2);
    for pod in &inventory.pods {
        assert_eq!(pod.ready, Some(true), "{}", pod.meta.reference);
        assert_eq!(pod.addresses.len(), 2);
        assert!(pod.meta.uid.is_some() && pod.node.is_some() && pod.meta.owner.is_some());
        for status in &pod.container_statuses {
            let id = status.id.as_deref().expect("a running container has an id");
            assert!(file.containers.contains_key(id));
        }
    }
    let orders =
        inventory.services.iter().find(|service| service.meta.name() == "orders").expect("the Service is there");
    assert_eq!((orders.cluster_ips.len(), orders.ports[0].node_port), (2, Some(30080)));
    let slices: Vec<_> =
        inventory.endpoint_slices.iter().filter(|slice| slice.service.as_deref() == Some("orders")).collect();
    assert_eq!(slices.len(), 2, "one for each family");
    assert!(inventory.namespaces.iter().any(|namespace| namespace.meta.name() == "kube-system"));
}

fn readiness_decides_endpoints() {
    let lab = Lab::up(
        "ready",
        1,
        r#"
apiVersion: v1
kind: Pod
metadata: {name: server, namespace: t, labels: {app: server}}
spec:
  containers:
  - name: c
    image: server
    ports: [{containerPort: 80}]
    readinessProbe: {exec: {command: [sh, -c, "! test -e /tmp/ill"]}, periodSeconds: 1}
    livenessProbe: {exec: {command: [sh, -c, "exit 1"]}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: server, namespace: t}
spec: {selector: {app: server}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: t}
spec: {containers: [{name: c, image: client}]}
"#,
    );
    let answers = || lab.who_answers("t/client", "/app/client", "server:80").is_ok();
    wait_for("a ready pod answers", answers);
    lab.output("t/server", &["touch", "/tmp/ill"]);
    wait_for("a pod that is not ready is no endpoint", || !lab.pod("t/server").ready && !answers());
    lab.output("t/server", &["rm", "/tmp/ill"]);
    wait_for("it is one again", answers);
    wait_for("liveness failures are recorded", || lab.pod("t/server").containers[0].liveness_failures > 0);
}

fn pods_come_change_and_go() {
    let lab = Lab::up("change", 2, SHOP);
    let client = "shop/web";
    let added = lab.manifest(
        "added.yaml",
        r#"
apiVersion: v1
kind: Pod
metadata: {name: late, namespace: shop, labels: {app: nobody}}
spec: {containers: [{name: c, image: late, ports: [{containerPort: 80}]}]}
"#,
    );
    let said = lab.open().add(&[added.clone().into()]).expect("the supervisor takes it");
    assert_eq!((said.objects, said.problems), (vec!["Pod shop/late".to_owned()], Vec::new()));
    let again = lab.open().add(&[added.clone().into()]).expect("the supervisor answers");
    assert_eq!((again.objects.len(), again.problems.len()), (0, 1), "it runs already");
    let junk = lab.manifest("junk.yaml", "kind: [NetworkPolicy\n");
    let refused = lab.open().add(&[junk.clone().into()]).expect_err("it may be a policy");
    assert!(refused.to_string().contains("junk.yaml:"), "{refused}");
    assert!(!lab.file().manifests.contains(&junk.into()), "it is not taken");
    wait_for("an added pod is a Service's endpoint", || {
        lab.who_answers(client, NGINX, "nobody:80").as_deref() == Ok("shop/late/c port 80")
    });
    assert!(
        lab.file().manifests.iter().any(|path| path.display().to_string() == added),
        "it belongs to the lab's input"
    );

    lab.open()
        .label("shop/late", BTreeMap::from([("app".to_owned(), "other".to_owned())]), Vec::new())
        .expect("the pod is there");
    wait_for("a relabelled pod is none", || lab.who_answers(client, NGINX, "nobody:80").is_err());

    let before = lab.pod("shop/late");
    lab.open().restart("late", RestartWhat::Containers).expect("the pod is there");
    wait_for("its container has another id", || {
        let now = lab.pod("shop/late");
        now.ready && now.uid == before.uid && now.containers[0].id != before.containers[0].id
    });
    lab.open().restart("shop/late", RestartWhat::Pod).expect("the pod is there");
    wait_for("the pod has another uid and address", || {
        let now = lab.pod("shop/late");
        now.ready && now.uid != before.uid && now.addresses != before.addresses && now.node == before.node
    });
    let cgroups =
        || fs::read_dir(lab.cgroup().join(&before.node).join("kubepods/besteffort")).expect("it is there").count();
    let with_it = cgroups();
    lab.open().delete("shop/late").expect("the pod is there");
    assert_eq!(lab.pods("shop/late").len(), 0);
    assert_eq!(cgroups(), with_it - 1);
    let links = lab.output(&format!("node:{}", before.node), &["ip", "-o", "link"]);
    let pods_here = lab.status().pods.iter().filter(|pod| pod.node == before.node).count();
    assert_eq!(links.matches(" pod-").count(), pods_here, "{links}");
    let unknown = lab.open().delete("shop/nosuch").expect_err("nobody is meant");
    assert_eq!(unknown.to_string(), "no pod and no workload is named `shop/nosuch`");
}

fn a_host_network_pod_is_its_node() {
    let lab = Lab::up(
        "host",
        1,
        r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: t}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {hostNetwork: true, containers: [{name: c, image: agent, ports: [{containerPort: 9100}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: t}
spec: {containers: [{name: c, image: client, ports: [{containerPort: 80, hostPort: 8088}]}]}
"#,
    );
    let agent = lab.pod("t/agent");
    assert_eq!(agent.addresses[0].to_string(), "172.31.0.11");
    let answer = lab.who_answers("t/client", "/app/client", "172.31.0.11:9100");
    assert!(answer.is_ok_and(|answer| answer.starts_with("t/agent-")));
    let back = lab.who_answers("t/agent", "/app/agent", "127.0.0.1:9100");
    assert!(back.is_ok());
    let executable = std::env::current_exe().expect("a test has an executable").display().to_string();
    let by_host_port = lab.who_answers("world", &executable, "172.31.0.11:8088");
    assert_eq!(by_host_port.as_deref(), Ok("t/client/c port 80"));
    let pid = agent.containers[0].pid.expect("it lives");
    let own = fs::metadata(format!("/proc/{pid}/ns/net")).expect("it lives").ino();
    assert_eq!(own, fs::metadata(&lab.file().nodes[0].netns).expect("the node has a namespace").ino());
    assert_ne!(own, fs::metadata("/proc/self/ns/net").expect("so have we").ino());
}

fn jobs_end_and_what_cannot_run_is_named() {
    let lab = Lab::named("odd");
    let output = lab.try_up(
        1,
        r#"
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: t}
spec:
  template:
    spec:
      restartPolicy: Never
      initContainers: [{name: first, image: busybox, command: [sh, -c, "echo first"]}]
      containers: [{name: c, image: once, env: [{name: DNS, value: "kube-dns.kube-system:53"}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: broken, namespace: t}
spec: {restartPolicy: Never, containers: [{name: c, image: broken, command: [sh, -c, "exit 3"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: init-fails, namespace: t}
spec:
  restartPolicy: Never
  initContainers: [{name: first, image: busybox, command: [sh, -c, "exit 1"]}]
  containers: [{name: c, image: never}]
---
apiVersion: v1
kind: Pod
metadata: {name: a-name-that-is-longer-than-what-linux-takes-for-a-host-and-than-any-one-would-type, namespace: t}
spec: {containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: covered, namespace: t}
spec: {restartPolicy: Never, containers: [{name: c, image: x, volumeMounts: [{name: v, mountPath: /etc/passwd}]}], volumes: [{name: v, emptyDir: {}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: fine, namespace: t}
spec: {containers: [{name: c, image: fine}]}
"#,
    );
    assert!(
        output.status.success(),
        "one pod that cannot run does not keep the others: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    wait_for("the job ends", || lab.pod("t/once").phase == "Succeeded");
    assert_eq!(lab.pod("t/broken").phase, "Failed");
    assert_eq!(lab.pod("t/broken").containers[0].state, "ended 3");
    let named = lab.pod("t/covered").containers[0].message.clone().unwrap_or_default();
    assert!(named.contains("/etc/passwd"), "{named}");
    assert!(lab.pod("t/fine").ready);
    let failed = lab.pod("t/init-fails");
    assert_eq!((failed.phase.as_str(), failed.containers[1].state.as_str()), ("Failed", "waiting"));
    let long = lab
        .output("t/a-name-that-is-longer-than-what-linux-takes-for-a-host-and-than-any-one-would-type", &["hostname"]);
    assert_eq!(long, "a-name-that-is-longer-than-what-linux-takes-for-a-host-and-than");
}

/// An agent that guards a pod at the third question.
fn a_first_program_waits_for_the_agent() {
    let lab = Lab::up("agent", 1, "");
    let socket = lab.name.state_dir().agent_socket();
    let listener = UnixListener::bind(&socket).expect("the lab's folder takes a socket");
    let questions = Arc::new(AtomicUsize::new(0));
    let published = Arc::new(AtomicBool::new(false));
    let (count, seen) = (Arc::clone(&questions), Arc::clone(&published));
    let state = lab.name.state_dir();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client connects");
            let mut lines = BufReader::new(stream.try_clone().expect("a socket can be shared"));
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                let question: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
                let uid = question["guarded"]["podUid"].as_str().expect("it asks for a pod").to_owned();
                let pods = fs::read_to_string(state.cluster().join("pods.yaml")).unwrap_or_default();
                let lab_file = fs::read_to_string(state.lab_file()).unwrap_or_default();
                seen.store(pods.contains(&uid) && lab_file.contains(&uid), Ordering::SeqCst);
                let guarded = count.fetch_add(1, Ordering::SeqCst) >= 2;
                writeln!(stream, "{}", serde_json::json!({"guarded": guarded, "revision": 1}))
                    .expect("the client listens");
                line.clear();
            }
        }
    });
    let manifest = lab.manifest(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: t}\nspec: {containers: [{name: c, image: p}]}\n",
    );
    lab.open().add(&[manifest.into()]).expect("the supervisor takes it");
    wait_for("the pod runs", || lab.pods("t/p").first().is_some_and(|pod| pod.ready));
    assert_eq!(questions.load(Ordering::SeqCst), 3, "its program waited for the agent");
    assert!(published.load(Ordering::SeqCst), "the agent could know the pod when it was asked");
}

fn down_leaves_nothing() {
    let lab = Lab::up("down", 2, SHOP);
    lab.mount_pins();
    let traces = lab.traces();
    // A command that hangs in a container, and one in the world, go too.
    let hanging = ["shop/web", "--world"].map(|at| {
        lab_command(&["exec", "--name", lab.name.as_str(), at, "--", "sleep", "1000"])
            .spawn()
            .expect("the test's executable runs")
    });
    let inside = || {
        fs::read_dir("/proc")
            .expect("it is there")
            .flatten()
            .filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == b"sleep\x001000\0"))
            .count()
    };
    wait_for("both commands run", || inside() >= 2);
    lab.down();
    traces.wait_until_gone();
    for mut command in hanging {
        command.wait().expect("the command ended with the lab");
    }
    let again = palisade_lab::down(&lab.name).expect_err("it is down");
    assert!(again.to_string().contains("no lab named"), "{again}");
}

fn an_interrupt_leaves_nothing() {
    let mut lab = Lab::up_in_foreground("int", SHOP);
    let traces = lab.traces();
    let pid = Pid::from_raw(i32::try_from(lab.foreground().id()).expect("a pid is small"));
    kill(pid, Signal::SIGINT).expect("the lab lives");
    let status = lab.foreground().wait().expect("the lab ends");
    assert!(status.success(), "{status}");
    traces.wait_until_gone();
}

fn a_killed_guard_leaves_nothing() {
    let lab = Lab::up("guard", 2, SHOP);
    lab.mount_pins();
    let traces = lab.traces();
    let refused = lab.try_up(1, SHOP);
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(message.contains("is running") && message.contains("hint: `palisade lab down"), "{message}");
    let pid = i32::try_from(lab.file().pid).expect("a pid is small");
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("the guard lives");
    traces.wait_until_gone();
}

fn a_killed_supervisor_leaves_nothing_and_up_cleans_after_both() {
    let lab = Lab::up("both", 1, SHOP);
    lab.mount_pins();
    let traces = lab.traces();
    let supervisor = |lab: &Lab| {
        let guard = lab.file().pid;
        let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).expect("the guard lives");
        Pid::from_raw(children.split_whitespace().next().expect("it has a child").parse().expect("a pid is a number"))
    };
    kill(supervisor(&lab), Signal::SIGKILL).expect("the supervisor lives");
    traces.wait_until_gone();

    assert!(lab.try_up(1, SHOP).status.success());
    lab.mount_pins();
    let traces = lab.traces();
    let guard = Pid::from_raw(i32::try_from(lab.file().pid).expect("a pid is small"));
    let child = supervisor(&lab);
    // Stopped, neither can clean up after the other.
    kill(guard, Signal::SIGSTOP).expect("the guard lives");
    kill(child, Signal::SIGKILL).expect("the supervisor lives");
    kill(guard, Signal::SIGKILL).expect("the guard lives");
    traces.wait_until_dead();
    assert!(lab.cgroup().exists(), "cgroups outlive their processes");
    let output = lab.try_up(1, SHOP);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(lab.status().pods.iter().all(|pod| pod.ready));
    let traces = lab.traces();
    lab.down();
    traces.wait_until_gone();
}
