//! An `OpenID` Connect provider: discovery, keys, an authorization endpoint where everybody has signed in already, and a token
//! endpoint that checks what a provider has to check. It lies where it is told to.

use super::{Response, free_port};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha2::Digest as _;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the gateway is called there, and its secret.
pub(crate) const GATE: super::Credentials = ("tollgate", "gate-secret-3Pw6");

/// A provider; it ends with the value.
pub(crate) struct Provider {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    inner: Mutex<Inner>,
    ended: AtomicBool,
}

#[derive(Default)]
struct Inner {
    keys: Option<Keys>,
    /// Set over the usual claims; `null` takes one out.
    claims: BTreeMap<String, Value>,
    /// What the authorization endpoint answers in place of a code.
    error: Option<String>,
    down: bool,
    codes: BTreeMap<String, BTreeMap<String, String>>,
    /// The targets that were asked for.
    asked: Vec<String>,
    /// Which keys `/jwks` gives; the newest signs.
    published: Vec<Value>,
}

struct Keys {
    id: String,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// 2048 bits, of no use anywhere else.
const RSA: &[u8] = include_bytes!("provider-rsa.pk8");

impl Provider {
    pub(crate) fn start() -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let provider = Self { port, state: Arc::default() };
        provider.rotate();
        let state = Arc::clone(&provider.state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if state.ended.load(Ordering::Relaxed) {
                    return;
                }
                let state = Arc::clone(&state);
                std::thread::spawn(move || state.serve(port, stream.unwrap()));
            }
        });
        provider
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A new key signs from now on, and is the only one that is published.
    pub(crate) fn rotate(&self) {
        let key = self.sign_with_another();
        self.inner(|inner| inner.published = vec![key]);
    }

    /// A new key signs from now on, and nobody is told; gives the key that was to be published.
    pub(crate) fn sign_with_another(&self) -> Value {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let id = URL_SAFE_NO_PAD.encode(&sha2::Sha256::digest(&point)[..6]);
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let public = json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id, "x": x, "y": y});
        self.inner(|inner| inner.keys = Some(Keys { id, pair: Pair::Ecdsa(pair) }));
        public
    }

    /// Signs with RS256 from now on, as most providers do; the key has no `alg`, and stands beside others.
    pub(crate) fn sign_with_rsa(&self) {
        let pair = RsaKeyPair::from_pkcs8(RSA).unwrap();
        let parts: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
        let (n, e) = (URL_SAFE_NO_PAD.encode(parts.n), URL_SAFE_NO_PAD.encode(parts.e));
        let public = json!({"kty": "RSA", "use": "sig", "kid": "rsa-1", "n": n, "e": e});
        let unknown = json!({"kty": "XYZ", "kid": "odd", "use": "sig"});
        self.inner(|inner| {
            inner.published.extend([public, unknown]);
            inner.keys = Some(Keys { id: "rsa-1".to_owned(), pair: Pair::Rsa(pair) });
        });
    }

    /// Sets a claim of the ID tokens to come; `null` leaves it out.
    pub(crate) fn claim(&self, name: &str, value: Value) {
        self.inner(|inner| drop(inner.claims.insert(name.to_owned(), value)));
    }

    /// Claims are as usual again.
    pub(crate) fn honest(&self) {
        self.inner(|inner| inner.claims.clear());
    }

    /// The authorization endpoint answers with an error, or again with codes.
    pub(crate) fn fail(&self, error: Option<&str>) {
        self.inner(|inner| inner.error = error.map(str::to_owned));
    }

    /// Every answer is 503, or as before.
    pub(crate) fn set_down(&self, down: bool) {
        self.inner(|inner| inner.down = down);
    }

    /// How often a path was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.inner(|inner| inner.asked.iter().filter(|target| target.split('?').next() == Some(path)).count())
    }

    /// What a browser does that is sent there: gives the parameters of the request, and where it goes next.
    #[track_caller]
    pub(crate) fn visit(&self, redirect: &Response) -> (BTreeMap<String, String>, String) {
        let location = redirect.field("location");
        let target = location.strip_prefix(&self.issuer()).unwrap_or_else(|| panic!("sent to {location}"));
        let response = super::Request::new(self.port, "GET", target).send();
        let next = response.expect(302).field("location").to_owned();
        (pairs(target.split_once('?').unwrap().1), next)
    }

    fn inner<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.state.inner.lock().unwrap())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn serve(&self, port: u16, mut stream: TcpStream) {
        let Some((head, body)) = read(&mut stream) else { return };
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut inner = self.inner.lock().unwrap();
        inner.asked.push(target.clone());
        let issuer = format!("http://127.0.0.1:{port}");
        let (status, field, body) = match path {
            _ if inner.down => ("503 Service Unavailable", String::new(), "{}".to_owned()),
            "/.well-known/openid-configuration" => ("200 OK", String::new(), metadata(&issuer).to_string()),
            "/jwks" => ("200 OK", String::new(), json!({"keys": inner.published}).to_string()),
            "/end" => ("302 Found", end(query), String::new()),
            "/authorize" => ("302 Found", inner.authorize(&issuer, query), String::new()),
            "/token" => match inner.token(&issuer, &head, &body) {
                Ok(answer) => ("200 OK", String::new(), answer.to_string()),
                Err(error) => ("400 Bad Request", String::new(), json!({"error": error}).to_string()),
            },
            _ => ("404 Not Found", String::new(), "{}".to_owned()),
        };
        let length = body.len();
        let _ = stream.write_all(
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{field}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .as_bytes(),
        );
    }
}

