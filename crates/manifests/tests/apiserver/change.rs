//! Changes of a valid object: every field taken away, nulled, and given odd values, one at a time.

use serde_json::{Map, Value as Json, json};

/// A way from the root of an object to a value.
pub type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Field(String),
    Index(usize),
}

/// What happens to the value at the end of a path.
#[derive(Debug, Clone)]
pub enum Change {
    Remove,
    Replace(Json),
}

/// Every change of `object` that there is, in a fixed order.
pub fn changes(object: &Json) -> Vec<(Path, Change)> {
    let mut out = Vec::new();
    collect(object, &mut Vec::new(), &mut out);
    out
}

/// `object` after `change` at `path`, or `None` when the way is no longer there.
pub fn apply(object: &Json, path: &[Step], change: &Change) -> Option<Json> {
    let Some((step, rest)) = path.split_first() else {
        return match change {
            Change::Remove => None,
            Change::Replace(value) => Some(value.clone()),
        };
    };
    let mut object = object.clone();
    match (step, &mut object) {
        (Step::Field(name), Json::Object(fields)) => match apply(fields.get(name)?, rest, change) {
            Some(value) => drop(fields.insert(name.clone(), value)),
            None if rest.is_empty() => drop(fields.remove(name)),
            None => return None,
        },
        (Step::Index(index), Json::Array(items)) => match apply(items.get(*index)?, rest, change) {
            Some(value) => items[*index] = value,
            None if rest.is_empty() => drop(items.remove(*index)),
            None => return None,
        },
        _ => return None,
    }
    Some(object)
}

/// What says where an object goes is no part of the comparison: kubectl makes a URL of it.
const ADDRESS: [&str; 2] = ["apiVersion", "kind"];

fn collect(value: &Json, path: &mut Path, out: &mut Vec<(Path, Change)>) {
    if !path.is_empty() {
        out.push((path.clone(), Change::Remove));
        out.extend(odd_values(path, value).into_iter().map(|odd| (path.clone(), Change::Replace(odd))));
    }
    match value {
        Json::Object(fields) => {
            for (name, value) in fields {
                if path.is_empty() && ADDRESS.contains(&name.as_str()) {
                    continue;
                }
                path.push(Step::Field(name.clone()));
                collect(value, path, out);
                path.pop();
            }
        }
        Json::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                path.push(Step::Index(index));
                collect(value, path, out);
                path.pop();
            }
        }
        _ => {}
    }
}

fn odd_values(path: &[Step], value: &Json) -> Vec<Json> {
    let mut values = vec![json!(null), json!(""), json!("x"), json!(0), json!(-1), json!(true), json!([]), json!({})];
    let name = path.iter().rev().find_map(|step| match step {
        Step::Field(name) => Some(name.as_str()),
        Step::Index(_) => None,
    });
    values.extend(odd_values_of_field(name.unwrap_or_default()));
    match value {
        Json::String(text) => values.extend(odd_texts(text)),
        Json::Number(_) => values.extend(odd_numbers()),
        Json::Bool(value) => values.extend([json!(!value), json!("true"), json!("yes"), json!(1)]),
        Json::Array(items) => values.extend(odd_lists(items)),
        Json::Object(fields) => values.extend(odd_mappings(name.unwrap_or_default(), fields)),
        Json::Null => {}
    }
    values.retain(|odd| odd != value);
    values
}

fn odd_texts(text: &str) -> Vec<Json> {
    let texts = ["A", "-a", "a-", "a.b", "a_b", "a b", "a/b", "a..b", "1", "80", "é", " a", "a\n", "a,b", "*", "a--b"];
    let mut values: Vec<Json> = texts.into_iter().map(Json::from).collect();
    values.extend([15, 16, 63, 64, 253, 254].map(|length| Json::from("a".repeat(length))));
    values.extend([json!(text.to_uppercase()), json!(format!("{text} ")), json!([text]), json!(1.5)]);
    values
}

fn odd_numbers() -> Vec<Json> {
    vec![
        json!(1),
        json!(80),
        json!(80.0),
        json!(1e2),
        json!(1.5),
        json!(65535),
        json!(65536),
        json!(2_147_483_648u64),
        json!(4_294_967_376u64),
        json!(9_223_372_036_854_775_808u64),
        json!(-2_147_483_649i64),
        json!("80"),
        json!("http"),
        json!([80]),
    ]
}

fn odd_lists(items: &[Json]) -> Vec<Json> {
    let mut values = vec![json!([null]), json!(["x"]), json!([1]), json!([[]]), json!([{}])];
    if let Some(first) = items.first() {
        let twice: Vec<Json> = items.iter().cloned().chain([first.clone()]).collect();
        let reversed: Vec<Json> = items.iter().rev().cloned().collect();
        let with_null: Vec<Json> = items.iter().cloned().chain([Json::Null]).collect();
        values.extend([first.clone(), twice.into(), reversed.into(), with_null.into(), json!([items])]);
    }
    values
}

