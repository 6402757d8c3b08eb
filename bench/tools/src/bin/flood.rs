//! Requests at a fixed rate whose latency is measured, and beside them, if it is told to, wrong
//! passwords at a fixed rate.
//!
//! `flood PORT TOKEN PATH SECONDS RATE GUESSES` (a second, both) prints one line of JSON: the latencies in
//! microseconds, and the answers to the guesses by status. A latency counts from the moment that the
//! request was meant to leave, so that a stall is seen by all whom it makes wait. The half of the
//! guesses is for the token endpoint, each for another user from another address of 127.0.0.0/8; the
//! other half has a wrong secret for a client, whose secret is kept as a slow hash.

use bench_tools::Client;
use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// Connections that are measured. Each has a thread: a blocked read wakes sooner than a runtime.
const CONNECTIONS: u32 = 16;

/// Until an answer is given up, so that a run ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// Guesses that wait for their answer; beyond, they are counted as not sent.
const UNANSWERED: usize = 512;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, token, path, seconds, rate, guesses] = arguments.as_slice() else {
        return Err("usage: flood PORT TOKEN PATH SECONDS RATE GUESSES".into());
    };
    let gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse()?));
    let (seconds, rate, guesses): (u32, u32, u32) = (seconds.parse()?, rate.parse()?, guesses.parse()?);
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let flood = thread::spawn(move || flood(gateway, guesses, end));
    let measured = measure(gateway.port(), (path, token), rate, end)?;
    let answers = flood.join().map_err(|_| "the flood ended early")??;
    println!("{}", json(&measured, &answers));
    Ok(())
}

fn json(measured: &[u64], answers: &BTreeMap<String, u64>) -> String {
    let measured: Vec<String> = measured.iter().map(u64::to_string).collect();
    let answers: Vec<String> = answers.iter().map(|(status, count)| format!("\"{status}\":{count}")).collect();
    format!("{{\"us\":[{}],\"guesses\":{{{}}}}}", measured.join(","), answers.join(","))
}

/// The latencies of requests that leave `rate` times a second until `end`, whatever became of those before.
fn measure(port: u16, (path, token): (&str, &str), rate: u32, end: Instant) -> Result<Vec<u64>, Failure> {
    let begin = Instant::now();
    let mut threads = Vec::new();
    for number in 0..CONNECTIONS {
        let (path, token) = (path.to_owned(), token.to_owned());
        let first = begin + Duration::from_secs(1) * number / rate;
        threads.push(thread::spawn(move || {
            one_connection(port, (&path, &token), first, Duration::from_secs(1) * CONNECTIONS / rate, end)
        }));
    }
    let mut measured = Vec::new();
    for thread in threads {
        measured.extend(thread.join().map_err(|_| "a connection ended early")??);
    }
    Ok(measured)
}

fn one_connection(
    port: u16,
    (path, token): (&str, &str),
    first: Instant,
    every: Duration,
    end: Instant,
) -> io::Result<Vec<u64>> {
    let mut client = Client::connect(port)?;
    let (mut measured, mut due) = (Vec::new(), first);
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let status = client.get(path, token)?.status;
        if status != 200 {
            return Err(io::Error::other(format!("not the upstream's answer, but {status}")));
        }
        measured.push(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX));
        due += every;
    }
    Ok(measured)
}

/// Guesses `rate` times a second until `end`; how often which status came.
fn flood(gateway: SocketAddr, rate: u32, end: Instant) -> Result<BTreeMap<String, u64>, Failure> {
    let answers = Arc::new(Mutex::new(BTreeMap::new()));
    if rate == 0 {
        return Ok(BTreeMap::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let places = Arc::new(tokio::sync::Semaphore::new(UNANSWERED));
        let begin = tokio::time::Instant::now();
        for number in 0.. {
            let due = begin + Duration::from_secs(1) * number / rate;
            if due.into_std() >= end {
                break;
            }
            tokio::time::sleep_until(due).await;
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                count(&answers, "not sent");
                continue;
            };
            let answers = Arc::clone(&answers);
            tokio::spawn(async move {
                let _place = place;
                let status = tokio::time::timeout(PATIENCE, guess(gateway, number)).await;
                count(&answers, &status.map_or("none".to_owned(), |status| status.unwrap_or("failed".to_owned())));
            });
        }
        let _all =
            tokio::time::timeout(PATIENCE, places.acquire_many(u32::try_from(UNANSWERED).unwrap_or(u32::MAX))).await;
    });
    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(answers.clone())
}

fn count(answers: &Mutex<BTreeMap<String, u64>>, what: &str) {
    *answers.lock().unwrap_or_else(PoisonError::into_inner).entry(what.to_owned()).or_default() += 1;
}

/// A wrong password or a wrong secret, over a connection of its own.
async fn guess(gateway: SocketAddr, number: u32) -> io::Result<String> {
    let [_, b, c, d] = number.to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 1 + b % 250, c, d), 0)))?;
    let mut stream = socket.connect(gateway).await?;
    let body = if number.is_multiple_of(2) {
        format!("grant_type=password&client_id=first-party&username=user-{number}&password=wrong-{number}")
    } else {
        format!("grant_type=client_credentials&client_id=service&client_secret=wrong-{number}")
    };
    let length = body.len();
    let request = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: bench.local\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned())
}
