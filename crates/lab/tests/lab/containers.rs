//! What a container is: whom it shares what with, its user, its programs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::fixture::Lab;
use crate::shop::{NGINX, SHOP};

pub fn containers_of_a_pod_share_the_network_alone() {
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

pub fn a_container_has_its_user_and_capabilities() {
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

pub fn a_program_is_a_file_of_its_image() {
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
