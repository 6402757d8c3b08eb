//! The gateway itself: the real binary, its files, its log.

use super::config::Credentials;
use super::{Command, Config, Connection, Request, Response, Tokens, eventually, free_port};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A running gateway.
pub(crate) struct Gateway {
    port: u16,
    telemetry: u16,
    folder: Arc<tempfile::TempDir>,
    child: Mutex<Option<Child>>,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Mutex<Vec<std::thread::JoinHandle<()>>>,
    text: Mutex<String>,
}

impl Gateway {
    /// Starts it and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(config: Config) -> Self {
        let gateway = Self::launch(config);
        gateway.wait_until_ready();
        gateway
    }

    /// Starts it and waits for nothing.
    pub(crate) fn launch(config: Config) -> Self {
        Self::launch_on(config, free_port())
    }

    /// A second node with the same configuration, on other ports and in another folder.
    pub(crate) fn launch_on(config: Config, port: u16) -> Self {
        let gateway = Self {
            port,
            telemetry: free_port(),
            folder: Arc::new(tempfile::tempdir().unwrap()),
            child: Mutex::default(),
            lines: Arc::default(),
            readers: Mutex::default(),
            text: Mutex::default(),
        };
        gateway.configure(config);
        gateway.spawn();
        gateway
    }

    /// Writes the configuration; a running gateway reads it when it is told, or a moment later by itself.
    pub(crate) fn configure(&self, mut config: Config) {
        for (section, key, value) in [
            ("server", "listen", format!("\"127.0.0.1:{}\"", self.port)),
            ("server", "public_url", format!("\"http://127.0.0.1:{}\"", self.port)),
            ("telemetry", "listen", format!("\"127.0.0.1:{}\"", self.telemetry)),
        ] {
            if !config.has(section, key) {
                config = config.set(&format!("{section}.{key}"), &value);
            }
        }
        self.configure_text(&config.text());
    }

    /// Writes any text as the configuration.
    pub(crate) fn configure_text(&self, text: &str) {
        std::fs::write(self.path("gateway.toml"), text).unwrap();
        text.clone_into(&mut self.text.lock().unwrap());
    }

    /// Starts the process; it must not be running.
    pub(crate) fn spawn(&self) {
        assert!(self.child.lock().unwrap().is_none(), "it is running");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["--config", "gateway.toml"])
            .current_dir(self.folder.path())
            .env_remove("TOLLGATE_CONFIG")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        self.collect(child.stdout.take().unwrap());
        self.collect(child.stderr.take().unwrap());
        *self.child.lock().unwrap() = Some(child);
    }

    fn collect(&self, stream: impl Read + Send + 'static) {
        let lines = Arc::clone(&self.lines);
        self.readers.lock().unwrap().push(std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        }));
    }

    #[track_caller]
    pub(crate) fn wait_until_ready(&self) {
        eventually("the gateway is ready", || {
            let ended = self.child.lock().unwrap().as_mut().and_then(|child| child.try_wait().unwrap());
            if let Some(status) = ended {
                panic!("the gateway ended: {status}\n{}", self.output());
            }
            std::net::TcpStream::connect(("127.0.0.1", self.telemetry)).is_ok()
                && self.telemetry("/readyz").status == 200
        });
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The issuer, and the base of its URLs.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.port, method, target)
    }

    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    pub(crate) fn post(&self, target: &str) -> Request {
        self.request("POST", target)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.port)
    }

    /// A page of the telemetry listener.
    #[track_caller]
    pub(crate) fn telemetry(&self, target: &str) -> Response {
        Request::new(self.telemetry, "GET", target).send()
    }

    #[track_caller]
    pub(crate) fn metrics(&self) -> String {
        self.telemetry("/metrics").expect(200).text()
    }

    /// Asks the token endpoint as `client`.
    #[track_caller]
    pub(crate) fn ask(&self, client: Credentials, form: &[(&str, &str)]) -> Response {
        self.post("/oauth2/token").basic(client).form(form).send()
    }

    /// Asks the token endpoint as the public client `notes-cli`.
    #[track_caller]
    pub(crate) fn ask_cli(&self, form: &[(&str, &str)]) -> Response {
        let form = [&[("client_id", "notes-cli")], form].concat();
        self.post("/oauth2/token").form(&form).send()
    }

    /// An access token of the service itself.
    #[track_caller]
    pub(crate) fn token(&self, scope: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        self.ask(super::SERVICE, &form).tokens().access
    }

    /// The tokens of a resource owner through `notes-cli`.
    #[track_caller]
    pub(crate) fn login(&self, (name, password): Credentials) -> Tokens {
        self.ask_cli(&[("grant_type", "password"), ("username", name), ("password", password)]).tokens()
    }

    #[track_caller]
    pub(crate) fn refresh(&self, refresh: &str) -> Response {
        self.ask_cli(&[("grant_type", "refresh_token"), ("refresh_token", refresh)])
    }

    /// What introspection says to the client that may ask about everything.
    #[track_caller]
    pub(crate) fn introspect(&self, token: &str) -> Value {
        self.post("/oauth2/introspect").basic(super::BILLING).form(&[("token", token)]).send().expect(200).json()
    }

    /// Runs the command line beside it, with its configuration.
    pub(crate) fn cli(&self, arguments: &[&str]) -> super::Output {
        Command::within(self.folder.path()).run(&[arguments, &["--config", "gateway.toml"]].concat())
    }

    /// Everything that it printed so far.
    pub(crate) fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// The log's events so far, with the fields of each in one object.
    pub(crate) fn events(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap();
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).map(flat).collect()
    }

    /// The event of the request with this response.
    #[track_caller]
    pub(crate) fn event(&self, response: &Response) -> Value {
        let id = response.field("x-request-id").to_owned();
        let mut found = None;
        eventually("the request is in the log", || {
            found = self.events().into_iter().find(|event| event["request_id"] == id.as_str());
            found.is_some()
        });
        found.unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().unwrap().as_ref().expect("a running gateway").id()
    }

    /// Sends a signal by name: HUP, TERM, …
    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        self.signal("KILL");
        self.wait();
    }

    /// SIGTERM, and the exit status.
    pub(crate) fn terminate(&self) -> ExitStatus {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end, half a minute at most.
    pub(crate) fn wait(&self) -> ExitStatus {
        let mut child = self.child.lock().unwrap().take().expect("a running gateway");
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                self.readers.lock().unwrap().drain(..).for_each(|reader| reader.join().unwrap());
                return status;
            }
            if Instant::now() > end {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("it did not end\n{}", self.output());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("=== gateway.toml\n{}\n=== the gateway said\n{}", self.text.lock().unwrap(), self.output());
        }
    }
}

/// Sends a signal to one process by its id.
pub(crate) fn signal(pid: u32, name: &str) {
    let status = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{name} {pid}");
}

fn flat(mut event: Value) -> Value {
    if let Some(Value::Object(fields)) = event.as_object_mut().and_then(|event| event.remove("fields")) {
        event.as_object_mut().unwrap().extend(fields);
    }
    event
}
