//! The `oauth2` crate, a client library of others, over a plain socket.

use crate::harness::{ALICE, Gateway, SERVICE, notes};
use oauth2::basic::BasicClient;
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl, RefreshToken,
    RequestTokenError, ResourceOwnerPassword, ResourceOwnerUsername, RevocationUrl, Scope, StandardRevocableToken,
    TokenIntrospectionResponse as _, TokenResponse as _, TokenUrl,
};

/// Carries the library's requests; everything goes to the gateway.
fn transport(gateway: &Gateway) -> impl Fn(HttpRequest) -> Result<HttpResponse, std::io::Error> + '_ {
    move |request: HttpRequest| {
        let mut sent = gateway.request(request.method().as_str(), request.uri().path()).body(request.body());
        for (name, value) in request.headers() {
            sent = sent.field(name.as_str(), value.to_str().unwrap());
        }
        let answer = sent.send();
        let mut response = oauth2::http::Response::builder().status(answer.status);
        for (name, value) in &answer.fields {
            response = response.header(name, value);
        }
        response.body(answer.body).map_err(std::io::Error::other)
    }
}

fn url(gateway: &Gateway, path: &str) -> String {
    format!("{}/oauth2/{path}", gateway.url())
}

/// Client credentials, by header and by body; introspection, use, revocation (for which the library insists on an https URL).
#[test]
fn client_credentials_introspection_and_revocation() {
    let (upstream, gateway) = notes();
    for auth in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = BasicClient::new(ClientId::new(SERVICE.0.into()))
            .set_client_secret(ClientSecret::new(SERVICE.1.into()))
            .set_auth_type(auth)
            .set_token_uri(TokenUrl::new(url(&gateway, "token")).unwrap())
            .set_introspection_url(IntrospectionUrl::new(url(&gateway, "introspect")).unwrap())
            .set_revocation_url(RevocationUrl::new(url(&gateway, "revoke").replacen("http", "https", 1)).unwrap());
        let http = transport(&gateway);
        let tokens =
            client.exchange_client_credentials().add_scope(Scope::new("notes:read".into())).request(&http).unwrap();
        let access: &AccessToken = tokens.access_token();
        gateway.get("/notes/1").bearer(access.secret()).send().expect(200);
        assert_eq!(upstream.last().field("x-auth-client"), SERVICE.0);
        let told = client.introspect(access).request(&http).unwrap();
        assert!(told.active());
        assert_eq!(told.client_id().map(|id| id.as_str()), Some(SERVICE.0));
        client.revoke_token(StandardRevocableToken::from(access)).unwrap().request(&http).unwrap();
        gateway.get("/notes/1").bearer(access.secret()).send().expect(401);
    }
}

/// The password grant and refreshing.
#[test]
fn a_password_and_a_refresh_token() {
    let (_upstream, gateway) = notes();
    let client = BasicClient::new(ClientId::new("notes-cli".into()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(TokenUrl::new(url(&gateway, "token")).unwrap());
    let http = transport(&gateway);
    let (name, password) = (ResourceOwnerUsername::new(ALICE.0.into()), ResourceOwnerPassword::new(ALICE.1.into()));
    let first = client.exchange_password(&name, &password).request(&http).unwrap();
    let refresh: &RefreshToken = first.refresh_token().expect("a refresh token");
    let second = client.exchange_refresh_token(refresh).request(&http).unwrap();
    gateway.get("/notes/1").bearer(second.access_token().secret()).send().expect(200);
    let wrong = client.exchange_password(&name, &ResourceOwnerPassword::new("wrong".into())).request(&http);
    match wrong {
        Err(RequestTokenError::ServerResponse(error)) => assert_eq!(error.error().to_string(), "invalid_grant"),
        other => panic!("{other:?}"),
    }
}
