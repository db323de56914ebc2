//! The custom resources of the Gateway API, as its module brings them.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use palisade_peers::go;

use crate::QUERY;
use crate::base::doors;
use crate::published;
use crate::server::{ApiServer, Question};

/// The server takes a moment until it serves a new kind.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes the server know them, once.
pub fn install(server: &mut ApiServer) {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| install_now(server));
}

fn install_now(server: &mut ApiServer) {
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
    let folder = folder();
    let questions: Vec<Question> = names
        .iter()
        .map(|name| {
            let path = folder.join(format!("gateway.networking.k8s.io_{name}.yaml"));
            Question {
                path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
                body: std::fs::read_to_string(path).expect("the module brings its CRDs"),
            }
        })
        .collect();
    for answer in server.ask(&questions) {
        assert!(answer.is_taken(), "{}", answer.body);
    }
    let deadline = Instant::now() + PATIENCE;
    let objects: Vec<Question> = [doors::gateways(), doors::routes()]
        .concat()
        .iter()
        .map(|object| {
            let text = |field: &str| object[field].as_str().expect("a base has a kind and a version");
            let path = published::url(text("apiVersion"), text("kind"), "default", QUERY);
            Question { path, body: object.to_string() }
        })
        .collect();
    loop {
        let waiting = server.ask(&objects).iter().filter(|answer| answer.code == 404).count();
        if waiting == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{waiting} kinds are not served");
    }
}

/// Where the CRDs lie, in the version that the committed schema is of.
fn folder() -> PathBuf {
    let sources = go::sources("schema", "sigs.k8s.io/gateway-api");
    sources.unwrap_or_else(|why| panic!("{why}")).join("config/crd/experimental")
}
