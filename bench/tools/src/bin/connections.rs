//! Connections that cost a gateway memory or patience: bodies of any length, connections that idle, peers that
//! dawdle. The gateway is on loopback; an access token is in `CONNECTIONS_TOKEN`.
//!
//! `connections upstream PORT`: answers a GET of `…/octets/N` with so many octets of the pattern, and any request with a
//! body with what it makes of it: `N right`, or `wrong at K`.
//! `connections pattern N`, `connections compare N`: writes the pattern, reads it and says the same.
//! `connections idle PORT PATH COUNT http1|http2 [CA]`: connections of which each has been answered once. Says how many,
//! waits for the end of its input, and says how many of a hundred of them answer again.
//! `connections slow PORT PATH SENDERS READERS`: so many who send an octet of a head or of a body, and who read one of a long
//! answer, ten times a second, until it is stopped. Who is sent away comes again.

use bench_tools::body::{self, Pattern};
use bench_tools::idle::{self, Dialect};
use bench_tools::slow;
use std::error::Error;
use std::io;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let token = || std::env::var("CONNECTIONS_TOKEN");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    match arguments.as_slice() {
        ["upstream", port] => local.block_on(&runtime, body::serve(port.parse()?))?,
        ["pattern", length] => Pattern::default().write(length.parse()?, &mut io::stdout().lock())?,
        ["compare", length] => println!("{}", Pattern::default().compare(length.parse()?, &mut io::stdin().lock())?),
        ["idle", port, path, count, dialect, ca @ ..] => {
            let dialect = match *dialect {
                "http1" => Dialect::Http1,
                "http2" => Dialect::Http2,
                _ => return Err("http1 or http2".into()),
            };
            let server = idle::Server::new(port.parse()?, ca.first().copied())?;
            let question = Arc::new(idle::Question { dialect, path: (*path).to_owned(), token: token()? });
            local.block_on(&runtime, idle::hold(Arc::new(server), question, count.parse()?))?;
        }
        ["slow", port, path, senders, readers] => {
            let (senders, readers) = (senders.parse()?, readers.parse()?);
            let (port, target) = (port.parse()?, (*path).to_owned());
            local.block_on(&runtime, slow::dawdle(port, &target, &token()?, senders, readers));
        }
        _ => return Err("usage: connections upstream|pattern|compare|idle|slow …; see its source".into()),
    }
    Ok(())
}
