//! Issues tokens straight into a store and prints them, one a line: token `N` is of `client-1`,
//! acts for `user-N` and may `read` and `write`.
//!
//! `tokens REDIS-URL COUNT`

use std::error::Error;
use std::time::Duration;
use tollgate::clock::{self, Timestamp};
use tollgate::oauth::token::{Origin, Token, TokenKind, TokenRecord};
use tollgate::store::{Issue, Issued, Location, Settings, Store};

/// How many are on their way to the store at a time.
const AT_ONCE: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: tokens REDIS-URL COUNT")?;
    let count: usize = arguments.next().ok_or("usage: tokens REDIS-URL COUNT")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, issue(&url, count))
}

async fn issue(url: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let settings = Settings {
        location: Location::redis(url)?,
        timeout: Duration::from_secs(10),
        feed_timeout: Duration::from_secs(10),
    };
    let store = Store::open(&settings).await?;
    let keys = store.tag_keys()?;
    let now = clock::now();
    for first in (1..=count).step_by(AT_ONCE) {
        let mut tasks = Vec::with_capacity(AT_ONCE);
        for number in first..=count.min(first + AT_ONCE - 1) {
            let token = Token::mint(TokenKind::Access, &keys)?;
            println!("{}", token.secret().reveal());
            let store = store.clone();
            let issue = Issue { access: (token.digest(), record(number, now)), refresh: None, registration: None };
            tasks.push(tokio::task::spawn_local(async move { store.issue(issue).await }));
        }
        for task in tasks {
            if task.await?? != Issued::Done {
                return Err("a token was not stored".into());
            }
        }
    }
    Ok(())
}

fn record(number: usize, now: Timestamp) -> TokenRecord {
    TokenRecord {
        client_id: "client-1".to_owned(),
        client_origin: Origin::Configuration,
        subject: Some(format!("user-{number}")),
        subject_origin: Origin::Store,
        scope: "read write".to_owned(),
        audience: Vec::new(),
        issued_at: now,
        expires_at: now.plus(Duration::from_secs(24 * 3600)),
        grant: None,
    }
}
