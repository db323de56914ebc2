//! A certificate authority of the test's own, by openssl: signers, and lists of those that were revoked.

use std::fs;

use crate::session::Folder;
use crate::tools::Tools;

/// In the folder `ca`: `ca.crt`, `ca.key`, and what `openssl ca` keeps.
pub struct Authority<'t> {
    tools: &'t Tools,
    folder: &'t Folder,
}

const CONFIG: &str = "\
[ca]
default_ca = test
[test]
dir = ca
database = ca/index.txt
crlnumber = ca/crlnumber
certificate = ca/ca.crt
private_key = ca/ca.key
default_md = sha256
default_crl_days = 30
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning
crlDistributionPoints = URI:http://crl.example/ca.crl
[plain]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning
[stamper]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
";

impl<'t> Authority<'t> {
    pub fn new(tools: &'t Tools, folder: &'t Folder) -> Self {
        folder.write("ca/openssl.cnf", CONFIG);
        folder.write("ca/index.txt", "");
        folder.write("ca/crlnumber", "01\n");
        let authority = Self { tools, folder };
        authority.key("ca/ca.key", "ec:P-256");
        authority.openssl(
            "req -x509 -config ca/openssl.cnf -extensions authority -key ca/ca.key -out ca/ca.crt -days 3650 \
             -subj /C=ZZ/ST=Test/O=Palisade/CN=root",
        );
        authority
    }

    /// `NAME.key` and `NAME.crt`, and `NAME.pem` with the authority's certificate behind it.
    pub fn signer(&self, name: &str, kind: &str, extensions: &str) {
        self.key(&format!("{name}.key"), kind);
        self.openssl(&format!(
            "req -new -config ca/openssl.cnf -key {name}.key -out {name}.csr -subj /C=ZZ/ST=Test/O=Palisade/CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca/ca.crt -CAkey ca/ca.key -CAcreateserial -days 365 -sha256 \
             -extfile ca/openssl.cnf -extensions {extensions} -out {name}.crt"
        ));
        let read = |path: &str| fs::read_to_string(self.folder.0.join(path)).expect("a certificate");
        self.folder.write(&format!("{name}.pem"), read(&format!("{name}.crt")) + &read("ca/ca.crt"));
    }

    pub fn revoke(&self, name: &str) {
        self.openssl(&format!("ca -config ca/openssl.cnf -revoke {name}.crt"));
    }

    /// The list as it is now.
    pub fn list(&self, path: &str, validity: &str) {
        self.openssl(&format!("ca -config ca/openssl.cnf -gencrl {validity} -out {path}"));
    }

    fn key(&self, path: &str, kind: &str) {
        let (algorithm, option) = match kind.split_once(':') {
            Some(("ec", curve)) => ("EC", format!("ec_paramgen_curve:{curve}")),
            Some(("rsa", bits)) => ("RSA", format!("rsa_keygen_bits:{bits}")),
            _ => panic!("{kind} is no kind of key"),
        };
        self.openssl(&format!("genpkey -algorithm {algorithm} -pkeyopt {option} -out {path}"));
    }

    fn openssl(&self, line: &str) {
        self.tools.run("openssl", self.folder, &line.split_whitespace().collect::<Vec<_>>());
    }
}
