//! `tollgate client new|list|show|rotate|disable|enable|remove|invite`.

mod lifecycle;

use super::operator::{Operator, Options, encoded};
use super::output::{Failure, print, print_json};
use super::table::table;
use crate::admin::clients::NewClient;
use crate::issue::secret_hash;
use crate::oauth::token::{TagKeys, Token, TokenKind};
use http::Method;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a client; its secret is shown once
    New(Box<New>),
    /// List the clients of the configuration and of the store
    List(Options),
    /// Show a client
    Show(lifecycle::Named),
    /// Give a client of the store a new secret, which is shown once; the older one stays valid for now
    Rotate(lifecycle::Rotate),
    /// End every token of a client of the store; it gets no others until it is enabled
    Disable(lifecycle::Named),
    /// Let a client that was disabled ask for tokens again
    Enable(lifecycle::Named),
    /// Make an initial access token, with which somebody can register a client
    Invite(lifecycle::Invite),
    /// Remove a client of the store; its tokens end with it
    Remove {
        /// Its identifier
        id: String,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("name_of_it").required(true))]
pub(super) struct New {
    /// Its identifier
    #[arg(group = "name_of_it", value_name = "ID")]
    position: Option<String>,
    /// Its identifier
    #[arg(long, group = "name_of_it", value_name = "ID", hide = true)]
    id: Option<String>,
    /// The name that people see
    #[arg(long)]
    name: Option<String>,
    /// What it may use: `client_credentials`, `password`, `refresh_token`, `authorization_code`,
    /// `device_code`; separated by commas or given again
    #[arg(long, visible_alias = "grant", value_delimiter = ',', value_name = "GRANTS")]
    grants: Vec<String>,
    /// The most that it can ever get, separated by spaces
    #[arg(long, visible_alias = "scope", default_value = "", value_name = "SCOPES")]
    scopes: String,
    /// What it gets when it asks for nothing; else all of its scopes
    #[arg(long, value_name = "SCOPES")]
    default_scopes: Option<String>,
    /// Where the authorization endpoint may send people back; may be given again
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// It cannot keep a secret, so it gets none
    #[arg(long)]
    public: bool,
    /// It may introspect the tokens of others
    #[arg(long)]
    introspect: bool,
    /// Whether its authorization requests have to be pushed (RFC 9126)
    #[arg(long, value_name = "PAR", value_parser = ["optional", "required"])]
    par: Option<String>,
    /// Print a stanza for the configuration instead of storing anything
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    options: Options,
}

pub(super) fn run(file: &Path, command: Command) -> Result<(), Failure> {
    match command {
        Command::New(arguments) => new(file, *arguments),
        Command::List(options) => list(file, options),
        Command::Show(named) => lifecycle::show(file, named),
        Command::Rotate(rotate) => lifecycle::rotate(file, rotate),
        Command::Disable(named) => lifecycle::switch(file, named, "disable"),
        Command::Enable(named) => lifecycle::switch(file, named, "enable"),
        Command::Invite(invite) => lifecycle::invite(file, invite),
        Command::Remove { id, options } => remove(file, &id, options),
    }
}

fn new(file: &Path, arguments: New) -> Result<(), Failure> {
    let client = NewClient {
        id: arguments.position.or(arguments.id).unwrap_or_default(),
        name: arguments.name,
        grants: arguments.grants,
        redirect_uris: arguments.redirect_uris,
        scopes: arguments.scopes,
        default_scopes: arguments.default_scopes,
        public: arguments.public,
        introspect: arguments.introspect,
        par_required: arguments.par.as_deref() == Some("required"),
    };
    let answer = if arguments.print {
        can_be_written(&client)?;
        made_here(&client)?
    } else {
        let body = serde_json::to_value(&client).map_err(|error| error.to_string())?;
        Operator::reach(file, arguments.options.access)?.call(&Method::POST, "/clients", Some(&body))?
    };
    if arguments.options.json {
        return print_json(&answer);
    }
    match (arguments.print, answer["secret"].as_str()) {
        (true, secret) => {
            if let Some(secret) = secret {
                eprintln!("the secret, shown once: {secret}");
            }
            print(&stanza(&client, answer["secret_hash"].as_str()))
        }
        (false, secret) => print(&described(&client.id, secret, answer["secret_hash"].as_str())),
    }
}

/// A client that is stored nowhere: the caller keeps its stanza.
fn made_here(client: &NewClient) -> Result<Value, Failure> {
    client.check()?;
    if client.public {
        return Ok(json!({ "id": client.id, "secret": null, "secret_hash": null }));
    }
    // The tag of a secret is never checked, so that any key will do.
    let secret = TagKeys::generate()
        .and_then(|keys| Token::mint(TokenKind::ClientSecret, &keys))
        .map_err(|error| error.to_string())?;
    Ok(json!({ "id": client.id, "secret": secret.secret().reveal(), "secret_hash": secret_hash(&secret) }))
}

/// A `${` in the configuration comes from the environment, however it is written.
fn can_be_written(client: &NewClient) -> Result<(), Failure> {
    let texts = [&client.id].into_iter().chain(&client.name).chain(&client.redirect_uris);
    match texts.into_iter().find(|text| text.contains("${")) {
        Some(text) => {
            Err(Failure::Because(format!("`{text}` cannot stand in the configuration, where ${{NAME}} is replaced")))
        }
        None => Ok(()),
    }
}

