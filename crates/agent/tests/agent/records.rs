//! Who connected, whom, by which rule, and what became of it.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use palisade_model::flow::{FlowOutcome, VerdictWord};
use serde_json::json;

use crate::by_hand::{DB, Lab, Running, privileged};
use crate::puppet::{Came, Puppet, REFUSED};

const RULES: &str = r#"
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: default, namespace: shop}
spec: {mode: Enforce, subject: {selector: {}}, directions: [Ingress, Egress]}
---
apiVersion: palisade.dev/v1alpha1
kind: AccessPolicy
metadata: {name: orders, namespace: shop}
spec:
  mode: Enforce
  rules:
  - name: web-reads-orders
    action: Allow
    from: [{workload: web, container: nginx, program: /usr/sbin/nginx}]
    to: [{workload: db}]
    ports: [{port: 5432}]
"#;

#[test]
fn a_record_names_container_program_rule_and_outcome() {
    privileged(|| {
        let mut lab = Lab::new();
        lab.rules(RULES);
        let root = lab.root("nginx", &["/usr/sbin/nginx", "/usr/bin/curl"]);
        let listener = TcpListener::bind((DB, 5432)).expect("a listener");
        let db: SocketAddr = listener.local_addr().expect("an address");
        let nobody = SocketAddr::new(db.ip(), 5433);
        let (web, side) = (lab.cgroup_of("web", "nginx"), lab.cgroup_of("web", "side"));
        let mut nginx = Puppet::start_in(&root, Path::new("/usr/sbin/nginx"), &web);
        lab.started("web", "nginx", nginx.pid());
        lab.publish();
        let agent = Running::start(&lab);
        let mut observer = agent.observe("start");

        assert_eq!(nginx.connect(db), Came::Through);
        let record = observer.of(&nginx);
        assert_eq!((record.verdict.verdict, record.outcome), (VerdictWord::Allowed, FlowOutcome::Established));
        assert_eq!(record.from.namespace.as_deref(), Some("shop"));
        assert_eq!(record.from.workload.as_deref(), Some("Pod/web"));
        assert_eq!(record.from.container.as_deref(), Some("nginx"));
        assert_eq!(record.from.program.as_deref(), Some("/usr/sbin/nginx"));
        assert_eq!(record.from.program_named, Some(true));
        assert_eq!((record.to.name.as_deref(), record.to.container.as_deref()), (Some("db"), Some("postgres")));
        assert_eq!((record.dialled.address, record.dialled.port), (db.ip(), 5432));
        let rule = record.verdict.rule.as_deref().expect("a rule");
        assert!(rule.contains("orders") && rule.contains("web-reads-orders"), "{rule}");

        assert_eq!(nginx.connect(nobody), REFUSED);
        let record = observer.of(&nginx);
        assert_eq!((record.verdict.verdict, record.outcome), (VerdictWord::Denied, FlowOutcome::Refused));
        assert_eq!(record.verdict.reason, "closed");

        let mut curl = Puppet::start_in(&root, Path::new("/usr/bin/curl"), &web);
        assert_eq!(curl.connect(db), REFUSED);
        let record = observer.of(&curl);
        assert_eq!(record.from.program.as_deref(), Some("/usr/bin/curl"));
        assert_eq!(record.from.program_named, Some(false));

        let mut sidecar = Puppet::start_in(&root, Path::new("/usr/sbin/nginx"), &side);
        assert_eq!(sidecar.connect(db), REFUSED);
        assert_eq!(observer.of(&sidecar).from.container.as_deref(), Some("side"));

        let mut postgres = Puppet::start_in(&root, Path::new("/usr/bin/curl"), &lab.cgroup_of("db", "postgres"));
        drop(listener);
        assert_eq!(postgres.bind(db), Came::Through);
        assert_eq!(nginx.connect(db), Came::Through);
        let to = observer.of(&nginx).to;
        assert_eq!((to.container.as_deref(), to.program.as_deref()), (Some("postgres"), Some("/usr/bin/curl")));
        drop(postgres);
        assert_eq!(nginx.connect(db), Came::Errno(libc::ECONNREFUSED));
        assert_eq!(observer.of(&nginx).outcome, FlowOutcome::NobodyListens);

        let status = agent.ask(&json!({"status": {}}));
        let megabytes = |field: &serde_json::Value| field.as_u64().expect("a number") as f64 / 1e6;
        eprintln!(
            "resident {:.1} MB (of the whole test), kernel {:.2} MB",
            megabytes(&status["residentBytes"]),
            megabytes(&status["nodes"][0]["kernelBytes"])
        );
        assert_eq!(status["nodes"][0]["programs"], 1, "{status}");
    });
}

/// What lies between a container's start and what its programs change.
fn some_time_passes() {
    // A process' start is known to a hundredth of a second, and a little more is forgiven.
    std::thread::sleep(std::time::Duration::from_millis(100));
}

