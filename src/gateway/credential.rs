//! Taking the token out of a request, wherever it stands (RFC 6750 section 2), and keeping every
//! token of ours from the upstream (design: "Tokens in odd places").

use super::failure::Failure;
use crate::enforce::bearer::{self, Credential, Methods};
use crate::enforce::decide::Permit;
use crate::http1::body::BodyLength;
use crate::http1::exchange::{CollectError, Exchange};
use crate::http1::head::Request;
use crate::proxy::forward::Body;
use crate::proxy::target::Target;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// More than one token, in one way or in two (R6750-2).
const REPEATED: &str = "The access token is sent more than once.";

/// A token as it was sent.
pub(super) enum Sent<'r> {
    Header(&'r [u8]),
    Form(Zeroizing<Vec<u8>>),
    Query(Zeroizing<Vec<u8>>),
}

impl Sent<'_> {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Header(token) => token,
            Self::Form(token) | Self::Query(token) => token,
        }
    }
}

/// A request without its token.
pub(super) struct Taken<'r> {
    /// The token; an error when the scheme is misused.
    pub(super) token: Result<Option<Sent<'r>>, Failure>,
    /// The query for the upstream.
    pub(super) query: Option<Cow<'r, str>>,
    /// What has been read of the body.
    pub(super) body: Read,
    /// A token of ours stands in an `Authorization` field.
    ours_in_header: bool,
    /// The body is a form that was not searched yet: the route takes no token there.
    unsearched: bool,
}

/// How much of the body has been read.
pub(super) enum Read {
    Nothing,
    /// The start, unchanged; the rest is still to come.
    Start(Vec<u8>),
    /// All of it, without its tokens.
    Whole(Vec<u8>),
}

impl Read {
    pub(super) fn as_body(&self) -> Body<'_> {
        match self {
            Self::Nothing => Body::Stream,
            Self::Start(start) => Body::Started(start),
            Self::Whole(content) => Body::Whole(content),
        }
    }
}

impl<'r> Taken<'r> {
    /// Takes the token out of the head and, where `methods` has the form, out of the body.
    pub(super) async fn from(
        exchange: &mut Exchange<'r>,
        target: &Target<'r>,
        methods: Methods,
        form_limit: usize,
    ) -> Result<Self, Failure> {
        let request = exchange.request;
        let mut taken = Self::from_head(&request, target, methods);
        if methods.form && is_form(&request) {
            taken.unsearched = false;
            Box::pin(taken.take_from_form(exchange, form_limit)).await?;
        }
        Ok(taken)
    }

    /// Takes the token out of the head alone.
    pub(super) fn from_head(request: &Request<'r>, target: &Target<'r>, methods: Methods) -> Self {
        let (header, ours_in_header) = from_header(request, methods.header);
        let mut taken = Self {
            token: header,
            query: None,
            body: Read::Nothing,
            ours_in_header,
            unsearched: is_plain_form(request),
        };
        taken.take_from_query(target, methods.query);
        taken
    }

    /// Whether the `Authorization` field is not the upstream's business: a token of ours stands in it, or
    /// the one that passed (PX-3).
    pub(super) fn strips_authorization(&self, permit: &Permit) -> bool {
        self.ours_in_header || (permit.identity().is_some() && matches!(self.token, Ok(Some(Sent::Header(_)))))
    }

    /// Whether a form was read.
    pub(super) const fn has_form(&self) -> bool {
        !matches!(self.body, Read::Nothing)
    }

    /// Whether the body is a form in which nobody has looked for a token.
    pub(super) const fn has_unsearched_form(&self) -> bool {
        self.unsearched
    }

    /// Removes tokens of ours from a small form on a route that takes none there. To be called once
    /// it is decided that the request passes.
    pub(super) async fn clean_form(&mut self, exchange: &mut Exchange<'r>, limit: usize) -> Result<(), Failure> {
        let announced_too_long =
            matches!(exchange.request.length(), BodyLength::Length(length) if length > limit as u64);
        if announced_too_long {
            return Ok(());
        }
        self.body = match read(exchange, limit).await? {
            Read::Whole(form) => match bearer::from_form(&form, false, true) {
                Ok(extracted) => Read::Whole(extracted.rest.unwrap_or(form)),
                Err(_) => Read::Whole(form),
            },
            unchanged @ (Read::Nothing | Read::Start(_)) => unchanged,
        };
        Ok(())
    }

