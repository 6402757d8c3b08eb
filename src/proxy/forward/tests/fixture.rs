//! What the tests stand on: a route, a client's connection, upstreams that follow a script.

use crate::enforce::bearer::Methods;
use crate::http1::Limits;
use crate::http1::body::BodyReader;
use crate::http1::deadline::Deadline;
use crate::http1::exchange::Exchange;
use crate::http1::head::{Request, RequestHead};
use crate::http1::stream::{Peer, Stream, Tls};
use crate::proxy::fleet::Fleet;
use crate::proxy::forward::{
    Body, Buffers, ForwardError, Forwarded, Forwarder, Parameters, Plan, Progress, Provenance, Watched,
};
use crate::proxy::origin::Origin;
use crate::proxy::route::{Action, HeaderEdits};
use crate::proxy::target::{Host, PathPolicy};
use crate::proxy::upstream::{Server, Upstream};
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// The identity fields of the tests.
pub(in crate::proxy) const IDENTITY: &[u8] =
    b"x-auth-subject: ada\r\nx-auth-client: app\r\nx-auth-scope: notes:read\r\n";

/// No exchange of these tests takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A route and the request's place in it.
pub(in crate::proxy) struct Setup {
    pub(in crate::proxy) fleet: Arc<Fleet>,
    pub(in crate::proxy) action: Action,
    pub(in crate::proxy) origin: Origin,
    pub(in crate::proxy) provenance: Provenance,
    pub(in crate::proxy) host: Host<'static>,
    pub(in crate::proxy) path: &'static str,
    pub(in crate::proxy) query: Option<&'static str>,
    pub(in crate::proxy) strip_authorization: bool,
    pub(in crate::proxy) body: Body<'static>,
    pub(in crate::proxy) token_in_query: bool,
    pub(in crate::proxy) request_id: &'static str,
    pub(in crate::proxy) identity: Option<&'static [u8]>,
    pub(in crate::proxy) limits: Limits,
    pub(in crate::proxy) closing: bool,
    pub(in crate::proxy) watched: Option<Watched<'static>>,
    /// Of the request that was sent last.
    pub(in crate::proxy) progress: Progress,
}

impl Setup {
    pub(in crate::proxy) fn new(servers: Vec<Server>) -> Self {
        Self {
            fleet: Fleet::new(),
            action: Action {
                upstream: Arc::new(Upstream::of(servers)),
                bearer: Methods { header: true, form: false, query: false },
                rewrite: None,
                path_policy: PathPolicy::default(),
                body_limit: None,
                timeout: None,
                request_headers: HeaderEdits::default(),
                response_headers: HeaderEdits::default(),
                upgrade: crate::proxy::route::Upgrade::Only(vec!["websocket".to_owned()]),
                report_only: false,
                rate_limit: None,
                cors: None,
                case_blind: false,
                refusal_is_failure: false,
                underscored: Vec::new(),
            },
            provenance: Provenance {
                x_forwarded: true,
                forwarded: Some(Parameters { node: true, proto: true, host: true }),
            },
            origin: Origin { address: Some([127, 0, 0, 1].into()), trusted: false, https: false },
            host: Host { raw: "api.example.com", name: Cow::Borrowed("api.example.com") },
            path: "/notes",
            query: None,
            strip_authorization: true,
            body: Body::Stream,
            request_id: "0af7651916cd43dd",
            token_in_query: false,
            identity: Some(IDENTITY),
            limits: Limits::default(),
            closing: false,
            watched: None,
            progress: Progress::default(),
        }
    }

    /// A route to servers on these ports.
    pub(in crate::proxy) fn to(ports: &[u16]) -> Self {
        Self::new(ports.iter().map(|&port| Server::Http { host: "127.0.0.1".to_owned(), port }).collect())
    }

    pub(in crate::proxy) fn upstream(mut self, change: impl FnOnce(&mut Upstream)) -> Self {
        let mut upstream = (*self.action.upstream).clone();
        change(&mut upstream);
        self.action.upstream = Arc::new(upstream);
        self
    }

    pub(in crate::proxy) fn forwarder(&self) -> Forwarder {
        Forwarder::new(&[Arc::clone(&self.action.upstream)], &self.fleet, None)
    }

