//! The objects that every lab has: the cluster DNS.

use palisade_model::Inventory;

/// The name of their "file", in problems and places.
const FILE: &str = "<lab>";

/// Annotation `lab.palisade.dev/runs.<container>`: what a container runs in place of a stand-in.
pub(crate) const RUNS_ANNOTATION: &str = "lab.palisade.dev/runs.";

/// The value of [`RUNS_ANNOTATION`] for the cluster's name server.
pub(crate) const RUNS_DNS: &str = "dns";

/// As kubeadm writes them, as far as it matters here.
const MANIFESTS: &str = r#"
apiVersion: v1
kind: Service
metadata:
  name: kube-dns
  namespace: kube-system
  labels: {k8s-app: kube-dns, kubernetes.io/name: CoreDNS}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10]
  selector: {k8s-app: kube-dns}
  ports:
  - {name: dns, port: 53, protocol: UDP, targetPort: 53}
  - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: coredns
  namespace: kube-system
  labels: {k8s-app: kube-dns}
spec:
  replicas: 1
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata:
      labels: {k8s-app: kube-dns}
      annotations: {lab.palisade.dev/runs.coredns: dns}
    spec:
      serviceAccountName: coredns
      containers:
      - name: coredns
        image: registry.k8s.io/coredns/coredns:v1.12.1
        ports:
        - {containerPort: 53, name: dns, protocol: UDP}
        - {containerPort: 53, name: dns-tcp, protocol: TCP}
        readinessProbe: {tcpSocket: {port: 53}, periodSeconds: 10}
        resources: {requests: {cpu: 100m, memory: 70Mi}}
        securityContext:
          allowPrivilegeEscalation: false
          capabilities: {add: [NET_BIND_SERVICE], drop: [ALL]}
          readOnlyRootFilesystem: true
"#;

/// The lab's own objects, but for those that `inventory` brings itself.
pub(crate) fn objects(inventory: &Inventory) -> Inventory {
    let mut own = palisade_manifests::load_text(FILE, MANIFESTS).value;
    own.services.retain(|own| !inventory.services.iter().any(|other| other.meta.reference == own.meta.reference));
    own.workloads.retain(|own| !inventory.workloads.iter().any(|other| other.meta.reference == own.meta.reference));
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labs_own_objects_have_no_problem() {
        let outcome = palisade_manifests::load_text(FILE, MANIFESTS);
        assert_eq!(outcome.problems, Vec::new());
        assert_eq!((outcome.value.services.len(), outcome.value.workloads.len()), (1, 1));
        assert_eq!(outcome.value.services[0].cluster_ips, [std::net::IpAddr::V4(crate::address_plan::DNS_ADDRESS)]);
    }
}
