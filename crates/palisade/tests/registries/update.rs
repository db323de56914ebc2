//! Advisories are fetched over TLS.

use std::fs;

use crate::world::World;

#[test]
fn advisories_are_fetched_over_tls_from_who_is_trusted() {
    let Some(world) = World::start("files", &["tls"]) else { return };
    let export = world.server.folder.join("files/osv/npm");
    fs::create_dir_all(&export).expect("a folder");
    let record = r#"{"id": "GHSA-1", "modified": "2026-08-21T00:00:00Z", "affected": [{"package": {"ecosystem": "npm",
        "name": "ws"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}"#;
    let mut writer = palisade_feeds::zip::Writer::default();
    writer.add("GHSA-1.json", record.as_bytes());
    fs::write(export.join("all.zip"), writer.finish()).expect("written");
    fs::write(export.join("modified_id.csv"), "2026-08-21T00:00:00Z,GHSA-1\n").expect("written");
    let address = &world.server.address;
    let feeds = format!(r#"{{"osv": "https://{address}/osv", "ecosystems": ["npm"], "exploited": null}}"#);
    world.write("feeds.json", &feeds);
    let update = ["advisories", "update", "--config", "feeds.json"];
    let printed = world.palisade(&update);
    assert!(printed.errors.contains("the server's certificate is not trusted"), "{printed:?}");
    assert_eq!(printed.code, 2);
    let ca = world.server.folder.join("ca.pem").display().to_string();
    let printed = world.palisade_with(&update, &[("SSL_CERT_FILE", &ca)]);
    assert!(printed.errors.contains("npm: fetched whole") && printed.code == 0, "{printed:?}");
    assert!(printed.output.contains("1 advisory"), "{printed:?}");
}
