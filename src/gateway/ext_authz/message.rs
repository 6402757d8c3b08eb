//! The messages of `envoy.service.auth.v3`, as far as a decision needs them. Text is taken as octets:
//! what is no UTF-8 is refused where it is read, not with the whole message.

use prost::{Message, Oneof};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// `envoy.service.auth.v3.CheckRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    attributes: Option<AttributeContext>,
}

/// `envoy.service.auth.v3.AttributeContext`.
#[derive(Clone, PartialEq, Message)]
struct AttributeContext {
    #[prost(message, optional, tag = "1")]
    source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    request: Option<AttributeRequest>,
}

/// `AttributeContext.Peer`.
#[derive(Clone, PartialEq, Message)]
struct Peer {
    #[prost(message, optional, tag = "1")]
    address: Option<Address>,
}

/// `envoy.config.core.v3.Address`.
#[derive(Clone, PartialEq, Message)]
struct Address {
    #[prost(message, optional, tag = "1")]
    socket_address: Option<SocketAddress>,
}

/// `envoy.config.core.v3.SocketAddress`.
#[derive(Clone, PartialEq, Message)]
struct SocketAddress {
    #[prost(bytes = "vec", tag = "2")]
    address: Vec<u8>,
}

/// `AttributeContext.Request`.
#[derive(Clone, PartialEq, Message)]
struct AttributeRequest {
    #[prost(message, optional, tag = "2")]
    http: Option<HttpRequest>,
}

/// `AttributeContext.HttpRequest`: a request as Envoy got it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HttpRequest {
    #[prost(bytes = "vec", tag = "2")]
    pub(super) method: Vec<u8>,
    #[prost(btree_map = "string, bytes", tag = "3")]
    headers: BTreeMap<String, Vec<u8>>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) path: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(super) host: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    pub(super) query: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    pub(super) fragment: Vec<u8>,
    #[prost(message, optional, tag = "13")]
    header_map: Option<HeaderMap>,
}

/// `envoy.config.core.v3.HeaderMap`.
#[derive(Clone, PartialEq, Message)]
struct HeaderMap {
    #[prost(message, repeated, tag = "1")]
    headers: Vec<HeaderValue>,
}

/// `envoy.config.core.v3.HeaderValue`.
#[derive(Clone, PartialEq, Message)]
struct HeaderValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    raw_value: Vec<u8>,
}

/// `envoy.service.auth.v3.CheckResponse`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<RpcStatus>,
    #[prost(oneof = "HttpResponse", tags = "2, 3")]
    http_response: Option<HttpResponse>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

#[derive(Clone, PartialEq, Oneof)]
enum HttpResponse {
    #[prost(message, tag = "2")]
    Denied(Denied),
    #[prost(message, tag = "3")]
    Permitted(Permitted),
}

/// `envoy.service.auth.v3.DeniedHttpResponse`: what the client gets.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Denied {
    #[prost(message, optional, tag = "1")]
    status: Option<HttpStatus>,
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
    #[prost(bytes = "vec", tag = "3")]
    body: Vec<u8>,
}

/// `envoy.type.v3.HttpStatus`.
#[derive(Clone, PartialEq, Message)]
struct HttpStatus {
    #[prost(int32, tag = "1")]
    code: i32,
}

/// `envoy.service.auth.v3.OkHttpResponse`: what becomes of the request.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Permitted {
    #[prost(message, repeated, tag = "2")]
    headers: Vec<HeaderValueOption>,
    #[prost(string, repeated, tag = "5")]
    headers_to_remove: Vec<String>,
    #[prost(string, repeated, tag = "8")]
    query_parameters_to_remove: Vec<String>,
}

/// `envoy.config.core.v3.HeaderValueOption`.
#[derive(Clone, PartialEq, Message)]
struct HeaderValueOption {
    #[prost(message, optional, tag = "1")]
    header: Option<HeaderValue>,
    #[prost(message, optional, tag = "2")]
    append: Option<BoolValue>,
}

/// `google.protobuf.BoolValue`.
#[derive(Clone, PartialEq, Message)]
struct BoolValue {
    #[prost(bool, tag = "1")]
    value: bool,
}

impl CheckRequest {
    /// Who sent the described request.
    pub(super) fn client(&self) -> Option<IpAddr> {
        let address = self.attributes.as_ref()?.source.as_ref()?.address.as_ref()?.socket_address.as_ref()?;
        std::str::from_utf8(&address.address).ok()?.parse().ok().map(|address: IpAddr| address.to_canonical())
    }

    /// The described request.
    pub(super) fn http(self) -> Option<HttpRequest> {
        self.attributes?.request?.http
    }
}

impl HttpRequest {
    /// Its fields, named in lower case, with those of HTTP/2 that begin with a colon.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let joined = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let raw = self.header_map.iter().flat_map(|map| &map.headers);
        joined.chain(raw.map(|field| {
            let value = if field.raw_value.is_empty() { &field.value } else { &field.raw_value };
            (field.key.as_str(), value.as_slice())
        }))
    }
}

impl CheckResponse {
    /// The request goes on.
    pub(super) fn permitted(permitted: Permitted) -> Self {
        Self { status: Some(RpcStatus { code: 0 }), http_response: Some(HttpResponse::Permitted(permitted)) }
    }

    /// The request ends here.
    pub(super) fn denied(denied: Denied) -> Self {
        const PERMISSION_DENIED: i32 = 7;
        let status = Some(RpcStatus { code: PERMISSION_DENIED });
        Self { status, http_response: Some(HttpResponse::Denied(denied)) }
    }
}

impl Denied {
    pub(super) fn new<'f>(status: u16, fields: impl Iterator<Item = (&'f str, &'f [u8])>, body: &[u8]) -> Self {
        let status = Some(HttpStatus { code: i32::from(status) });
        Self { status, headers: set(fields), body: body.to_vec() }
    }
}

impl Permitted {
    /// `fields` replace the client's; `removed` and `parameters` are left out.
    pub(super) fn new<'f>(
        fields: impl Iterator<Item = (&'f str, &'f [u8])>,
        removed: Vec<String>,
        parameters: Vec<String>,
    ) -> Self {
        Self { headers: set(fields), headers_to_remove: removed, query_parameters_to_remove: parameters }
    }
}

/// Fields that stand once, whatever stood there before. Envoy takes an `append` that is there, and then
/// nothing else, for what to do; every version of it does.
fn set<'f>(fields: impl Iterator<Item = (&'f str, &'f [u8])>) -> Vec<HeaderValueOption> {
    let option = |(name, value): (&str, &[u8])| HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value: value.to_vec(), raw_value: Vec::new() }),
        append: Some(BoolValue { value: false }),
    };
    fields.map(option).collect()
}
