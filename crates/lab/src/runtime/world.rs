//! The servers of the outside world: one process, started anew when it must serve more.

use std::fs::{self, File};
use std::io;
use std::process::{Child, Command, Stdio};

use super::{Runtime, locked};
use crate::stand_in::{Listen, Orders, STAND_IN_VARIABLE, StandIn};

/// The process that serves the world, and what it serves.
#[derive(Default)]
pub(super) struct WorldServer {
    serving: Vec<Listen>,
    process: Option<Child>,
}

impl Runtime {
    /// Lets the world serve `listens`, and nothing else.
    pub(super) fn serve_world(&self, listens: Vec<Listen>) {
        let mut server = locked(&self.world_server);
        if server.serving == listens {
            return;
        }
        if let Some(mut old) = server.process.take() {
            // It holds the ports until it is gone.
            let _ = old.kill();
            let _ = old.wait();
        }
        if !listens.is_empty() {
            match self.start_world_server(listens.clone()) {
                Ok(process) => server.process = Some(process),
                Err(error) => crate::said::say!("lab: the outside world serves nothing: {error}"),
            }
        }
        server.serving = listens;
    }

    fn start_world_server(&self, listen: Vec<Listen>) -> io::Result<Child> {
        let orders = StandIn { name: "world".to_owned(), listen, calls: Vec::new(), rhythm: self.rhythm, once: false };
        let orders = serde_json::to_string(&Orders::StandIn(orders))?;
        let path = self.state.log_file("", "world", "server");
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let log = File::options().create(true).append(true).open(path)?;
        self.network.world.enter(|| {
            Command::new("/proc/self/exe")
                .env_clear()
                .env(STAND_IN_VARIABLE, orders)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .spawn()
        })
    }
}
