//! The two commands of the README: what `cargo run --release` serves works as its banner says.

use crate::harness::{Command, eventually, free_port};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};

/// The shipped file in a folder of its own, with free ports.
struct Demo {
    folder: tempfile::TempDir,
    child: Child,
    port: u16,
    telemetry: u16,
}

fn shipped() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml"))
        .expect("gateway.toml at the root")
}

impl Demo {
    fn start() -> Self {
        let (port, telemetry) = (free_port(), free_port());
        let text = shipped().replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"));
        let text = text.replace("127.0.0.1:9090", &format!("127.0.0.1:{telemetry}"));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
        let output = std::fs::File::create(folder.path().join("output")).unwrap();
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .current_dir(folder.path())
            .env_remove("TOLLGATE_CONFIG")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let demo = Self { folder, child, port, telemetry };
        eventually("the demo is ready", || std::net::TcpStream::connect(("127.0.0.1", demo.port)).is_ok());
        eventually("the banner is there", || demo.output().contains("curl"));
        demo
    }

    fn output(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(self.folder.path().join("output")).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    /// The command lines of the banner, as printed.
    fn lines(&self) -> Vec<String> {
        let output = self.output();
        let lines = output.lines().map(str::trim);
        lines.filter(|line| line.starts_with("curl ") || line.contains("=$(curl ")).map(str::to_owned).collect()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("=== the demo said\n{}", self.output());
        }
    }
}

/// The banner's lines work as printed, one after the other in one shell.
#[test]
fn the_banners_lines_work_as_printed() {
    let demo = Demo::start();
    let lines = demo.lines();
    assert!(lines.len() >= 4, "get a token; use it in the header, a form, the query; be refused: {lines:?}");
    let status = "status() { echo \"status of line $1: $2\"; }";
    let script = lines.iter().enumerate().fold(format!("set -u\n{status}\n"), |script, (number, line)| {
        format!("{script}{line}\nstatus {number} $?\necho\n")
    });
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(demo.folder.path())
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("insufficient_scope"), "one line is refused for a scope:\n{script}\n{text}\n{errors}");
    assert!(text.to_lowercase().contains("x-auth-"), "the echo shows who is asking:\n{script}\n{text}\n{errors}");
    assert!(!text.contains("invalid_token") && !text.contains("invalid_client"), "{script}\n{text}\n{errors}");
    assert!(!errors.contains("command not found"), "{errors}");
}

/// The banner says that everybody knows these secrets.
#[test]
fn the_banner_warns_of_the_demos_secrets() {
    let demo = Demo::start();
    let output = demo.output().to_lowercase();
    assert!(
        output.contains("demo")
            && (output.contains("everybody") || output.contains("everyone") || output.contains("public"))
    );
    assert!(output.contains(&demo.port.to_string()));
    let _ = demo.telemetry;
}

/// The gateway refuses to serve the demo's secrets on an address that is not loopback.
#[test]
fn the_demos_secrets_are_refused_beyond_loopback() {
    let port = free_port();
    let text =
        shipped().replace("listen = \"127.0.0.1:8080\"", &format!("listen = \"0.0.0.0:{port}\"\nbehind_tls = true"));
    assert_ne!(text, shipped());
    let output = Command::new().file("gateway.toml", &text).run(&["serve"]);
    assert!(output.expect(1).all().to_lowercase().contains("demo"), "{output:?}");
}

/// The shipped file passes `check`.
#[test]
fn the_shipped_file_is_right() {
    Command::new().file("gateway.toml", &shipped()).run(&["check"]).expect(0);
}
