//! The operator's API on its listener, always of the configuration in force.

use super::super::operator::local;
use super::refusal;
use crate::admin::{Admin, BODY_LIMIT, Transport};
use crate::gateway::{Plan, Shared};
use crate::http1::exchange::{CollectError, Exchange, Outcome};
use crate::http1::head::HeadError;
use crate::http1::stream::Peer;
use crate::server::Service;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What answers on the operator's listener.
pub(super) struct AdminService {
    shared: Arc<Shared>,
    transport: Transport,
    current: RefCell<(Arc<Plan>, Rc<Admin>)>,
}

impl AdminService {
    /// The service of the calling thread.
    pub(super) fn new(shared: Arc<Shared>, transport: Transport) -> Self {
        let plan = shared.plan.load_full();
        let admin = Rc::new(over(&plan, &shared));
        Self { shared, transport, current: RefCell::new((plan, admin)) }
    }

    fn admin(&self) -> Rc<Admin> {
        let plan = self.shared.plan.load();
        let mut current = self.current.borrow_mut();
        if !Arc::ptr_eq(&plan, &current.0) {
            *current = (Arc::clone(&plan), Rc::new(over(&plan, &self.shared)));
        }
        Rc::clone(&current.1)
    }
}

fn over(plan: &Arc<Plan>, shared: &Shared) -> Admin {
    local::over(plan, shared.store.clone(), Arc::clone(&shared.cache), Arc::clone(&shared.throttle))
}

impl Service for AdminService {
    async fn serve(&self, exchange: &mut Exchange<'_>) -> Outcome {
        let response = match exchange.collect(BODY_LIMIT).await {
            Ok(body) => match request(exchange, body) {
                Some(request) => self.admin().handle(request, self.transport).await,
                None => refusal(StatusCode::BAD_REQUEST),
            },
            Err(CollectError::TooLarge) => refusal(StatusCode::PAYLOAD_TOO_LARGE),
            Err(CollectError::Stalled) => refusal(StatusCode::REQUEST_TIMEOUT),
            Err(CollectError::Body(_)) => refusal(StatusCode::BAD_REQUEST),
        };
        exchange.respond(response).await
    }

    fn refuse(&self, _: HeadError, _: &Peer) -> Response<Bytes> {
        refusal(StatusCode::BAD_REQUEST)
    }
}

fn request(exchange: &Exchange<'_>, body: Vec<u8>) -> Option<Request<Bytes>> {
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::from_bytes(exchange.request.method().as_bytes()).ok()?;
    *request.uri_mut() = Uri::try_from(exchange.request.target()).ok()?;
    for field in exchange.request.fields() {
        let name = HeaderName::from_bytes(field.name).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(request)
}
