//! The gateway's own endpoints as requests of the public listener.

use super::Gateway;
use super::failure::{Failure, REQUEST_ID, insert};
use crate::endpoint::{BODY_LIMIT, Caller};
use crate::http1::exchange::Exchange;
use crate::proxy::origin::Origin;
use crate::proxy::target::Target;
use bytes::Bytes;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};

impl Gateway {
    /// Answers a request for one of our own endpoints.
    pub(super) async fn own(
        &self,
        exchange: &mut Exchange<'_>,
        target: &Target<'_>,
        origin: &Origin,
        id: &str,
    ) -> Result<Response<Bytes>, Failure> {
        let body = exchange.collect(BODY_LIMIT).await.map_err(Failure::Body)?;
        let request = request(exchange, target, body)?;
        let caller = Caller { address: origin.address, request_id: id };
        let mut response = self.endpoints.handle(request, &caller).await;
        insert(response.headers_mut(), REQUEST_ID, id);
        self.secure(&mut response, origin);
        Ok(response)
    }

    /// An answer of our own over https keeps browsers there (TLS-2).
    pub(super) fn secure(&self, response: &mut Response<Bytes>, origin: &Origin) {
        if let Some(hsts) = self.plan.hsts.as_ref().filter(|_| origin.https) {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
    }
}

/// The message layer has checked more than this; it is here so that nothing can panic.
const UNREADABLE: Failure = Failure::Malformed("the request cannot be read");

fn request(exchange: &Exchange<'_>, target: &Target<'_>, body: Vec<u8>) -> Result<Request<Bytes>, Failure> {
    let mut path_and_query = target.normal().to_owned();
    if let Some(query) = target.query() {
        path_and_query.push('?');
        path_and_query.push_str(query);
    }
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::from_bytes(exchange.request.method().as_bytes()).map_err(|_| UNREADABLE)?;
    *request.uri_mut() = Uri::try_from(path_and_query).map_err(|_| UNREADABLE)?;
    for field in exchange.request.fields() {
        let name = HeaderName::from_bytes(field.name).map_err(|_| UNREADABLE)?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| UNREADABLE)?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}

/// The authority of an absolute URL: `example.com:8443` of `https://example.com:8443/base`.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_the_host_with_its_port() {
        assert_eq!(authority("https://example.com:8443/base"), "example.com:8443");
        assert_eq!(authority("http://[::1]"), "[::1]");
    }
}
