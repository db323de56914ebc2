//! What the demo tries: an intruder's steps in the example application.

/// One thing that the intruder tries.
pub struct Step {
    /// What it is, for the reader.
    pub title: &'static str,
    /// Where: `NAMESPACE/WORKLOAD` and container.
    pub pod: &'static str,
    /// The container.
    pub container: &'static str,
    /// With what.
    pub program: Program,
    /// What is dialled: `NAME:PORT` or `ADDRESS:PORT`.
    pub target: &'static str,
    /// The same as a question for the engine: TO and PORT.
    pub asked: (&'static str, &'static str),
}

/// The program of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// One of the image.
    OfImage(&'static str),
    /// A copy of the container's own program, dropped into the running container.
    Dropped(&'static str),
}

impl Program {
    /// Its path in the container.
    pub fn path(self) -> &'static str {
        match self {
            Self::OfImage(path) | Self::Dropped(path) => path,
        }
    }
}

impl Step {
    /// The sender as `check` takes it.
    pub fn from(&self) -> String {
        format!("{}:{}:{}", self.pod, self.container, self.program.path())
    }
}

/// Malware in the web container: the very bytes of nginx, under another name.
const MALWARE: Program = Program::Dropped("/tmp/.kworker");

/// What the intruder tries in the shop, all of which has to be refused.
pub const INTRUDER: &[Step] = &[
    Step {
        title: "malware dropped into the web container, byte for byte a copy of nginx, wants the orders",
        pod: "shop/web",
        container: "nginx",
        program: MALWARE,
        target: "orders:8080",
        asked: ("shop/svc/orders", "8080"),
    },
    Step {
        title: "a tool of the same image, curl, wants the orders",
        pod: "shop/web",
        container: "nginx",
        program: Program::OfImage("/usr/bin/curl"),
        target: "orders:8080",
        asked: ("shop/svc/orders", "8080"),
    },
    Step {
        title: "the second container of the web pod, with the same address, wants the orders",
        pod: "shop/web",
        container: "log-shipper",
        program: Program::OfImage("/fluent-bit/bin/fluent-bit"),
        target: "orders:8080",
        asked: ("shop/svc/orders", "8080"),
    },
    Step {
        title: "the malware wants the database",
        pod: "shop/web",
        container: "nginx",
        program: MALWARE,
        target: "db.data:5432",
        asked: ("data/db", "5432"),
    },
    Step {
        title: "the malware calls home",
        pod: "shop/web",
        container: "nginx",
        program: MALWARE,
        target: "203.0.113.66:4444",
        asked: ("203.0.113.66", "4444"),
    },
    Step {
        title: "the malware wants the cloud's credentials",
        pod: "shop/web",
        container: "nginx",
        program: MALWARE,
        target: "169.254.169.254:80",
        asked: ("metadata", "80"),
    },
    Step {
        title: "another namespace, the taken-over cache, wants the orders",
        pod: "data/cache",
        container: "valkey",
        program: Program::OfImage("/usr/local/bin/valkey-server"),
        target: "orders.shop:8080",
        asked: ("shop/svc/orders", "8080"),
    },
    Step {
        title: "the cache pushes data outside, past the payment provider",
        pod: "data/cache",
        container: "valkey",
        program: Program::OfImage("/usr/local/bin/valkey-server"),
        target: "203.0.113.10:443",
        asked: ("203.0.113.10", "443"),
    },
];
