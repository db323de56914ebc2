//! Whatever the bytes, loading ends with an answer; and good documents beside bad ones are never lost.

use palisade_manifests::{load, load_text};
use proptest::prelude::*;

/// Documents that reach every decoder.
const SEEDS: &[&str] = &[
    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p\n  namespace: shop\nspec:\n  podSelector:\n    matchExpressions:\n    - {key: app, operator: In, values: [a, b]}\n  policyTypes: [Ingress, Egress]\n  ingress:\n  - from:\n    - podSelector: {matchLabels: {app: web}}\n      namespaceSelector: {}\n    - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}\n    ports:\n    - {port: 80, endPort: 90, protocol: TCP}\n    - {port: http}\n  egress: [{}]\n",
    "apiVersion: palisade.dev/v1alpha1\nkind: AccessPolicy\nmetadata: {name: orders, namespace: shop}\nspec:\n  mode: Audit\n  rules:\n  - name: r\n    action: Allow\n    from: [{workload: web, container: nginx, program: /usr/sbin/nginx}, {cidr: '::/0', except: ['fd00::/8']}, {entity: world}]\n    to: [{service: db, namespace: data}, {fqdn: '*.example.com'}]\n    ports: [{port: 443}]\n    http: [{methods: [GET], paths: [/a]}]\n    expires: 2027-01-31T00:00:00Z\n",
    "apiVersion: palisade.dev/v1alpha1\nkind: ClusterPerimeter\nmetadata: {name: p}\nspec: {mode: Enforce, subject: {selector: {}, namespaceSelector: {}}, directions: [Ingress], loopback: Closed, except: [dns], onRefusal: Drop}\n",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: a}}\n  template:\n    metadata: {labels: {app: a}}\n    spec:\n      initContainers: [{name: i, image: x, restartPolicy: Always}]\n      containers:\n      - name: a\n        image: x\n        command: [a, b]\n        env: [{name: A, value: b}]\n        ports: [{containerPort: 80, name: http}]\n        readinessProbe: {httpGet: {port: http, path: /}}\n        livenessProbe: {tcpSocket: {port: 80}}\n        startupProbe: {exec: {command: [x]}}\n        resources: {limits: {cpu: 500m, memory: 1Gi}}\n        securityContext: {capabilities: {drop: [ALL]}, runAsUser: 1}\n      volumes: [{name: v, emptyDir: {}}]\n",
    "apiVersion: v1\nkind: Pod\nmetadata: &m {name: p, labels: {<<: {a: b}, c: d}}\nspec: {hostNetwork: true, containers: [{name: a, image: x, ports: [{containerPort: 80}]}]}\nstatus: {phase: Running, podIPs: [{ip: 10.0.0.1}], containerStatuses: [{name: a, containerID: 'x://y'}], conditions: [{type: Ready, status: \"True\"}]}\n",
    "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer, clusterIP: 10.96.0.1, selector: {app: a}, ports: [{name: a, port: 80, targetPort: http, nodePort: 30000}]}\nstatus: {loadBalancer: {ingress: [{ip: 1.2.3.4}]}}\n",
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: s}}\naddressType: IPv4\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: false}, targetRef: {kind: Pod, name: p}}]\nports: [{port: 80, name: a}]\n",
    "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '* * * * *', suspend: yes, jobTemplate: {spec: {parallelism: 2, template: {spec: {restartPolicy: Never, containers: [{name: a, image: x}]}}}}}\n",
    "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: node1}, status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}}\n- &a\n  apiVersion: v1\n  kind: Namespace\n  metadata: {name: a}\n- *a\n",
    "{\"apiVersion\": \"v1\", \"kind\": \"ServiceAccount\", \"metadata\": {\"name\": \"s\", \"annotations\": {\"a\": \"\\ud83d\\ude00\\n\"}}}",
    "a: |+2\n   x\n\n---\n%YAML 1.1\n---\n- !!binary aGk=\n- !!int '0x10'\n- \"\\x41\\u00e9\"\n- 'it''s'\n- >-\n  folded\n  text\n? [a]\n: b\n",
];

/// The end of a document goes before it: a directive (`%`) belongs to the document that follows, and spoils it alone.
const MARK: &str = "\n...\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: marker}\n";

