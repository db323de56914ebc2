//! Images that other tools made and pushed, and the program as a user calls it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use palisade_peers::programs::CRANE;
use palisade_peers::registry::Server;

/// A folder of a user, who has a registry.
pub struct World {
    pub folder: PathBuf,
    pub server: Server,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a program printed.
#[derive(Debug)]
pub struct Printed {
    pub output: String,
    pub errors: String,
    pub code: i32,
}

impl World {
    /// `None` where there is no Go.
    pub fn start(kind: &str, options: &[&str]) -> Option<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let server = Server::start(kind, options)?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("palisade-registries-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder of the test");
        Some(Self { folder, server })
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of the test");
        fs::write(path, text).expect("a file of the test");
    }

    /// The name of an image in the registry.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.server.address)
    }

    /// Runs `palisade` with what the user has: credentials, a config of registries, a home that is nobody else's.
    pub fn palisade(&self, arguments: &[&str]) -> Printed {
        self.palisade_with(arguments, &[])
    }

    /// The same, with more in its environment.
    pub fn palisade_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Printed {
        let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
        command.args(arguments).env("XDG_CONFIG_HOME", self.folder.join("config"));
        self.run(command.envs(environment.iter().copied()))
    }

    /// Runs `crane`, which makes and pushes images.
    pub fn crane(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(CRANE.get().expect("a registry is there, and so is Go"));
        let printed = self.run(command.args(arguments).env("SSL_CERT_FILE", self.server.folder.join("ca.pem")));
        assert_eq!(printed.code, 0, "crane {arguments:?}: {printed:?}");
        printed.output.trim().to_owned()
    }

    fn run(&self, command: &mut Command) -> Printed {
        let output = command
            .current_dir(&self.folder)
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .env("HOME", &self.folder)
            .env("DOCKER_CONFIG", self.server.folder.join("docker"))
            .env_remove("XDG_DATA_HOME")
            .output()
            .expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
        Printed {
            output: text(output.stdout),
            errors: text(output.stderr),
            code: output.status.code().expect("it exits"),
        }
    }

    /// A layer of these files, as `tar` makes one.
    pub fn layer(&self, name: &str, files: &[(&str, &str)]) -> String {
        let root = format!("layers/{name}");
        for (path, text) in files {
            self.write(&format!("{root}/{path}"), text);
        }
        let archive = format!("layers/{name}.tar");
        let flags = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
        let mut tar = Command::new("tar");
        let printed = self.run(tar.args(flags).args(["-cf", &archive, "-C", &root, "."]));
        assert_eq!(printed.code, 0, "{printed:?}");
        archive
    }

    /// The names in an archive, as `tar` lists them.
    pub fn tar_names(&self, archive: &str) -> String {
        let printed = self.run(Command::new("tar").args(["-tf", archive]));
        assert_eq!(printed.code, 0, "{printed:?}");
        printed.output
    }

    /// Pushes an image of that layer, on a base where one is named, and gives its digest.
    pub fn push(&self, image: &str, base: Option<&str>, layer: &str) -> String {
        let name = self.name(image);
        let base = base.map(|base| self.name(base));
        let mut arguments = vec!["append", "-f", layer, "-t", &name];
        if let Some(base) = &base {
            arguments.extend(["-b", base]);
        }
        let pushed = self.crane(&arguments);
        pushed.rsplit_once('@').expect("crane says the digest").1.to_owned()
    }

    /// Trusts the registry's certificates, as a user does.
    pub fn trust(&self) {
        let ca = self.server.folder.join("ca.pem");
        let text = format!(r#"{{"registries": {{"{}": {{"ca": "{}"}}}}}}"#, self.server.address, ca.display());
        self.write("config/palisade/registries.json", &text);
    }
}

/// Debian with one package of that version.
pub fn debian(version: &str) -> Vec<(&'static str, String)> {
    let status = format!(
        "Package: zlib1g\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\nSource: zlib\n"
    );
    let release = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n".to_owned();
    vec![("etc/os-release", release), ("var/lib/dpkg/status", status)]
}

/// As [`World::layer`] takes files.
pub fn files<'f>(owned: &'f [(&'static str, String)]) -> Vec<(&'f str, &'f str)> {
    owned.iter().map(|(path, text)| (*path, text.as_str())).collect()
}
