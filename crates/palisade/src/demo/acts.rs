//! What the application does, and what an intruder tries.

use palisade_model::flow::{FlowRecord, VerdictWord};

/// Who tries: a workload's first pod, and its container.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// `namespace/workload`.
    pub pod: &'static str,
    /// The container.
    pub container: &'static str,
    /// The program that connects, as the record must show it.
    pub program: &'static str,
}

/// One try, and what should become of it.
#[derive(Debug)]
pub struct Act {
    /// What it shows.
    pub title: &'static str,
    /// Who tries.
    pub sender: Sender,
    /// The command as the reader sees it.
    pub shown: &'static str,
    /// What the container runs first, through a shell.
    pub before: &'static str,
    /// `host:port`; the sender's program calls it.
    pub target: &'static str,
    /// What should become of it.
    pub expected: VerdictWord,
    /// What the reader should notice.
    pub note: Option<&'static str>,
}

impl Act {
    /// Whether `record` is of this try.
    pub fn is_record(&self, record: &FlowRecord) -> bool {
        let port = self.target.rsplit(':').next().and_then(|port| port.parse().ok());
        let (namespace, workload) = self.sender.pod.split_once('/').unwrap_or_default();
        let from = &record.from;
        Some(record.dialled.port) == port
            && from.namespace.as_deref() == Some(namespace)
            && from.workload.as_deref().is_some_and(|found| found.ends_with(&format!("/{workload}")))
            && from.container.as_deref() == Some(self.sender.container)
            && from.program.as_deref() == Some(self.sender.program)
    }

    /// The command that the container runs. Each program of the lab's images can make a call by itself.
    pub fn command(&self) -> Vec<String> {
        let call = format!("exec {} lab call --timeout 1000 {}", self.sender.program, self.target);
        let script = if self.before.is_empty() { call } else { format!("{} && {call}", self.before) };
        ["/bin/sh", "-c", &script].map(str::to_owned).into()
    }
}

/// The calls that the application makes, each as `namespace/workload -> receiver:port` of a record.
pub const LINKS: &[&str] = &[
    "edge/gateway -> shop/web:80",
    "shop/web -> shop/orders:8080",
    "shop/web -> shop/catalogue:8080",
    "shop/web -> shop/search:8080",
    "shop/web -> data/logs:24224",
    "shop/orders -> data/db:5432",
    "shop/orders -> shop/payments:8443",
    "shop/payments -> 203.0.113.10:443",
    "shop/catalogue -> data/db:5432",
    "shop/catalogue -> data/cache:6379",
    "shop/search -> shop/catalogue:8080",
    "shop/search -> data/cache:6379",
];

/// What an intruder tries, the last one for good.
pub const ACTS: &[Act] = &[
    Act {
        title: "Malware in the web container reads the orders",
        sender: Sender { pod: "shop/web", container: "nginx", program: "/tmp/malware" },
        shown: "cp /usr/bin/curl /tmp/malware && /tmp/malware orders:8080",
        before: "cp /usr/bin/curl /tmp/malware",
        target: "orders:8080",
        expected: VerdictWord::Denied,
        note: None,
    },
    Act {
        title: "The same malware reads what any program of the container may read",
        sender: Sender { pod: "shop/web", container: "nginx", program: "/tmp/malware" },
        shown: "/tmp/malware search:8080",
        before: "",
        target: "search:8080",
        expected: VerdictWord::Allowed,
        note: None,
    },
    Act {
        title: "The second container of the same pod, with the same address",
        sender: Sender { pod: "shop/web", container: "log-shipper", program: "/fluent-bit/bin/fluent-bit" },
        shown: "fluent-bit orders:8080",
        before: "",
        target: "orders:8080",
        expected: VerdictWord::Denied,
        note: Some("one address, two containers: the kernel tells them apart by their cgroups"),
    },
    Act {
        title: "The other namespace goes for the database",
        sender: Sender { pod: "edge/gateway", container: "envoy", program: "/usr/local/bin/envoy" },
        shown: "envoy db.data:5432",
        before: "",
        target: "db.data:5432",
        expected: VerdictWord::Denied,
        note: None,
    },
    Act {
        title: "The orders service asks for the cloud's credentials",
        sender: Sender { pod: "shop/orders", container: "orders", program: "/app/orders" },
        shown: "orders 169.254.169.254:80",
        before: "",
        target: "169.254.169.254:80",
        expected: VerdictWord::Denied,
        note: None,
    },
    Act {
        title: "The payments service sends data to somebody else outside",
        sender: Sender { pod: "shop/payments", container: "payments", program: "/app/payments" },
        shown: "payments 203.0.113.66:443",
        before: "",
        target: "203.0.113.66:443",
        expected: VerdictWord::Denied,
        note: None,
    },
    Act {
        title: "Malware takes the place of nginx, path and all",
        sender: Sender { pod: "shop/web", container: "nginx", program: "/usr/sbin/nginx" },
        shown: "mv /tmp/malware /usr/sbin/nginx && /usr/sbin/nginx orders:8080",
        before: "mv /tmp/malware /usr/sbin/nginx",
        target: "orders:8080",
        expected: VerdictWord::Denied,
        note: Some("same path, but not the file of the image: for the kernel it is another program"),
    },
];
