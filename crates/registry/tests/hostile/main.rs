//! Registries that lie, break off, never end, or lead astray.

mod server;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use palisade_registry::digest::sha256;
use palisade_registry::{
    CredentialFiles, Host, Hosts, Proxies, Registry, RegistryError, RegistryOptions, Repository, Retries, Version,
    media_type,
};
use server::{Asked, Server, give};

const MANIFEST: &[u8] = br#"{"schemaVersion": 2, "config": {}, "layers": []}"#;

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("palisade-hostile-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options() -> RegistryOptions {
    let first_wait = Duration::from_millis(1);
    RegistryOptions { retries: Retries { first_wait, ..Retries::default() }, ..RegistryOptions::default() }
}

fn repository(server: &Server) -> Repository {
    Repository::new(&server.address, "a/b").expect("a repository")
}

fn manifest(server: &Server, version: Version<'_>) -> Result<Vec<u8>, RegistryError> {
    Registry::new(options()).manifest(&repository(server), version).map(|it| it.bytes)
}

fn blob(server: &Server, digest: &str, size: Option<u64>) -> Result<Vec<u8>, String> {
    let registry = Registry::new(options());
    let mut blob = registry.blob(&repository(server), digest, size).map_err(|error| error.message())?;
    let mut bytes = Vec::new();
    match blob.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(palisade_registry::http::chain(&error)),
    }
}

/// The one manifest, whatever is asked for.
fn give_manifest(stream: &mut TcpStream, headers: &[(&str, &str)]) -> std::io::Result<()> {
    give(stream, "200 OK", &[&[("Content-Type", media_type::OCI_MANIFEST)], headers].concat(), MANIFEST)
}

#[test]
fn a_manifest_that_is_not_what_its_digest_or_header_says_is_refused() {
    let other = sha256(b"another");
    let said = other.clone();
    let server = Server::start(move |_, stream| give_manifest(stream, &[("Docker-Content-Digest", &said)]));
    for version in [Version::Digest(&other), Version::Tag("latest")] {
        let error = manifest(&server, version).expect_err("it is another");
        assert!(matches!(error, RegistryError::Digest { .. }), "{error}");
        assert!(error.to_string().contains(&sha256(MANIFEST)), "{error}");
    }
}

#[test]
fn a_blob_that_is_not_what_its_digest_or_size_says_ends_with_an_error() {
    let server = Server::start(|_, stream| give(stream, "200 OK", &[], b"twelve bytes"));
    let right = sha256(b"twelve bytes");
    assert_eq!(blob(&server, &right, Some(12)), Ok(b"twelve bytes".to_vec()));
    assert_eq!(blob(&server, &right, None), Ok(b"twelve bytes".to_vec()));
    let told = blob(&server, &sha256(b"another"), Some(12)).expect_err("it is another");
    assert!(told.contains(&format!("has the digest {right}")), "{told}");
    let told = blob(&server, &right, Some(11)).expect_err("it is longer");
    assert!(told.contains("should have 11 bytes and has more: at least 12"), "{told}");
    let told = blob(&server, &right, Some(13)).expect_err("it is shorter");
    assert!(told.contains("12"), "{told}");
}

#[test]
fn a_body_that_never_ends_is_ended() {
    let server = Server::start(|asked, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.manifest.v1+json\r\n")?;
        if asked.path().contains("lying") {
            stream.write_all(b"Content-Length: 10000000000000\r\n")?;
        }
        stream.write_all(b"\r\n")?;
        loop {
            stream.write_all(&[b' '; 4096])?;
        }
    });
    for tag in ["endless", "lying"] {
        let error = manifest(&server, Version::Tag(tag)).expect_err("it has no end");
        assert!(error.message().contains("longer than 4194304 bytes"), "{}", error.message());
    }
    let told = blob(&server, &sha256(b"x"), Some(1)).expect_err("it has no end");
    assert!(told.contains("has more: at least"), "{told}");
}

