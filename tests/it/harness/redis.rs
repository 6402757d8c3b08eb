//! A real Redis on a free port, which can be stopped, frozen and started again.

use super::{eventually, free_port};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The server; its data lives in a folder that goes with it.
pub(crate) struct Redis {
    port: u16,
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let mut redis = Self { port: free_port(), child: None, folder: tempfile::tempdir().unwrap() };
        redis.start_again();
        redis
    }

    /// Starts it on the same port with the data that it had.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none());
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (tests/run does it)");
        self.child = Some(child);
        let port = self.port;
        eventually("Redis answers", || ask(port, "PING").is_some_and(|answer| answer.starts_with("+PONG")));
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// SIGSTOP: it accepts connections and answers nothing.
    pub(crate) fn freeze(&self) {
        super::gateway::signal(self.pid(), "STOP");
    }

    pub(crate) fn thaw(&self) {
        super::gateway::signal(self.pid(), "CONT");
    }

    /// One command; the first line of its answer.
    pub(crate) fn command(&self, command: &str) -> String {
        ask(self.port, command).expect("an answer of Redis")
    }

    /// Every key and value as a dump of the whole data file, for searches.
    pub(crate) fn data(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for entry in walk(self.folder.path()) {
            all.extend(std::fs::read(entry).unwrap());
        }
        assert!(!all.is_empty(), "Redis wrote nothing");
        all
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running Redis").id()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

fn ask(port: u16, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line)
}

/// Every file below a folder.
pub(crate) fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(walk(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}
