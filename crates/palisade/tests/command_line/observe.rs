//! `palisade observe`, of an agent that is a socket of the test.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use expect_test::expect;

use crate::said;
use crate::session::shows;

#[test]
fn observe_without_an_agent_says_how_to_start_one() {
    shows(
        "observe --socket /nonexistent/agent.sock",
        expect![[r#"
        error: no agent answers on `/nonexistent/agent.sock`
          caused by: No such file or directory (os error 2)

        hint: sudo palisade agent run
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
fn observe(stream: impl AsRef<[u8]>, arguments: &str) -> (String, String) {
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
    let printed = said(&format!("observe --socket {path} {arguments}"), "");
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
    let (asked, printed) = observe(STREAM, "--since start");
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
        let (_, printed) = observe(cut, "-o json");
        assert_eq!(printed, "{\"lost\":2}\nthe agent went away: its records end here\n");
    }
}

#[test]
fn observe_filters_and_stops_at_the_limit() {
    let (_, printed) = observe(STREAM, "--verdict differs -o json");
    let records: Vec<serde_json::Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(records[0], serde_json::json!({"lost": 2}), "loss is shown whatever the filter");
    assert_eq!(records[1]["from"]["workload"], "Deployment/search");
    assert_eq!(records.len(), 2);
    let (_, printed) = observe(STREAM, "--limit 1 -o json");
    assert_eq!(printed.lines().count(), 1);
}

#[test]
fn observe_says_when_the_agent_talks_nonsense() {
    let (_, printed) = observe("hello\n", "-o json");
    expect![[r#"
        error: the agent sent a line that is no record: `hello`
          caused by: expected value at line 1 column 1
        [exit 2]
    "#]]
    .assert_eq(&printed);
}
