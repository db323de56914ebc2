//! The programs that tests ask for, each at the version whose output they read.

use crate::go::{Patience, Program, Source};

/// cyclonus, the Kubernetes network policy SIG's conformance tool, as an evaluator of many worlds.
pub const CYCLONUS: Program = minutes(folder("cyclonus"));

/// Registries: go-containerregistry's and distribution. [`crate::registry::Server`] runs it.
pub const REGISTRIES: Program = folder("registries");

/// Makes, pushes and reads images.
pub const CRANE: Program = module("crane", "github.com/google/go-containerregistry/cmd/crane@v0.20.6");

/// Pushes and pulls what is no image as well.
pub const ORAS: Program = module("oras", "oras.land/oras/cmd/oras@v1.2.3");

/// Which vulnerable functions are linked in a program.
pub const GOVULNCHECK: Program = module("govulncheck", "golang.org/x/vuln/cmd/govulncheck@v1.1.4");

/// What is known against the packages of an image.
pub const OSV_SCANNER: Program = module("osv-scanner", "github.com/google/osv-scanner/v2/cmd/osv-scanner@v2.5.1");

/// Signs and verifies in Sigstore's formats.
pub const COSIGN: Program = module("cosign", "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3");

/// Signs and verifies in the Notary Project's formats. Its module is deprecated, and `go install` wants a list of its
/// versions.
pub const NOTATION: Program = Program {
    source: Source::Folder { folder: "notation", package: "github.com/notaryproject/notation/cmd/notation" },
    ..folder("notation")
};

/// The lifecycle of Cloud Native Buildpacks: its phases are names of the one program.
pub const LIFECYCLE: Program = Program {
    source: Source::Folder { folder: "lifecycle", package: "github.com/buildpacks/lifecycle/cmd/lifecycle" },
    ..folder("lifecycle")
};

/// What the lifecycle puts into an image to start its processes.
pub const LAUNCHER: Program = Program {
    source: Source::Folder { folder: "lifecycle", package: "github.com/buildpacks/lifecycle/cmd/launcher" },
    ..folder("launcher")
};

/// go-tuf, which publishes a root of trust.
pub const TUF: Program = folder("tuf");

/// `sigs.k8s.io/yaml`: the JSON that Kubernetes sees in a document.
pub const GOYAML: Program = folder("goyaml");

/// The types of `k8s.io/api`.
pub const SCHEMA: Program = folder("schema");

/// The types of the Gateway API, as its CRDs have them.
pub const SCHEMA_OF_GATEWAY: Program = Program {
    name: "schema-of-gateway",
    source: Source::Folder { folder: "schema", package: "./gateway" },
    ..folder("schema")
};

/// The API server of Kubernetes and its etcd.
pub const APISERVER: Program = minutes(folder("apiserver"));

/// All of them, in the order in which `cargo test --workspace` first asks for them.
pub const ALL: &[Program] = &[
    CYCLONUS,
    GOVULNCHECK,
    OSV_SCANNER,
    REGISTRIES,
    CRANE,
    COSIGN,
    NOTATION,
    LIFECYCLE,
    LAUNCHER,
    TUF,
    GOYAML,
    APISERVER,
    SCHEMA,
    SCHEMA_OF_GATEWAY,
    ORAS,
];

const fn module(name: &'static str, module: &'static str) -> Program {
    Program { name, source: Source::Module(module), patience: Patience::Anybody }
}

const fn folder(name: &'static str) -> Program {
    Program { name, source: Source::Folder { folder: name, package: "." }, patience: Patience::Anybody }
}

const fn minutes(program: Program) -> Program {
    Program { patience: Patience::WhoHasShared, ..program }
}