fn odd_mappings(name: &str, fields: &Map<String, Json>) -> Vec<Json> {
    let with = |key: &str, value: Json| {
        let mut fields = fields.clone();
        fields.insert(key.to_owned(), value);
        Json::Object(fields)
    };
    let mut values = vec![Json::Array(vec![fields.clone().into()]), with("colour", json!("red"))];
    if let Some((key, value)) = fields.iter().next() {
        let mut renamed = fields.clone();
        renamed.remove(key);
        let capital = key[..1].to_uppercase() + &key[1..];
        renamed.insert(capital, value.clone());
        values.push(renamed.into());
    }
    if matches!(name, "labels" | "annotations" | "matchLabels" | "selector" | "nodeSelector") {
        let long = "a".repeat(64);
        let long_prefix = format!("{}/a", "a".repeat(254));
        let keys =
            ["", "A", "a b", "-a", "a-", "a/b", "/b", "a/", "A/b", "a/b/c", "a.B/c", "é", "a_b.c", &long, &long_prefix];
        values.extend(keys.map(|key| with(key, json!("v"))));
        let texts = ["", "A", "a b", "-a", "a.", "a/b", "é", &long];
        values.extend(texts.map(|text| with("key", json!(text))));
        values.extend([json!(null), json!(1), json!(true), json!([]), json!({})].map(|value| with("key", value)));
    }
    for (key, options) in neighbours(name) {
        if !fields.contains_key(key) {
            values.extend(options.into_iter().map(|value| with(key, value)));
        }
    }
    values
}

/// Fields that a base may lack, by the field or list that holds the mapping.
fn neighbours(name: &str) -> Vec<(&'static str, Vec<Json>)> {
    let selector = || vec![json!({}), json!({"matchLabels": {"a": "b"}}), json!(null), json!([])];
    let blocks = || vec![json!({"cidr": "10.0.0.0/8"}), json!({}), json!(null)];
    match name {
        "from" | "to" => vec![("podSelector", selector()), ("namespaceSelector", selector()), ("ipBlock", blocks())],
        "ports" => vec![
            ("endPort", vec![json!(0), json!(79), json!(80), json!(9000), json!(65536), json!("90")]),
            ("port", vec![json!(0), json!(80), json!("http"), json!(null)]),
            ("protocol", vec![json!("UDP"), json!("udp"), json!("")]),
            ("name", vec![json!("http"), json!("dns"), json!("Http"), json!("")]),
            ("targetPort", vec![json!(0), json!("http"), json!(""), json!(65536)]),
            ("nodePort", vec![json!(0), json!(30080), json!(80), json!(40000)]),
            ("hostPort", vec![json!(0), json!(80), json!(8080), json!(70000)]),
        ],
        "ingress" => vec![
            ("from", vec![json!([]), json!(null), json!([{}])]),
            ("ports", vec![json!([]), json!([{}]), json!(null)]),
        ],
        "egress" => vec![
            ("to", vec![json!([]), json!(null), json!([{}])]),
            ("ports", vec![json!([]), json!([{}]), json!(null)]),
        ],
        "ipBlock" => vec![("except", vec![json!([]), json!(null), json!(["2001:db8::/64"])])],
        "matchExpressions" => vec![("values", vec![json!([]), json!(["a"]), json!([null]), json!(null)])],
        "metadata" => vec![
            ("generateName", vec![json!("a-"), json!("A-"), json!("")]),
            ("labels", vec![json!({"a": "b"}), json!(null)]),
            ("uid", vec![json!("u"), json!(5)]),
            ("creationTimestamp", vec![json!(null), json!("2026-01-01T00:00:00Z"), json!("yesterday"), json!("")]),
            ("deletionTimestamp", vec![json!("2026-01-01T00:00:00Z")]),
            ("managedFields", vec![json!([]), json!([{}])]),
        ],
        "spec" => vec![
            ("policyTypes", vec![json!([]), json!(["Egress"]), json!(null)]),
            ("egress", vec![json!([]), json!([{}]), json!(null), json!([null])]),
            ("ingress", vec![json!([]), json!([{}]), json!(null), json!([null])]),
            ("podSelector", vec![json!(null)]),
            ("externalName", vec![json!("db.example.com"), json!("1.2.3.4"), json!("_a.b"), json!("")]),
            ("clusterIP", vec![json!("None"), json!(""), json!("10.96.9.9"), json!("10.1.2.3")]),
            ("clusterIPs", vec![json!([]), json!(["10.96.9.9"]), json!(["None"]), json!(["", "fd00:10:96::9"])]),
            (
                "ipFamilyPolicy",
                vec![json!("SingleStack"), json!("PreferDualStack"), json!("RequireDualStack"), json!("x")],
            ),
            ("ipFamilies", vec![json!(["IPv6"]), json!(["IPv4", "IPv6"]), json!(["ipv4"])]),
            ("externalIPs", vec![json!(["192.0.2.1"]), json!(["x"]), json!(["127.0.0.1"])]),
            ("loadBalancerIP", vec![json!("192.0.2.1"), json!("x")]),
            ("hostNetwork", vec![json!(true), json!(false)]),
            ("hostPID", vec![json!(true)]),
            ("hostname", vec![json!("a"), json!("a.b"), json!("A")]),
            ("subdomain", vec![json!("a"), json!("a.b")]),
            ("serviceAccountName", vec![json!("a"), json!("A")]),
            ("nodeName", vec![json!("a"), json!("A")]),
            ("nodeSelector", vec![json!({"a": "b"}), json!({"a": "b c"})]),
            ("ephemeralContainers", vec![json!([]), json!([{"name": "e", "image": "i"}])]),
            ("dnsPolicy", vec![json!("None"), json!("Default"), json!("x")]),
            ("revisionHistoryLimit", vec![json!(-1), json!(3)]),
            ("minReadySeconds", vec![json!(-1), json!(3)]),
            ("activeDeadlineSeconds", vec![json!(1), json!(0)]),
            ("priorityClassName", vec![json!("system-node-critical"), json!("nobody")]),
        ],
        "containers" | "initContainers" => vec![
            ("ports", vec![json!([]), json!([{"containerPort": 80}]), json!([{"containerPort": 80, "name": "http"}])]),
            ("restartPolicy", vec![json!("Always"), json!("Never")]),
            ("imagePullPolicy", vec![json!("Always"), json!("x")]),
            ("lifecycle", vec![json!({}), json!({"preStop": {"exec": {"command": ["a"]}}})]),
        ],
        "readinessProbe" | "livenessProbe" | "startupProbe" => vec![
            ("exec", vec![json!({}), json!({"command": ["a"]})]),
            ("tcpSocket", vec![json!({"port": 80}), json!({"port": "nobody"})]),
            ("failureThreshold", vec![json!(0), json!(-1), json!(3)]),
            ("successThreshold", vec![json!(0), json!(2)]),
            ("terminationGracePeriodSeconds", vec![json!(0), json!(3)]),
        ],
        _ => Vec::new(),
    }
}

