//! One whole object of each kind, with most of the fields that Palisade reads: what the changes start from.

pub mod doors;
pub mod tiers;

use serde_json::{Value as Json, json};

/// The valid objects of every kind; none has a namespace, which makes it `default`.
pub fn bases() -> Vec<Json> {
    vec![
        network_policy(),
        network_policy_of_egress(),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "open"},
            "spec": {"ingress": [{}], "egress": []}}),
        service(),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "headless"},
            "spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": [{"port": 53, "protocol": "UDP"}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside"},
            "spec": {"type": "ExternalName", "externalName": "db.example.com", "ports": [{"port": 5432, "targetPort": 5433}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "balanced"},
            "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "externalTrafficPolicy": "Local",
                "loadBalancerSourceRanges": ["10.0.0.0/8"], "sessionAffinity": "ClientIP", "ports": [{"port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "both"},
            "spec": {"clusterIP": "10.96.7.7", "clusterIPs": ["10.96.7.7", "fd00:10:96::77"], "ipFamilies": ["IPv4", "IPv6"],
                "ipFamilyPolicy": "RequireDualStack", "ports": [{"port": 80}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "by-hand"},
            "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}),
        endpoint_slice(),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "FQDN",
            "metadata": {"name": "names"}, "endpoints": [{"addresses": ["db.example.com"]}], "ports": [{"port": 80}]}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv6",
            "metadata": {"name": "six"}, "endpoints": [{"addresses": ["2001:db8::7"]}], "ports": [{}]}),
        pod(),
        host_network_pod(),
        live_pod(),
        deployment(),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "r"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": small_template("Always")}}),
        json!({"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "rc"},
            "spec": {"replicas": 2, "minReadySeconds": 1, "selector": {"app": "web"}, "template": small_template("Always")}}),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
            "spec": {"replicas": 1, "serviceName": "db", "ordinals": {"start": 3}, "selector": {"matchLabels": {"app": "web"}},
                "template": small_template("Always")}}),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"},
            "spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
                "template": small_template("Always")}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"parallelism": 2, "completions": 3, "suspend": false, "template": small_template("Never")}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c"},
            "spec": {"schedule": "*/5 * * * *", "suspend": true, "concurrencyPolicy": "Forbid",
                "jobTemplate": {"metadata": {"labels": {"app": "web"}},
                    "spec": {"parallelism": 2, "template": small_template("OnFailure")}}}}),
        json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "n", "labels": {"team": "shop"}, "annotations": {"A/b": "any text"}},
            "spec": {"finalizers": ["kubernetes"]}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": false,
            "metadata": {"name": "a", "labels": {"team": "shop"}}, "secrets": [{"name": "s"}],
            "imagePullSecrets": [{"name": "s"}]}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "labels": {"zone": "a"}},
            "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24"], "taints": [{"key": "k", "effect": "NoSchedule"}]},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.7"}, {"type": "ExternalIP", "address": "2001:db8::7"},
                {"type": "Hostname", "address": "node-1"}], "capacity": {"cpu": "4"}}}),
    ]
}

/// Objects with what is seldom written, or never read here: that Palisade refuses nothing of it is the question.
pub fn rich_bases() -> Vec<Json> {
    vec![
        rich_pod(),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"serviceName": "", "podManagementPolicy": "Parallel", "minReadySeconds": 3,
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
                "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"},
                "selector": {"matchLabels": {"app": "db"}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"},
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
                "template": {"metadata": {"labels": {"app": "db"}},
                    "spec": {"containers": [{"name": "db", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}}}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"paused": true, "progressDeadlineSeconds": 60, "minReadySeconds": 5,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
                "selector": {"matchLabels": {"app": "web"}}, "template": small_template("Always")}}),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
            "spec": {"updateStrategy": {"type": "OnDelete"}, "selector": {"matchLabels": {"app": "agent"}},
                "template": {"metadata": {"labels": {"app": "agent"}},
                    "spec": {"hostNetwork": true, "hostPID": true, "dnsPolicy": "ClusterFirstWithHostNet",
                        "tolerations": [{"operator": "Exists"}], "priorityClassName": "system-node-critical",
                        "containers": [{"name": "a", "image": "i", "securityContext": {"privileged": true},
                            "ports": [{"containerPort": 9100}],
                            "volumeMounts": [{"name": "sys", "mountPath": "/sys", "mountPropagation": "HostToContainer"}]}],
                        "volumes": [{"name": "sys", "hostPath": {"path": "/sys", "type": "Directory"}}]}}}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "by-hand"},
            "spec": {"manualSelector": true, "selector": {"matchLabels": {"job": "x"}}, "completions": 3,
                "backoffLimit": 2, "ttlSecondsAfterFinished": 60, "activeDeadlineSeconds": 100,
                "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}]},
                "template": {"metadata": {"labels": {"job": "x"}},
                    "spec": {"restartPolicy": "Never", "activeDeadlineSeconds": 50, "containers": [{"name": "a", "image": "i"}]}}}}),
        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "migrate-"},
            "spec": {"template": small_template("Never")}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "shell-", "labels": {"run": "shell"}},
            "spec": {"containers": [{"name": "shell", "image": "busybox", "stdin": true, "tty": true, "command": ["sh"]}]}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
            "spec": {"schedule": "@daily", "timeZone": "Europe/Berlin", "startingDeadlineSeconds": 100,
                "successfulJobsHistoryLimit": 0, "failedJobsHistoryLimit": 1,
                "jobTemplate": {"spec": {"template": small_template("Never")}}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "open"},
            "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "allocateLoadBalancerNodePorts": false,
                "loadBalancerClass": "example.com/lb", "loadBalancerIP": "192.0.2.1", "externalTrafficPolicy": "Cluster",
                "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
                "trafficDistribution": "PreferClose", "ports": [{"port": 443, "name": "https"}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside-in"},
            "spec": {"externalIPs": ["192.0.2.1", "2001:db8::1"], "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local",
                "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6"], "ports": [{"port": 80, "targetPort": 0}]}}),
    ]
}

