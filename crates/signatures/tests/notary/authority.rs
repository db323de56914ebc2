//! Authorities, signers and time stampers of the test's own, by openssl.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use palisade_signatures::notary::{Certificates, RevocationList};

const CONFIG: &str = "\
[ca]
default_ca = list
[list]
database = index
crlnumber = number
default_md = sha256
default_crl_days = 30
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[authority_of_servers]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
extendedKeyUsage = serverAuth,clientAuth
[authority_of_code]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
extendedKeyUsage = codeSigning
[authority_by_the_way]
basicConstraints = CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
[signer]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning
[for_nothing_said]
keyUsage = critical,digitalSignature
[for_code_and_something]
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning,1.2.3.4
[for_anything]
keyUsage = critical,digitalSignature
extendedKeyUsage = anyExtendedKeyUsage
[for_code_and_anything]
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning,anyExtendedKeyUsage
[that_commits]
keyUsage = critical,digitalSignature,nonRepudiation
[that_encrypts]
keyUsage = critical,digitalSignature,keyEncipherment
[stamper]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[listed_stamper]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
crlDistributionPoints = URI:http://crl.example/stamps.crl
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

pub struct Folder(PathBuf);

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

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join(name)).expect("openssl has written it")
    }

    pub fn root(&self, name: &str) {
        self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        self.openssl(&format!(
            "req -x509 -config config -extensions authority -key {name}.key -out {name}.crt -days 3650 \
             -subj /C=ZZ/ST=Test/O=Palisade/CN={name}"
        ));
    }

    pub fn certificate(&self, name: &str, root: &str, extensions: &str, days: u32) {
        self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"));
        self.certificate_of(name, name, root, extensions, days);
    }

    /// One more certificate for a key that is there.
    pub fn certificate_of(&self, key: &str, name: &str, root: &str, extensions: &str, days: u32) {
        self.openssl(&format!(
            "req -new -config config -key {key}.key -out {name}.csr -subj /C=ZZ/ST=Test/O=Palisade/CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA {root}.crt -CAkey {root}.key -CAcreateserial -days {days} -sha256 \
             -extfile config -extensions {extensions} -out {name}.crt"
        ));
    }

    pub fn certificates(&self, names: &[&str]) -> Certificates {
        let mut certificates = Certificates::default();
        for name in names {
            certificates.add(&self.read(&format!("{name}.crt"))).expect("a certificate");
        }
        certificates
    }

    /// The authority's list, with the certificates of those names on it.
    pub fn list(&self, root: &str, revoked: &[&str]) -> RevocationList {
        let authority = format!("ca -config config -cert {root}.crt -keyfile {root}.key");
        for name in revoked {
            self.openssl(&format!("{authority} -revoke {name}.crt"));
        }
        self.openssl(&format!("{authority} -gencrl -out {root}.crl"));
        RevocationList::parse(&self.read(&format!("{root}.crl"))).expect("a list")
    }

    /// A token over the bytes.
    pub fn stamp(&self, bytes: &[u8], stamper: &str, root: &str) -> Vec<u8> {
        fs::write(self.0.join("data"), bytes).expect("written");
        self.openssl("ts -query -data data -sha256 -cert -out query");
        self.openssl(&format!(
            "ts -reply -config config -queryfile query -signer {stamper}.crt -inkey {stamper}.key -chain {root}.crt \
             -token_out -out token"
        ));
        self.read("token")
    }
}

/// A folder with the roots `root` and `stamps`, the signer `release` and the stamper `stamper`.
pub fn folder(name: &str) -> Option<Folder> {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none(), "there is no openssl");
        println!("SKIPPED: there is no openssl on this machine");
        return None;
    }
    let folder = Folder(std::env::temp_dir().join(format!("palisade-notary-{name}-{}", std::process::id())));
    fs::create_dir_all(&folder.0).expect("a folder of the test");
    fs::write(folder.0.join("config"), CONFIG).expect("written");
    fs::write(folder.0.join("serial"), "01\n").expect("written");
    fs::write(folder.0.join("index"), "").expect("written");
    fs::write(folder.0.join("number"), "01\n").expect("written");
    folder.root("root");
    folder.root("stamps");
    folder.certificate("release", "root", "signer", 1);
    folder.certificate("stamper", "stamps", "stamper", 3650);
    Some(folder)
}
