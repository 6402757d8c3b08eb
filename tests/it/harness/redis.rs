//! A real Redis on a free port, which can be stopped, frozen and started again. `TOLLGATE_REDIS_SERVER` names another
//! program that speaks the same protocol.

use super::{eventually, free_port};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The server; its data lives in a folder that goes with it.
pub(crate) struct Redis {
    port: u16,
    child: Option<Child>,
    folder: tempfile::TempDir,
    options: Vec<String>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One with further options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Self { port: free_port(), child: None, folder: tempfile::tempdir().unwrap(), options };
        redis.start_again();
        redis
    }

    /// A sentinel of the master at this port, called `notes`, of which two must agree; as quick as may be.
    pub(crate) fn sentinel(master: u16) -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "bind 127.0.0.1\nsentinel monitor notes 127.0.0.1 {master} 2\n\
            sentinel down-after-milliseconds notes 500\nsentinel failover-timeout notes 2000\n"
        );
        std::fs::write(&file, text).unwrap();
        let mut sentinel = Self { port, child: None, folder, options: Vec::new() };
        sentinel.launch(&[&file.to_string_lossy(), "--sentinel", "--port", &port.to_string()]);
        for (period, time) in [("INFO", "500"), ("PUBLISH", "100"), ("PING", "200"), ("ASK", "100")] {
            sentinel.command(&format!("SENTINEL DEBUG {period}-PERIOD {time}"));
        }
        sentinel
    }

    /// Starts it on the same port with the data that it had.
    pub(crate) fn start_again(&mut self) {
        self.begin_again();
        let port = self.port;
        eventually("Redis answers", || ask(port, "PING").is_some_and(|answer| answer.starts_with("+PONG")));
    }

    /// As [`start_again`](Self::start_again), and waits only until it says something: it may have much to read first.
    pub(crate) fn begin_again(&mut self) {
        let port = self.port.to_string();
        let mut arguments = vec!["--port", &port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"];
        arguments.extend(["--appendonly", "yes", "--appendfsync", "always"]);
        let options = self.options.clone();
        arguments.extend(options.iter().map(String::as_str));
        self.launch(&arguments);
    }

    fn launch(&mut self, arguments: &[&str]) {
        assert!(self.child.is_none());
        let program = std::env::var_os("TOLLGATE_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let child = Command::new(program)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed (tests/run does it)");
        self.child = Some(child);
        let port = self.port;
        eventually("Redis says something", || ask(port, "PING").is_some_and(|answer| !answer.is_empty()));
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

    /// What `redis-cli` prints.
    pub(crate) fn cli(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Closes every connection of this type: `normal`, which includes those on which the gateway listens.
    pub(crate) fn close(&self, of: &str) -> u32 {
        self.command(&format!("CLIENT KILL TYPE {of}")).trim().trim_start_matches(':').parse().unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
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