    fn take_from_query(&mut self, target: &Target<'r>, enabled: bool) {
        let Some(query) = target.query() else { return };
        let extracted = bearer::from_query(query.as_bytes(), enabled);
        // The query is ASCII, and what is taken out are whole parameters.
        self.query = match extracted.rest.map(String::from_utf8) {
            None => Some(Cow::Borrowed(query)),
            Some(Ok(rest)) if rest.is_empty() => None,
            Some(Ok(rest)) => Some(Cow::Owned(rest)),
            Some(Err(_)) => None,
        };
        for token in extracted.tokens {
            self.add(Sent::Query(token));
        }
    }

    async fn take_from_form(&mut self, exchange: &mut Exchange<'r>, limit: usize) -> Result<(), Failure> {
        let request = exchange.request;
        let elsewhere = !matches!(self.token, Ok(None));
        let announced_too_long = matches!(request.length(), BodyLength::Length(length) if length > limit as u64);
        if !is_plain_form(&request) || announced_too_long {
            if elsewhere {
                return Ok(());
            }
            return Err(if announced_too_long { Failure::Body(CollectError::TooLarge) } else { Failure::Encoded });
        }
        self.body = read(exchange, limit).await?;
        let Read::Whole(form) = &mut self.body else {
            return if elsewhere { Ok(()) } else { Err(Failure::Body(CollectError::TooLarge)) };
        };
        match bearer::from_form(form, true, bearer::method_has_form(request.method())) {
            Err(error) => self.token = Err(Failure::Credential(error.0)),
            Ok(extracted) => {
                if let Some(rest) = extracted.rest {
                    *form = rest;
                }
                for token in extracted.tokens {
                    self.add(Sent::Form(token));
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, sent: Sent<'r>) {
        match &self.token {
            Ok(None) => self.token = Ok(Some(sent)),
            Ok(Some(_)) => self.token = Err(Failure::Credential(REPEATED)),
            Err(_) => {}
        }
    }
}

/// The token of the `Authorization` field, and whether any such field holds a token of ours.
fn from_header<'r>(request: &Request<'r>, enabled: bool) -> (Result<Option<Sent<'r>>, Failure>, bool) {
    let mut found = Ok(None);
    let mut ours = false;
    for (position, value) in request.values("authorization").enumerate() {
        ours |= bearer::holds_token(value);
        if !enabled {
            continue;
        }
        found = match bearer::authorization(value) {
            _ if position > 0 => Err(Failure::Credential("There is more than one Authorization field.")),
            Credential::Bearer(token) => Ok(Some(Sent::Header(token))),
            Credential::Other => Ok(None),
            Credential::Malformed => Err(Failure::Credential("The Authorization field holds no bearer token.")),
        };
    }
    (found, ours)
}

fn is_form(request: &Request<'_>) -> bool {
    request.length() != BodyLength::None && request.values("content-type").any(bearer::is_form)
}

/// A form without `Content-Encoding`.
fn is_plain_form(request: &Request<'_>) -> bool {
    is_form(request) && request.values("content-encoding").all(|coding| coding.eq_ignore_ascii_case(b"identity"))
}

/// Reads the body, `limit` octets at most, and keeps what was read when there is more.
async fn read(exchange: &mut Exchange<'_>, limit: usize) -> Result<Read, Failure> {
    let failed = |error| Failure::Body(CollectError::Body(error));
    exchange.send_continue().await.map_err(|error| failed(error.into()))?;
    let mut content = Vec::new();
    let stall = exchange.limits.body_timeout;
    loop {
        let piece = exchange.deadline.within(stall, exchange.body.next()).await;
        let piece = piece.map_err(|_| Failure::Body(CollectError::Stalled))?.map_err(failed)?;
        let Some(piece) = piece else { return Ok(Read::Whole(content)) };
        content.extend_from_slice(piece);
        if content.len() > limit {
            return Ok(Read::Start(content));
        }
    }
}