#[test]
fn a_head_that_never_ends_is_ended() {
    let server = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        loop {
            stream.write_all(b"X-More: and more\r\n")?;
        }
    });
    let error = manifest(&server, Version::Tag("x")).expect_err("it has no end");
    assert!(error.message().contains("not HTTP"), "{}", error.message());
}

#[test]
fn a_blob_goes_on_where_its_connection_broke_off() {
    let bytes: Vec<u8> = (0..100_000u32).map(|it| (it % 251) as u8).collect();
    let digest = sha256(&bytes);
    for knows_ranges in [true, false] {
        let (whole, tries) = (bytes.clone(), AtomicUsize::new(0));
        let server = Server::start(move |asked, stream| {
            let from = asked.header("range").and_then(|it| it.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
            let from: usize = from.filter(|_| knows_ranges).unwrap_or(0);
            let (status, rest) = match from {
                0 => ("200 OK".to_owned(), &whole[..]),
                from => (format!("206 Partial Content\r\nContent-Range: bytes {from}-99999/100000"), &whole[from..]),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", rest.len());
            stream.write_all(head.as_bytes())?;
            // Two thirds of what is left, until it is asked for the third time.
            let given = if tries.fetch_add(1, Ordering::Relaxed) < 3 { rest.len() * 2 / 3 } else { rest.len() };
            stream.write_all(&rest[..given])
        });
        assert_eq!(blob(&server, &digest, Some(100_000)).map(|it| sha256(&it)), Ok(digest.clone()), "{knows_ranges}");
        let ranges = server.asked().iter().filter(|asked| asked.header("range").is_some()).count();
        assert_eq!(ranges, 3, "{knows_ranges}");
    }
}

#[test]
fn a_part_that_was_not_asked_for_is_refused() {
    let server = Server::start(|asked, stream| match asked.header("range") {
        None => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"),
        Some(_) => give(stream, "206 Partial Content", &[("Content-Range", "bytes 0-95/100")], &[0; 96]),
    });
    let told = blob(&server, &sha256(b"x"), Some(100)).expect_err("it is another part");
    assert!(told.contains("a part was given that was not asked for"), "{told}");
}

#[test]
fn a_circle_of_redirects_ends() {
    let server =
        Server::start(|asked, stream| give(stream, "307 Temporary Redirect", &[("Location", asked.path())], b""));
    let error = manifest(&server, Version::Tag("x")).expect_err("it never ends");
    assert!(error.message().contains("led on more than 5 times"), "{}", error.message());
}

/// A config of Docker with a password for the server.
fn with_password(server: &Server, folder: &Folder) -> RegistryOptions {
    let path = folder.0.join("config.json");
    let text = format!(r#"{{"auths": {{"{}": {{"username": "me", "password": "secret"}}}}}}"#, server.address);
    std::fs::write(&path, text).expect("written");
    RegistryOptions { credentials: CredentialFiles { files: vec![path] }, ..options() }
}

#[test]
fn a_redirect_to_another_place_carries_no_credentials() {
    let elsewhere = Server::start(|asked, stream| match asked.path() {
        // Back again: what was left behind stays there.
        "/back" => give(stream, "307 Temporary Redirect", &[("Location", asked.header("x").unwrap_or("/end"))], b""),
        _ => give(stream, "200 OK", &[], b"blob"),
    });
    let target = format!("http://{}/elsewhere", elsewhere.address);
    let server = Server::start(move |asked, stream| match (asked.header("authorization"), asked.path()) {
        (None, _) => give(stream, "401 Unauthorized", &[("WWW-Authenticate", "Basic realm=\"x\"")], b""),
        (Some(_), _) => give(stream, "307 Temporary Redirect", &[("Location", &target)], b""),
    });
    let folder = Folder::new();
    let registry = Registry::new(with_password(&server, &folder));
    let mut bytes = Vec::new();
    let mut blob = registry.blob(&repository(&server), &sha256(b"blob"), Some(4)).expect("it is elsewhere");
    blob.read_to_end(&mut bytes).expect("it is whole");
    assert_eq!(bytes, b"blob");
    let shown: Vec<Asked> = server.asked().into_iter().filter(|it| it.header("authorization").is_some()).collect();
    assert_eq!(shown.len(), 1, "the registry itself is shown them");
    assert!(elsewhere.asked().iter().all(|it| it.header("authorization").is_none()), "{:?}", elsewhere.asked());
    assert!(!elsewhere.asked().is_empty());
}

#[test]
fn a_place_for_tokens_that_is_not_near_and_speaks_no_tls_is_not_shown_a_password() {
    let server = Server::start(|_, stream| {
        let header = "Bearer realm=\"http://tokens.example/token\",service=\"x\"";
        give(stream, "401 Unauthorized", &[("WWW-Authenticate", header)], b"")
    });
    let folder = Folder::new();
    let registry = Registry::new(with_password(&server, &folder));
    let error = registry.manifest(&repository(&server), Version::Tag("x")).expect_err("nobody is asked there");
    let told = error.message();
    assert!(told.contains("`http://tokens.example`, is not spoken to over TLS"), "{told}");
}

#[test]
fn who_always_wants_other_credentials_is_asked_twice() {
    let server = Server::start(|_, stream| {
        let body = br#"{"errors": [{"code": "UNAUTHORIZED", "message": "not you\u001b[31m"}]}"#;
        give(stream, "401 Unauthorized", &[("WWW-Authenticate", "Basic realm=\"x\"")], body)
    });
    let folder = Folder::new();
    let registry = Registry::new(with_password(&server, &folder));
    let error = registry.manifest(&repository(&server), Version::Tag("x")).expect_err("it never lets in");
    assert!(error.to_string().ends_with("wants credentials for image `a/b:x`: not you[31m (UNAUTHORIZED)"), "{error}");
    assert_eq!(server.asked().iter().filter(|it| it.path().contains("manifests")).count(), 2);
}

#[test]
fn what_passes_is_tried_again_and_what_stays_is_told() {
    for (status, what) in
        [("429 Too Many Requests", "was asked too often"), ("503 Unavailable", "answers 503 to image")]
    {
        let tries = AtomicUsize::new(0);
        let server = Server::start(move |_, stream| match tries.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => give(stream, status, &[], b""),
            _ => give_manifest(stream, &[]),
        });
        assert_eq!(manifest(&server, Version::Tag("x")).expect("the third time it is there"), MANIFEST);
        let server = Server::start(move |_, stream| give(stream, status, &[], b""));
        let error = manifest(&server, Version::Tag("x")).expect_err("it stays");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(server.asked().len(), 4, "{status}");
    }
    let server = Server::start(|_, stream| give(stream, "429 Too Many Requests", &[("Retry-After", "3600")], b""));
    let error = manifest(&server, Version::Tag("x")).expect_err("nobody waits for an hour");
    assert!(error.to_string().contains("wants to be left alone for 3600 s"), "{error}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn who_does_not_answer_is_not_waited_for() {
    let server = Server::start(|asked, stream| {
        if asked.path().contains("blobs") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")?;
        }
        // Until the other end goes away.
        let _ = stream.read(&mut [0]);
        Ok(())
    });
    let hosts = Hosts { patience_seconds: Some(1), ..Hosts::default() };
    let registry = Registry::new(RegistryOptions { hosts, ..options() });
    let error = registry.manifest(&repository(&server), Version::Tag("x")).expect_err("nothing comes");
    assert!(error.message().contains("nothing came in time, while its answer was waited for"), "{}", error.message());
    let mut blob = registry.blob(&repository(&server), &sha256(b"x"), Some(100)).expect("it begins");
    let error = blob.read_to_end(&mut Vec::new()).expect_err("it does not go on");
    assert!(error.to_string().contains("nothing came in time"), "{error}");
}

#[test]
fn who_gives_a_byte_now_and_then_is_not_waited_for_whatever_is_read() {
    let server = Server::start(|asked, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        if asked.path().contains("blobs") && asked.header("range").is_none() {
            // It breaks off, and is not gone on with from there, but given again from the beginning.
            return stream.write_all(&[0; 50_000]);
        }
        loop {
            stream.write_all(b" ")?;
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let hosts = Hosts { patience_seconds: Some(1), ..Hosts::default() };
    let registry = Registry::new(RegistryOptions { hosts, ..options() });
    let error = registry.manifest(&repository(&server), Version::Tag("x")).expect_err("it takes half an hour");
    assert!(error.message().contains("less than 2048 bytes came in 2 s"), "{}", error.message());
    let mut blob = registry.blob(&repository(&server), &sha256(b"x"), Some(100_000)).expect("it begins");
    let error = blob.read_to_end(&mut Vec::new()).expect_err("it takes half an hour");
    assert!(error.to_string().contains("breaks off again and again"), "{error}");
}

#[test]
fn a_digest_that_is_none_is_no_part_of_a_question() {
    let server = Server::start(|_, stream| give_manifest(stream, &[]));
    for digest in ["sha256:../../../other/manifests/latest", "latest?x", "sha256:\u{1b}[2J\n"] {
        let error = manifest(&server, Version::Digest(digest)).expect_err("it is none");
        assert!(error.message().contains("is no sha256 digest"), "{}", error.message());
        assert!(!error.message().contains(char::is_control), "{}", error.message());
        let error = Registry::new(options()).resolve(&repository(&server), Version::Digest(digest));
        assert!(error.expect_err("it is none").message().contains("is no sha256 digest"));
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[test]
fn what_is_no_manifest_says_what_it_is() {
    let server = Server::start(|asked, stream| {
        let (media_type, body): (&str, &[u8]) = match asked.path().rsplit('/').next().unwrap_or("") {
            "old" => ("application/vnd.docker.distribution.manifest.v1+prettyjws", br#"{"schemaVersion": 1}"#),
            "odd" => ("application/vnd.example.thing+json", MANIFEST),
            "both" => (media_type::OCI_INDEX, br#"{"schemaVersion": 2, "layers": [], "manifests": []}"#),
            _ => ("text/html", b"<html>please log in</html>"),
        };
        give(stream, "200 OK", &[("Content-Type", media_type)], body)
    });
    for (tag, told) in [
        ("old", "is a manifest of Docker's schema 1, which is not read"),
        ("odd", "is of the media type `application/vnd.example.thing+json`, which is not read"),
        ("both", "it is both an index and a manifest"),
        ("page", "it is no JSON of a manifest"),
    ] {
        let error = manifest(&server, Version::Tag(tag)).expect_err("no manifest");
        assert!(error.message().contains(told), "{}", error.message());
    }
}

#[test]
fn referrers_that_cannot_be_had_are_no_empty_list() {
    let server = Server::start(|asked, stream| match asked.path().contains("/referrers/") {
        true => give(stream, "403 Forbidden", &[], b""),
        false => give(stream, "404 Not Found", &[], b""),
    });
    let registry = Registry::new(options());
    let error = registry.referrers(&repository(&server), &sha256(b"x")).expect_err("it is refused");
    assert!(matches!(error, RegistryError::Forbidden { .. }), "{error}");
}

#[test]
fn pages_of_referrers_are_followed_and_end() {
    let server = Server::start(|asked, stream| {
        let number: u32 = asked.path().rsplit_once("n=").and_then(|(_, number)| number.parse().ok()).unwrap_or(0);
        let digest = sha256(&number.to_le_bytes());
        let body = format!(r#"{{"schemaVersion": 2, "manifests": [{{"digest": "{digest}", "size": 1}}]}}"#);
        let next = format!("</v2/a/b/referrers/x?n={}>; rel=\"next\"", number + 1);
        let is_last = asked.path().contains(&sha256(b"short")) && number == 0 || number == 2;
        let link = [("Content-Type", media_type::OCI_INDEX), ("Link", next.as_str())];
        let never_ends = asked.path().contains("x?n") && number > 2;
        give(stream, "200 OK", if is_last && !never_ends { &link[..1] } else { &link }, body.as_bytes())
    });
    let registry = Registry::new(options());
    let found = registry.referrers(&repository(&server), &sha256(b"short")).expect("one page");
    assert_eq!((found.manifests.len(), found.is_cut), (1, false));
    let found = registry.referrers(&repository(&server), &sha256(b"long")).expect("pages");
    assert_eq!((found.manifests.len(), found.is_cut), (3, false));
    let endless = Server::start(|_, stream| {
        let link = ("Link", "<?n=1>; rel=next");
        give(stream, "200 OK", &[("Content-Type", media_type::OCI_INDEX), link], br#"{"manifests": []}"#)
    });
    let found = registry.referrers(&repository(&endless), &sha256(b"x")).expect("pages");
    assert!(found.is_cut);
}

#[test]
fn a_mirror_is_asked_first_and_is_not_believed_more() {
    let digest = sha256(MANIFEST);
    let server = Server::start(|_, stream| give_manifest(stream, &[]));
    let lying = Server::start(|_, stream| give(stream, "200 OK", &[("Content-Type", media_type::OCI_MANIFEST)], b"{}"));
    let options_with = |mirror: &Server| {
        let host = Host { mirrors: vec![format!("{}/below", mirror.address)], ..Host::default() };
        let hosts = Hosts { registries: [(server.address.clone(), host)].into(), ..Hosts::default() };
        RegistryOptions { hosts, ..options() }
    };
    let found = Registry::new(options_with(&lying)).manifest(&repository(&server), Version::Digest(&digest));
    assert_eq!(found.expect("the registry has it").bytes, MANIFEST);
    assert!(lying.asked().iter().any(|it| it.path() == format!("/v2/below/a/b/manifests/{digest}")));
    let gone = Server::start(|_, stream| give(stream, "404 Not Found", &[], b""));
    let host = Host { mirrors: vec![lying.address.clone()], ..Host::default() };
    let hosts = Hosts { registries: [(gone.address.clone(), host)].into(), ..Hosts::default() };
    let error = Registry::new(RegistryOptions { hosts, ..options() })
        .manifest(&repository(&gone), Version::Digest(&digest))
        .expect_err("nobody has it");
    assert!(error.is_not_found() && error.to_string().contains("has the digest"), "{error}");
}

/// A proxy that leads every tunnel to one server, whatever its name.
fn proxy(server: &Server) -> Server {
    let target = server.address.clone();
    Server::start(move |asked, stream| {
        assert!(asked.line.starts_with("CONNECT "), "{}", asked.line);
        let mut upstream = TcpStream::connect(&target)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let (mut from, mut to) = (stream.try_clone()?, upstream.try_clone()?);
        let there = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        });
        let _ = std::io::copy(&mut upstream, stream);
        let _ = stream.shutdown(std::net::Shutdown::Both);
        let _ = there.join();
        Ok(())
    })
}

#[test]
fn plain_http_is_spoken_to_names_that_were_given_and_to_no_others_through_the_proxy_too() {
    let server = Server::start(|_, stream| give_manifest(stream, &[]));
    let proxy = proxy(&server);
    let url = Some(format!("http://{}", proxy.address));
    let proxies = Proxies { http: url.clone(), https: url, except: String::new() };
    let repository = Repository::new("registry.example:5000", "a/b").expect("a repository");
    // TLS is tried, and nothing else: the server does not speak it.
    let registry = Registry::new(RegistryOptions { proxies: proxies.clone(), ..options() });
    let error = registry.manifest(&repository, Version::Tag("x")).expect_err("it is not insecure");
    assert!(error.message().contains("the server does not speak TLS"), "{}", error.message());
    assert!(server.asked().is_empty(), "{:?}", server.asked());
    let host = Host { insecure: true, ..Host::default() };
    let hosts = Hosts { registries: [("registry.example:5000".to_owned(), host)].into(), ..Hosts::default() };
    let registry = Registry::new(RegistryOptions { proxies, hosts, ..options() });
    assert_eq!(registry.manifest(&repository, Version::Tag("x")).expect("it is there").bytes, MANIFEST);
    assert_eq!(server.asked().len(), 1);
    assert!(proxy.asked().iter().all(|it| it.path() == "registry.example:5000"), "{:?}", proxy.asked());
}
