use super::*;
use crate::clock::Timestamp;
use crate::people::directory::tests::{START, directory, later, stored};
use crate::people::directory::{ChangeError, Directory, NewUser};
use crate::secret::Secret;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SECOND: Duration = Duration::from_secs(1);

/// A service that answers each question alike, and what it was asked.
struct Service {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn answering(answer: &'static str) -> Self {
        Self::start(answer, None).await
    }

    async fn start(answer: &'static str, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/check", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let request = match &tls {
                    Some(tls) => match tokio_rustls::TlsAcceptor::from(Arc::clone(tls)).accept(stream).await {
                        Ok(stream) => exchange(stream, answer).await,
                        Err(_) => continue,
                    },
                    None => exchange(stream, answer).await,
                };
                noted.lock().unwrap().push(request);
            }
        });
        Self { url, asked }
    }

    fn login(&self, format: Format) -> Login {
        Login::new(self.url.parse().unwrap(), format, SECOND, None).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn exchange(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin, answer: &str) -> String {
    let mut request = String::new();
    let mut buffer = [0; 4096];
    while !is_whole(&request) {
        let read = stream.read(&mut buffer).await.unwrap_or_default();
        if read == 0 {
            break;
        }
        request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
    request
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    body.len() >= length.parse().unwrap()
}

const CAROL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{\"sub\":\"carol\",\"scope\":\"a b c\"}";

#[tokio::test]
async fn a_name_and_a_password_are_posted_and_the_subject_is_taken() {
    let service = Service::answering(CAROL).await;
    for (format, media_type, body) in [
        (Format::Json, "application/json", r#"{"password":"p&%\"w ü","username":"car ol"}"#),
        (Format::Form, "application/x-www-form-urlencoded", "username=car+ol&password=p%26%25%22w+%C3%BC"),
    ] {
        let vouched = service.login(format).ask("car ol", "p&%\"w ü").await.unwrap();
        assert_eq!(vouched, Vouched { name: "carol".to_owned(), scopes: Some("a b c".parse().unwrap()) });
        let asked = service.asked().pop().unwrap();
        assert!(asked.starts_with("POST /check HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("content-type: {media_type}\r\n")) && asked.ends_with(body), "{asked}");
    }
}

/// R6749-4.3b
#[tokio::test]
async fn what_the_service_refuses_is_wrong_and_all_else_is_its_failure() {
    for (answer, refused) in [
        ("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", true),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 204 No Content\r\n\r\n", false),
        ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"sub\":\"\"}", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"sub\":\"a\"}", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", false),
        ("nonsense", false),
    ] {
        let service = Service::answering(answer).await;
        match service.login(Format::Json).ask("carol", "pw").await.unwrap_err() {
            LoginError::Refused => assert!(refused, "{answer}"),
            LoginError::Service => assert!(!refused, "{answer}"),
            other @ (LoginError::Overloaded | LoginError::Store(_)) => panic!("{other}"),
        }
        assert_eq!(service.asked().len(), 1, "asked once, and nobody else");
    }
    let nobody = Login::new("http://127.0.0.1:1/".parse().unwrap(), Format::Json, SECOND, None).unwrap();
    assert!(matches!(nobody.ask("carol", "pw").await, Err(LoginError::Service)));
}

/// Hazards, line 38: a service that trims would make one name of what is counted as many.
#[tokio::test]
async fn the_service_is_not_asked_about_what_cannot_be_a_name() {
    let service = Service::answering(CAROL).await;
    let login = service.login(Format::Json);
    for name in ["", "carol ", " carol", "carol\t", "\u{3000}carol", "ca\0rol", &"x".repeat(300)] {
        assert!(matches!(login.ask(name, "pw").await, Err(LoginError::Refused)), "{name:?}");
    }
    assert!(service.asked().is_empty());
}

/// Some services take a key there.
#[test]
fn the_query_of_the_service_is_not_shown() {
    let url = "http://127.0.0.1:1/check?key=s3cr3t".parse().unwrap();
    let shown = format!("{:?}", Login::new(url, Format::Json, SECOND, None).unwrap());
    assert!(shown.contains("http://127.0.0.1:1/check") && !shown.contains("s3cr3t"), "{shown}");
}

#[tokio::test]
async fn a_service_that_says_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    let login = Login::new(url, Format::Json, Duration::from_millis(50), None).unwrap();
    assert!(matches!(login.ask("carol", "pw").await, Err(LoginError::Service)));
}

#[tokio::test]
async fn a_certificate_is_believed_only_from_a_known_authority() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let service = Service::start(CAROL, Some(Arc::new(tls))).await;
    let url: Uri = service.url.parse().unwrap();
    let ours = Login::new(url.clone(), Format::Json, SECOND, Some(made.cert.pem().as_bytes())).unwrap();
    assert_eq!(ours.ask("carol", "pw").await.unwrap().name, "carol");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = Login::new(url.clone(), Format::Json, SECOND, Some(other.cert.pem().as_bytes())).unwrap();
    assert!(matches!(other.ask("carol", "pw").await, Err(LoginError::Service)));
    assert_eq!(service.asked().len(), 1, "no password for a stranger");
    assert!(Login::new(url, Format::Json, SECOND, Some(b"nothing")).is_err());
}

fn with_login(directory: &Directory, service: &Service) -> Directory {
    directory.clone().with_login(Some(Arc::new(service.login(Format::Json))))
}

async fn sign_in(directory: &Directory, now: Timestamp) -> Result<String, LoginError> {
    directory.authenticate("carol", "pw", now).await.map(|owner| owner.user().name.clone())
}

/// Hazards, line 35
#[tokio::test]
async fn whom_the_service_vouches_for_is_a_user_that_can_be_disabled() {
    let service = Service::answering(CAROL).await;
    let directory = with_login(&directory().await, &service);
    assert_eq!(sign_in(&directory, START).await.unwrap(), "carol");
    let owner = directory.authenticate("carol", "pw", later(1)).await.unwrap();
    assert_eq!(owner.user().scopes.as_ref().map(ToString::to_string).as_deref(), Some("a b c"));
    assert_eq!(directory.stored(START).await.unwrap().len(), 1);
    assert!(directory.find(&owner.user().subject(), START).await.unwrap().is_some());
    assert!(directory.honours(&owner.sign_in(), later(1)).await.unwrap());
    directory.disable("carol", later(2)).await.unwrap();
    assert!(matches!(sign_in(&directory, later(2)).await, Err(LoginError::Refused)));
    assert!(!directory.honours(&owner.sign_in(), later(2)).await.unwrap());
    directory.enable("carol", later(3)).await.unwrap();
    assert!(sign_in(&directory, later(3)).await.is_ok());
    let changed = directory.set_password("carol", Secret::new("x"), later(3)).await;
    assert!(matches!(changed, Err(ChangeError::NoPassword)));
    let without = directory.clone().with_login(None);
    assert!(without.find(&owner.user().subject(), later(3)).await.unwrap().is_none());
    assert!(matches!(sign_in(&without, later(3)).await, Err(LoginError::Refused)));
}

/// R9700-4.15
#[tokio::test]
async fn the_service_vouches_for_nobody_who_is_somebody_here() {
    let service = Service::answering(CAROL).await;
    let bare = directory().await;
    stored(&bare, "Carol", "pw").await;
    let directory = with_login(&bare, &service);
    assert!(matches!(sign_in(&directory, START).await, Err(LoginError::Refused)));
    let new = NewUser { name: "dave".to_owned(), password: Secret::new("x"), scopes: None };
    assert!(matches!(directory.add(new, START).await, Err(ChangeError::Elsewhere)));
}
