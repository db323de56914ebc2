//! Services, pods, workloads and what else policies are about.

use expect_test::expect;

use super::*;

#[test]
fn services_are_checked() {
    let service = |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {spec}\n");
    check(
        &service("{}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Service default/s: `spec`: `ports` is missing or empty
          hint: add `ports: [{port: 80}]`, or `clusterIP: None`
    "#]],
    );
    check(
        &service("{ports: [{port: 80}, {port: 80}]}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Service default/s: `spec.ports[0]`: a port of several needs a `name`
          hint: add `name: ...` to each port
        error[missing-field] a.yaml:4: Service default/s: `spec.ports[1]`: a port of several needs a `name`
          hint: add `name: ...` to each port
        error[duplicate] a.yaml:4: Service default/s: `spec.ports[1]`: two entries for port 80 TCP
    "#]],
    );
    check(
        &service("{ports: [{port: 80, name: a, targetPort: Http}, {port: 81, name: a, nodePort: 70000}]}"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0].targetPort`: port name `Http` must be at most 15 lower-case letters, digits and single `-`, with at least one letter
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[1].nodePort`: port 70000 must lie between 1 and 65535
        "#]],
    );
    check(
        &service("{type: Cluster, clusterIP: 10.0.0, ports: [{port: 80, targetPort: '8080'}]}"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Service default/s: `spec`: unknown type `Cluster`
              hint: use ClusterIP, NodePort, LoadBalancer or ExternalName
            error[invalid-value] a.yaml:4: Service default/s: `spec.clusterIP`: `10.0.0` is no address
              hint: remove the line, or write `None` for a headless Service
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0].targetPort`: string `8080` is a port's name, not its number
              hint: write 8080 without quotes
        "#]],
    );
    check(
        &service("{type: ExternalName}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `externalName` `` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
          hint: give the DNS name that the Service stands for
    "#]],
    );
    check(
        &service("{type: ExternalName, externalName: db.example.com.}"),
        expect![[r#"
        in force: Service default/s at a.yaml:1
    "#]],
    );
    check(
        &service("{clusterIP: None, selector: {app: web}}"),
        expect![[r#"
        in force: Service default/s at a.yaml:1
    "#]],
    );
    check(
        "apiVersion: v1\nkind: Service\nmetadata: {name: 1s}\nspec: {ports: [{port: 80}]}\n",
        expect![[r#"
        error[invalid-value] a.yaml:3: Service default/1s: `metadata.name`: `1s` must be at most 63 lower-case letters, digits and `-`, starting with a letter and ending with a letter or digit
    "#]],
    );
}

#[test]
fn pods_are_checked() {
    let pod = |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n");
    check(
        &pod("{}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Pod default/p: `spec`: `containers` is missing or empty
          hint: a pod needs at least one container
    "#]],
    );
    check(
        &pod("{containers: [{image: i}, {name: a}, {name: b, image: i}, {name: b, image: i}]}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0]`: a container needs a `name`
          hint: add `name: ...`
        error[missing-field] a.yaml:4: Pod default/p: `spec.containers[1]`: container `a` has no `image`
          hint: add `image: ...`
        error[duplicate] a.yaml:4: Pod default/p: `spec.containers[3]`: two containers have the name `b`
          hint: rename one of them
    "#]],
    );
    check(
        &pod(
            "{containers: [{name: a, image: i, ports: [{}, {containerPort: 0}, {containerPort: 80, name: x}, {containerPort: 81, name: x}]}]}",
        ),
        expect![[r#"
            error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0].ports[0]`: `containerPort` is missing
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].ports[1].containerPort`: port 0 must lie between 1 and 65535
            error[duplicate] a.yaml:4: Pod default/p: `spec.containers[0].ports[3]`: two ports of the container have the name `x`
        "#]],
    );
    check(
        &pod("{hostNetwork: yes, containers: [{name: a, image: i, ports: [{containerPort: 80, hostPort: 81}]}]}"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].ports[0]`: on the host network `hostPort` must equal `containerPort`
              hint: remove `hostPort`
        "#]],
    );
    check(
        &pod(
            "{hostNetwork: \"yes\", restartPolicy: always, containers: [{name: a, image: i, readinessProbe: {httpGet: {}}, resources: {limits: {cpu: lots}}}]}",
        ),
        expect![[r#"
            error[wrong-type] a.yaml:4: Pod default/p: `spec.hostNetwork`: cannot use string `yes` as boolean
            error[wrong-type] a.yaml:4: Pod default/p: `spec.containers[0].resources.limits.cpu`: `lots` is no quantity
              hint: write it as in `500m`, `2` or `128Mi`
            error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe.httpGet`: `port` is missing
            error[invalid-value] a.yaml:4: Pod default/p: `spec`: unknown restartPolicy `always`
              hint: use Always, OnFailure or Never
        "#]],
    );
}

#[test]
fn workloads_are_checked() {
    let deployment =
        |spec: &str| format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec: {spec}\n");
    check(
        &deployment("{}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Deployment default/d: `spec`: `template` is missing
    "#]],
    );
    check(
        &deployment(
            "{selector: {matchLabels: {app: a}}, replicas: -1, template: {metadata: {labels: {app: b}}, spec: {restartPolicy: Never, containers: [{name: a, image: i}]}}}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Deployment default/d: `spec`: `selector` app=a does not match the template's labels
              hint: give `template.metadata.labels` the labels that `selector` asks for
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.template.spec`: a Deployment must have `restartPolicy: Always`
              hint: remove `restartPolicy`
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.replicas`: must not be negative
        "#]],
    );
    check(
        &deployment("{template: {spec: {containers: [{name: a, image: i}]}}}"),
        expect![[r#"
        error[missing-field] a.yaml:4: Deployment default/d: `spec`: `selector` is missing or empty
          hint: add `selector: {matchLabels: ...}` with labels of the template
    "#]],
    );
    check(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: i}]}}}}}\n",
        expect![[r#"
            error[invalid-value] a.yaml:4: CronJob default/c: `spec.jobTemplate.spec.template.spec`: a CronJob cannot have `restartPolicy: Always`, the default
              hint: add `restartPolicy: OnFailure` or `Never`
        "#]],
    );
}

#[test]
fn times_must_be_times() {
    check(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, creationTimestamp: ''}\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: q, creationTimestamp: null}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, creationTimestamp: yesterday}\n",
        expect![[r#"
            error[wrong-type] a.yaml:3: NetworkPolicy default/p: `metadata.creationTimestamp`: `` is no RFC 3339 time
              hint: write it as 2027-01-31T00:00:00Z, or remove the line
            error[wrong-type] a.yaml:11: ServiceAccount default/a: `metadata.creationTimestamp`: `yesterday` is no RFC 3339 time
              hint: write it as 2027-01-31T00:00:00Z, or remove the line
            in force: NetworkPolicy default/q at a.yaml:5
        "#]],
    );
}

#[test]
fn blocks_are_compared_as_they_are_written() {
    check_policy(
        "{ingress: [{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104', except: [10.1.0.0/16]}}]}]}",
        expect![[r#"
        error[invalid-value] a.yaml:4: NetworkPolicy shop/p: `spec.ingress[0].from[0].ipBlock.except[0]`: 10.1.0.0/16 is no strict subset of `cidr` 10.0.0.0/8
          hint: an exception takes away a part of its own block only
    "#]],
    );
    check_policy(
        "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: ['::ffff:10.0.0.0/104', 10.1.0.0/00016]}}]}]}",
        expect![[r#"
            in force: NetworkPolicy shop/p at a.yaml:1
        "#]],
    );
}

#[test]
fn endpoint_slices_are_checked() {
    let slice =
        |rest: &str| format!("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: s}}\n{rest}\n");
    check(
        &slice(
            "addressType: IPv4\nendpoints: [{}, {addresses: ['2001:db8::1']}, {addresses: [127.0.0.1], hostname: A}]",
        ),
        expect![[r#"
            error[missing-field] a.yaml:5: EndpointSlice default/s: `endpoints[0]`: `addresses` is missing or empty
              hint: give the endpoint an address
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[1].addresses[0]`: `2001:db8::1` is no address of the slice's `addressType`
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[2].hostname`: `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[2].addresses[0]`: `127.0.0.1` is a loopback address
        "#]],
    );
    check(
        &slice("addressType: IPv6\nendpoints: [{addresses: ['2001:DB8::1']}, {addresses: ['fe80::1']}]"),
        expect![[r#"
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[0].addresses[0]`: `2001:DB8::1` is no address of the slice's `addressType`
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[1].addresses[0]`: `fe80::1` is link-local
        "#]],
    );
    check(
        &slice("addressType: FQDN\nendpoints: [{addresses: [db, db.example.com.]}]"),
        expect![[r#"
        error[invalid-value] a.yaml:5: EndpointSlice default/s: `endpoints[0].addresses[0]`: `db` must have at least two parts, as in `db.example`
    "#]],
    );
    check(
        &slice("addressType: IPv4\nports: [{port: 80}, {port: 81}, {name: A, port: 82}, {name: b, port: 0}]"),
        expect![[r#"
            error[duplicate] a.yaml:5: EndpointSlice default/s: `ports[1]`: two ports have the name ``
            error[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[2]`: name `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            warning[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[3].port`: port 0 must lie between 1 and 65535: nothing is reached by it
              hint: the API server takes it; correct the number
        "#]],
    );
    check(
        &slice("addressType: IPv4\nports: [{name: b, port: 0}, {name: c, port: 70000}, {name: d}]"),
        expect![[r#"
        warning[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[0].port`: port 0 must lie between 1 and 65535: nothing is reached by it
          hint: the API server takes it; correct the number
        warning[invalid-value] a.yaml:5: EndpointSlice default/s: `ports[1].port`: port 70000 must lie between 1 and 65535: nothing is reached by it
          hint: the API server takes it; correct the number
        in force: EndpointSlice default/s at a.yaml:1
    "#]],
    );
}

#[test]
fn a_service_has_its_addresses_once_and_in_order() {
    let service = |spec: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{ports: [{{port: 80}}], {spec}}}\n")
    };
    check(
        &service("clusterIPs: [10.96.0.9]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec.clusterIPs`: the first entry must be that of `clusterIP`
          hint: give `clusterIP` the first address of the list
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 'fd00::9']"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: two families need `ipFamilyPolicy`
          hint: add `ipFamilyPolicy: PreferDualStack`
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 'fd00::9'], ipFamilyPolicy: PreferDualStack"),
        expect![[r#"
            in force: Service default/s at a.yaml:1
        "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, clusterIPs: [10.96.0.9, 10.96.0.8], ipFamilyPolicy: PreferDualStack"),
        expect![[r#"
            error[duplicate] a.yaml:4: Service default/s: `spec`: two entries of `clusterIPs` are of one family
        "#]],
    );
    check(
        &service("clusterIP: None, clusterIPs: [None, None], ipFamilies: [ipv4]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec.clusterIPs[1]`: `None` is no address
          hint: remove the line, or write `None` for a headless Service
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `None` must be the only entry of `clusterIPs`
        error[invalid-value] a.yaml:4: Service default/s: `spec.ipFamilies[0]`: unknown family `ipv4`
          hint: use IPv4 or IPv6
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, ipFamilies: [IPv6]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `clusterIPs` are not of the families that `ipFamilies` gives, in its order
          hint: remove `ipFamilies`, or put it in the order of `clusterIPs`
    "#]],
    );
    check(
        &service("clusterIP: None, type: NodePort"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `clusterIP: None` may stand on a Service of type ClusterIP alone
          hint: remove `clusterIP`, or make it `type: ClusterIP`
    "#]],
    );
    check(
        &service("clusterIP: 10.96.0.9, type: ExternalName, externalName: a.example"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec`: `clusterIP` may not stand on a Service of type ExternalName
          hint: remove `clusterIP`
    "#]],
    );
}

#[test]
fn a_service_is_exposed_as_its_type_says() {
    let service = |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {spec}\n");
    check(
        &service("{ports: [{port: 80, nodePort: 30080}]}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0]`: `nodePort` may not stand on a Service of type ClusterIP
          hint: remove `nodePort`, or make it `type: NodePort`
    "#]],
    );
    check(
        &service(
            "{type: NodePort, ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81, nodePort: 30080}]}",
        ),
        expect![[r#"
            error[duplicate] a.yaml:4: Service default/s: `spec.ports[1]`: two entries for node port 30080 TCP
        "#]],
    );
    check(
        &service("{type: LoadBalancer, ports: [{port: 10250}]}"),
        expect![[r#"
            in force: Service default/s at a.yaml:1
        "#]],
    );
    check(
        &service(
            "{ports: [{port: 80, appProtocol: a b}], sessionAffinity: ip, externalTrafficPolicy: Local, internalTrafficPolicy: '', externalIPs: [x, 127.0.0.1], loadBalancerSourceRanges: [a]}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Service default/s: `spec.ports[0]`: `appProtocol` `a b` must be `name` or `domain/name`, the name at most 63 letters, digits, `-`, `_` and `.` with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Service default/s: `spec.externalIPs[0]`: `x` is no address
            error[invalid-value] a.yaml:4: Service default/s: `spec.externalIPs[1]`: `127.0.0.1` is a loopback address
            error[invalid-value] a.yaml:4: Service default/s: `spec`: unknown `sessionAffinity` `ip`
              hint: use None or ClientIP
            error[invalid-value] a.yaml:4: Service default/s: `spec`: unknown `internalTrafficPolicy` ``
              hint: use Cluster or Local
            error[invalid-value] a.yaml:4: Service default/s: `spec.loadBalancerSourceRanges`: may stand on a Service of type LoadBalancer alone
              hint: remove it, or make it `type: LoadBalancer`
            error[invalid-value] a.yaml:4: Service default/s: `spec.loadBalancerSourceRanges[0]`: `a` is no CIDR block
        "#]],
    );
    check(
        &service("{ports: [{port: 80, protocol: ''}], selector: {}}"),
        expect![[r#"
        in force: Service default/s at a.yaml:1
    "#]],
    );
}

#[test]
fn what_a_pod_is_called_is_checked() {
    let pod = |spec: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{containers: [{{name: a, image: i}}], {spec}}}\n"
        )
    };
    check(
        &pod("hostname: a.b, subdomain: A, nodeName: -a, serviceAccountName: a_b, serviceAccount: A, dnsPolicy: None"),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.hostname`: `a.b` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Pod default/p: `spec.subdomain`: `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Pod default/p: `spec.nodeName`: `-a` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
            error[invalid-value] a.yaml:4: Pod default/p: `spec.serviceAccountName`: `a_b` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
            error[missing-field] a.yaml:4: Pod default/p: `spec`: `dnsPolicy: None` needs `dnsConfig`
              hint: add `dnsConfig: {nameservers: [...]}`
        "#]],
    );
    check(
        &pod("dnsPolicy: dns, activeDeadlineSeconds: 0, securityContext: {runAsUser: -1}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Pod default/p: `spec`: unknown dnsPolicy `dns`
          hint: use ClusterFirst, ClusterFirstWithHostNet, Default or None
        error[invalid-value] a.yaml:4: Pod default/p: `spec.activeDeadlineSeconds`: must be at least 1
          hint: remove the line for no deadline
        error[invalid-value] a.yaml:4: Pod default/p: `spec.securityContext.runAsUser`: must lie between 0 and 2147483647
    "#]],
    );
    check(
        &pod(
            "volumes: [{name: A}, {name: b, hostPath: {path: ../x}}, {name: b, Secret: {}}, {name: c, hostPath: {path: /x}}]",
        ),
        expect![[r#"
            warning[unknown-field] a.yaml:4: Pod default/p: `spec.volumes[2].Secret`: unknown field: the API server drops it, `kubectl` refuses the object
              hint: did you mean `secret`?
            error[invalid-value] a.yaml:4: Pod default/p: `spec.volumes[0]`: volume name `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
            error[invalid-value] a.yaml:4: Pod default/p: `spec.volumes[1].hostPath`: `path` `../x` is missing or leads upwards
            error[duplicate] a.yaml:4: Pod default/p: `spec.volumes[2]`: two volumes have the name `b`
              hint: rename one of them
        "#]],
    );
}

#[test]
fn a_port_of_the_node_is_taken_once() {
    let pod = |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{{spec}}}\n");
    let twice = "containers: [{name: a, image: i, ports: [{containerPort: 80}]}, {name: b, image: i, ports: [{containerPort: 80}]}]";
    check(
        &pod(twice),
        expect![[r#"
        in force: Pod default/p at a.yaml:1
    "#]],
    );
    check(
        &pod(&format!("hostNetwork: true, {twice}")),
        expect![[r#"
        error[duplicate] a.yaml:4: Pod default/p: `spec.containers[1].ports[0]`: two ports take port 80 TCP of the node
          hint: give one of them another number
    "#]],
    );
    check(
        &pod(
            "initContainers: [{name: i, image: i, restartPolicy: Always, ports: [{containerPort: 80, hostPort: 80}]}], containers: [{name: a, image: i, ports: [{containerPort: 80, hostPort: 80}, {containerPort: 80, hostPort: 80, protocol: UDP}, {containerPort: 81, hostPort: 80, hostIP: 192.0.2.1}]}]",
        ),
        expect![[r#"
            in force: Pod default/p at a.yaml:1
        "#]],
    );
}

#[test]
fn what_a_container_does_is_checked() {
    let pod = |container: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{volumes: [{{name: v}}], containers: [{{name: a, {container}}}]}}\n"
        )
    };
    check(
        &pod(
            "image: ' i', imagePullPolicy: always, env: [{name: 'A=B'}], securityContext: {privileged: true, allowPrivilegeEscalation: false}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: unknown imagePullPolicy `always`
              hint: use Always, IfNotPresent or Never
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].env[0]`: `A=B` is no name of an environment variable
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].securityContext`: `allowPrivilegeEscalation: false` contradicts `privileged: true`
              hint: remove one of the two
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: `image` ` i` has spaces at an end
        "#]],
    );
    check(
        &pod("image: i, resources: {limits: {cpu: 1, memory: Mi}, requests: {cpu: 1500m, memory: -1}}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: `resources` requests more cpu than its limit
          hint: lower the request, or raise the limit
        error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0]`: `resources` asks for a negative memory
    "#]],
    );
    check(
        &pod(
            "image: i, volumeMounts: [{name: w, mountPath: /a}, {name: v}, {name: v, mountPath: /b}, {name: v, mountPath: /b}]",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].volumeMounts[0]`: there is no volume `w`
              hint: add it to the pod's `volumes`
            error[missing-field] a.yaml:4: Pod default/p: `spec.containers[0].volumeMounts[1]`: `mountPath` is missing
            error[duplicate] a.yaml:4: Pod default/p: `spec.containers[0].volumeMounts[3]`: two mounts have the path `/b`
        "#]],
    );
    check(
        &pod(
            "image: i, readinessProbe: {exec: {}, tcpSocket: {port: 80}, periodSeconds: -1, terminationGracePeriodSeconds: 5}, livenessProbe: {httpGet: {port: 80, scheme: https}, successThreshold: 2}",
        ),
        expect![[r#"
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe.periodSeconds`: must not be negative
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe.terminationGracePeriodSeconds`: a readinessProbe ends nothing
              hint: remove the line
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].readinessProbe`: the probe does more than one thing
              hint: leave one of httpGet, tcpSocket, grpc and exec
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].livenessProbe`: `successThreshold` of a livenessProbe must be 1
            error[invalid-value] a.yaml:4: Pod default/p: `spec.containers[0].livenessProbe.httpGet`: unknown scheme `https`
              hint: use HTTP or HTTPS
        "#]],
    );
    check(
        &pod("image: i, resources: {limits: {cpu: ' 500m ', memory: ''}}"),
        expect![[r#"
        error[wrong-type] a.yaml:4: Pod default/p: `spec.containers[0].resources.limits.memory`: `` is no quantity
          hint: write it as in `500m`, `2` or `128Mi`
    "#]],
    );
}

#[test]
fn a_job_is_labelled_with_its_name() {
    let job = |name: &str, rest: &str, labels: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{{name}}}\nspec: {{{rest}template: {{metadata: {{labels: {labels}}}, spec: {{restartPolicy: Never, containers: [{{name: a, image: i}}]}}}}}}\n"
        )
    };
    check(
        &job("name: j", "", "{job-name: k}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Job default/j: `spec.template`: the label `job-name` must be the job's name `j`
          hint: remove the label: the API server adds it
    "#]],
    );
    check(
        &job("name: j", "selector: {matchLabels: {a: b}}, ", "{a: b}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Job default/j: `spec`: `selector` is made by the API server
          hint: remove `selector`, or add `manualSelector: true`
    "#]],
    );
    check(
        &job("name: j", "manualSelector: true, selector: {matchLabels: {a: c}}, ", "{a: b}"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Job default/j: `spec`: `selector` a=c does not match the template's labels
    "#]],
    );
    check(
        &job("generateName: j-", "", "{a: b}"),
        expect![[r#"
        in force: Job default/j- at a.yaml:1
    "#]],
    );
    check(
        &job("generateName: J-", "", "{a: b}"),
        expect![[r#"
        error[invalid-value] a.yaml:3: Job default/J-: `metadata.generateName`: `J-` must be lower-case letters, digits, `-` and `.`, at most 253, with a letter or digit at both ends of each part
    "#]],
    );
    let labels = |text: &str| load_text("a.yaml", text).value.workloads[0].labels.clone();
    let with_name = [("a", "b"), ("batch.kubernetes.io/job-name", "j"), ("job-name", "j")].into_iter().collect();
    assert_eq!(labels(&job("name: j", "", "{a: b}")), with_name);
    assert_eq!(labels(&job("generateName: j-", "", "{a: b}")), [("a", "b")].into_iter().collect());
}

#[test]
fn what_owns_pods_is_checked() {
    let object = |kind: &str, name: &str, spec: &str, pod: &str| {
        format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{selector: {{matchLabels: {{app: a}}}}, template: {{metadata: {{labels: {{app: a}}}}, spec: {{containers: [{{name: a, image: i}}]{pod}}}}}{spec}}}\n"
        )
    };
    check(
        &object("Deployment", "d", ", revisionHistoryLimit: -1, strategy: {type: Recreate, rollingUpdate: {}}", ""),
        expect![[r#"
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.revisionHistoryLimit`: must not be negative
            error[invalid-value] a.yaml:4: Deployment default/d: `spec.strategy`: `rollingUpdate` may not stand beside `type: Recreate`
        "#]],
    );
    check(
        &object("Deployment", "d", ", strategy: {type: recreate}", ", activeDeadlineSeconds: 5"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Deployment default/d: `spec.strategy`: unknown `type` `recreate`
          hint: use Recreate or RollingUpdate
        error[invalid-value] a.yaml:4: Deployment default/d: `spec.template.spec.activeDeadlineSeconds`: a Deployment takes no deadline
          hint: remove the line
    "#]],
    );
    check(
        &object("Deployment", "d", "", ", ephemeralContainers: [{name: e, image: i}]"),
        expect![[r#"
        error[invalid-value] a.yaml:4: Deployment default/d: `spec.template.spec.ephemeralContainers`: a template has no ephemeral containers
          hint: they are added to a running pod: `kubectl debug`
    "#]],
    );
    check(
        &object("StatefulSet", "a.b", ", serviceName: A", ""),
        expect![[r#"
        error[invalid-value] a.yaml:4: StatefulSet default/a.b: `spec`: the name of a StatefulSet must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
        error[invalid-value] a.yaml:4: StatefulSet default/a.b: `spec`: `serviceName` `A` must be at most 63 lower-case letters, digits and `-`, with a letter or digit at both ends
    "#]],
    );
    check(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {selector: {matchLabels: {app: a}}, volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}], template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: i, volumeMounts: [{name: data, mountPath: /data}]}]}}}\n",
        expect![[r#"
            in force: StatefulSet default/s at a.yaml:1
        "#]],
    );
    check(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a-name-that-is-longer-than-the-fifty-two-characters-of-old}\nspec: {concurrencyPolicy: Never, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: i}]}}}}}\n",
        expect![[r#"
            error[invalid-value] a.yaml:4: CronJob default/a-name-that-is-longer-than-the-fifty-two-characters-of-old: `spec`: the name of a CronJob has at most 52 characters
            error[missing-field] a.yaml:4: CronJob default/a-name-that-is-longer-than-the-fifty-two-characters-of-old: `spec`: `schedule` is missing or empty
              hint: add one, as in `schedule: "*/5 * * * *"`
            error[invalid-value] a.yaml:4: CronJob default/a-name-that-is-longer-than-the-fifty-two-characters-of-old: `spec`: unknown `concurrencyPolicy` `Never`
              hint: use Allow or Forbid or Replace
        "#]],
    );
}

#[test]
fn a_replication_controller_has_its_selector_as_plain_labels() {
    let controller =
        |spec: &str| format!("apiVersion: v1\nkind: ReplicationController\nmetadata: {{name: rc}}\nspec: {spec}\n");
    let template = "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}";
    check(
        &controller(&format!("{{{template}}}")),
        expect![[r#"
        in force: ReplicationController default/rc at a.yaml:1
    "#]],
    );
    check(
        &controller(&format!("{{selector: {{app: web}}, {template}}}")),
        expect![[r#"
        in force: ReplicationController default/rc at a.yaml:1
    "#]],
    );
    check(
        &controller(&format!("{{selector: {{app: db}}, replicas: -1, {template}}}")),
        expect![[r#"
        error[invalid-value] a.yaml:4: ReplicationController default/rc: `spec`: `selector` app=db does not match the template's labels
          hint: give `template.metadata.labels` the labels that `selector` asks for
        error[invalid-value] a.yaml:4: ReplicationController default/rc: `spec.replicas`: must not be negative
    "#]],
    );
    check(
        &controller("{template: {spec: {containers: [{name: c, image: i}]}}}"),
        expect![[r#"
        error[missing-field] a.yaml:4: ReplicationController default/rc: `spec`: `selector` is missing or empty
          hint: add `selector: {matchLabels: ...}` with labels of the template
    "#]],
    );
}

#[test]
fn more_pods_of_a_stateful_set_than_are_named_one_by_one_are_told() {
    check(
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {replicas: 1001, ordinals: {start: 5}, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}}\n",
        expect![[r#"
            warning[many-replicas] a.yaml:4: StatefulSet default/s: `spec.replicas`: more than 1000: one pod without a number stands for all of them
            in force: StatefulSet default/s at a.yaml:1
        "#]],
    );
}
