//! What the decoders make of manifests that are right: defaults, short forms, corners.

use expect_test::{Expect, expect};
use palisade_manifests::load_text;
use serde_json::Value;

/// Loads `text`, which must be without a problem, and compares the part of the inventory at `pointer` without places.
fn check(text: &str, pointer: &str, expected: Expect) {
    let outcome = load_text("a.yaml", text);
    assert_eq!(outcome.problems, [], "{text}");
    let mut inventory = serde_json::to_value(&outcome.value).expect("the inventory is JSON");
    let part = inventory.pointer_mut(pointer).map(Value::take).unwrap_or_default();
    expected.assert_eq(&without_places(part).to_string());
}

fn without_places(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| name != "place")
            .map(|(name, value)| (name, without_places(value)))
            .collect(),
        Value::Array(elements) => elements.into_iter().map(without_places).collect(),
        scalar => scalar,
    }
}

fn policy(spec: &str) -> String {
    format!("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p}}\nspec: {spec}\n")
}

#[test]
fn policy_types_default_to_ingress_and_to_egress_when_it_has_rules() {
    check(&policy("{podSelector: {}}"), "/networkPolicies/0/ingress", expect!["[]"]);
    check(&policy("{podSelector: {}}"), "/networkPolicies/0/egress", expect!["null"]);
    check(&policy("{egress: []}"), "/networkPolicies/0/egress", expect!["null"]);
    check(&policy("{egress: [{}]}"), "/networkPolicies/0/egress", expect![[r#"[{"peers":[],"ports":[]}]"#]]);
    check(&policy("{policyTypes: [], egress: [{}]}"), "/networkPolicies/0/ingress", expect!["[]"]);
    check(&policy("{policyTypes: [Egress], ingress: [{}]}"), "/networkPolicies/0/ingress", expect!["null"]);
    check(&policy("{policyTypes: [Egress, Egress]}"), "/networkPolicies/0/egress", expect!["[]"]);
}

#[test]
fn a_rule_of_null_is_an_empty_rule() {
    check(&policy("{ingress: [~]}"), "/networkPolicies/0/ingress", expect![[r#"[{"peers":[],"ports":[]}]"#]]);
    check(
        &policy("{ingress: [{ports: [~]}]}"),
        "/networkPolicies/0/ingress",
        expect![[r#"[{"peers":[],"ports":[{"port":"Any","protocol":"TCP"}]}]"#]],
    );
}

#[test]
fn ports_have_five_forms() {
    check(
        &policy(
            "{ingress: [{ports: [{}, {protocol: UDP}, {port: 80}, {port: 80, endPort: 90, protocol: SCTP}, {port: http}]}]}",
        ),
        "/networkPolicies/0/ingress/0/ports",
        expect![[
            r#"[{"port":"Any","protocol":"TCP"},{"port":"Any","protocol":"UDP"},{"port":{"Range":{"first":80,"last":80}},"protocol":"TCP"},{"port":{"Range":{"first":80,"last":90}},"protocol":"SCTP"},{"port":{"Name":"http"},"protocol":"TCP"}]"#
        ]],
    );
    check(
        &policy("{ingress: [{ports: [{port: 0x50}, {port: 0120}, {port: 80.0}, {port: 8e1}]}]}"),
        "/networkPolicies/0/ingress/0/ports",
        expect![[
            r#"[{"port":{"Range":{"first":80,"last":80}},"protocol":"TCP"},{"port":{"Range":{"first":80,"last":80}},"protocol":"TCP"},{"port":{"Range":{"first":80,"last":80}},"protocol":"TCP"},{"port":{"Range":{"first":80,"last":80}},"protocol":"TCP"}]"#
        ]],
    );
}

#[test]
fn peers_keep_a_missing_selector_apart_from_an_empty_one() {
    check(
        &policy(
            "{ingress: [{from: [{podSelector: {}}, {namespaceSelector: {}}, {podSelector: {matchLabels: {a: ''}}, namespaceSelector: {matchExpressions: [{key: b, operator: NotIn, values: [c]}]}}, {ipBlock: {cidr: 10.1.2.3/8, except: [10.1.2.3/16]}}]}]}",
        ),
        "/networkPolicies/0/ingress/0/peers",
        expect![[
            r#"[{"target":{"pods":{"namespaceSelector":null,"podSelector":{"matchExpressions":[],"matchLabels":{}}}}},{"target":{"pods":{"namespaceSelector":{"matchExpressions":[],"matchLabels":{}},"podSelector":null}}},{"target":{"pods":{"namespaceSelector":{"matchExpressions":[{"key":"b","operator":"NotIn","values":["c"]}],"matchLabels":{}},"podSelector":{"matchExpressions":[],"matchLabels":{"a":""}}}}},{"target":{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}}]"#
        ]],
    );
}

#[test]
fn a_namespace_always_has_its_name_as_a_label() {
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n",
        "/namespaces/0/meta/labels",
        expect![[r#"{"kubernetes.io/metadata.name":"a"}"#]],
    );
}

#[test]
fn a_service_defaults_its_ports() {
    let service = |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {spec}\n");
    check(
        &service("{ports: [{port: 80}]}"),
        "/services/0",
        expect![[
            r#"{"allocatesNodePorts":true,"clusterIps":[],"exposure":"clusterIp","externalIps":[],"externalTraffic":"Cluster","headless":false,"internalTraffic":"Cluster","loadBalancerHostnames":[],"loadBalancerIps":[],"meta":{"annotations":{},"labels":{},"object":"Service default/s","owner":null,"uid":null},"ports":[{"name":null,"nodePort":null,"port":80,"protocol":"TCP","target":{"number":80}}],"publishNotReady":false,"selector":null,"sourceRanges":[]}"#
        ]],
    );
    check(
        &service(
            "{type: NodePort, clusterIP: 10.96.0.1, selector: {a: b}, externalIPs: [1.2.3.4], publishNotReadyAddresses: true, ports: [{name: a, port: 80, targetPort: http, nodePort: 30000, protocol: UDP}, {name: b, port: 81, targetPort: 8081}]}",
        ),
        "/services/0",
        expect![[
            r#"{"allocatesNodePorts":true,"clusterIps":["10.96.0.1"],"exposure":"nodePort","externalIps":["1.2.3.4"],"externalTraffic":"Cluster","headless":false,"internalTraffic":"Cluster","loadBalancerHostnames":[],"loadBalancerIps":[],"meta":{"annotations":{},"labels":{},"object":"Service default/s","owner":null,"uid":null},"ports":[{"name":"a","nodePort":30000,"port":80,"protocol":"UDP","target":{"name":"http"}},{"name":"b","nodePort":null,"port":81,"protocol":"TCP","target":{"number":8081}}],"publishNotReady":true,"selector":{"a":"b"},"sourceRanges":[]}"#
        ]],
    );
    check(&service("{clusterIP: None}"), "/services/0/headless", expect!["true"]);
    check(
        &service(
            "{clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 'fd00::1'], ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]}",
        ),
        "/services/0/clusterIps",
        expect![[r#"["10.96.0.1","fd00::1"]"#]],
    );
}

#[test]
fn an_endpoint_is_ready_unless_it_says_no() {
    check(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], targetRef: {kind: Pod, name: p}}\n- {addresses: [10.0.0.2], conditions: {ready: false}}\nports: [{port: 80, name: a}, {name: all}]\n",
        "/endpointSlices/0",
        expect![[
            r#"{"endpoints":[{"addresses":["10.0.0.1"],"pod":"p","ready":true},{"addresses":["10.0.0.2"],"pod":null,"ready":false}],"meta":{"annotations":{},"labels":{"kubernetes.io/service-name":"s"},"object":"EndpointSlice default/s-1","owner":null,"uid":null},"ports":[{"name":"a","port":80,"protocol":"TCP"},{"name":"all","port":null,"protocol":"TCP"}],"service":"s"}"#
        ]],
    );
}

#[test]
fn a_pod_with_everything() {
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u, annotations: {a/b: c}, ownerReferences: [{apiVersion: v1, kind: ReplicaSet, name: r, uid: x, controller: true}]}\nspec:\n  nodeName: node1\n  serviceAccountName: sa\n  hostname: h\n  subdomain: s\n  nodeSelector: {disk: ssd}\n  securityContext: {runAsUser: 1000, fsGroup: 2000}\n  initContainers:\n  - {name: init, image: i}\n  - {name: side, image: i, restartPolicy: Always}\n  containers:\n  - name: app\n    image: i\n    command: [a]\n    args: [b]\n    env: [{name: A, value: x}, {name: B}, {name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n    ports: [{containerPort: 80, name: http}, {containerPort: 53, protocol: UDP, hostPort: 53}]\n    readinessProbe: {httpGet: {port: http}, periodSeconds: 5}\n    livenessProbe: {tcpSocket: {port: 80}, initialDelaySeconds: 3}\n    startupProbe: {grpc: {port: 81}, timeoutSeconds: 2}\n    securityContext: {privileged: false, capabilities: {add: [NET_ADMIN], drop: [ALL]}, readOnlyRootFilesystem: true}\n    volumeMounts: [{name: v, mountPath: /v}]\n  volumes: [{name: v}, {name: w, hostPath: {path: /w}}, {name: x, configMap: {name: c}}]\nstatus:\n  phase: Running\n  podIP: 10.0.0.1\n  podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]\n  hostIP: 172.31.0.11\n  conditions: [{type: Ready, status: \"True\"}]\n  containerStatuses: [{name: app, containerID: 'containerd://abc', ready: true}, {name: other, containerID: ''}]\n",
        "/pods/0",
        expect![[
            r#"{"addresses":["10.0.0.1","fd00::1"],"containerStatuses":[{"id":"abc","name":"app","ready":true},{"id":null,"name":"other","ready":false}],"hostAddresses":["172.31.0.11"],"meta":{"annotations":{"a/b":"c"},"labels":{},"object":"Pod default/p","owner":{"kind":"ReplicaSet","name":"r"},"uid":"u"},"node":"node1","phase":"Running","ready":true,"spec":{"containers":[{"args":[],"command":[],"env":[],"image":"i","liveness":null,"mounts":[],"name":"init","ports":[],"readiness":null,"role":"Init","security":{"add":[],"allowPrivilegeEscalation":null,"drop":[],"privileged":null,"readOnlyRootFilesystem":null,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":null},"startup":null},{"args":[],"command":[],"env":[],"image":"i","liveness":null,"mounts":[],"name":"side","ports":[],"readiness":null,"role":"Sidecar","security":{"add":[],"allowPrivilegeEscalation":null,"drop":[],"privileged":null,"readOnlyRootFilesystem":null,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":null},"startup":null},{"args":["b"],"command":["a"],"env":[["A","x"],["B",""]],"image":"i","liveness":{"handler":{"tcpSocket":{"host":null,"port":{"number":80}}},"initialDelaySeconds":3,"periodSeconds":10,"timeoutSeconds":1},"mounts":[["v","/v"]],"name":"app","ports":[{"hostPort":null,"name":"http","number":80,"protocol":"TCP"},{"hostPort":53,"name":null,"number":53,"protocol":"UDP"}],"readiness":{"handler":{"httpGet":{"host":null,"https":false,"path":"/","port":{"name":"http"}}},"initialDelaySeconds":0,"periodSeconds":5,"timeoutSeconds":1},"role":"App","security":{"add":["NET_ADMIN"],"allowPrivilegeEscalation":null,"drop":["ALL"],"privileged":false,"readOnlyRootFilesystem":true,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":null},"startup":{"handler":{"grpc":{"port":81}},"initialDelaySeconds":0,"periodSeconds":10,"timeoutSeconds":2}}],"fsGroup":2000,"hostNetwork":false,"hostname":"h","nodeSelector":{"disk":"ssd"},"qos":"BestEffort","restart":"Always","security":{"add":[],"allowPrivilegeEscalation":null,"drop":[],"privileged":null,"readOnlyRootFilesystem":null,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":1000},"serviceAccount":"sa","subdomain":"s","volumes":[{"name":"v","source":"emptyDir"},{"name":"w","source":{"hostPath":"/w"}},{"name":"x","source":{"other":"configMap"}}]}}"#
        ]],
    );
}

#[test]
fn the_quality_of_service_follows_from_resources() {
    let pod = |resources: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: a, image: i, resources: {resources}}}]}}\n"
        )
    };
    check(&pod("{}"), "/pods/0/spec/qos", expect![[r#""BestEffort""#]]);
    check(&pod("{limits: {cpu: 500m, memory: 1Gi}}"), "/pods/0/spec/qos", expect![[r#""Guaranteed""#]]);
    check(
        &pod("{limits: {cpu: 0.5, memory: 1Gi}, requests: {cpu: 500m, memory: 1024Mi}}"),
        "/pods/0/spec/qos",
        expect![[r#""Guaranteed""#]],
    );
    check(
        &pod("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}"),
        "/pods/0/spec/qos",
        expect![[r#""Burstable""#]],
    );
    check(&pod("{requests: {memory: 1}}"), "/pods/0/spec/qos", expect![[r#""Burstable""#]]);
}

#[test]
fn a_host_network_pod_has_its_ports_on_the_host() {
    check(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostNetwork: yes, containers: [{name: a, image: i, ports: [{containerPort: 80}]}]}\n",
        "/pods/0/spec/containers/0/ports",
        expect![[r#"[{"hostPort":80,"name":null,"number":80,"protocol":"TCP"}]"#]],
    );
}

#[test]
fn workloads_have_replicas_or_parallelism() {
    check(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {serviceName: svc, replicas: 3, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}, annotations: {c/d: e}}, spec: {containers: [{name: a, image: i}]}}}\n",
        "/workloads/0",
        expect![[
            r#"{"annotations":{"c/d":"e"},"firstOrdinal":0,"kind":"StatefulSet","labels":{"a":"b"},"meta":{"annotations":{},"labels":{},"object":"StatefulSet default/s","owner":null,"uid":null},"replicas":3,"selector":{"matchExpressions":[],"matchLabels":{"a":"b"}},"serviceName":"svc","spec":{"containers":[{"args":[],"command":[],"env":[],"image":"i","liveness":null,"mounts":[],"name":"a","ports":[],"readiness":null,"role":"App","security":{"add":[],"allowPrivilegeEscalation":null,"drop":[],"privileged":null,"readOnlyRootFilesystem":null,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":null},"startup":null}],"fsGroup":null,"hostNetwork":false,"hostname":null,"nodeSelector":{},"qos":"BestEffort","restart":"Always","security":{"add":[],"allowPrivilegeEscalation":null,"drop":[],"privileged":null,"readOnlyRootFilesystem":null,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":null},"serviceAccount":null,"subdomain":null,"volumes":[]},"suspended":false}"#
        ]],
    );
    check(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '* * * * *', suspend: true, jobTemplate: {spec: {parallelism: 2, template: {spec: {restartPolicy: Never, containers: [{name: a, image: i}]}}}}}\n",
        "/workloads/0",
        expect![[
            r#"{"annotations":{},"firstOrdinal":0,"kind":"CronJob","labels":{},"meta":{"annotations":{},"labels":{},"object":"CronJob default/c","owner":null,"uid":null},"replicas":2,"selector":null,"serviceName":null,"spec":{"containers":[{"args":[],"command":[],"env":[],"image":"i","liveness":null,"mounts":[],"name":"a","ports":[],"readiness":null,"role":"App","security":{"add":[],"allowPrivilegeEscalation":null,"drop":[],"privileged":null,"readOnlyRootFilesystem":null,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":null},"startup":null}],"fsGroup":null,"hostNetwork":false,"hostname":null,"nodeSelector":{},"qos":"BestEffort","restart":"Never","security":{"add":[],"allowPrivilegeEscalation":null,"drop":[],"privileged":null,"readOnlyRootFilesystem":null,"runAsGroup":null,"runAsNonRoot":null,"runAsUser":null},"serviceAccount":null,"subdomain":null,"volumes":[]},"suspended":true}"#
        ]],
    );
}

#[test]
fn an_access_policy_with_everything() {
    check(
        "apiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: orders, namespace: shop}\nspec:\n  mode: Audit\n  rules:\n  - name: r\n    action: Allow\n    from: [{workload: deploy/web, container: nginx, program: /usr/sbin/nginx}, {namespace: a, namespaceSelector: {}, serviceAccount: sa, selector: {matchLabels: {x: z}}}, {cidr: 10.1.0.0/8, except: [10.2.0.0/16]}, {entity: kubelet}]\n    to: [{service: orders}, {fqdn: '*.example.com'}]\n    ports: [{port: 443}]\n    http: [{methods: [GET], paths: ['/orders/{*}']}]\n    expires: 2027-01-31T00:00:00+01:00\n    owner: me\n    reason: because\n  - {action: Deny, from: [{selector: {}}], to: [{entity: world}]}\n",
        "/accessPolicies/0",
        expect![[
            r#"{"meta":{"annotations":{},"labels":{},"object":"AccessPolicy shop/orders","owner":null,"uid":null},"mode":"Audit","rules":[{"action":"Allow","expires":"2027-01-30T23:00:00Z","from":[{"target":{"pods":{"container":"nginx","namespace":null,"namespaceSelector":null,"program":"/usr/sbin/nginx","selector":null,"service":null,"serviceAccount":null,"workload":{"kind":"Deployment","name":"web"}}}},{"target":{"pods":{"container":null,"namespace":"a","namespaceSelector":{"matchExpressions":[],"matchLabels":{}},"program":null,"selector":{"matchExpressions":[],"matchLabels":{"x":"z"}},"service":null,"serviceAccount":"sa","workload":null}}},{"target":{"cidr":{"cidr":"10.0.0.0/8","except":["10.2.0.0/16"]}}},{"target":{"entity":"kubelet"}}],"http":[{"methods":["GET"],"paths":["/orders/{*}"]}],"name":"r","owner":"me","ports":[{"port":{"Range":{"first":443,"last":443}},"protocol":"TCP"}],"reason":"because","to":[{"target":{"pods":{"container":null,"namespace":null,"namespaceSelector":null,"program":null,"selector":null,"service":"orders","serviceAccount":null,"workload":null}}},{"target":{"fqdn":"*.example.com"}}]},{"action":"Deny","expires":null,"from":[{"target":{"pods":{"container":null,"namespace":null,"namespaceSelector":null,"program":null,"selector":{"matchExpressions":[],"matchLabels":{}},"service":null,"serviceAccount":null,"workload":null}}}],"http":[],"name":null,"owner":null,"ports":[],"reason":null,"to":[{"target":{"entity":"world"}}]}]}"#
        ]],
    );
}

#[test]
fn a_perimeter_defaults_to_both_directions_open_loopback_and_reset() {
    check(
        "apiVersion: palisade.dev/v1alpha1\nkind: Perimeter\nmetadata: {name: p, namespace: shop}\nspec: {subject: {selector: {}}}\n",
        "/perimeters/0",
        expect![[
            r#"{"egress":true,"except":[],"ingress":true,"loopback":"Open","meta":{"annotations":{},"labels":{},"object":"Perimeter shop/p","owner":null,"uid":null},"mode":"Enforce","namespaceSelector":null,"onRefusal":"Reset","selector":{"matchExpressions":[],"matchLabels":{}}}"#
        ]],
    );
    check(
        "apiVersion: palisade.dev/v1alpha1\nkind: ClusterPerimeter\nmetadata: {name: p}\nspec: {mode: Audit, subject: {namespaceSelector: {matchLabels: {a: b}}, selector: {matchLabels: {c: d}}}, directions: [Egress], loopback: Closed, except: [dns, apiserver], onRefusal: Drop}\n",
        "/perimeters/0",
        expect![[
            r#"{"egress":true,"except":["dns","apiserver"],"ingress":false,"loopback":"Closed","meta":{"annotations":{},"labels":{},"object":"ClusterPerimeter p","owner":null,"uid":null},"mode":"Audit","namespaceSelector":{"matchExpressions":[],"matchLabels":{"a":"b"}},"onRefusal":"Drop","selector":{"matchExpressions":[],"matchLabels":{"c":"d"}}}"#
        ]],
    );
}

#[test]
fn typed_lists_of_our_own_kinds_are_lists() {
    check(
        "apiVersion: palisade.dev/v1alpha1\nkind: PerimeterList\nitems: [{metadata: {name: p, namespace: shop}, spec: {subject: {selector: {}}}}]\n",
        "/perimeters/0/meta/object",
        expect![[r#""Perimeter shop/p""#]],
    );
}
