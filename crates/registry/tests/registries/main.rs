//! The client against registries that others wrote.

mod pull;
mod push;

use palisade_peers::registry::Server;
use palisade_registry::{CredentialFiles, Host, Hosts, Registry, RegistryOptions, Repository};

/// A client that knows the server's certificates, and who the user is where a config says so.
fn client(server: &Server) -> Registry {
    let host = Host { ca: Some(server.folder.join("ca.pem")), ..Host::default() };
    Registry::new(RegistryOptions {
        hosts: Hosts { registries: [(server.address.clone(), host)].into(), ..Hosts::default() },
        credentials: CredentialFiles { files: vec![server.folder.join("docker/config.json")] },
        ..RegistryOptions::default()
    })
}

fn repository(server: &Server, path: &str) -> Repository {
    Repository::new(&server.address, path).expect("a repository")
}