/// A change of a document: where, how much goes away, what comes in.
fn mutation() -> impl Strategy<Value = (usize, usize, Vec<u8>)> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..4),
        proptest::sample::select(
            &[
                "\n", " ", "  ", "\t", ":", ": ", "- ", "? ", "{", "}", "[", "]", ",", "&a ", "*a", "!!int ", "!", "|",
                ">", "'", "\"", "#", "%", "---\n", "...", "~", "null", "yes", "0x", "80", "\"80\"", "-1", "1e9",
                "<<: ", "\u{feff}", "\u{85}", "\r", "\\u", "é",
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    (any::<usize>(), 0usize..8, piece)
}

fn mutate(seed: &str, mutations: &[(usize, usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for (at, removed, inserted) in mutations {
        let start = at % (bytes.len() + 1);
        let end = (start + removed).min(bytes.len());
        bytes.splice(start..end, inserted.iter().copied());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        load(&["-".into()], bytes.as_slice()).expect("standard input can be read");
    }

    #[test]
    fn changed_manifests_never_panic_and_never_lose_their_neighbours(
        seed in proptest::sample::select(SEEDS),
        mutations in proptest::collection::vec(mutation(), 1..6),
    ) {
        let mut bytes = mutate(seed, &mutations);
        bytes.extend_from_slice(MARK.as_bytes());
        let outcome = load(&["-".into()], bytes.as_slice()).expect("standard input can be read");
        prop_assert!(outcome.value.namespaces.iter().any(|namespace| namespace.meta.name() == "marker"));
    }

    #[test]
    fn what_is_said_does_not_depend_on_the_run(
        seed in proptest::sample::select(SEEDS),
        mutations in proptest::collection::vec(mutation(), 1..4),
    ) {
        let bytes = mutate(seed, &mutations);
        let once = load(&["-".into()], bytes.as_slice()).expect("standard input can be read");
        let again = load(&["-".into()], bytes.as_slice()).expect("standard input can be read");
        prop_assert_eq!(once, again);
    }

    #[test]
    fn every_place_lies_in_the_file(
        seed in proptest::sample::select(SEEDS),
        mutations in proptest::collection::vec(mutation(), 1..4),
    ) {
        let bytes = mutate(seed, &mutations);
        // U+0085, U+2028 and U+2029 end lines for YAML too, and a lone carriage return.
        let text = String::from_utf8_lossy(&bytes);
        let lines = 1 + text.chars().filter(|character| matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')).count();
        let outcome = load(&["-".into()], bytes.as_slice()).expect("standard input can be read");
        for problem in &outcome.problems {
            let place = problem.place.as_ref().expect("every problem has a place");
            prop_assert!(place.line >= 1 && place.line as usize <= lines + 1, "{problem} of {lines} lines");
        }
    }
}

/// Bytes that no text has, where other readers guess an encoding from them.
#[test]
fn zero_bytes_and_marks_of_encodings_in_front_cost_no_neighbour() {
    let fronts: &[&[u8]] = &[
        b"\0",
        b"\0\0",
        b"\0\0\0",
        b"\0\0\0\0",
        b"\0\0\xfe\xff",
        b"\xff\xfe\0\0",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\0a",
        b"a\0",
    ];
    for front in fronts {
        for (seed, ends) in SEEDS.iter().flat_map(|seed| [(seed, ""), (seed, "\0"), (seed, "\n%")]) {
            let bytes = [front, seed.as_bytes(), ends.as_bytes(), MARK.as_bytes()].concat();
            let outcome = load(&["-".into()], bytes.as_slice()).expect("standard input can be read");
            let is_there = outcome.value.namespaces.iter().any(|namespace| namespace.meta.name() == "marker");
            assert!(is_there, "{front:?} before {seed} {:#?}", outcome.problems);
        }
    }
}

#[test]
fn every_seed_is_good_but_for_what_it_shows() {
    for seed in SEEDS.iter().take(SEEDS.len() - 1) {
        let outcome = load_text("seed.yaml", seed);
        assert!(outcome.problems.is_empty(), "{seed}\n{:#?}", outcome.problems);
    }
}
