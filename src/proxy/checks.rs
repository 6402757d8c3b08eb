//! Active health checks: each server of an upstream with `health` is asked how it is, by one task of
//! the process, over the kind of connection that requests take.

use super::fleet::{Fleet, Group, Member, Standing};
use super::forward::connect::connect;
use super::upstream::{Health, Server, Upstream};
use crate::http1::head::{Response, ResponseHead};
use crate::http1::stream::Stream;
use crate::http2::client::Pool;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// The longest head of an answer.
const MOST: usize = 64 * 1024;

/// The checks of one configuration; they end when this is dropped.
#[derive(Debug, Default)]
pub struct Checks(Vec<JoinHandle<()>>);

impl Checks {
    /// Begins with the checks that `upstreams` ask for, on the calling task's runtime, which must be a
    /// local one. What is known of a server stays: an interrupted check is made again.
    pub fn start(fleet: &Fleet, upstreams: &[Arc<Upstream>]) -> Self {
        let mut tasks = Vec::new();
        for upstream in upstreams {
            let Some(health) = &upstream.health else { continue };
            let group = fleet.group(upstream);
            for member in group.members().iter().filter(|member| member.server != Server::Echo) {
                let (group, member) = (Arc::clone(&group), Arc::clone(member));
                let watch = Watch { group, member, health: health.clone(), http2: upstream.http2 };
                tasks.push(tokio::task::spawn_local(watch.run()));
            }
        }
        Self(tasks)
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// The watch over one server.
struct Watch {
    group: Arc<Group>,
    member: Arc<Member>,
    health: Health,
    http2: bool,
}

impl Watch {
    async fn run(self) {
        // Neither all servers at once, nor all gateways at once.
        sleep(share(self.health.interval.min(Duration::from_secs(1)), 0, 100)).await;
        loop {
            // Its error has been logged, and the last good addresses are there.
            let _ = self.member.refresh().await;
            let mut checks = JoinSet::new();
            for standing in &*self.member.standings() {
                let (standing, health) = (Arc::clone(standing), self.health.clone());
                let (server, http2) = (self.member.server.clone(), self.http2);
                checks.spawn_local(async move {
                    let result = check((&server, http2), standing.address, &health).await;
                    (standing, result)
                });
            }
            while let Some(checked) = checks.join_next().await {
                self.take(checked.ok());
            }
            sleep(share(self.health.interval, 90, 110)).await;
        }
    }

    fn take(&self, checked: Option<(Arc<Standing>, Result<(), String>)>) {
        if let Some((standing, result)) = checked {
            self.group.checked(&self.member, &standing, result, &self.health);
        }
    }
}

/// A random share of a duration, in hundredths.
fn share(of: Duration, least: u64, most: u64) -> Duration {
    let random = RandomState::new().hash_one(least) % 1000;
    let thousandths = least * 10 + (most - least) * random / 100;
    of.saturating_mul(u32::try_from(thousandths).unwrap_or(1000)) / 1000
}

/// Asks a server how it is.
///
/// # Errors
/// Why the answer is not good.
async fn check((server, http2): (&Server, bool), address: Option<SocketAddr>, health: &Health) -> Result<(), String> {
    let answer = async {
        let connecting = connect(server, address, health.timeout);
        let stream = if http2 { Pool::default().connected(connecting).await? } else { connecting.await? };
        ask(stream, &server.authority(), &health.path).await
    };
    match timeout(health.timeout, answer).await {
        Ok(Ok(status)) if health.status.contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(format!("its status is {status}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it does not answer in time".to_owned()),
    }
}

/// The status of the answer to `GET path`.
async fn ask(mut stream: Stream, authority: &str, path: &str) -> io::Result<u16> {
    let (mut reader, mut writer) = stream.split();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: tollgate/{} (health)\r\naccept: */*\r\nconnection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
    );
    writer.write_all(request.as_bytes()).await?;
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("its answer is not valid: {why}"));
    let (mut octets, mut head) = (Vec::new(), ResponseHead::default());
    loop {
        while let Some(length) =
            if octets.is_empty() { None } else { head.parse(&octets, "GET").map_err(|error| invalid(error.0))? }
        {
            let status = Response::new(&head, &octets).status();
            if status >= 200 {
                return Ok(status);
            }
            octets.drain(..length);
        }
        if octets.len() >= MOST {
            return Err(invalid("it has no end"));
        }
        octets.reserve(1024);
        if reader.read(&mut octets).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended the connection without an answer"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn health() -> Health {
        Health {
            path: "/healthz".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_millis(300),
            healthy: 2,
            unhealthy: 3,
            status: 200..=399,
        }
    }

    /// What a check says of a server that gives this answer, and what the server was asked.
    async fn checked(answer: &'static str) -> (Result<(), String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut got).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            String::from_utf8(got).unwrap()
        });
        let server = Server::Http { host: "127.0.0.1".to_owned(), port: address.port() };
        let result = check((&server, false), Some(address), &health()).await;
        (result, answering.await.unwrap())
    }

    #[tokio::test]
    async fn the_status_says_how_a_server_is() {
        for (answer, is_good) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true),
            ("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true),
            ("HTTP/1.1 302 Found\r\n\r\n", true),
            ("HTTP/1.1 404 Not Found\r\n\r\n", false),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
            ("HTTP/1.1 2", false),
            ("SSH-2.0\r\n\r\n", false),
            ("", false),
        ] {
            let (result, asked) = checked(answer).await;
            assert_eq!(result.is_ok(), is_good, "{answer}: {result:?}");
            assert!(asked.starts_with("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1:"), "{asked}");
        }
    }

    #[test]
    fn times_are_spread() {
        let second = Duration::from_secs(1);
        let times: Vec<Duration> = (0..100).map(|_| share(second, 90, 110)).collect();
        assert!(times.iter().all(|time| (900..1100).contains(&time.as_millis())), "{times:?}");
        assert!(times.iter().any(|time| *time < second) && times.iter().any(|time| *time > second));
    }
}
