//! What the binary prints and with which code it ends, as a reader sees it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use expect_test::{Expect, expect, expect_file};

/// Runs `palisade` at the root of the repository and holds what it prints against `expected`:
/// standard output, then standard error, then the exit code when it is not 0.
#[track_caller]
fn session(arguments: &[&str], expected: Expect) {
    expected.assert_eq(&run(arguments, ""));
}

fn run(arguments: &[&str], input: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/palisade is two levels deep");
    let mut child = Command::new(env!("CARGO_BIN_EXE_palisade"))
        .args(arguments)
        .current_dir(root)
        .env_remove("PALISADE_LAB")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    // The command may end without reading it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the binary ends");
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        Some(0) => {}
        Some(code) => text.push_str(&format!("[exit {code}]\n")),
        None => text.push_str("[killed]\n"),
    }
    text
}

#[test]
fn help_teaches_by_example() {
    for (command, file) in [
        (vec!["--help"], "palisade"),
        (vec!["inventory", "--help"], "inventory"),
        (vec!["check", "--help"], "check"),
        (vec!["explain", "--help"], "explain"),
        (vec!["net", "--help"], "net"),
        (vec!["net", "diff", "--help"], "net-diff"),
        (vec!["net", "scenario", "--help"], "net-scenario"),
        (vec!["net", "scenario", "only-dependency", "--help"], "net-scenario-only-dependency"),
        (vec!["net", "exposure", "--help"], "net-exposure"),
        (vec!["net", "map", "--help"], "net-map"),
        (vec!["net", "matrix", "--help"], "net-matrix"),
        (vec!["net", "lint", "--help"], "net-lint"),
        (vec!["agent", "run", "--help"], "agent-run"),
        (vec!["lab", "--help"], "lab"),
        (vec!["lab", "up", "--help"], "lab-up"),
        (vec!["lab", "exec", "--help"], "lab-exec"),
        (vec!["lab", "pod", "--help"], "lab-pod"),
        (vec!["agent", "--help"], "agent"),
        (vec!["observe", "--help"], "observe"),
        (vec!["demo", "--help"], "demo"),
        (vec!["image", "--help"], "image"),
        (vec!["image", "bases", "--help"], "image-bases"),
        (vec!["image", "diff", "--help"], "image-diff"),
        (vec!["image", "inspect", "--help"], "image-inspect"),
        (vec!["image", "sbom", "--help"], "image-sbom"),
        (vec!["image", "scan", "--help"], "image-scan"),
        (vec!["image", "verify", "--help"], "image-verify"),
        (vec!["image", "sign", "--help"], "image-sign"),
        (vec!["image", "attest", "--help"], "image-attest"),
        (vec!["image", "key", "--help"], "image-key"),
        (vec!["image", "trust", "--help"], "image-trust"),
        (vec!["advisories", "--help"], "advisories"),
        (vec!["advisories", "import", "--help"], "advisories-import"),
        (vec!["advisories", "status", "--help"], "advisories-status"),
        (vec!["advisories", "update", "--help"], "advisories-update"),
    ] {
        let path = format!("help/{file}.txt");
        expect_file![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)].assert_eq(&run(&command, ""));
    }
}

