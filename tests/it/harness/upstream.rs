//! An API behind the gateway that records every octet it gets and answers as it is told.

use super::http::find;
use super::shown;
use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it arrived.
#[derive(Clone)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The head's octets.
    pub(crate) head: Vec<u8>,
}

impl Recorded {
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let same = |field: &str| field.eq_ignore_ascii_case(name);
        self.fields.iter().filter(|(field, _)| same(field)).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }

    /// The only value of a field.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let values = self.values(name);
        assert_eq!(values.len(), 1, "{name} in\n{self:?}");
        values[0]
    }

    /// Whether `text` stands anywhere in it.
    pub(crate) fn holds(&self, text: &str) -> bool {
        find(&self.head, text.as_bytes()).is_some() || find(&self.body, text.as_bytes()).is_some()
    }
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", shown(&self.head), shown(&self.body))
    }
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Keep,
    Close,
}

type Handler = dyn Fn(&Recorded, &mut TcpStream) -> Next + Send + Sync;
type RawHandler = dyn Fn(TcpStream) + Send + Sync;

enum Script {
    Requests(Box<Handler>),
    Raw(Box<RawHandler>),
}

/// The API.
pub(crate) struct Upstream {
    port: u16,
    state: Arc<State>,
    accepting: Mutex<Option<std::thread::JoinHandle<()>>>,
}

struct State {
    script: Script,
    requests: Mutex<Vec<Recorded>>,
    connections: AtomicUsize,
    /// A handle on each that is open, to cut it.
    streams: Mutex<HashMap<usize, TcpStream>>,
    stopped: AtomicBool,
}

impl Upstream {
    /// Answers everything with 200 and `ok`.
    pub(crate) fn start() -> Self {
        Self::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    /// Answers everything with these octets.
    pub(crate) fn answering(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        Self::with(move |request, stream| {
            let head = find(&bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4);
            let answer = if request.method == "HEAD" { &bytes[..head] } else { &bytes[..] };
            let _ = stream.write_all(answer);
            Next::Keep
        })
    }

    /// Answers these octets, then closes.
    pub(crate) fn answering_and_closing(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref().to_vec();
        Self::with(move |_, stream| {
            let _ = stream.write_all(&bytes);
            Next::Close
        })
    }

    /// Answers whole requests.
    pub(crate) fn with(handler: impl Fn(&Recorded, &mut TcpStream) -> Next + Send + Sync + 'static) -> Self {
        Self::run(Script::Requests(Box::new(handler)))
    }

    /// Gets connections as they are.
    pub(crate) fn raw(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::run(Script::Raw(Box::new(handler)))
    }

    fn run(script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            script,
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            streams: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Mutex::new(Some(Self::accept(listener, &state)));
        Self { port, state, accepting }
    }

    fn accept(listener: TcpListener, state: &Arc<State>) -> std::thread::JoinHandle<()> {
        let shared = Arc::clone(state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                shared.streams.lock().unwrap().extend(stream.try_clone().map(|handle| (number, handle)));
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    shared.serve(stream);
                    shared.streams.lock().unwrap().remove(&number);
                });
            }
        })
    }

    /// Ends as a process that is killed does: every connection is cut, and nobody listens.
    pub(crate) fn stop(&self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.accepting.lock().unwrap().take().expect("it is running").join().unwrap();
        for (_, stream) in self.state.streams.lock().unwrap().drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Listens again, on the same port.
    pub(crate) fn revive(&self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        self.state.stopped.store(false, Ordering::SeqCst);
        *self.accepting.lock().unwrap() = Some(Self::accept(listener, &self.state));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.state.requests.lock().unwrap().clone()
    }

    /// The latest request.
    #[track_caller]
    pub(crate) fn last(&self) -> Recorded {
        self.requests().pop().expect("a request that reached the upstream")
    }

    /// Fails the test if anything arrived, even a connection (PX-1).
    #[track_caller]
    pub(crate) fn expect_nothing(&self) {
        assert!(self.requests().is_empty(), "it reached the upstream: {:?}", self.requests());
        assert_eq!(self.connections(), 0, "a connection was made to the upstream");
    }

    /// Forgets what it recorded.
    pub(crate) fn forget(&self) {
        self.state.requests.lock().unwrap().clear();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if std::thread::panicking() {
            eprintln!("=== the upstream got");
            for request in self.requests() {
                eprintln!("{request:?}\n---");
            }
        }
    }
}

impl State {
    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let handler = match &self.script {
            Script::Raw(handler) => return handler(stream),
            Script::Requests(handler) => handler,
        };
        let mut unread = Vec::new();
        while let Some(request) = read_request(&mut stream, &mut unread) {
            self.requests.lock().unwrap().push(request.clone());
            if handler(&request, &mut stream) == Next::Close {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}

/// Reads one request; `None` when the connection ends before a whole one.
pub(crate) fn read_request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Recorded> {
    let end = loop {
        match find(unread, b"\r\n\r\n") {
            Some(end) => break end + 4,
            None => fill(stream, unread)?,
        }
    };
    let head: Vec<u8> = unread.drain(..end).collect();
    let text: String = head.iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request = Recorded { method, target, fields, body: Vec::new(), head };
    request.body = read_body(stream, unread, &request)?;
    Some(request)
}

fn read_body(stream: &mut TcpStream, unread: &mut Vec<u8>, request: &Recorded) -> Option<Vec<u8>> {
    if request.has("transfer-encoding") {
        let mut body = Vec::new();
        loop {
            let line = take_line(stream, unread)?;
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                while !take_line(stream, unread)?.is_empty() {}
                return Some(body);
            }
            body.extend(take(stream, unread, size)?);
            take(stream, unread, 2)?;
        }
    }
    let length = request.values("content-length").first().map_or(Ok(0), |value| value.parse());
    take(stream, unread, length.ok()?)
}

fn take(stream: &mut TcpStream, unread: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    while unread.len() < count {
        fill(stream, unread)?;
    }
    Some(unread.drain(..count).collect())
}

fn take_line(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = find(unread, b"\r\n") {
            let line: Vec<u8> = unread.drain(..end + 2).collect();
            return String::from_utf8(line[..end].to_vec()).ok();
        }
        fill(stream, unread)?;
    }
}

fn fill(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 16384];
    match stream.read(&mut buffer) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Some(()),
        Ok(0) | Err(_) => None,
        Ok(count) => {
            unread.extend_from_slice(&buffer[..count]);
            Some(())
        }
    }
}
