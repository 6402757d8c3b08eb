//! What a fleet asks of its store, and how soon its nodes know what one of them ended. Gateways and Redis are
//! on loopback; results are lines of JSON.
//!
//! `fleet issue PORT COUNT CONNECTIONS`: issues tokens; the seconds it took, and the tokens.
//! `fleet use PORT CONNECTIONS <TOKENS`: a request with each token, one a line; the seconds and the answers by status.
//! `fleet revoke COUNT RATE PORT PORT…`: revokes tokens at the first gateway, which all of them have cached; how long after
//! the answer to the revocation each of the others refused, in microseconds. RATE requests a second go to the gateways
//! meanwhile, and a tenth as many tokens are issued.
//! `fleet listen PORT COUNT PREFIX`: so many nodes that listen to what a Redis says of keys, until it is stopped.
//! The client's credentials are in `FLEET_AUTHORIZATION`, the path of requests in `FLEET_PATH`.

use bench_tools::Client;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How often a node is asked whether it refuses yet.
const PACE: Duration = Duration::from_millis(1);
/// Tokens that the load uses.
const IN_USE: usize = 200;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["issue", port, count, connections] => issue(port.parse()?, count.parse()?, connections.parse()?),
        ["use", port, connections] => use_each(port.parse()?, connections.parse()?),
        ["revoke", count, rate, first, others @ ..] => {
            let others: Result<Vec<u16>, _> = others.iter().map(|port| port.parse()).collect();
            revoke(count.parse()?, rate.parse()?, first.parse()?, &others?)
        }
        ["listen", port, count, prefix] => listen(port.parse()?, count.parse()?, prefix),
        _ => Err("usage: fleet issue|use|revoke|listen …; see its source".into()),
    }
}

fn path() -> Result<String, Failure> {
    Ok(std::env::var("FLEET_PATH")?)
}

fn authorization() -> Result<String, Failure> {
    Ok(std::env::var("FLEET_AUTHORIZATION")?)
}

fn new_token(client: &mut Client, authorization: &str) -> Result<String, Failure> {
    let answer = client.post("/oauth2/token", authorization, "grant_type=client_credentials")?;
    let token = answer.body.split("\"access_token\":\"").nth(1).and_then(|rest| rest.split('"').next());
    Ok(token.ok_or_else(|| format!("no token, but {}: {}", answer.status, answer.body))?.to_owned())
}

