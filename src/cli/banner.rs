//! What is said at start: where the gateway listens, and, for the demonstration, lines to try it.

use crate::config::{Configuration, demo};
use crate::http1::stream::Listen;
use std::net::SocketAddr;

/// Logs where the gateway listens; the lines of the demonstration go to standard error, as they are.
pub(super) fn print(configuration: &Configuration, addresses: &[SocketAddr]) {
    let listens = configuration.server.listen.iter().filter_map(|listen| match listen {
        Listen::Unix(path) => Some(format!("unix:{}", path.display())),
        Listen::Tcp(_) => None,
    });
    let scheme = if configuration.server.tls.is_some() { "https" } else { "http" };
    let listens: Vec<String> = addresses.iter().map(|address| format!("{scheme}://{address}")).chain(listens).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        file = %configuration.file.display(),
        routes = configuration.plan.routes.routes().len(),
        workers = configuration.server.workers,
        "serving on {}",
        listens.join(", ")
    );
    if configuration.demo {
        eprint!("{}", demonstration(&configuration.plan.issue.issuer, &configuration.plan.issue.path));
    }
}

/// Lines that work as printed.
fn demonstration(issuer: &str, path: &str) -> String {
    let issuer = issuer.trim_end_matches('/');
    let (client, secret) = (demo::CLIENT_ID, demo::CLIENT_SECRET);
    let (cli, user, password) = (demo::CLI_CLIENT_ID, demo::USER, demo::PASSWORD);
    format!(
        r#"
This is the demonstration. Everybody knows its secrets: it is served on loopback only.

# get a token: a service for itself
TOKEN=$(curl -s -u {client}:{secret} -d grant_type=client_credentials {issuer}{path}/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')

# use it: in the header, in a form, in the query
curl -s -H "Authorization: Bearer $TOKEN" {issuer}/notes/1
curl -s "{issuer}/notes/1?access_token=$TOKEN"

# be refused: the token has notes:read, adding a note needs notes:write
curl -si -H "Authorization: Bearer $TOKEN" -d text=hello {issuer}/notes/

# get a token for somebody: log in with Basic, use the token in a form
TOKEN=$(curl -s -u {user}:{password} -d grant_type=password -d client_id={cli} {issuer}{path}/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s -d access_token=$TOKEN -d text=hello {issuer}/notes/

"#
    )
}
