//! The command line: one run of the binary to its end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A run in the making, in a folder of its own or another's.
pub(crate) struct Command {
    folder: PathBuf,
    own: Option<tempfile::TempDir>,
    environment: Vec<(String, String)>,
    input: Vec<u8>,
}

/// What a run left.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Command {
    /// In an empty folder.
    pub(crate) fn new() -> Self {
        let own = tempfile::tempdir().unwrap();
        Self { folder: own.path().to_owned(), own: Some(own), environment: Vec::new(), input: Vec::new() }
    }

    pub(crate) fn within(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), own: None, environment: Vec::new(), input: Vec::new() }
    }

    /// Writes a file into the folder.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn input(mut self, input: &str) -> Self {
        input.as_bytes().clone_into(&mut self.input);
        self
    }

    /// Runs `tollgate` with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        debug_assert!(self.own.as_ref().is_none_or(|own| own.path() == self.folder));
        // A command that does not end fails with 124 instead of holding up the tests.
        let mut child = std::process::Command::new("timeout")
            .args(["20", env!("CARGO_BIN_EXE_tollgate")])
            .args(arguments)
            .current_dir(&self.folder)
            .env_remove("TOLLGATE_CONFIG")
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(&self.input);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output in UTF-8");
        let output = Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) };
        assert!(!output.stderr.contains("panicked at"), "{output:?}");
        output
    }
}

impl Output {
    #[track_caller]
    pub(crate) fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Both outputs.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails the test unless `text` was printed.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(
            self.all().contains(text),
            "not said: {text:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}
