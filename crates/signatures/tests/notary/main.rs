//! Time stamps over signatures of the Notary Project, by openssl: a certificate that held when it was used is good for
//! ever, and without the proof of that it is not.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use palisade_model::Timestamp;
use palisade_signatures::demand::{Credential, Signer};
use palisade_signatures::notary::{Certificates, Trust};
use palisade_signatures::{Attached, Demand, Form, PrivateKey, Subject, judge, sign};
use serde_json::Value;

const CONFIG: &str = "\
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[signer]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning
[stamper]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = test
[test]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
ess_cert_id_chain = no
";

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn openssl(&self, line: &str) {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("openssl starts");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).expect("openssl has written it")
    }

    fn root(&self, name: &str) {
        self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        self.openssl(&format!(
            "req -x509 -config config -extensions authority -key {name}.key -out {name}.crt -days 3650 \
             -subj /C=ZZ/ST=Test/O=Palisade/CN={name}"
        ));
    }

    fn certificate(&self, name: &str, root: &str, extensions: &str, days: u32) {
        self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        self.openssl(&format!(
            "req -new -config config -key {name}.key -out {name}.csr -subj /C=ZZ/ST=Test/O=Palisade/CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {root}.crt -CAkey {root}.key -CAcreateserial -days {days} -sha256 \
             -extfile config -extensions {extensions} -out {name}.crt"
        ));
    }

    fn certificates(&self, names: &[&str]) -> Certificates {
        let mut certificates = Certificates::default();
        for name in names {
            certificates.add(&self.read(&format!("{name}.crt"))).expect("a certificate");
        }
        certificates
    }

    /// A token over the bytes.
    fn stamp(&self, bytes: &[u8], stamper: &str, root: &str) -> Vec<u8> {
        fs::write(self.0.join("data"), bytes).expect("written");
        self.openssl("ts -query -data data -sha256 -cert -out query");
        self.openssl(&format!(
            "ts -reply -config config -queryfile query -signer {stamper}.crt -inkey {stamper}.key -chain {root}.crt \
             -token_out -out token"
        ));
        self.read("token")
    }
}

fn folder() -> Option<Folder> {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none(), "there is no openssl");
        println!("SKIPPED: there is no openssl on this machine");
        return None;
    }
    let folder = Folder(std::env::temp_dir().join(format!("palisade-timestamps-{}", std::process::id())));
    fs::create_dir_all(&folder.0).expect("a folder of the test");
    fs::write(folder.0.join("config"), CONFIG).expect("written");
    fs::write(folder.0.join("serial"), "01\n").expect("written");
    folder.root("root");
    folder.root("stamps");
    folder.certificate("release", "root", "signer", 1);
    folder.certificate("stamper", "stamps", "stamper", 3650);
    Some(folder)
}

#[test]
fn a_certificate_that_is_no_longer_valid_counts_with_a_timestamp_alone() {
    let Some(folder) = folder() else { return };
    let now = Timestamp::now();
    let later = Timestamp::from_second(now.as_second() + 30 * 86_400).expect("a time");
    let image = Subject {
        digest: format!("sha256:{}", "0".repeat(64)),
        media_type: "application/vnd.oci.image.manifest.v1+json".into(),
        manifest: b"{}".to_vec(),
        index: None,
    };
    let key =
        PrivateKey::from_pem(std::str::from_utf8(&folder.read("release.key")).expect("PEM"), None).expect("a key");
    let chain = folder.certificates(&["release", "root"]);
    let made = sign::notary(&image, &[].into(), &chain, &key, now, None).expect("it signs");
    let envelope: Value = serde_json::from_slice(&made.bytes).expect("JSON");
    let signature = URL_SAFE_NO_PAD.decode(envelope["signature"].as_str().expect("text")).expect("base64");
    let stamped = |token: &[u8]| {
        let mut envelope = envelope.clone();
        envelope["header"]["io.cncf.notary.timestampSignature"] = STANDARD.encode(token).into();
        serde_json::to_vec(&envelope).expect("JSON")
    };
    let good = stamped(&folder.stamp(&signature, "stamper", "stamps"));
    let of_another = stamped(&folder.stamp(b"another signature", "stamper", "stamps"));
    let verdict = |bytes: &[u8], trusts_stamps: bool, at: Timestamp| {
        let attached = Attached {
            digest: "sha256:1".into(),
            form: Form::NotaryJws,
            bytes: bytes.to_vec(),
            annotations: [].into(),
        };
        let stamps: &[&str] = if trusts_stamps { &["stamps"] } else { &[] };
        let trust = Trust {
            authorities: folder.certificates(&["root"]),
            timestamp_authorities: folder.certificates(stamps),
            ..Trust::default()
        };
        let signers = vec![Signer { name: "release".into(), credential: Credential::Notary(trust) }];
        let answer = judge(&image, &[attached], &Demand { signers, threshold: 1, attestations: Vec::new() }, at);
        let code = answer.attached[0].refused.first().map(|refused| refused.code).unwrap_or_default();
        format!("{:?} {code}", answer.verdict)
    };
    let plain = made.bytes;
    // With nobody to tell the time, the certificate must be valid now.
    assert_eq!(verdict(&plain, false, now), "Verified ");
    assert_eq!(verdict(&plain, false, later), "Refused certificate-time");
    assert_eq!(verdict(&good, false, later), "Refused certificate-time", "nobody trusts whoever stamped it");
    // With somebody, a stamp must be there, and it decides.
    assert_eq!(verdict(&good, true, now), "Verified ");
    assert_eq!(verdict(&good, true, later), "Verified ");
    assert_eq!(verdict(&plain, true, now), "Refused no-timestamp", "it was stripped");
    assert_eq!(verdict(&plain, true, later), "Refused no-timestamp", "it was stripped");
    assert_eq!(verdict(&of_another, true, later), "Refused bad-timestamp");
    let foreign = stamped(&folder.stamp(&signature, "stamper", "stamps"));
    let damaged: Vec<u8> = foreign.iter().map(|byte| if *byte == b'Q' { b'R' } else { *byte }).collect();
    assert!(verdict(&damaged, true, later).starts_with("Refused"));
    // A stamp of the future is none.
    let before = Timestamp::from_second(now.as_second() - 3_600).expect("a time");
    assert_eq!(verdict(&good, true, before), "Refused bad-timestamp");
}
