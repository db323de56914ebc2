//! The live objects as `kubectl get -o yaml` would show them.

mod endpoint_slice;
mod pod;
mod service;

use palisade_model::{Labels, Name};
use serde_json::{Map, Value, json};

use crate::cluster::{Cluster, Node};
use crate::yaml;

/// Every file of `cluster/` with its contents.
pub(crate) fn render(cluster: &Cluster) -> [(&'static str, String); 5] {
    let namespaces: Vec<_> = cluster.bare_namespaces.iter().map(namespace).collect();
    let nodes: Vec<_> = cluster.nodes.iter().map(node).collect();
    let pods: Vec<_> = cluster.pods.values().map(|live| pod::object(live, cluster)).collect();
    let services: Vec<_> = cluster.services.values().map(service::object).collect();
    let slices: Vec<_> =
        cluster.services.values().flat_map(|service| endpoint_slice::objects(service, cluster)).collect();
    [
        ("namespaces.yaml", yaml::render(&namespaces)),
        ("nodes.yaml", yaml::render(&nodes)),
        ("pods.yaml", yaml::render(&pods)),
        ("services.yaml", yaml::render(&services)),
        ("endpointslices.yaml", yaml::render(&slices)),
    ]
}

fn namespace(name: &Name) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": &**name, "labels": {"kubernetes.io/metadata.name": &**name}},
        "status": {"phase": "Active"},
    })
}

fn node(node: &Node) -> Value {
    let mut addresses: Vec<_> =
        node.addresses.iter().map(|address| json!({"type": "InternalIP", "address": address})).collect();
    addresses.push(json!({"type": "Hostname", "address": &*node.name}));
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": &*node.name,
            "labels": pairs_value(&node.labels),
        },
        "spec": {"podCIDR": crate::address_plan::pod_networks(node.number)[0].to_string(),
                 "podCIDRs": crate::address_plan::pod_networks(node.number).map(|net| net.to_string())},
        "status": {"addresses": addresses},
    })
}

fn metadata(name: &str, namespace: &str, labels: &Labels, annotations: &Labels) -> Map<String, Value> {
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(name));
    metadata.insert("namespace".into(), json!(namespace));
    for (field, pairs) in [("labels", labels), ("annotations", annotations)] {
        if !pairs.0.is_empty() {
            metadata.insert(field.into(), pairs_value(pairs));
        }
    }
    metadata
}

fn pairs_value(pairs: &Labels) -> Value {
    Value::Object(pairs.0.iter().map(|(key, value)| (key.to_string(), json!(&**value))).collect())
}

#[cfg(test)]
mod tests {
    use palisade_model::Place;
    use palisade_model::pod::PodSpec;

    use super::*;
    use crate::cluster::example;

    const EVERYTHING: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, odd: "yes"}, annotations: {note: "a: b"}}
spec:
  hostname: web-0
  subdomain: webs
  nodeSelector: {kubernetes.io/os: linux}
  restartPolicy: OnFailure
  serviceAccountName: web
  securityContext: {runAsUser: 7, runAsNonRoot: true, fsGroup: 9}
  volumes: [{name: v, emptyDir: {}}, {name: h, hostPath: {path: /var/log}}, {name: c, configMap: {name: x}}]
  initContainers:
  - {name: first, image: busybox, command: [sh, -c, "echo 'a b' && true"]}
  - {name: side, image: side, restartPolicy: Always}
  containers:
  - name: nginx
    image: nginx:1.27
    args: ["-g", "daemon off;"]
    env: [{name: A, value: "http://orders:80/x"}, {name: EMPTY, value: ""}, {name: "N", value: "0777"}]
    ports: [{containerPort: 80, name: http, hostPort: 8080}, {containerPort: 53, protocol: UDP}]
    readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 3}
    livenessProbe: {tcpSocket: {port: 80, host: 127.0.0.1}, initialDelaySeconds: 5, timeoutSeconds: 2}
    startupProbe: {exec: {command: [cat, /tmp/x]}}
    securityContext: {privileged: false, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {add: [NET_ADMIN], drop: [all]}}
    volumeMounts: [{name: v, mountPath: /tmp}]
    resources: {requests: {cpu: 100m}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  clusterIP: 10.96.0.30
  internalTrafficPolicy: Local
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}, {name: dns, port: 53, protocol: UDP}]
---
apiVersion: v1
kind: Service
metadata: {name: webs, namespace: shop}
spec: {clusterIP: None, publishNotReadyAddresses: true, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop}
spec: {type: ExternalName, externalName: api.pay.example}
"#;

    /// Places differ between two files; all else must not.
    fn without_places(mut spec: PodSpec) -> PodSpec {
        spec.containers.iter_mut().for_each(|container| container.place = Place::new("", 0));
        spec
    }

    #[test]
    fn what_is_written_is_read_back() {
        let cluster = example::cluster(EVERYTHING);
        let text: String = render(&cluster).into_iter().map(|(_, text)| text).collect();
        let read = palisade_manifests::load_text("cluster.yaml", &text);
        assert_eq!(read.problems, Vec::new(), "{text}");
        let pod = &read.value.pods[0];
        let live = cluster.pods.values().next().expect("there is a pod");
        assert_eq!(without_places(pod.spec.clone()), without_places(live.plan.spec.clone()));
        assert_eq!((&pod.meta.labels, &pod.meta.annotations), (&live.plan.labels, &live.plan.annotations));
        assert_eq!((pod.node.as_deref(), pod.ready, pod.addresses.len()), (Some("node1"), Some(true), 2));
        assert_eq!(pod.container_statuses.len(), 3);
        for service in &read.value.services {
            let key = (service.meta.namespace().into(), service.meta.name().into());
            let expected = &cluster.services[&key];
            assert_eq!((&service.ports, &service.exposure), (&expected.ports, &expected.exposure));
            assert_eq!((&service.cluster_ips, service.headless), (&expected.cluster_ips, expected.headless));
            assert_eq!(
                (&service.selector, service.publish_not_ready, service.internal_traffic),
                (&expected.selector, expected.publish_not_ready, expected.internal_traffic)
            );
        }
        assert_eq!(read.value.nodes.len(), 2);
        let web: Vec<_> =
            read.value.endpoint_slices.iter().filter(|slice| slice.service.as_deref() == Some("web")).collect();
        assert_eq!(web.len(), 1, "one family");
        assert_eq!(web[0].ports.iter().filter_map(|port| port.port).collect::<Vec<_>>(), [80, 53]);
        assert_eq!(web[0].endpoints[0].pod.as_deref(), Some("web"));
    }
}