#[test]
fn what_a_container_puts_in_the_way_of_a_named_program_does_not_become_it() {
    for redirect in ["link", "folder", "mount"] {
        privileged(|| {
            let mut lab = Lab::new();
            lab.rules(RULES);
            let root = lab.root("nginx", &["/usr/sbin/nginx", "/usr/bin/curl", "/opt/tools/nginx"]);
            let listener = TcpListener::bind((DB, 5432)).expect("a listener");
            let db: SocketAddr = listener.local_addr().expect("an address");
            let web = lab.cgroup_of("web", "nginx");
            let mut curl = Puppet::start_in(&root, Path::new("/usr/bin/curl"), &web);
            let mut tools = Puppet::start_in(&root, Path::new("/opt/tools/nginx"), &web);
            lab.started("web", "nginx", curl.pid());
            some_time_passes();
            let inside = |path: &str| root.join(path);
            match redirect {
                "link" => {
                    std::fs::remove_file(inside("usr/sbin/nginx")).expect("removed");
                    std::os::unix::fs::symlink("/usr/bin/curl", inside("usr/sbin/nginx")).expect("linked");
                }
                "folder" => {
                    std::fs::remove_dir_all(inside("usr/sbin")).expect("removed");
                    std::os::unix::fs::symlink("/opt/tools", inside("usr/sbin")).expect("linked");
                }
                _ => lab.bind(&inside("opt/tools"), &inside("usr/sbin")),
            }
            lab.publish();
            let _agent = Running::start(&lab);
            assert_eq!(curl.connect(db), REFUSED, "{redirect}");
            assert_eq!(tools.connect(db), REFUSED, "{redirect}");
        });
    }
}

#[test]
fn a_named_program_stays_named_for_the_next_agent() {
    privileged(|| {
        let mut lab = Lab::new();
        lab.rules(RULES);
        let root = lab.root("nginx", &["/usr/sbin/nginx"]);
        let listener = TcpListener::bind((DB, 5432)).expect("a listener");
        let db: SocketAddr = listener.local_addr().expect("an address");
        let mut nginx = Puppet::start_in(&root, Path::new("/usr/sbin/nginx"), &lab.cgroup_of("web", "nginx"));
        lab.started("web", "nginx", nginx.pid());
        lab.publish();
        drop(Running::start(&lab));
        some_time_passes();
        // Another file in the folder: from now on nobody can tell whether the folder is the image's.
        std::fs::write(root.join("usr/sbin/more"), "").expect("written");
        let agent = Running::start(&lab);
        assert_eq!(nginx.connect(db), Came::Through, "{}", agent.ask(&json!({"status": {}})));
    });
}

#[test]
fn a_record_of_a_service_link_names_who_is_behind_it() {
    privileged(|| {
        let mut lab = Lab::new();
        let service = "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: shop}\n\
                       spec: {clusterIP: 10.96.0.9, selector: {app: db}, ports: [{port: 5432}]}\n";
        lab.rules(service);
        let mut web = Puppet::start(&std::env::current_exe().expect("this"), &lab.cgroup_of("web", "nginx"));
        lab.started("web", "nginx", web.pid());
        lab.publish();
        let agent = Running::start(&lab);
        let mut observer = agent.observe("now");
        // Nobody translates the address here; what matters is whom the record names.
        web.connect(SocketAddr::new([10, 96, 0, 9].into(), 5432));
        let record = observer.of(&web);
        assert_eq!((record.to.kind.as_str(), record.dialled.service.as_deref()), ("service", Some("shop/db")));
        let receiver = record.receiver.expect("there is one backend");
        assert_eq!((receiver.name.as_deref(), receiver.workload.as_deref()), (Some("db"), Some("Pod/db")));
        assert_eq!(receiver.container.as_deref(), Some("postgres"));
        // With a second pod the workload is told when both are of it; these are not.
        drop(observer);
        lab.add_pod("db2", "10.244.1.9", &["postgres"]);
        lab.relabel("db2", "db");
        lab.publish();
        let wait = std::time::Instant::now();
        while agent.ask(&json!({"status": {}}))["nodes"][0]["pods"] != 3 {
            assert!(wait.elapsed().as_secs() < 10, "the new pod is not seen");
        }
        let mut observer = agent.observe("now");
        web.connect(SocketAddr::new([10, 96, 0, 9].into(), 5432));
        assert_eq!(observer.of(&web).receiver, None);
    });
}

#[test]
fn an_undecided_record_names_the_fact_that_is_missing() {
    privileged(|| {
        let mut lab = Lab::new();
        lab.rules("apiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: default, namespace: shop}\nspec: [}\n");
        let mut web = Puppet::start(&std::env::current_exe().expect("this executable"), &lab.cgroup_of("web", "nginx"));
        lab.started("web", "nginx", web.pid());
        lab.publish();
        let agent = Running::start(&lab);
        let mut observer = agent.observe("start");
        assert_eq!(web.connect(SocketAddr::new(DB.parse().expect("an address"), 5432)), REFUSED);
        let verdict = observer.of(&web).verdict;
        assert_eq!(verdict.reason, "undecided");
        let missing = verdict.missing.expect("a fact");
        assert!(missing.contains("cannot be read") && missing.contains("rules.yaml:1"), "{missing}");
    });
}