#[test]
fn without_manifests_and_without_a_lab_there_is_a_hint() {
    session(
        &["inventory", "--name", "no-such-lab"],
        expect![[r#"
            error: no manifests given, and no lab `no-such-lab` runs

            hint: name files or folders with -f, `-` for standard input
            hint: sudo palisade lab up --name no-such-lab -f examples/shop
            [exit 2]
        "#]],
    );
}

#[test]
fn what_is_read_again_and_again_is_no_pipe() {
    session(
        &["lab", "up", "--name", "no-such-lab", "-f", "/dev/null"],
        expect![[r#"
        error: `/dev/null` is neither a file nor a folder

        hint: pipe it in and name it `-`
        [exit 2]
    "#]],
    );
}

#[test]
fn inventory_shows_what_was_understood() {
    session(
        &["inventory", "-f", "examples/shop"],
        expect![[r#"
        NAMESPACE  KIND         NAME          PODS  CONTAINERS          PORTS                  PLACE
        data       Deployment   cache         1     valkey              redis 6379             examples/shop/app.yaml:345
        data       Deployment   logs          1     collector           forward 24224          examples/shop/app.yaml:381
        data       StatefulSet  db            1     postgres            pg 5432                examples/shop/app.yaml:306
        edge       Deployment   gateway       1     envoy               http 8080, admin 9901  examples/shop/app.yaml:28
        shop       CronJob      stock-report  1     report                                     examples/shop/app.yaml:282
        shop       Deployment   catalogue     1     catalogue           http 8080              examples/shop/app.yaml:204
        shop       Deployment   orders        2     orders              http 8080              examples/shop/app.yaml:120
        shop       Deployment   payments      1     payments            api 8443               examples/shop/app.yaml:165
        shop       Deployment   search        1     search              http 8080              examples/shop/app.yaml:243
        shop       Deployment   web           2     nginx, log-shipper  http 8080              examples/shop/app.yaml:69

        NAMESPACE  SERVICE    TYPE       PORTS                  SELECTS        PLACE
        data       cache      ClusterIP  6379->redis            app=cache      examples/shop/app.yaml:371
        data       db         headless   5432->pg               app=db         examples/shop/app.yaml:334
        data       logs       ClusterIP  24224->forward         app=logs       examples/shop/app.yaml:407
        edge       gateway    NodePort   80->http (node 30080)  app=gateway    examples/shop/app.yaml:57
        shop       catalogue  ClusterIP  8080->http             app=catalogue  examples/shop/app.yaml:233
        shop       orders     ClusterIP  8080->http             app=orders     examples/shop/app.yaml:149
        shop       payments   ClusterIP  8443->api              app=payments   examples/shop/app.yaml:194
        shop       search     ClusterIP  8080->http             app=search     examples/shop/app.yaml:272
        shop       web        ClusterIP  80->http               app=web        examples/shop/app.yaml:110

        NAMESPACE  POLICY        NAME                  MODE     WHAT                                        PLACE
        data       AccessPolicy  consent               Enforce  3 Allow                                     examples/shop/policies.yaml:117
        data       Perimeter     default               Enforce  closes ingress, egress except dns, kubelet  examples/shop/policies.yaml:15
        edge       AccessPolicy  gateway               Enforce  2 Allow                                     examples/shop/policies.yaml:20
        edge       Perimeter     default               Enforce  closes ingress, egress except dns, kubelet  examples/shop/policies.yaml:5
        shop       AccessPolicy  never                 Enforce  1 Deny                                      examples/shop/policies.yaml:95
        shop       AccessPolicy  search-without-cache  Audit    1 Deny                                      examples/shop/policies.yaml:106
        shop       AccessPolicy  storefront            Enforce  10 Allow                                    examples/shop/policies.yaml:37
        shop       Perimeter     default               Enforce  closes ingress, egress except dns, kubelet  examples/shop/policies.yaml:10

        also 3 namespaces, 1 service account
    "#]],
    );
}

#[test]
fn inventory_reads_a_pipe_and_says_what_it_could_not_use() {
    let input = "\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x}
spec: {containers: [{name: main, image: a, ports: [{containerPort: 53, protocol: UDP}]}]}
---
apiVersion: example.com/v1
kind: Gadget
metadata: {name: g}
---
apiVersion: palisade.dev/v1alpha1
kind: Perimeter
metadata: {name: p, namespace: x}
spec: {subject: {selector: {}}, directions: [Sideways]}
---
kind: [broken
";
    expect![[r#"
        NAMESPACE  KIND  NAME  PODS  CONTAINERS  PORTS   PLACE
        x          Pod   a     1     main        53/UDP  <stdin>:1

        not read: 1 Gadget (example.com/v1)
        may be a policy, but cannot be read: <stdin>:14
        2 problems
        problem: <stdin>:13: Perimeter x/p: `spec.directions[0]`: unknown direction `Sideways`
          hint: use Ingress or Egress
        problem: <stdin>:15: cannot read the document, column 7: a bracket that is not closed by `]`
          hint: close the bracket, or put the value in quotes
        [exit 3]
    "#]]
    .assert_eq(&run(&["inventory", "-f", "-"], input));
    let json = run(&["inventory", "-f", "-", "-o", "json"], input);
    let report: serde_json::Value =
        serde_json::from_str(json.trim_end_matches("[exit 3]\n")).expect("standard output is JSON");
    assert_eq!(report["version"], 1);
    assert_eq!(report["inventory"]["pods"][0]["meta"]["place"], "<stdin>:1");
    assert_eq!(report["problems"][0]["object"], "Perimeter x/p");
}

#[test]
fn input_that_cannot_be_used_at_all_ends_with_2() {
    session(
        &["inventory", "-f", "no/such/file.yaml"],
        expect![[r#"
        error: cannot read `no/such/file.yaml`
          caused by: No such file or directory (os error 2)
        [exit 2]
    "#]],
    );
    expect![[r#"
        may be a policy, but cannot be read: <stdin>:1
        1 problem
        problem: <stdin>:1: cannot read the document, column 7: a bracket that is not closed by `]`
          hint: close the bracket, or put the value in quotes
        [exit 2]
    "#]]
    .assert_eq(&run(&["inventory", "-f", "-"], "kind: [broken\n"));
}

#[test]
fn wrong_usage_ends_with_2() {
    session(
        &["inventry"],
        expect![[r#"
            error: unrecognized subcommand 'inventry'

              tip: some similar subcommands exist: 'net', 'inventory'

            Usage: palisade <COMMAND>

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
    session(
        &["check", "shop/web"],
        expect![[r#"
        error: the following required arguments were not provided:
          <TO>

        Usage: palisade check <FROM> <TO> [PORT]

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    session(
        &["lab", "up", "-f", "x", "--nodes", "3"],
        expect![[r#"
        error: invalid value '3' for '--nodes <N>': 3 is not in 1..=2

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
    session(
        &["observe", "--name", "../etc"],
        expect![[r#"
            error: invalid value '../etc' for '--name <NAME>': `../etc` cannot name a lab: use 1 to 40 lower-case letters, digits and `-`

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
    session(
        &["check", "--at", "tomorrow", "a/b", "c/d"],
        expect![[r#"
        error: invalid value 'tomorrow' for '--at <TIME>': failed to parse four digit integer as year: invalid digit, expected 0-9 but got t

        For more information, try '--help'.
        [exit 2]
    "#]],
    );
}

#[test]
fn observe_without_an_agent_says_how_to_start_one() {
    session(
        &["observe", "--socket", "/nonexistent/agent.sock"],
        expect![[r#"
        error: no agent answers on `/nonexistent/agent.sock`
          caused by: No such file or directory (os error 2)

        hint: sudo palisade agent run
        [exit 2]
    "#]],
    );
}

#[test]
fn a_lab_that_does_not_run_cannot_be_unloaded() {
    session(
        &["agent", "unload", "--name", "no-such-lab"],
        expect![[r#"
            error: no lab named `no-such-lab` is running

            hint: `palisade lab up --name no-such-lab -f MANIFESTS` starts it
            [exit 2]
        "#]],
    );
}

#[test]
fn a_label_that_no_cluster_would_take_is_wrong_usage() {
    session(
        &["lab", "pod", "relabel", "shop/web", "app=!!"],
        expect![[r#"
            error: invalid value 'app=!!' for '<LABEL>...': `!!` is no label value: 1 to 63 letters, digits, `-`, `_` and `.`, at both ends a letter or digit, or nothing

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
    session(
        &["lab", "pod", "relabel", "shop/web", "Example.com/app=x"],
        expect![[r#"
            error: invalid value 'Example.com/app=x' for '<LABEL>...': `Example.com/app` is no label key: [DOMAIN/]NAME, with a name of 1 to 63 letters, digits, `-`, `_` and `.`, at both ends a letter or digit

            For more information, try '--help'.
            [exit 2]
        "#]],
    );
}

/// An agent that has seen three connections and lost two records.
const STREAM: &str = r#"{"version":1,"time":"2026-11-22T06:12:42.123Z","id":1,"node":"node1","reporter":"sender","direction":"egress","from":{"kind":"pod","namespace":"shop","name":"web-1","workload":"Deployment/web","container":"nginx","program":"/usr/sbin/nginx"},"to":{"kind":"pod","namespace":"shop","name":"orders-1","workload":"Deployment/orders"},"protocol":"TCP","dialled":{"address":"10.96.0.7","port":8080,"service":"shop/orders"},"verdict":{"verdict":"allowed","reason":"rule","rule":"AccessPolicy shop/storefront rules[1] \"web-reads-orders\""},"wouldBe":{"verdict":"allowed","reason":"rule","rule":"AccessPolicy shop/storefront rules[1] \"web-reads-orders\""},"outcome":"established","revision":3}
{"lost":2}
{"version":1,"time":"2026-11-22T06:12:43.001Z","id":2,"node":"node1","reporter":"sender","direction":"egress","from":{"kind":"pod","namespace":"shop","name":"web-1","workload":"Deployment/web","container":"nginx","program":"/tmp/malware","programNamed":false},"to":{"kind":"pod","namespace":"shop","name":"orders-1","workload":"Deployment/orders"},"protocol":"TCP","dialled":{"address":"10.96.0.7","port":8080,"service":"shop/orders"},"verdict":{"verdict":"denied","reason":"closed","rule":"Perimeter shop/default"},"wouldBe":{"verdict":"denied","reason":"closed","rule":"Perimeter shop/default"},"outcome":"refused","revision":3}
{"version":1,"time":"2026-11-22T06:12:43.500Z","id":3,"node":"node1","reporter":"sender","direction":"egress","from":{"kind":"pod","namespace":"shop","name":"search-1","workload":"Deployment/search","container":"search","program":"/app/search"},"to":{"kind":"pod","namespace":"data","name":"cache-1","workload":"Deployment/cache"},"protocol":"TCP","dialled":{"address":"10.96.0.9","port":6379,"service":"data/cache"},"verdict":{"verdict":"allowed","reason":"rule","rule":"AccessPolicy data/consent rules[1] \"cache\""},"wouldBe":{"verdict":"denied","reason":"rule","rule":"AccessPolicy shop/search-without-cache rules[0] \"search-uses-no-cache\""},"outcome":"nobody-listens","revision":3}
"#;

/// Runs `palisade observe` with `arguments` against an agent that sends `stream` and hangs up.
/// Returns what the agent was asked, and what was printed.
fn observe(stream: impl AsRef<[u8]>, arguments: &[&str]) -> (String, String) {
    let socket = Socket::new();
    let listener = UnixListener::bind(&socket.0).expect("the temporary folder takes a socket");
    let stream = stream.as_ref().to_owned();
    let agent = thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("observe connects");
        let mut request = String::new();
        BufReader::new(&connection).read_line(&mut request).expect("observe asks");
        // With --limit the reader may be gone before the end.
        let _ = connection.write_all(&stream);
        request
    });
    let path = socket.0.to_str().expect("a temporary path in UTF-8");
    let printed = run(&[&["observe", "--socket", path], arguments].concat(), "");
    (agent.join().expect("the agent ends"), printed)
}

/// A path for a socket, unique in this process, removed in the end.
struct Socket(PathBuf);

impl Socket {
    fn new() -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("palisade-observe-{}-{number}", std::process::id())))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It may not have been made.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn observe_shows_a_line_a_record_and_what_was_lost() {
    let (asked, printed) = observe(STREAM, &["--since", "start"]);
    expect![[r#"
        {"observe":{"since":"start"}}
    "#]]
    .assert_eq(&asked);
    expect![[r#"
        TIME          FROM                                                  TO                          PORT        VERDICT  WHY
        06:12:42.123  shop/web-1 nginx /usr/sbin/nginx                      shop/orders-1               8080/TCP    allowed  AccessPolicy shop/storefront rules[1] "web-reads-orders"
        -- 2 records lost: the agent was not fast enough for them --
        06:12:43.001  shop/web-1 nginx /tmp/malware                         shop/orders-1               8080/TCP    REFUSED  closed by Perimeter shop/default, and nothing opens it
        06:12:43.500  shop/search-1 search /app/search                      data/cache-1                6379/TCP    allowed  AccessPolicy data/consent rules[1] "cache"  (audit: would be refused, AccessPolicy shop/search-without-cache rules[0] "search-uses-no-cache")  [not policy: nobody listens]
        the agent went away: its records end here
    "#]].assert_eq(&printed);
}

#[test]
fn a_record_that_a_killed_agent_left_half_written_is_nothing() {
    for stream in ["{\"lost\":2}\n{\"version\":1,\"ti", "{\"lost\":2}\n{\"version\":1,\"node\":\"nö"] {
        let cut = &stream.as_bytes()[..stream.len() - 1];
        let (_, printed) = observe(cut, &["-o", "json"]);
        assert_eq!(printed, "{\"lost\":2}\nthe agent went away: its records end here\n");
    }
}

#[test]
fn observe_filters_and_stops_at_the_limit() {
    let (_, printed) = observe(STREAM, &["--verdict", "differs", "-o", "json"]);
    let records: Vec<serde_json::Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(records[0], serde_json::json!({"lost": 2}), "loss is shown whatever the filter");
    assert_eq!(records[1]["from"]["workload"], "Deployment/search");
    assert_eq!(records.len(), 2);
    let (_, printed) = observe(STREAM, &["--limit", "1", "-o", "json"]);
    assert_eq!(printed.lines().count(), 1);
}

#[test]
fn observe_says_when_the_agent_talks_nonsense() {
    let (_, printed) = observe("hello\n", &["-o", "json"]);
    expect![[r#"
        error: the agent sent a line that is no record: `hello`
          caused by: expected value at line 1 column 1
        [exit 2]
    "#]]
    .assert_eq(&printed);
}