    pub(in crate::proxy) fn plan(&self) -> Plan<'_> {
        Plan {
            start: Instant::now(),
            action: &self.action,
            path: self.path,
            query: self.query,
            host: &self.host,
            origin: &self.origin,
            provenance: self.provenance,
            request_id: self.request_id,
            strip_authorization: self.strip_authorization,
            body: self.body,
            token_in_query: self.token_in_query,
            standing: None,
            watched: self.watched,
            progress: &self.progress,
        }
    }

    /// Sends `request`, all of which the gateway has read already.
    pub(in crate::proxy) async fn send(&self, forwarder: &Forwarder, request: &str) -> Done {
        self.converse(forwarder, request, async |client| read_all(client).await).await
    }

    /// Sends `request`, and lets `client` go on with the client's end.
    pub(in crate::proxy) async fn converse(
        &self,
        forwarder: &Forwarder,
        request: &str,
        client: impl AsyncFnOnce(TcpStream) -> Vec<u8>,
    ) -> Done {
        self.progress.status.set(0);
        self.progress.sent.set(0);
        self.progress.received.set(0);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        theirs.set_nodelay(true).unwrap();
        let both = async { tokio::join!(self.serve(forwarder, request.as_bytes(), theirs), client(ours)) };
        let (result, received) = tokio::time::timeout(PATIENCE, both).await.expect("it ends in time");
        Done { result, received: String::from_utf8_lossy(&received).into_owned() }
    }

    async fn serve(&self, forwarder: &Forwarder, octets: &[u8], stream: TcpStream) -> Result<Forwarded, ForwardError> {
        let mut buffers = Buffers::default();
        self.with_exchange(octets, stream, async |plan, exchange| {
            forwarder.send_with(self.identity, plan, exchange, &mut buffers).await
        })
        .await
    }

    async fn with_exchange<T>(
        &self,
        octets: &[u8],
        stream: TcpStream,
        work: impl AsyncFnOnce(&Plan<'_>, &mut Exchange<'_>) -> T,
    ) -> T {
        let peer = Peer::Tcp { remote: stream.peer_addr().unwrap(), local_port: 8080, tls: Tls::Unknown };
        let mut stream = Stream::Tcp(stream);
        let (reader, writer) = stream.split();
        let mut head = RequestHead::default();
        let length = head.parse(octets, &self.limits).unwrap().expect("a whole head");
        let (bytes, ahead) = octets.split_at(length);
        let request = Request::new(&head, bytes);
        let mut exchange = Exchange {
            request,
            peer: &peer,
            body: BodyReader::new(request.length(), ahead, reader),
            writer,
            deadline: &mut Deadline::new(),
            limits: &self.limits,
            closing: &Cell::new(self.closing),
            continued: false,
            names: None,
        };
        if let Body::Started(start) = self.body {
            assert_eq!(exchange.body.next_ready().unwrap(), Some(start));
        }
        work(&self.plan(), &mut exchange).await
    }
}

/// The size of what a request in flight is, as a future.
pub(in crate::proxy) async fn size_of_send(setup: &Setup, forwarder: &Forwarder) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut buffers = Buffers::default();
    setup
        .with_exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", stream, async |plan, exchange| {
            size_of_val(&forwarder.send_with(None, plan, exchange, &mut buffers))
        })
        .await
}

/// What came of a request.
#[derive(Debug)]
pub(in crate::proxy) struct Done {
    pub(in crate::proxy) result: Result<Forwarded, ForwardError>,
    /// What the client received.
    pub(in crate::proxy) received: String,
}

impl Done {
    /// The content of the response, as it was on the wire.
    pub(in crate::proxy) fn content(&self) -> &str {
        self.received.split_once("\r\n\r\n").expect("a response").1
    }

    /// The head of the response.
    pub(in crate::proxy) fn head(&self) -> &str {
        self.received.split_once("\r\n\r\n").expect("a response").0
    }

    /// The values of the response's field `name` (lower case).
    pub(in crate::proxy) fn field(&self, name: &str) -> Vec<&str> {
        values(self.head(), name)
    }
}

/// The values of a field in a message.
pub(in crate::proxy) fn values<'m>(message: &'m str, name: &str) -> Vec<&'m str> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

pub(in crate::proxy) async fn read_all(mut stream: TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await;
    received
}

/// An upstream: its port, and each request that it got, with the number of its connection.
pub(in crate::proxy) struct Script {
    pub(in crate::proxy) port: u16,
    pub(in crate::proxy) requests: Arc<Mutex<Vec<(usize, String)>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Script {
    /// An upstream whose connections are handled by `each`: the connection's number, and a hand on it.
    pub(in crate::proxy) async fn new<F>(each: impl Fn(usize, Hand) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                stream.set_nodelay(true).unwrap();
                tokio::spawn(each(number, Hand { stream, number, log: Arc::clone(&log) }));
            }
        });
        Self { port, requests, task }
    }

    /// An upstream that answers every request with `response` and keeps its connections open.
    pub(in crate::proxy) async fn answering(response: impl Into<String>) -> Self {
        let response = response.into();
        Self::new(move |_, mut hand| {
            let response = response.clone();
            async move {
                while hand.request().await.is_some() {
                    hand.write(&response).await;
                }
            }
        })
        .await
    }

    pub(in crate::proxy) fn got(&self) -> Vec<(usize, String)> {
        self.requests.lock().unwrap().clone()
    }

    /// The only request that it got.
    pub(in crate::proxy) fn only(&self) -> String {
        let got = self.got();
        assert_eq!(got.len(), 1, "{got:?}");
        got[0].1.clone()
    }
}

/// An upstream's end of a connection.
pub(in crate::proxy) struct Hand {
    pub(in crate::proxy) stream: TcpStream,
    number: usize,
    log: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Hand {
    /// Reads a request with its body; `None`: the connection has ended before it was complete.
    pub(in crate::proxy) async fn request(&mut self) -> Option<String> {
        let mut octets = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&octets).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = values(head, "content-length").first().map_or(0, |length| length.parse().unwrap());
                let chunked = !values(head, "transfer-encoding").is_empty();
                if if chunked { body.contains("0\r\n") && body.ends_with("\r\n\r\n") } else { body.len() >= length } {
                    self.note(&text);
                    return Some(text);
                }
            }
            if matches!(self.stream.read_buf(&mut octets).await, Ok(0) | Err(_)) {
                if !octets.is_empty() {
                    self.note(&format!("BROKEN OFF {}", String::from_utf8_lossy(&octets)));
                }
                return None;
            }
        }
    }

    /// Reads to the end of a head, and nothing of what follows.
    pub(in crate::proxy) async fn head(&mut self) -> String {
        let mut octets = Vec::new();
        while !octets.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(octet) => octets.push(octet),
                Err(_) => break,
            }
        }
        String::from_utf8_lossy(&octets).into_owned()
    }

    pub(in crate::proxy) async fn write(&mut self, text: &str) {
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    pub(in crate::proxy) fn note(&self, text: &str) {
        self.log.lock().unwrap().push((self.number, text.to_owned()));
    }
}
