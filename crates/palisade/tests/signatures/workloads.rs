//! Every image that manifests run, judged by the policies that are about it.

use expect_test::expect;
use serde_json::Value;

use crate::session::{Folder, run, shown};
use crate::signing::{KEY, key, palisade, push};
use palisade_peers::registry::Server;

#[test]
fn every_image_of_manifests_is_judged_by_the_policies_about_it() {
    let folder = Folder::new("workloads");
    let Some(server) = Server::start("simple", &[]) else { return };
    key(&folder, &[]);
    let [web, migrate, other] = ["shop/web", "shop/migrate", "tools/other"].map(|name| push(&server, name, name));
    palisade(&folder, &[&["sign", &web][..], &KEY].concat());
    let address = &server.address;
    folder.write(
        "manifests/shop.yaml",
        format!(
            "apiVersion: apps/v1\n\
             kind: Deployment\n\
             metadata: {{name: web, namespace: shop}}\n\
             spec:\n\
             \x20 selector: {{matchLabels: {{app: web}}}}\n\
             \x20 template:\n\
             \x20   metadata: {{labels: {{app: web}}}}\n\
             \x20   spec:\n\
             \x20     initContainers: [{{name: migrate, image: '{migrate}'}}]\n\
             \x20     containers:\n\
             \x20     - {{name: web, image: '{web}'}}\n\
             \x20     - {{name: other, image: '{other}'}}\n\
             \x20     - {{name: gone, image: '{address}/shop/gone:1'}}\n"
        ),
    );
    folder.write(
        "policy.yaml",
        format!(
            "apiVersion: palisade.dev/v1alpha1\n\
             kind: ImagePolicy\n\
             metadata: {{name: shop}}\n\
             spec: {{images: ['{address}/shop/**'], signers: [{{name: release, key: {{file: release.pub}}}}]}}\n"
        ),
    );
    let verify = ["verify", "-f", "manifests", "--policy", "policy.yaml"];
    let plain = |text: String| {
        let text = text.replace(address, "REGISTRY");
        let digests = [&web, &migrate, &other].map(|image| image.split_once('@').expect("a digest").1.to_owned());
        digests.iter().zip(["WEB", "MIGRATE", "OTHER"]).fold(text, |text, (digest, name)| text.replace(digest, name))
    };
    expect![[r#"
        REFUSED
                   REGISTRY/shop/migrate@MIGRATE
                   run by Deployment shop/web (migrate)
                   shop: not signed: nothing lies beside the image
        VERIFIED
                   REGISTRY/shop/web@WEB
                   run by Deployment shop/web (web)
        UNDECIDED
                   REGISTRY/tools/other@OTHER
                   run by Deployment shop/web (other)
                   no policy is about this image
        UNDECIDED  REGISTRY/shop/gone:1
                   run by Deployment shop/web (gone)
                   not read: `REGISTRY` has no image `shop/gone:1`: Unknown name
                   (NAME_UNKNOWN)

        1 of 4 images are vouched for
        exit code 1
    "#]]
    .assert_eq(&plain(shown(&folder, &verify)));
    let (report, _, code) = run(&folder, &[&verify[..], &["-o", "json"]].concat());
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let verdicts: Vec<&Value> =
        report["images"].as_array().expect("a list").iter().map(|image| &image["answers"][0]["verdict"]).collect();
    assert_eq!((verdicts, code), (vec![&"refused".into(), &"verified".into(), &Value::Null], 1), "{report:#}");
    assert_eq!(report["unavailable"][0]["runBy"][0]["workload"], "Deployment shop/web");
    // What the policies of a cluster are about is no policy of connections.
    folder.copy(&folder.0.join("policy.yaml"), "manifests/policy.yaml");
    let (_, errors, _) = run(&folder, &verify);
    assert_eq!(errors, "");
}

#[test]
fn what_makes_pods_and_is_not_read_leaves_the_answer_open_and_no_manifests_are_none() {
    let folder = Folder::new("unread");
    key(&folder, &[]);
    folder.write(
        "manifests/others.yaml",
        "apiVersion: argoproj.io/v1alpha1\n\
         kind: Rollout\n\
         metadata: {name: web}\n\
         spec: {template: {spec: {containers: [{name: web, image: 'stranger.example/web:1'}]}}}\n\
         ---\n\
         apiVersion: apps.kruise.io/v1beta1\n\
         kind: StatefulSet\n\
         metadata: {name: data}\n\
         spec: {template: {spec: {containers: [{name: data, image: 'stranger.example/data:1'}]}}}\n\
         ---\n\
         apiVersion: v1\n\
         kind: ConfigMap\n\
         metadata: {name: settings}\n",
    );
    folder.write(
        "policy.yaml",
        "apiVersion: palisade.dev/v1alpha1\n\
         kind: ImagePolicy\n\
         metadata: {name: all}\n\
         spec: {images: ['**'], signers: [{name: release, key: {file: release.pub}}]}\n",
    );
    expect![[r#"

        0 of 0 images are vouched for
        problem: 1 objects of `apps.kruise.io/v1beta1 StatefulSet` are not read: what they run is not known
        problem: 1 objects of `argoproj.io/v1alpha1 Rollout` are not read: what they run is not known
        exit code 3
    "#]]
    .assert_eq(&shown(&folder, &["verify", "-f", "manifests", "--policy", "policy.yaml"]));
    // Whatever should have written the manifests has failed.
    folder.write("nothing/empty.yaml", "---\n# nothing\n");
    let refused = expect![[r#"
        error: there is no object in the manifests, so no image was asked about

        hint: look whether what writes them has failed: `set -o pipefail`
        exit code 2
    "#]];
    refused.assert_eq(&shown(&folder, &["verify", "-f", "nothing", "--policy", "policy.yaml"]));
    refused.assert_eq(&shown(&folder, &["scan", "-f", "nothing"]));
    refused.assert_eq(&shown(&folder, &["bases", "-f", "nothing"]));
}