/// Runs `work` with the share of `items` on each of so many connections.
fn shared<T, R>(
    items: &[T],
    connections: usize,
    port: u16,
    work: impl Fn(&mut Client, &T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure>
where
    T: Sync,
    R: Send,
{
    let share = items.len().div_ceil(connections).max(1);
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = items
            .chunks(share)
            .map(|items| {
                scope.spawn(move || {
                    let mut client = Client::connect(port)?;
                    items.iter().map(|item| work(&mut client, item)).collect::<Result<Vec<R>, Failure>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(items.len());
        for thread in threads {
            all.extend(thread.join().map_err(|_| "a connection ended early")??);
        }
        Ok(all)
    })
}

fn issue(port: u16, count: usize, connections: usize) -> Result<(), Failure> {
    let (authorization, begin) = (authorization()?, Instant::now());
    let tokens = shared(&vec![(); count], connections, port, |client, ()| new_token(client, &authorization))?;
    println!("{{\"seconds\":{},\"tokens\":[\"{}\"]}}", begin.elapsed().as_secs_f64(), tokens.join("\",\""));
    Ok(())
}

fn use_each(port: u16, connections: usize) -> Result<(), Failure> {
    let tokens: Vec<String> = io::stdin().lock().lines().collect::<Result<_, _>>()?;
    let (path, begin) = (path()?, Instant::now());
    let statuses = shared(&tokens, connections, port, |client, token| Ok(client.get(&path, token)?.status))?;
    let seconds = begin.elapsed().as_secs_f64();
    let mut counts = BTreeMap::new();
    for status in statuses {
        *counts.entry(status).or_insert(0_u64) += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(status, count)| format!("\"{status}\":{count}")).collect();
    println!("{{\"seconds\":{seconds},\"answers\":{{{}}}}}", counts.join(","));
    Ok(())
}

/// One of the other gateways, and who asks it.
struct Watch {
    /// The next token to ask with.
    tokens: Sender<String>,
    /// That it is accepted, then the moment at which the first refused request left.
    news: Receiver<Instant>,
}

fn revoke(count: usize, rate: u32, first: u16, others: &[u16]) -> Result<(), Failure> {
    let (authorization, path) = (authorization()?, path()?);
    let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let all: Vec<u16> = [&[first], others].concat();
    let load = if rate > 0 { load(&all, rate, &over, &sent)? } else { Vec::new() };
    let watches: Result<Vec<Watch>, Failure> = others.iter().map(|port| watch(*port, path.clone())).collect();
    let (watches, mut client) = (watches?, Client::connect(first)?);
    let (mut measured, mut own) = (Vec::with_capacity(count * others.len()), 0);
    let begin = Instant::now();
    for _ in 0..count {
        let token = new_token(&mut client, &authorization)?;
        if client.get(&path, &token)?.status != 200 {
            return Err("a new token is not accepted".into());
        }
        for watch in &watches {
            watch.tokens.send(token.clone())?;
        }
        for watch in &watches {
            watch.news.recv()?;
        }
        let answer = client.post("/oauth2/revoke", &authorization, &format!("token={token}"))?;
        let revoked = Instant::now();
        if answer.status != 200 {
            return Err(format!("not revoked, but {}", answer.status).into());
        }
        own += u32::from(client.get(&path, &token)?.status != 401);
        for watch in &watches {
            measured.push(watch.news.recv()?.saturating_duration_since(revoked).as_micros().to_string());
        }
    }
    let (seconds, requests) = (begin.elapsed().as_secs_f64(), sent.load(Ordering::Relaxed));
    over.store(true, Ordering::Relaxed);
    for thread in load {
        thread.join().map_err(|_| "the load ended early")??;
    }
    println!("{{\"seconds\":{seconds},\"own\":{own},\"load\":{requests},\"us\":[{}]}}", measured.join(","));
    Ok(())
}

fn watch(port: u16, path: String) -> Result<Watch, Failure> {
    let (tokens, next) = channel::<String>();
    let (tell, news) = channel();
    let mut client = Client::connect(port)?;
    thread::spawn(move || -> Result<(), Failure> {
        while let Ok(token) = next.recv() {
            let mut accepted = false;
            loop {
                let sent = Instant::now();
                match (client.get(&path, &token)?.status, accepted) {
                    (200, true) => {}
                    (200, false) => tell.send(sent)?,
                    (401, true) => break tell.send(sent)?,
                    (status, _) => return Err(format!("a node answers {status}").into()),
                }
                accepted = true;
                thread::sleep(PACE.saturating_sub(sent.elapsed()));
            }
        }
        Ok(())
    });
    Ok(Watch { tokens, news })
}

/// Requests at a rate with tokens that all nodes know, and now and then a new token, until it is over.
fn load(
    ports: &[u16],
    rate: u32,
    over: &Arc<AtomicBool>,
    sent: &Arc<AtomicU64>,
) -> Result<Vec<thread::JoinHandle<Result<(), Failure>>>, Failure> {
    let (authorization, path) = (authorization()?, path()?);
    let mut first = Client::connect(ports[0])?;
    let tokens: Result<Vec<String>, Failure> = (0..IN_USE).map(|_| new_token(&mut first, &authorization)).collect();
    let tokens = Arc::new(tokens?);
    let every = Duration::from_secs(1) * u32::try_from(ports.len())? / rate;
    let mut threads = Vec::new();
    for (place, port) in ports.iter().enumerate() {
        let mut client = Client::connect(*port)?;
        let (tokens, over, sent) = (Arc::clone(&tokens), Arc::clone(over), Arc::clone(sent));
        let (authorization, path) = (authorization.clone(), path.clone());
        let mut due = Instant::now() + every * u32::try_from(place)? / u32::try_from(ports.len())?;
        threads.push(thread::spawn(move || {
            for number in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                thread::sleep(due.saturating_duration_since(Instant::now()));
                due += every;
                if number % 10 == 0 {
                    new_token(&mut client, &authorization)?;
                }
                let status = client.get(&path, &tokens[(number * 7 + place) % IN_USE])?.status;
                if status != 200 {
                    return Err(format!("under load a node answers {status}").into());
                }
                sent.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }));
    }
    Ok(threads)
}

fn listen(port: u16, count: usize, prefix: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let length = prefix.len();
        let hello = format!(
            "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*6\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$5\r\nBCAST\r\n$6\r\nPREFIX\r\n${length}\r\n{prefix}\r\n"
        );
        let heard = Arc::new(AtomicU64::new(0));
        for _ in 0..count {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
            stream.write_all(hello.as_bytes()).await?;
            let mut chunk = vec![0; 4096];
            let mut greeted = 0;
            while !chunk[..greeted].ends_with(b"+OK\r\n") {
                match stream.read(&mut chunk[greeted..]).await? {
                    0 => return Err("a Redis that does not track".into()),
                    length => greeted += length,
                }
            }
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                while let Ok(length @ 1..) = stream.read(&mut chunk).await {
                    heard.fetch_add(length as u64, Ordering::Relaxed);
                }
            });
        }
        println!("{count}");
        let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
        ended.await??;
        println!("{}", heard.load(Ordering::Relaxed));
        Ok(())
    })
}
