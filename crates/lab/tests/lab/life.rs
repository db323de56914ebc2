//! Pods start, get ready, change, end.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use palisade_lab::RestartWhat;

use crate::fixture::{Lab, wait_for};
use crate::shop::{NGINX, SHOP};

pub fn state_files_tell_what_lives() {
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

pub fn readiness_decides_endpoints() {
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

pub fn pods_come_change_and_go() {
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

pub fn jobs_end_and_what_cannot_run_is_named() {
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
pub fn a_first_program_waits_for_the_agent() {
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
