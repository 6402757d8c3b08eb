//! A `redis-server` of a test's own, on a free port, which is stopped by its process id.

use crate::store::{Location, Settings};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A running server; killed when dropped.
pub(super) struct RedisServer {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
    options: Vec<String>,
}

impl RedisServer {
    /// Starts one. A machine without `redis-server` fails the test: nothing is skipped in silence.
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further options.
    pub(super) fn start_with(options: &[&str]) -> Self {
        Self::start_as(|_| options.iter().map(|option| (*option).to_owned()).collect())
    }

    /// Starts one with the options that are given for its folder; they may name further ports.
    pub(super) fn start_as(options: impl Fn(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Another process may take the port between these two steps: then the next one is tried.
        for _ in 0..20 {
            let (port, options) = (free_port(), options(folder.path()));
            let mut process = launch(port, folder.path(), &options);
            if answers(&mut process, port) {
                return Self { process, port, folder, options };
            }
            drop(process.kill());
            drop(process.wait());
        }
        panic!("redis-server does not start");
    }

    /// Kills it without warning.
    pub(super) fn kill(&mut self) {
        self.signal("CONT");
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again, empty, on the same port.
    pub(super) fn restart(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            self.process = launch(self.port, self.folder.path(), &self.options);
            if answers(&mut self.process, self.port) {
                return;
            }
        }
        panic!("redis-server does not start again");
    }

    /// Sends it a signal: `STOP`, `CONT`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Sends a command as an operator would; the raw answer.
    pub(super) fn command(&self, words: &[&str]) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(connection, "*{}\r\n", words.len()).unwrap();
        for word in words {
            write!(connection, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        let mut answer = [0; 4096];
        let length = connection.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// Whether it has as many keys as `other`.
    pub(super) fn has_what_has(&self, other: &Self) -> bool {
        self.command(&["DBSIZE"]) == other.command(&["DBSIZE"])
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            location: Location::redis(&format!("redis://127.0.0.1:{}/0", self.port)).unwrap(),
            timeout: Duration::from_secs(1),
            feed_timeout: Duration::from_secs(2),
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Ends processes that outlive their test, because others use them too, with the process of the tests.
pub(super) struct Keeper(#[expect(dead_code, reason = "its end is what ends them")] Child);

impl Keeper {
    pub(super) fn of<'s>(servers: impl IntoIterator<Item = &'s RedisServer>) -> Self {
        let (mut ids, mut folders) = (Vec::new(), Vec::new());
        for server in servers {
            ids.push(server.id().to_string());
            folders.push(server.folder());
        }
        let mut keeper = Command::new("sh");
        keeper.args(["-c", "cat > /dev/null; kill -9 $IDS; rm -rf \"$@\"", "keeper"]).args(folders);
        Self(keeper.env("IDS", ids.join(" ")).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }
}

/// Waits for what must become true soon, on a thread of its own.
pub(super) fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < within, "{what} not within {within:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A port that nobody listens at now.
pub(super) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The program: `TOLLGATE_REDIS_SERVER` names another one that speaks the same protocol.
fn program() -> OsString {
    std::env::var_os("TOLLGATE_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

fn launch(port: u16, folder: &Path, options: &[String]) -> Child {
    let mut command = Command::new(program());
    // A sentinel has a file, which it writes.
    if options.first().is_none_or(|first| first.starts_with("--")) {
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]).args(options);
    } else {
        command.args(options).args(["--port", &port.to_string()]);
    }
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need redis-server: apt-get install redis-server")
}

fn answers(process: &mut Child, port: u16) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline && process.try_wait().unwrap().is_none() {
        if TcpStream::connect(("127.0.0.1", port)).is_ok_and(|mut connection| {
            let mut answer = [0; 7];
            connection.write_all(b"PING\r\n").is_ok()
                && connection.read_exact(&mut answer).is_ok()
                && &answer == b"+PONG\r\n"
        }) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}
