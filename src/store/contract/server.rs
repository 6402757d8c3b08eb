//! A `redis-server` of a test's own, on a free port, which is stopped by its process id.

use crate::secret::Secret;
use crate::store::{Location, Settings};
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
}

impl RedisServer {
    /// Starts one. A machine without `redis-server` fails the test: nothing is skipped in silence.
    pub(super) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further options.
    pub(super) fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Another process may take the port between these two steps: then the next one is tried.
        for _ in 0..20 {
            let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
            let mut process = launch(port, folder.path(), options);
            if answers(&mut process, port) {
                return Self { process, port, folder };
            }
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
            self.process = launch(self.port, self.folder.path(), &[]);
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
        let count = words.len();
        let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        connection.write_all(format!("*{count}\r\n{words}").as_bytes()).unwrap();
        let mut answer = [0; 4096];
        let length = connection.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            location: Location::Redis(Secret::new(format!("redis://127.0.0.1:{}/0", self.port))),
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

fn launch(port: u16, folder: &Path, options: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(folder)
        .args(options)
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
