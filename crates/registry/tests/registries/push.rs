//! What is pushed comes back, and what refers to it is found.

use std::process::Command;

use palisade_peers::programs::ORAS;
use palisade_peers::registry::Server;
use palisade_registry::{Descriptor, FoundBy, Registry, Repository, Version, media_type};
use serde_json::json;

use crate::{client, repository};

/// An artifact of one blob, that refers to another where that is said.
fn push(registry: &Registry, repository: &Repository, tag: Option<&str>, subject: Option<&Descriptor>) -> Descriptor {
    let config = registry.push_blob(repository, media_type::EMPTY, b"{}").expect("a config is taken");
    let text = format!("a layer of {}", tag.unwrap_or("nothing"));
    let layer = registry.push_blob(repository, "text/plain", text.as_bytes()).expect("a layer is taken");
    let mut manifest = json!({"schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": config, "layers": [layer], "annotations": {"a": "b"}});
    if let Some(subject) = subject {
        manifest["subject"] = json!(subject);
        manifest["artifactType"] = "application/vnd.example.note".into();
    }
    let bytes = serde_json::to_vec(&manifest).expect("JSON");
    let pushed =
        registry.push_manifest(repository, tag, media_type::OCI_MANIFEST, &bytes).expect("a manifest is taken");
    let found = registry.manifest(repository, Version::Digest(&pushed.descriptor.digest)).expect("it is there");
    assert_eq!((found.bytes, found.descriptor.digest), (bytes, pushed.descriptor.digest.clone()));
    pushed.descriptor
}

#[test]
fn what_is_pushed_comes_back_and_what_refers_to_it_is_found() {
    let kinds = [
        ("simple", &[][..], FoundBy::Tag),
        ("referrers", &[], FoundBy::Api),
        ("distribution", &["tls", "basic"], FoundBy::Tag),
        ("distribution", &["tls", "token"], FoundBy::Tag),
        ("distribution", &["token"], FoundBy::Tag),
    ];
    for (kind, options, found_by) in kinds {
        let Some(server) = Server::start(kind, options) else { return };
        server.docker_config(r#"{"auth": "bWU6c2VjcmV0"}"#);
        let registry = client(&server);
        let repository = repository(&server, "team/app");
        let image = push(&registry, &repository, Some("v1"), None);
        let resolved = registry.resolve(&repository, Version::Tag("v1")).expect("the tag is there");
        assert_eq!((resolved.digest, resolved.size), (image.digest.clone(), image.size), "{kind} {options:?}");
        let before = registry.referrers(&repository, &image.digest).expect("a list");
        assert!(before.manifests.is_empty(), "{before:?}");
        let first = push(&registry, &repository, None, Some(&image));
        let second = push(&registry, &repository, Some("note"), Some(&image));
        let after = registry.referrers(&repository, &image.digest).expect("a list");
        assert_eq!((after.found_by, after.is_cut), (found_by, false), "{kind} {options:?}");
        let mut digests: Vec<_> = after.manifests.iter().map(|it| it.digest.clone()).collect();
        digests.sort();
        let mut pushed = [first.digest, second.digest];
        pushed.sort();
        assert_eq!(digests, pushed, "{kind} {options:?}");
        // go-containerregistry's list has the type of the config in the place of the artifact's.
        let is_right = |it: &Descriptor| it.artifact_type.as_deref() == Some("application/vnd.example.note");
        assert!(kind == "referrers" || after.manifests.iter().all(is_right), "{:?}", after.manifests);
    }
}

#[test]
fn oras_finds_what_was_pushed_here_and_what_it_attaches_is_found() {
    for (kind, options) in [("simple", &[][..]), ("referrers", &[]), ("distribution", &["tls", "basic"])] {
        let Some(server) = Server::start(kind, options) else { return };
        server.docker_config(r#"{"auth": "bWU6c2VjcmV0"}"#);
        let (registry, repository) = (client(&server), repository(&server, "team/app"));
        let image = push(&registry, &repository, Some("v1"), None);
        let ours = push(&registry, &repository, None, Some(&image));
        let name = format!("{}/team/app:v1", server.address);
        let oras = |arguments: &[&str]| {
            let transport =
                if options.contains(&"tls") { ["--ca-file", "ca.pem"].to_vec() } else { vec!["--plain-http"] };
            let output = Command::new(ORAS.get().expect("there is Go"))
                .args(arguments)
                .args(transport)
                .args(["--registry-config", "docker/config.json"])
                .current_dir(&server.folder)
                .output()
                .expect("oras runs");
            assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text")
        };
        std::fs::write(server.folder.join("note.txt"), "a note").expect("written");
        oras(&["attach", "--artifact-type", "application/vnd.example.theirs", &name, "note.txt:text/plain"]);
        let found = registry.referrers(&repository, &image.digest).expect("a list").manifests;
        let mut digests: Vec<&str> = found.iter().map(|it| it.digest.as_str()).collect();
        let told: serde_json::Value =
            serde_json::from_str(&oras(&["discover", "--format", "json", &name])).expect("JSON");
        // Its key has changed its name between versions.
        let listed = told.get("manifests").or_else(|| told.get("referrers")).and_then(|it| it.as_array());
        let mut theirs: Vec<&str> = listed.into_iter().flatten().filter_map(|it| it["digest"].as_str()).collect();
        digests.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(digests, theirs, "{kind}: {told}");
        assert!(digests.len() == 2 && digests.contains(&ours.digest.as_str()), "{kind}: {digests:?}");
        // What it attached is read whole.
        let attached = found.iter().find(|it| it.digest != ours.digest).expect("the other");
        let manifest = registry.manifest(&repository, Version::Digest(&attached.digest)).expect("it is there");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.bytes).expect("JSON");
        let layer: Descriptor = serde_json::from_value(manifest["layers"][0].clone()).expect("a descriptor");
        assert_eq!(registry.read_blob(&repository, &layer, 100).expect("it is there"), b"a note");
    }
}
