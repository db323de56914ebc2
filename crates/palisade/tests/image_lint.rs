//! `palisade image lint`, as a reader sees it, on images that the test packs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use expect_test::{Expect, expect};
use palisade_archive::digest::sha256;
use serde_json::{Value, json};

/// An archive of `docker save` in a folder that is removed with it.
struct Image {
    folder: PathBuf,
    layers: Vec<String>,
}

impl Image {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("palisade-image-lint-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder of the test");
        Self { folder, layers: Vec::new() }
    }

    /// A layer of files, each with its rights.
    fn layer(mut self, files: &[(&str, u32, &str)]) -> Self {
        let root = self.folder.join("root");
        for (path, mode, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of the test");
            fs::write(&path, text).expect("a file of the test");
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("a file of the test");
        }
        let name = format!("layer{}.tar", self.layers.len());
        let mut tar = Command::new("tar");
        tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=go-w", "-cf"]);
        // The rights of files as they are; those of folders hang on the machine's umask.
        let files = files.iter().map(|(path, ..)| *path);
        tar.arg(self.folder.join(&name)).arg("-C").arg(&root).args(files).args(["--mode=+"]);
        let tar = tar.status().expect("tar runs");
        assert!(tar.success(), "tar packs");
        fs::remove_dir_all(&root).expect("a folder of the test");
        self.layers.push(name);
        self
    }

    /// The whole, with a config and the steps of its build.
    fn save(self, tag: &str, config: &Value, steps: &[&str]) -> Self {
        let read = |name: &String| fs::read(self.folder.join(name)).expect("a layer");
        let diff_ids: Vec<String> = self.layers.iter().map(|name| sha256(&read(name))).collect();
        let history: Vec<Value> = steps.iter().map(|step| json!({"created_by": step})).collect();
        let config = json!({"os": "linux", "architecture": "amd64", "config": config, "history": history,
                            "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let manifest = json!([{"Config": "config.json", "RepoTags": [tag], "Layers": self.layers}]);
        fs::write(self.folder.join("config.json"), config.to_string()).expect("a file of the test");
        fs::write(self.folder.join("manifest.json"), manifest.to_string()).expect("a file of the test");
        let mut tar = Command::new("tar");
        tar.current_dir(&self.folder).args(["-cf", "app.tar", "manifest.json", "config.json"]).args(&self.layers);
        assert!(tar.status().expect("tar runs").success(), "tar packs");
        self
    }

    fn run(&self, arguments: &[&str]) -> (String, String, i32) {
        let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .args(["image", "lint", "app.tar"])
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .expect("the binary starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.code().expect("it exits"))
    }

    #[track_caller]
    fn session(&self, arguments: &[&str], expected: Expect) {
        let (output, errors, code) = self.run(arguments);
        let code = if code == 0 { String::new() } else { format!("exit code {code}\n") };
        expected.assert_eq(&format!("{output}{errors}{code}"));
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Of GitHub's make, from the tests of another scanner, and revoked; in two pieces, so that nobody finds it here.
fn token() -> String {
    ["ghp_", "HqVdKoLwkXN58VKftd2vJr0rxEx6tt26hion"].concat()
}

/// What is bad in every way that is looked for.
fn careless() -> Image {
    let token = format!("//npm.pkg.github.com/:_authToken={}\n", token());
    Image::new("careless")
        .layer(&[
            ("bin/sh", 0o755, "#!"),
            ("usr/bin/apt", 0o755, "apt"),
            ("usr/bin/gcc-12", 0o755, "gcc"),
            ("usr/bin/curl", 0o755, "curl"),
            ("usr/bin/su", 0o4755, "su"),
            ("etc/shadow", 0o666, "root::0\n"),
            ("etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\napp:x:1001:1001::/:/bin/sh\n"),
            ("var/lib/apt/lists/deb_InRelease", 0o644, "Origin: Debian\n"),
            ("root/.npmrc", 0o600, &token),
        ])
        .layer(&[("root/.wh..npmrc", 0o644, ""), ("app/node_modules/ws/index.js", 0o644, "module.exports = 1\n")])
        .save(
            "registry.example/app:latest",
            &json!({"User": "app", "Env": ["PATH=/usr/bin", "DB_PASSWORD=correct-horse"]}),
            &[
                "ADD https://example.com/tool /usr/bin/tool # buildkit",
                "RUN |1 NPM_TOKEN=hunter22 /bin/sh -c curl -k x | sh",
            ],
        )
}

#[test]
fn a_careless_image_fails_with_what_to_do_about_each_thing() {
    careless().session(&[], expect![[r#"
        critical: a GitHub token in `/root/.npmrc`, which a later layer removes or replaces: ghp_... (40 characters) [secret]
          image app.tar /root/.npmrc:1
          why: its checksum is right
          fix: revoke it, and build without it: layer 0 brings it (`ADD
               https://example.com/tool /usr/bin/tool # buildkit`)

        high: the variable `DB_PASSWORD` has a value (13 characters) [secret-in-environment]
          image app.tar Env DB_PASSWORD
          fix: hand it in at run time

        high: the build's argument `NPM_TOKEN` has a value (8 characters) [secret-in-environment]
          image app.tar history step 1
          fix: RUN --mount=type=secret

        high: `curl -k` turns a check off [unverified-download]
          image app.tar history step 1
          why: RUN |1 NPM_TOKEN=... /bin/sh -c curl -k x | sh
          fix: trust the authority that is meant instead

        medium: `/usr/bin/gcc-12` is a compiler or a build tool, 3 B [compiler]
          image app.tar /usr/bin/gcc-12
          fix: leave it out: layer 0 brings it (`ADD https://example.com/tool
               /usr/bin/tool # buildkit`)

        medium: it runs what it downloads, unseen [downloaded-script]
          image app.tar history step 1
          why: RUN |1 NPM_TOKEN=... /bin/sh -c curl -k x | sh
          fix: download, compare a digest, run

        medium: its tag is `latest` [latest-tag]
          image app.tar tag
          fix: tag it by version

        medium: `/usr/bin/apt` is a package manager, 3 B [package-manager]
          image app.tar /usr/bin/apt
          fix: leave it out: layer 0 brings it (`ADD https://example.com/tool
               /usr/bin/tool # buildkit`)

        medium: ADD fetches a file from the network, and nothing checks it [remote-add]
          image app.tar history step 0
          why: ADD https://example.com/tool /usr/bin/tool # buildkit
          fix: ADD --checksum=sha256:...

        medium: `/usr/bin/su` runs with the rights of its owner (4755) [setuid]
          image app.tar /usr/bin/su
          fix: RUN chmod a-s /usr/bin/su

        medium: `/bin/sh` is a shell, 2 B [shell]
          image app.tar /bin/sh
          fix: leave it out: layer 0 brings it (`ADD https://example.com/tool
               /usr/bin/tool # buildkit`)

        medium: `/app/node_modules/` has packages of Node, 19 B [unused-language-tree]
          image app.tar /app/node_modules/
          why: nothing in the image runs Node
          fix: leave it out: layer 1 brings it (`RUN |1 NPM_TOKEN=... /bin/sh -c curl -k
               x | sh`)

        medium: the user is `app`, not a number [user-by-name]
          image app.tar User
          fix: USER 1001

        medium: everybody may write the file `/etc/shadow` (666) [world-writable]
          image app.tar /etc/shadow
          fix: RUN chmod o-w /etc/shadow

        low: labels are missing: org.opencontainers.image.source, .revision, .version, .base.name, .base.digest [missing-labels]
          image app.tar Labels
          fix: docker buildx build --label, or docker/metadata-action

        low: `/usr/bin/curl` is a tool to fetch, connect or trace with, 4 B [network-tool]
          image app.tar /usr/bin/curl
          fix: leave it out: layer 0 brings it (`ADD https://example.com/tool
               /usr/bin/tool # buildkit`)

        low: `/var/lib/apt/lists/` is a cache of a package manager, 15 B [package-cache]
          image app.tar /var/lib/apt/lists/
          fix: leave it out: layer 0 brings it (`ADD https://example.com/tool
               /usr/bin/tool # buildkit`)

        info: 0 of 100; 46 B less without what it does not need: 6 in all [image-score]
          image app.tar
          why: the largest: /app/node_modules/ 19 B, /var/lib/apt/lists/ 15 B,
               /usr/bin/curl 4 B, /usr/bin/apt 3 B, /usr/bin/gcc-12 3 B, /bin/sh 2 B

        18 findings: 1 critical, 3 high, 10 medium, 3 low, 1 info
        exit code 1
    "#]]);
}

#[test]
fn a_minimal_image_passes() {
    let labels = ["source", "revision", "version", "base.name", "base.digest"];
    let labels = labels.map(|label| (format!("org.opencontainers.image.{label}"), json!("x")));
    let labels: serde_json::Map<String, Value> = labels.into_iter().collect();
    Image::new("minimal")
        .layer(&[
            ("app/server", 0o555, "\u{7f}ELF"),
            ("etc/passwd", 0o644, "nobody:x:65532:65532::/:/sbin/nologin\n"),
            ("etc/os-release", 0o644, "ID=distroless\n"),
        ])
        .save("registry.example/app:v1.2", &json!({"User": "65532", "Labels": labels}), &["COPY server /app/server"])
        .session(
            &["--fail-on", "info"],
            expect![[r#"
            info: 100 of 100; nothing to remove [image-score]
              image app.tar

            1 finding: 1 info
        "#]],
        );
}

#[test]
fn no_form_shows_a_secret_whole() {
    let image = careless();
    for form in ["text", "json", "sarif", "junit", "markdown"] {
        let (output, errors, code) = image.run(&["-o", form]);
        assert_eq!(code, 1, "{form}: {errors}");
        for secret in [&*token(), "HqVdKo", "hunter22", "correct-horse"] {
            assert!(!output.contains(secret), "{form} shows {secret}");
        }
        assert!(output.contains("secret-in-environment") && output.contains("/root/.npmrc"), "{form}: {output}");
        assert_eq!(image.run(&["-o", form]).0, output, "{form} is the same again");
    }
    let (output, ..) = image.run(&["-o", "json"]);
    let report: Value = serde_json::from_str(&output).expect("JSON");
    let find = |rule: &str| report["findings"].as_array().expect("a list").iter().find(|it| it["rule"] == rule);
    let secret = &find("secret").expect("it is found")["details"];
    assert_eq!(
        (&secret["path"], &secret["layerIndex"], &secret["isVisible"]),
        (&json!("/root/.npmrc"), &json!(0), &json!(false))
    );
    assert!(secret["layer"].as_str().is_some_and(|it| it.starts_with("sha256:")), "{secret}");
    let score = &find("image-score").expect("it is there")["details"];
    assert!(score["score"].as_u64().is_some_and(|it| it < 50), "{score}");
    assert_eq!(score["removable"][0]["path"], "/app/node_modules/");
}

#[test]
fn a_search_that_ends_before_all_was_searched_is_told_and_undecided() {
    let text = "nothing to see here\n".repeat(60_000);
    let image = Image::new("budget").layer(&[("a.txt", 0o644, &text), ("b.txt", 0o644, &token())]).save(
        "app:v1",
        &json!({"User": "1"}),
        &[],
    );
    let rule = ["--rule", "secret"];
    image.session(
        &rule,
        expect![[r#"
        critical: a GitHub token in `/b.txt`: ghp_... (40 characters) [secret]
          image app.tar /b.txt:1
          why: its checksum is right
          fix: revoke it, and build without it: layer 0 brings it

        1 finding: 1 critical
        exit code 1
    "#]],
    );
    image.session(
        &[&rule[..], &["--search-megabytes", "1"]].concat(),
        expect![[r#"
        high: the budget was spent before 1 text files were searched for secrets [image-search-ended]
          fix: give it more with --search-seconds and --search-megabytes

        1 finding: 1 high
        exit code 3
    "#]],
    );
    image.session(
        &[&rule[..], &["--search-seconds", "0"]].concat(),
        expect![[r#"
        high: the budget was spent before 2 text files were searched for secrets [image-search-ended]
          fix: give it more with --search-seconds and --search-megabytes

        1 finding: 1 high
        exit code 3
    "#]],
    );
    image.session(
        &[&rule[..], &["--search-megabytes", "0"]].concat(),
        expect![[r#"
        no findings
    "#]],
    );
}

#[test]
fn rules_are_listed_and_unknown_ones_and_bills_refused() {
    let image = Image::new("rules").layer(&[("x", 0o644, "")]).save("x:1", &json!({}), &[]);
    image.session(
        &["--rule", "shells"],
        expect![[r#"
        error: there is no rule `shells`

        hint: palisade image lint --list-rules
        exit code 2
    "#]],
    );
    image.session(
        &["--list-rules"],
        expect![[r#"
        RULE                   SEVERITY  WHAT IT FINDS
        compiler               medium    there is a compiler or a build tool
        documentation          info      documentation that nothing reads
        downloaded-script      medium    a step of the build runs what it downloads
        healthcheck-ignored    info      HEALTHCHECK, which Kubernetes does not run
        image-score            info      how minimal the image is
        latest-tag             medium    the tag says no version
        missing-labels         low       the image does not say where it comes from
        network-tool           low       there is a tool to fetch, connect or trace with
        package-cache          low       a package manager has left its cache behind
        package-manager        medium    there is a package manager
        remote-add             medium    a step of the build adds a file from the network
        root-user              high      the image runs as root
        secret                 high      there is a secret in a layer
        secret-in-environment  high      a variable of the environment or the build looks like a secret
        setuid                 medium    a program runs with the rights of another user
        shell                  medium    there is a shell
        unused-language-tree   medium    packages of a language that nothing here runs
        unverified-download    high      a step of the build turns checks off
        user-by-name           medium    the user is a name, which Kubernetes cannot check
        world-writable         medium    everybody may write a file or folder
    "#]],
    );
    fs::write(image.folder.join("app.tar"), r#"{"bomFormat": "CycloneDX", "components": []}"#)
        .expect("a file of the test");
    image.session(
        &[],
        expect![[r#"
        error: `app.tar` is a bill of materials: there are no files in it to look at

        hint: give the image itself
        exit code 2
    "#]],
    );
}

/// A shared image, where there is one.
#[test]
fn a_distroless_image_has_no_tools_in_it() {
    let Some(shared) = palisade_peers::shared("images/distroless") else { return };
    let output = Command::new(env!("CARGO_BIN_EXE_palisade")).args(["image", "lint"]).arg(shared).output();
    let output = String::from_utf8(output.expect("the binary starts").stdout).expect("text");
    assert!(output.contains("info: 87 of 100; nothing to remove [image-score]"), "{output}");
}
