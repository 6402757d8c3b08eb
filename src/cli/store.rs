//! `tollgate store rotate-key`.

use super::operator::{Operator, Options};
use super::output::{Failure, print, print_json};
use http::Method;
use serde_json::json;
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make new tokens with another key of the tags; no token becomes invalid
    #[command(
        after_help = "The keys let forged tokens be refused without asking the store. A fleet shares them through the store."
    )]
    RotateKey(RotateKey),
}

#[derive(Debug, clap::Args)]
pub(super) struct RotateKey {
    /// Tokens that were made before the last rotation become invalid
    #[arg(long)]
    forget_former: bool,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(file: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::RotateKey(arguments) => rotate_key(file, arguments),
    }
}

fn rotate_key(file: &Path, RotateKey { forget_former, options }: RotateKey) -> Result<(), Failure> {
    let mut operator = Operator::reach(file, options.access)?;
    let order = json!({ "forget_former": forget_former });
    let answer = operator.call(&Method::POST, "/store/rotate-key", Some(&order))?;
    if options.json {
        return print_json(&answer);
    }
    let former = answer["former"].as_u64().unwrap_or_default();
    print(&format!("new tokens are made with the next key; former keys that are believed: {former}"))
}

#[cfg(test)]
mod tests {
    use crate::cli::takes;

    #[test]
    fn a_rotation_may_forget() {
        assert!(takes(&["store", "rotate-key"]) && takes(&["store", "rotate-key", "--forget-former", "--json"]));
        assert!(!takes(&["store"]) && !takes(&["store", "rotate-key", "now"]));
    }
}