fn described(id: &str, secret: Option<&str>, hash: Option<&str>) -> String {
    match (secret, hash) {
        (Some(secret), Some(hash)) => format!("id: {id}\nsecret: {secret}\nsecret_hash: {hash}\n"),
        _ => format!("id: {id}\n"),
    }
}

/// The client as the configuration has it.
fn stanza(client: &NewClient, hash: Option<&str>) -> String {
    let mut text = format!("[[clients]]\nid = {}\n", quoted(&client.id));
    let mut key = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{name} = {value}");
        }
    };
    let list = |texts: &[String]| format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "));
    key("name", client.name.as_deref().map(quoted));
    key("secret_hash", hash.map(quoted));
    key("grants", Some(list(&client.grants)));
    key("redirect_uris", (!client.redirect_uris.is_empty()).then(|| list(&client.redirect_uris)));
    key("scopes", (!client.scopes.is_empty()).then(|| quoted(&client.scopes)));
    key("default_scopes", client.default_scopes.as_deref().map(quoted));
    key("introspect", client.introspect.then(|| "true".to_owned()));
    key("par", client.par_required.then(|| quoted("required")));
    text
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    // JSON escapes what TOML escapes, and in the same way; control characters never get here.
    Value::from(text).to_string()
}

fn list(file: &Path, options: Options) -> Result<(), Failure> {
    let answer = Operator::reach(file, options.access)?.call(&Method::GET, "/clients", None)?;
    if options.json {
        return print_json(&answer);
    }
    let clients = answer["clients"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<[String; 7]> = clients.iter().map(row).collect();
    print(&table(["ID", "NAME", "KIND", "FROM", "STATE", "GRANTS", "SCOPES"], &rows))
}

fn row(client: &Value) -> [String; 7] {
    let text = |name: &str| client[name].as_str().unwrap_or_default().to_owned();
    let grants = client["grants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let grants: Vec<&str> = grants.iter().filter_map(Value::as_str).collect();
    let state = match (client["state"] == "disabled", client["unverified"] == true) {
        (true, _) => "disabled",
        (false, true) => "unverified",
        (false, false) => "",
    };
    [text("id"), text("name"), text("kind"), text("origin"), state.to_owned(), grants.join(" "), text("scopes")]
}

fn remove(file: &Path, id: &str, options: Options) -> Result<(), Failure> {
    let path = format!("/clients/{}", encoded(id));
    let answer = Operator::reach(file, options.access)?.call(&Method::DELETE, &path, None)?;
    if options.json { print_json(&answer) } else { print(&format!("removed: {id}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takes;
    use crate::config;

    fn client() -> NewClient {
        NewClient {
            id: "a \"quoted\" \\ id".to_owned(),
            name: Some("Ünicode".to_owned()),
            grants: vec!["client_credentials".to_owned()],
            scopes: "notes:read".to_owned(),
            ..NewClient::default()
        }
    }

    /// TOK-7
    #[test]
    fn the_stanza_is_taken_by_the_configuration_and_has_the_hash_alone() {
        let client = client();
        let made = made_here(&client).map_err(|_| "refused").unwrap();
        let (secret, hash) = (made["secret"].as_str().unwrap(), made["secret_hash"].as_str().unwrap());
        let stanza = stanza(&client, Some(hash));
        assert!(secret.starts_with("tgs_") && !stanza.contains(secret));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let before = "server = { listen = \"127.0.0.1:0\", public_url = \"http://127.0.0.1\" }\nstore.url = \"memory:\"\n\
                      [scopes]\n\"notes:read\" = \"Read\"\n[upstreams.a]\nservers = [\"echo:\"]\n\
                      [[routes]]\npath = \"/\"\naccess = \"public\"\nupstream = \"a\"\n";
        std::fs::write(&file, format!("{before}{stanza}")).unwrap();
        let plan = config::load(&file, 1).map_err(|errors| errors.to_string()).unwrap().plan;
        let read = plan.clients.get(&client.id).unwrap();
        assert_eq!((read.name.as_deref(), read.secrets[0].to_string().as_str()), (Some("Ünicode"), hash));
    }

    #[test]
    fn what_could_never_work_is_refused_without_a_gateway() {
        assert!(made_here(&NewClient { public: true, ..client() }).is_err());
        assert!(made_here(&NewClient { grants: vec!["implicit".to_owned()], ..client() }).is_err());
        assert!(made_here(&NewClient { id: String::new(), ..client() }).is_err());
        let public = NewClient { public: true, grants: vec!["password".to_owned()], ..client() };
        assert!(made_here(&public).is_ok_and(|made| made["secret"].is_null()));
        assert!(can_be_written(&client()).is_ok());
        assert!(can_be_written(&NewClient { name: Some("a ${HOME}".to_owned()), ..client() }).is_err());
    }

    #[test]
    fn the_identifier_stands_in_one_place() {
        let parses = |line: &[&str]| takes(&[&["client", "new"], line].concat());
        assert!(parses(&["robot", "--grants", "client_credentials", "--scopes", "a b"]));
        assert!(parses(&["--id", "robot", "--grant", "password,refresh_token", "--grant", "password"]));
        assert!(!parses(&[]));
        assert!(!parses(&["robot", "--id", "robot"]));
        assert!(!parses(&["robot", "--grants"]));
    }
}
