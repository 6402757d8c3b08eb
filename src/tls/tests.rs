//! Certificates as files, the names in them, and which one a client is shown.

use super::*;
use rcgen::{CertificateParams, KeyPair};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// A folder with `NAME.pem` and `NAME.key` for each list of names.
fn folder(certificates: &[(&str, &[&str])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, names) in certificates {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        fs::write(folder.path().join(format!("{file}.pem")), certificate.pem()).unwrap();
        let path = folder.path().join(format!("{file}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn read_pair(folder: &tempfile::TempDir, chain: &str, key: &str) -> Result<Certificate, TlsError> {
    Certificate::read(&folder.path().join(chain), &folder.path().join(key))
}

#[test]
fn a_pair_says_for_whom_it_is_and_who_may_read_its_key() {
    let folder = folder(&[("a", &["API.example.com", "*.example.org", "127.0.0.1", "::1"])]);
    let pair = read_pair(&folder, "a.pem", "a.key").unwrap();
    assert_eq!(pair.names().listed(), ["api.example.com", "*.example.org", "127.0.0.1", "::1"]);
    assert!(!pair.is_exposed() && pair.begins() < pair.expires());
    fs::set_permissions(folder.path().join("a.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = read_pair(&folder, "a.pem", "a.key").unwrap();
    assert!(exposed.is_exposed());
    assert!(!format!("{exposed:?}").contains("PRIVATE"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let folder = folder(&[("a", &["a.example"]), ("b", &["b.example"])]);
    fs::write(folder.path().join("empty"), "").unwrap();
    fs::write(folder.path().join("odd"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(folder.path().join("half"), "-----BEGIN PRIVATE KEY-----\nAAAA").unwrap();
    for (chain, key, file, why) in [
        ("missing", "a.key", "missing", "cannot be read"),
        ("a.pem", "missing", "missing", "cannot be read"),
        ("empty", "a.key", "empty", "no certificate in it"),
        ("a.key", "a.key", "a.key", "no certificate in it"),
        ("odd", "a.key", "odd", "malformed"),
        ("a.pem", "empty", "empty", "no private key in it"),
        ("a.pem", "a.pem", "a.pem", "no private key in it"),
        ("a.pem", "half", "half", "no PEM"),
        ("a.pem", "b.key", "b.key", "does not belong to the certificate"),
    ] {
        let error = read_pair(&folder, chain, key).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(why), "{chain} {key}: {error}");
    }
}

/// RFC 9525-6.3
#[test]
fn a_wildcard_is_one_label() {
    let folder = folder(&[("a", &["example.com", "*.example.com", "10.0.0.1", "2001:db8::1"])]);
    let pair = read_pair(&folder, "a.pem", "a.key").unwrap();
    for host in ["example.com", "a.example.com", "10.0.0.1", "[2001:db8::1]"] {
        assert!(pair.names().cover(host), "{host}");
    }
    for host in ["", "com", "a.b.example.com", ".example.com", "xexample.com", "10.0.0.2", "[::1]"] {
        assert!(!pair.names().cover(host), "{host}");
    }
}

#[test]
fn the_certificate_is_the_one_for_the_name_and_else_the_first() {
    let folder = folder(&[("a", &["a.example"]), ("b", &["b.example", "*.b.example"])]);
    let all: Vec<_> =
        ["a", "b"].iter().map(|file| read_pair(&folder, &format!("{file}.pem"), &format!("{file}.key"))).collect();
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    let tls = ServerTls::new(all.clone(), None, &[b"http/1.1"]).unwrap();
    for (name, listed) in [("a.example", "a.example"), ("X.B.Example", "b.example, *.b.example"), ("c", "a.example")] {
        assert_eq!(tls.names_for(name).unwrap().to_string(), listed, "{name}");
    }
    let one = ServerTls::new(all[..1].to_vec(), None, &[b"http/1.1"]).unwrap();
    assert_eq!(one.names_for("a.example"), None, "there is nothing to tell apart");
    assert!(!one.is_same(&tls) && tls.is_same(&ServerTls::new(all, None, &[b"http/1.1"]).unwrap()));
}

#[test]
fn authorities_are_certificates() {
    let folder = folder(&[("a", &["a.example"])]);
    let pair = || vec![read_pair(&folder, "a.pem", "a.key").unwrap()];
    for (file, why) in [("a.key", "no certificate in it"), ("missing", "cannot be read")] {
        let file = folder.path().join(file);
        let error = ServerTls::new(pair(), Some(&file), &[]).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        let error = ClientTls::new(ClientSettings { ca: Some(file), ..ClientSettings::default() }, b"h2").unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// What makes a pooled connection good for another upstream, or after a reload.
#[test]
fn two_ways_to_a_server_are_equal_when_they_believe_and_show_the_same() {
    let folder = folder(&[("a", &["a.example"]), ("b", &["b.example"])]);
    let of = |ca: &str, name: Option<&'static str>, unverified| {
        let server_name = name.map(|name| name.try_into().unwrap());
        let settings = ClientSettings { ca: Some(folder.path().join(ca)), certificate: None, server_name, unverified };
        ClientTls::new(settings, b"http/1.1").unwrap()
    };
    assert_eq!(of("a.pem", None, false), of("a.pem", None, false));
    assert_ne!(of("a.pem", None, false), of("b.pem", None, false));
    assert_ne!(of("a.pem", None, false), of("a.pem", Some("x.example"), false));
    assert_ne!(of("a.pem", None, false), of("a.pem", None, true));
    assert!(of("a.pem", None, false).name_of("[::1]").is_some());
    assert_eq!(of("a.pem", None, false).name_of("a b"), None);
}
