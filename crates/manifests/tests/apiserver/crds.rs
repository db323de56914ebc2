//! The custom resources of the Gateway API and of the network policy API, as their modules bring them.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use palisade_peers::go;
use serde_json::Value as Json;

use crate::QUERY;
use crate::base::{doors, tiers};
use crate::published;
use crate::server::{ApiServer, Question};

/// The server takes a moment until it serves a new kind.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where both modules keep them.
const DEFINITIONS: &str = "config/crd/experimental";

/// Makes the server know those of the Gateway API, once.
pub fn install_gateways(server: &mut ApiServer) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let names = [
            "gatewayclasses",
            "gateways",
            "grpcroutes",
            "httproutes",
            "referencegrants",
            "tcproutes",
            "tlsroutes",
            "udproutes",
        ];
        let folder = definitions("sigs.k8s.io/gateway-api");
        let files = names.map(|name| folder.join(format!("gateway.networking.k8s.io_{name}.yaml")));
        install(server, &files, &[doors::gateways(), doors::routes()].concat());
    });
}

/// Makes the server know the policies of administrators, once: each kind by the last release that has it.
pub fn install_tiers(server: &mut ApiServer) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let files = [
            ("v0.3.0", "clusternetworkpolicies"),
            ("v0.1.7", "adminnetworkpolicies"),
            ("v0.1.7", "baselineadminnetworkpolicies"),
        ];
        let files = files.map(|(version, name)| {
            let folder = definitions(&format!("sigs.k8s.io/network-policy-api@{version}"));
            folder.join(format!("policy.networking.k8s.io_{name}.yaml"))
        });
        install(server, &files, &[tiers::cluster_policies(), tiers::older_policies()].concat());
    });
}

/// Creates the definitions in `files`, and waits until every one of `objects` has an answer.
fn install(server: &mut ApiServer, files: &[PathBuf], objects: &[Json]) {
    let definitions = files.iter().map(|file| Question {
        path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
        body: std::fs::read_to_string(file).expect("the module brings its CRDs"),
    });
    for answer in server.ask(&definitions.collect::<Vec<_>>()) {
        assert!(answer.is_taken(), "{}", answer.body);
    }
    let deadline = Instant::now() + PATIENCE;
    let questions = objects.iter().map(|object| {
        let text = |field: &str| object[field].as_str().expect("a base has a kind and a version");
        let path = published::url(text("apiVersion"), text("kind"), "default", QUERY);
        Question { path, body: object.to_string() }
    });
    let questions: Vec<Question> = questions.collect();
    loop {
        let waiting = server.ask(&questions).iter().filter(|answer| answer.code == 404).count();
        if waiting == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{waiting} kinds are not served");
    }
}

/// The definitions of a module in the version that the committed schema is of, or in the one that it says.
fn definitions(module: &str) -> PathBuf {
    go::sources("schema", module).unwrap_or_else(|why| panic!("{why}")).join(DEFINITIONS)
}