fn rich_pod() -> Json {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "rich"},
        "spec": {
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "Gt", "values": ["3"]}]}]}},
                "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5,
                    "podAffinityTerm": {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}}]}},
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}],
            "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
            "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a.example"]}],
            "dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"], "options": [{"name": "ndots", "value": "2"}]},
            "shareProcessNamespace": true, "setHostnameAsFQDN": false, "enableServiceLinks": false,
            "automountServiceAccountToken": false, "serviceAccount": "old", "serviceAccountName": "",
            "readinessGates": [{"conditionType": "example.com/ready"}], "schedulingGates": [{"name": "example.com/gate"}],
            "os": {"name": "linux"}, "imagePullSecrets": [{"name": "s"}],
            "securityContext": {"supplementalGroups": [1], "sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}],
                "seccompProfile": {"type": "RuntimeDefault"}, "fsGroupChangePolicy": "OnRootMismatch", "runAsUser": 0},
            "initContainers": [{"name": "first", "image": "i", "volumeMounts": [{"name": "secret", "mountPath": "/s", "readOnly": true}]}],
"containers": [rich_container()], "volumes": rich_volumes()}})
}

fn rich_container() -> Json {
    json!({"name": "a", "image": "registry.example:5000/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                "workingDir": "/", "envFrom": [{"configMapRef": {"name": "c"}, "prefix": "A_"}],
                "env": [{"name": "my.env-1", "value": "$(A)"}, {"name": "EMPTY"},
                    {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}],
                "resources": {"limits": {"cpu": 1, "memory": "1Gi", "example.com/gpu": 1, "ephemeral-storage": "1Gi"}},
                "lifecycle": {"postStart": {"httpGet": {"port": 80}}, "preStop": {"sleep": {"seconds": 3}}},
                "terminationMessagePath": "/m", "terminationMessagePolicy": "FallbackToLogsOnError", "stdin": true, "tty": true,
                "readinessProbe": {"httpGet": {"port": 80, "host": "a.example", "httpHeaders": [{"name": "X-A", "value": "b"}]},
                    "failureThreshold": 0, "periodSeconds": 0, "timeoutSeconds": 0, "successThreshold": 0},
                "startupProbe": {"tcpSocket": {"port": "http", "host": "127.0.0.1"}, "terminationGracePeriodSeconds": 5},
                "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 80, "name": "http-udp", "protocol": "UDP"},
                    {"containerPort": 80}, {"containerPort": 80}],
                "securityContext": {"procMount": "Default", "seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"}},
                "volumeDevices": [{"name": "claim", "devicePath": "/dev/x"}],
                "volumeMounts": [{"name": "secret", "mountPath": "s", "subPath": "x"}, {"name": "down", "mountPath": "/d", "subPathExpr": "$(A)"},
                    {"name": "all", "mountPath": "/p", "recursiveReadOnly": "Disabled", "readOnly": true}]})
}

fn rich_volumes() -> Json {
    json!([{"name": "secret", "secret": {"secretName": "s", "defaultMode": 256, "items": [{"key": "a", "path": "b"}]}},
                {"name": "down", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                {"name": "all", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 600}}]}},
                {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "1Gi"}}}}}},
                {"name": "csi", "csi": {"driver": "csi.example.com"}}, {"name": "nfs", "nfs": {"server": "a", "path": "/"}},
                {"name": "mem", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}, {"name": "bare"}])
}

