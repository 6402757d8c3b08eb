//! Secrets: `env:NAME`, `file:PATH`, or the value itself.

use super::demo;
use super::error::Report;
use super::file::{Node, Value};
use super::value::is_name;
use crate::secret::Secret;
use std::io::Read;
use std::path::Path;

/// The longest file that is taken for a secret.
const MAX_SIZE: u64 = 64 * 1024;

/// Reads the secret that `node` names or is. What is wrong has been reported when there is none.
pub(super) fn read(node: &Node, variable: &dyn Fn(&str) -> Option<String>, report: &Report) -> Option<Secret> {
    let Value::Text(written) = &node.value else { return None };
    let secret = if let Some(name) = written.text.strip_prefix("env:") {
        from_environment(node, name, variable, report)?
    } else if let Some(path) = written.text.strip_prefix("file:") {
        from_file(node, path, report)?
    } else {
        // The banner says enough about the secrets of the demonstration.
        if !written.replaced && !demo::is_known_text(&written.text) {
            report.warning(
                &node.at,
                "a secret stands in the file itself: \"env:NAME\" and \"file:PATH\" keep it elsewhere",
            );
        }
        Secret::new(written.text.as_str())
    };
    if secret.reveal().is_empty() {
        report.problem(&node.at, "the secret is empty", "make one: `openssl rand -hex 32`");
        return None;
    }
    Some(secret)
}

fn from_environment(
    node: &Node,
    name: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    report: &Report,
) -> Option<Secret> {
    let value = Some(name).filter(|name| is_name(name)).and_then(variable);
    if value.is_none() {
        let message = format!("the environment variable `{name}` is not set");
        report.problem(&node.at, message, format!("set it, for example: export {name}=$(openssl rand -hex 32)"));
    }
    value.map(Secret::new)
}

fn from_file(node: &Node, path: &str, report: &Report) -> Option<Secret> {
    let path = node.at.path().parent().unwrap_or(Path::new("")).join(path);
    match read_text(&path) {
        Ok(text) => {
            let text = Secret::new(text);
            let line = text.reveal();
            let line = line.strip_suffix('\n').unwrap_or(line);
            Some(Secret::new(line.strip_suffix('\r').unwrap_or(line)))
        }
        Err(error) => {
            let message = format!("the secret cannot be read from {}: {error}", path.display());
            report.problem(&node.at, message, "the path is relative to this file; the gateway must be able to read it");
            None
        }
    }
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_SIZE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SIZE {
        return Err(std::io::Error::other("longer than 64 KiB"));
    }
    Ok(text)
}
