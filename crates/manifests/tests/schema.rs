//! The committed schemas are what `k8s.io/api` and the CRDs of the Gateway API say today.

use std::path::Path;
use std::process::Command;

use palisade_peers::programs::{SCHEMA, SCHEMA_OF_GATEWAY};
use palisade_peers::{Program, go};

/// Each program, the package that it is built of, and the file that it writes.
const PROGRAMS: [(Program, &str, &str); 2] =
    [(SCHEMA, ".", "kubernetes.txt"), (SCHEMA_OF_GATEWAY, "./gateway", "gateway.txt")];

#[test]
fn the_committed_schema_is_current() {
    for (program, package, file) in PROGRAMS {
        let Some(program) = program.get() else { return };
        // The CRDs are read where Go keeps the sources of modules.
        go::sources("schema", "sigs.k8s.io/gateway-api").unwrap_or_else(|why| panic!("{why}"));
        let output = Command::new(program).current_dir(go::module("schema")).output().expect("it was just built");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema").join(file);
        let committed = std::fs::read(committed).expect("the schema is in the repository");
        let is_current = committed == output.stdout;
        let run = format!("go run {package} > ../../../manifests/src/schema/{file}");
        assert!(is_current, "run `{run}` in crates/peers/programs/schema");
    }
}