fn network_policy() -> Json {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "ingress", "labels": {"team": "shop"}, "annotations": {"note": "any text"}},
        "spec": {
            "podSelector": {"matchLabels": {"app": "web", "example.com/tier": ""},
                "matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "front"]},
                    {"key": "legacy", "operator": "DoesNotExist"}]},
            "policyTypes": ["Ingress"],
            "ingress": [{
                "from": [{"podSelector": {"matchLabels": {"app": "front"}}, "namespaceSelector": {}},
                    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.3.4/32"]}}],
                "ports": [{"protocol": "TCP", "port": 8000, "endPort": 8010}, {"protocol": "UDP", "port": "dns"}, {"port": 80}]}]}})
}

fn network_policy_of_egress() -> Json {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "egress"},
        "spec": {
            "podSelector": {},
            "egress": [{"to": [{"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}}],
                    "ports": [{"protocol": "SCTP"}]},
                {"to": [{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["shop"]}]}}]}]}})
}

fn service() -> Json {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"type": "NodePort", "clusterIP": "10.96.7.8", "selector": {"app": "web", "example.com/tier": ""},
            "externalIPs": ["192.0.2.10"], "publishNotReadyAddresses": true, "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "nodePort": 30080},
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 5353, "appProtocol": "example.com/dns"}]}})
}

fn endpoint_slice() -> Json {
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": ["10.244.1.5"], "hostname": "web-0", "nodeName": "node-1", "zone": "a",
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": "web-0"}},
            {"addresses": ["10.244.1.6"]}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]})
}

fn pod() -> Json {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web-0", "labels": {"app": "web", "example.com/tier": "front"},
            "annotations": {"Example.com/Note": "any text"}, "finalizers": ["example.com/f"],
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": true}]},
        "spec": {
            "serviceAccountName": "web", "nodeName": "node-1", "hostname": "web-0", "subdomain": "web",
            "nodeSelector": {"disk": "fast"}, "restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 5,
            "securityContext": {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000, "runAsNonRoot": true},
            "initContainers": [{"name": "side", "image": "i", "restartPolicy": "Always", "ports": [{"containerPort": 9000, "name": "side"}]}],
            "containers": [{"name": "web", "image": "i:1", "command": ["/bin/web"], "args": ["-v"],
                "env": [{"name": "A", "value": "b"}, {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"},
                    {"name": "dns", "containerPort": 5353, "hostPort": 5300, "protocol": "UDP", "hostIP": "192.0.2.7"}],
                "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "100m"}},
                "securityContext": {"capabilities": {"add": ["NET_RAW"], "drop": ["ALL"]}, "readOnlyRootFilesystem": true,
                    "allowPrivilegeEscalation": false, "privileged": false, "runAsUser": 7},
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 3,
                    "initialDelaySeconds": 1, "timeoutSeconds": 2},
                "livenessProbe": {"tcpSocket": {"port": 8080}},
                "startupProbe": {"grpc": {"port": 8080}}},
                {"name": "second", "image": "i", "livenessProbe": {"exec": {"command": ["true"]}}}],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "host", "hostPath": {"path": "/srv"}},
                {"name": "conf", "configMap": {"name": "c"}}]}})
}

fn host_network_pod() -> Json {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "host"},
        "spec": {"hostNetwork": true,
            "containers": [{"name": "a", "image": "i", "ports": [{"containerPort": 9100, "hostPort": 9100, "name": "metrics"},
                {"containerPort": 9101}]}]}})
}

/// Its status is dropped by a creation, but must be readable.
fn live_pod() -> Json {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "live"},
        "spec": {"containers": [{"name": "a", "image": "i"}]},
        "status": {"phase": "Running", "podIP": "10.244.1.5", "podIPs": [{"ip": "10.244.1.5"}, {"ip": "fd00:244::5"}],
            "hostIP": "192.0.2.7", "hostIPs": [{"ip": "192.0.2.7"}], "qosClass": "BestEffort", "startTime": "2026-01-01T00:00:00Z",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": null}],
            "containerStatuses": [{"name": "a", "image": "i", "imageID": "x", "ready": true, "restartCount": 0,
                "containerID": "containerd://abc", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}})
}

fn deployment() -> Json {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"replicas": 2, "revisionHistoryLimit": 3, "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]},
            "template": {"metadata": {"labels": {"app": "web", "example.com/tier": "front"}, "annotations": {"note": "any text"}},
                "spec": {"serviceAccount": "web",
                    "containers": [{"name": "web", "image": "i", "ports": [{"name": "http", "containerPort": 8080}]}]}}}})
}

fn small_template(restart: &str) -> Json {
    json!({"metadata": {"labels": {"app": "web"}},
        "spec": {"restartPolicy": restart, "containers": [{"name": "web", "image": "i", "ports": [{"containerPort": 8080}]}]}})
}