fn odd_values_of_field(name: &str) -> Vec<Json> {
    let texts: &[&str] = match name {
        "protocol" => &["HTTP", "HTTPS", "TLS", "example.com/x", "TCP", "UDP", "SCTP", "tcp", "ICMP", "TCP "],
        "operator" => &["In", "NotIn", "Exists", "DoesNotExist", "in", "Gt", "Lt", "Equals"],
        "cidr" | "except" | "podCIDR" | "podCIDRs" | "loadBalancerSourceRanges" => &[
            "0.0.0.0/0",
            "::/0",
            "10.0.0.0/8",
            "10.1.2.3/8",
            "10.1.2.3/16",
            "10.1.0.0/15",
            "10.0.0.0/7",
            "10.1.0.0/016",
            "10.01.0.0/16",
            "010.1.0.0/16",
            "10.1.0.0",
            "10.1.0.0/",
            "10.1.0.0/33",
            "10.1.0.0/-1",
            "10.1.0.0/+16",
            "10.1.0/16",
            "10.1.0.0/16 ",
            " 10.1.0.0/16",
            "10.1.0.0/1 6",
            "::ffff:10.0.0.0/104",
            "::ffff:10.1.0.0/112",
            "::ffff:10.0.0.0/8",
            "::ffff:0a01:0000/112",
            "::10.1.0.0/112",
            "2001:db8::/32",
            "2001:db8::1/64",
            "2001:DB8::/33",
            "2001:db8:0:0::/40",
            "2001:db8::/129",
            "fe80::1%eth0/64",
            "2001:db8::",
            "256.0.0.0/8",
            "10.1.0.0/255.255.0.0",
            "a/8",
            "/8",
            "10.1.0.0/00016",
            "10.1.0.0/0000000016",
            "0x0a.1.0.0/16",
            "1.2.3.4.5/8",
            "10.1.0.0/16/8",
            "::ffff:010.1.0.0/112",
        ],
        "policyTypes" => &["Ingress", "Egress", "ingress", "Both"],
        "port" | "targetPort" | "containerPort" | "endPort" | "nodePort" | "hostPort" => &[
            "80",
            "http",
            "HTTP",
            "a--b",
            "-a",
            "a-",
            "abcdefghijklmno",
            "abcdefghijklmnop",
            "1",
            "1a",
            "a1",
            "a_b",
            "http ",
            "é",
            "a.b",
        ],
        "clusterIP" | "clusterIPs" | "externalIPs" | "loadBalancerIP" | "hostIP" | "addresses" | "address" => &[
            "None",
            "none",
            "10.96.7.9",
            "010.96.7.9",
            "10.96.07.9",
            "10.96.7.9/32",
            "::ffff:10.96.7.9",
            "fd00:10:96::9",
            "FD00:10:96::9",
            "10.1.2.3",
            "127.0.0.1",
            "0.0.0.0",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "fe80::1%eth0",
            "10.96.7",
            "10.96.7.256",
            "10.96.7.9 ",
            "db.example.com",
            "0x0a.1.2.3",
            "1.2.3.4.5",
            "",
        ],
        "type" => &[
            "IPAddress",
            "Hostname",
            "Exact",
            "PathPrefix",
            "RegularExpression",
            "RequestMirror",
            "RequestRedirect",
            "ReplaceFullPath",
            "ClusterIP",
            "NodePort",
            "LoadBalancer",
            "ExternalName",
            "clusterIP",
            "Recreate",
            "RollingUpdate",
            "InternalIP",
        ],
        "externalName" => &["a", "a.b.", "A.b", "_a.b", "1.2.3.4", "a..b", ".", "-a.b", "a_b.c", "::1"],
        "addressType" => &["IPv4", "IPv6", "FQDN", "ipv4", "IP"],
        "restartPolicy" => &["Always", "OnFailure", "Never", "always", "OnFailure "],
        "ipFamilies" => &["IPv4", "IPv6", "ipv4"],
        "sessionAffinity" => &["None", "ClientIP", "none"],
        "externalTrafficPolicy" | "internalTrafficPolicy" => &["Cluster", "Local", "local"],
        "ipFamilyPolicy" => &["SingleStack", "PreferDualStack", "RequireDualStack"],
        "cpu" | "memory" => &[
            "1", "0", "1.5", "-1", "1Gi", "1gi", "1e3", "1E3", "1e", ".5", "5.", ".", "+1", "1m", "1 m", "0x1", "1KB",
            "1k", "1n", "+", "-", "m", "Mi", "e3", "1.2.3", "1i", "1e+", "00", " 1", "1e-3", "1K", "+.", "1..2",
            "1E+3", "1e3m", ".",
        ],
        "host" | "hosts" | "hostname" | "hostnames" => &[
            "a.example",
            "*.a.example",
            "*",
            "*.*.a",
            "a.*",
            "*a.example",
            "192.0.2.1",
            "::1",
            "a.example:80",
            "A.example",
            "",
        ],
        "path" | "value" => &[
            "/", "", "cart", "/a//b", "/./a", "/a/../b", "/a/..", "/a/.", "/%2f", "/%2Fa", "/a#b", "/a b", "/%zz",
            "/%41", "//",
        ],
        "pathType" => &["Exact", "Prefix", "ImplementationSpecific", "prefix"],
        "controller" | "controllerName" => {
            &["a.example/b", "a.example", "/b", "a.example/", "A.example/b", "a.example/b c", "a.example/b/c"]
        }
        "scope" => &["Cluster", "Namespace", "cluster"],
        "from" => &["All", "Same", "Selector", "None", "all"],
        "mode" => &["Terminate", "Passthrough", "terminate"],
        "weight" | "percent" => &["1"],
        "request" | "backendRequest" => &["0s", "1ms", "1h", "1h1m1s1ms", "1.5s", "s", "2m", "90s"],
        "method" => &["GET", "get", "PATCH", "_a", "1a", "a.b", "shop.Cart", ".shop.Cart"],
        "service" => &["_a", "1a", "a.b", "shop.Cart", ".shop.Cart", "a..b"],
        "schedule" => &["* * * * *", "@daily", "@every 5m", "* * * *", "60 * * * *", "TZ=UTC * * * * *"],
        "name" => &["http", "dns", "web", "data", "80", "abcdefghijklmno", "abcdefghijklmnop", "A_B", "a.b.c"],
        "scheme" => &["HTTP", "HTTPS", "https"],
        "kind" => &["Service", "Gateway", "HTTPRoute", "Secret", "a", "1a", ".", "..", "a/b", "a%b"],
        _ => &[],
    };
    texts.iter().copied().map(Json::from).collect()
}

/// A small generator of numbers, the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
