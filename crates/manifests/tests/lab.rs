//! The live objects of a running lab over the manifests that it was started with.

use std::fs;
use std::path::PathBuf;

use palisade_manifests::{LoadError, load_lab};

struct Lab(PathBuf);

impl Lab {
    fn new(name: &str, given: &str, live: &[(&str, &str)]) -> Self {
        let root = std::env::temp_dir().join(format!("palisade-lab-test-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("cluster")).expect("the temporary folder can be written");
        let manifest = root.join("given.yaml");
        fs::write(&manifest, given).expect("the file can be written");
        let state =
            format!("{{\"name\": \"{name}\", \"manifests\": [{manifest:?}], \"cluster\": {:?}}}", root.join("cluster"));
        fs::write(root.join("lab.json"), state).expect("the file can be written");
        for (file, text) in live {
            fs::write(root.join("cluster").join(file), text).expect("the file can be written");
        }
        Self(root)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_live_object_replaces_the_given_one_and_keeps_its_place() {
    let service = |ip: &str| {
        format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop}}\nspec: {{{ip}ports: [{{port: 80}}]}}\n"
        )
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: shop, uid: u1, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u2, controller: true}]}\nspec: {nodeName: node1, containers: [{name: web, image: i}]}\nstatus: {phase: Running, podIP: 10.244.1.2, podIPs: [{ip: 10.244.1.2}, {ip: 'fd00:10:244:1::2'}], hostIP: 172.31.0.11, containerStatuses: [{name: web, containerID: 'palisade://abc', ready: true, started: true, restartCount: 0, image: i, imageID: ''}]}\n";
    let lab = Lab::new(
        "overlay",
        &format!("# the Service\n{}", service("")),
        &[("web.yaml", &service("clusterIP: 10.96.0.7, ")), ("pod.yaml", pod)],
    );
    let outcome = load_lab(&lab.0).expect("the lab's state can be read");
    assert_eq!(outcome.problems, []);
    let [service] = outcome.value.services.as_slice() else { panic!("one Service") };
    assert_eq!(service.cluster_ips, ["10.96.0.7".parse::<std::net::IpAddr>().expect("an address")]);
    assert!(service.meta.place.to_string().ends_with("given.yaml:2"), "{}", service.meta.place);
    let [pod] = outcome.value.pods.as_slice() else { panic!("one pod") };
    assert_eq!(pod.addresses.len(), 2);
    assert_eq!(pod.container_statuses[0].id.as_deref(), Some("abc"));
    assert_eq!(pod.meta.owner.as_ref().map(|owner| &*owner.name), Some("web"));
}

#[test]
fn without_a_lab_the_error_names_the_state() {
    let error = load_lab(&std::env::temp_dir().join("palisade-no-such-lab")).expect_err("there is none");
    assert!(matches!(error, LoadError::Lab { .. }));
}
