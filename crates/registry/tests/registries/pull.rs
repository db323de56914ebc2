//! What is there is read, and what is not says so.

use palisade_registry::{Version, media_type};

use crate::{client, repository};
use palisade_peers::registry::Server;

#[test]
fn a_blob_and_a_manifest_that_are_not_there_say_so() {
    for kind in ["simple", "distribution"] {
        let Some(server) = Server::start(kind, &[]) else { return };
        let (registry, repository) = (client(&server), repository(&server, "a/b"));
        let error = registry.manifest(&repository, Version::Tag("none")).expect_err("nothing is there");
        assert!(error.is_not_found(), "{error}");
        assert!(error.to_string().contains("has no image `a/b:none`"), "{error}");
        let digest = format!("sha256:{}", "0".repeat(64));
        let error = registry.blob(&repository, &digest, None).map(|_| ()).expect_err("nothing is there");
        assert!(error.is_not_found(), "{error}");
    }
}

#[test]
fn who_is_nobody_or_shows_a_wrong_password_is_told() {
    for options in [["tls", "basic"], ["tls", "token"]] {
        let Some(server) = Server::start("distribution", &options) else { return };
        let repository = repository(&server, "a/b");
        let error = client(&server).manifest(&repository, Version::Tag("c")).expect_err("nobody is let in");
        assert!(error.to_string().contains("wants credentials for image `a/b:c`"), "{options:?}: {error}");
        server.docker_config(r#"{"username": "me", "password": "wrong"}"#);
        let error = client(&server).manifest(&repository, Version::Tag("c")).expect_err("nobody is let in");
        assert!(error.to_string().contains("wants credentials"), "{options:?}: {error}");
        assert!(!error.message().contains("wrong password)") || options[1] == "token", "{error}");
    }
}

#[test]
fn a_refresh_token_gives_tokens() {
    let Some(server) = Server::start("distribution", &["tls", "token"]) else { return };
    server.docker_config(r#"{"identitytoken": "refresh"}"#);
    let (registry, repository) = (client(&server), repository(&server, "a/b"));
    let blob = registry.push_blob(&repository, media_type::EMPTY, b"{}").expect("it is let in");
    assert_eq!(registry.read_blob(&repository, &blob, 10).expect("it is there"), b"{}");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let Some(server) = Server::start("simple", &["tls"]) else { return };
    let registry = palisade_registry::Registry::new(Default::default());
    let error = registry.manifest(&repository(&server, "a/b"), Version::Tag("c")).expect_err("it is not trusted");
    assert!(error.message().contains("certificate is not trusted"), "{}", error.message());
}

#[test]
fn nobody_is_led_from_tls_to_plain_http() {
    let Some(server) = Server::start("downgrade", &["tls"]) else { return };
    let error = client(&server).manifest(&repository(&server, "a/b"), Version::Tag("c")).expect_err("it is plain");
    let told = error.message();
    assert!(told.contains("led on from https to plain http at `elsewhere.example:80`"), "{told}");
}