impl Inner {
    fn authorize(&mut self, issuer: &str, query: &str) -> String {
        let request = pairs(query);
        let encode = super::form_encoded;
        let back = format!("{}?state={}&iss={}", request["redirect_uri"], encode(&request["state"]), encode(issuer));
        if let Some(error) = &self.error {
            return format!("Location: {back}&error={error}\r\n");
        }
        let code = format!("code-{}", self.codes.len());
        self.codes.insert(code.clone(), request);
        format!("Location: {back}&code={code}\r\n")
    }

    #[expect(clippy::disallowed_methods, reason = "the claims of a token have the time of the machine")]
    fn token(&mut self, issuer: &str, head: &str, body: &str) -> Result<Value, &'static str> {
        let basic = format!("basic {}", STANDARD.encode(format!("{}:{}", GATE.0, GATE.1)));
        let authenticated = head.lines().any(|line| {
            line.split_once(": ").is_some_and(|(name, value)| {
                name.eq_ignore_ascii_case("authorization") && value.eq_ignore_ascii_case(&basic)
            })
        });
        if !authenticated {
            return Err("invalid_client");
        }
        let form = pairs(body);
        let request = self.codes.get_mut(&form["code"]).map(std::mem::take).ok_or("invalid_grant")?;
        let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(form["code_verifier"].as_bytes()));
        if request.get("code_challenge") != Some(&challenge) || request["redirect_uri"] != form["redirect_uri"] {
            return Err("invalid_grant");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = BTreeMap::from([
            ("iss".to_owned(), json!(issuer)),
            ("aud".to_owned(), json!(GATE.0)),
            ("sub".to_owned(), json!("248289761001")),
            ("nonce".to_owned(), json!(request["nonce"])),
            ("iat".to_owned(), json!(now)),
            ("exp".to_owned(), json!(now + 300)),
            ("auth_time".to_owned(), json!(now)),
            ("email".to_owned(), json!("jane@example.com")),
            ("email_verified".to_owned(), json!(true)),
        ]);
        claims.extend(self.claims.clone());
        claims.retain(|_, value| !value.is_null());
        Ok(
            json!({"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": self.signed(&json!(claims))}),
        )
    }

    fn signed(&self, claims: &Value) -> String {
        let keys = self.keys.as_ref().unwrap();
        let alg = if matches!(keys.pair, Pair::Rsa(_)) { "RS256" } else { "ES256" };
        let head = json!({"alg": alg, "kid": keys.id, "typ": "JWT"});
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(&head), encode(claims));
        let random = SystemRandom::new();
        let signature = match &keys.pair {
            Pair::Ecdsa(pair) => pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// `OpenID` Connect RP-Initiated Logout: back to where the client is registered.
fn end(query: &str) -> String {
    let request = pairs(query);
    assert_eq!(request["client_id"], GATE.0);
    format!("Location: {}\r\n", request["post_logout_redirect_uri"])
}

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "end_session_endpoint": format!("{issuer}/end"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "XY512"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// A request's head and body.
fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut octets = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        octets.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&octets).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

fn pairs(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (super::dance::decoded(name), super::dance::decoded(value))).collect()
}
