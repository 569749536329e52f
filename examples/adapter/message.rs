//! Messages of the stack as the agent reads them, messages of the agent as the stack sends them.

use std::fmt::Write as _;

use bytes::Bytes;
use presentity::event::Failure;
use presentity::sip::{self, HeaderName, NameAddr, RequestRef, ResponseRef, split_list};
use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::uri::{Domain, Scheme};
use rsipstack::sip::{
    Header, Headers, Method, Request, Response, SipMessage, StatusCode, Uri, Version,
};
use rsipstack::transaction::Transaction;
use rsipstack::transaction::endpoint::MessageInspector;
use rsipstack::transport::SipAddr;

use super::Reply;
use super::forward::Passed;

/// A view of a request, borrowed from the stack's own.
pub(crate) fn request_ref<'a>(
    request: &'a Request,
    uri: &'a str,
    body: &'a Bytes,
) -> RequestRef<'a> {
    RequestRef::new(
        method_name(request.method),
        uri,
        fields(&request.headers),
        body,
    )
}

/// A view of a response, borrowed from the stack's own.
pub(crate) fn response_ref<'a>(response: &'a Response, body: &'a Bytes) -> ResponseRef<'a> {
    ResponseRef::new(response.status_code.code(), fields(&response.headers), body)
}

pub(crate) fn fields(headers: &Headers) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|header| (header.name(), header.value()))
}

/// The stack knows these methods and drops requests with any other one unanswered.
fn method_name(method: Method) -> &'static str {
    match method {
        Method::Ack => "ACK",
        Method::Bye => "BYE",
        Method::Cancel => "CANCEL",
        Method::Info => "INFO",
        Method::Invite => "INVITE",
        Method::Message => "MESSAGE",
        Method::Notify => "NOTIFY",
        Method::Options => "OPTIONS",
        Method::PRack => "PRACK",
        Method::Publish => "PUBLISH",
        Method::Refer => "REFER",
        Method::Register => "REGISTER",
        Method::Subscribe => "SUBSCRIBE",
        Method::Update => "UPDATE",
    }
}

/// Whether the Contact of the answer has to be a sips URI (RFC 3261 section 12.1.1): the Request-URI is
/// one, or the topmost Record-Route, or the Contact where there is no Record-Route.
pub(crate) fn demands_sips(request: &Request) -> bool {
    if request.uri.scheme == Some(Scheme::Sips) {
        return true;
    }
    let first = |name| {
        let mut fields = fields(&request.headers);
        let field = fields.find(|(known, _)| HeaderName::from_wire(known) == Some(name));
        field.and_then(|(_, value)| split_list(value).next())
    };
    first(HeaderName::RecordRoute)
        .or_else(|| first(HeaderName::Contact))
        .and_then(|value| NameAddr::parse(value).ok())
        .and_then(|address| address.uri().split_once(':'))
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("sips"))
}

/// A URI as it stood in the message.
///
/// The stack keeps the user part as it came, but escapes it when it writes it, so that `%40` would
/// become `%2540`.
pub(crate) fn uri_text(uri: &Uri) -> String {
    let mut text = String::with_capacity(64);
    if let Some(scheme) = &uri.scheme {
        let _ = write!(text, "{scheme}:");
    }
    if let Some(auth) = &uri.auth {
        text.push_str(&auth.user);
        if let Some(password) = &auth.password {
            let _ = write!(text, ":{password}");
        }
        text.push('@');
    }
    let _ = write!(text, "{}", uri.host_with_port);
    for param in &uri.params {
        let _ = write!(text, "{param}");
    }
    for (index, (name, value)) in uri.headers.iter().enumerate() {
        let _ = write!(text, "{}{name}={value}", if index == 0 { '?' } else { '&' });
    }
    text
}

/// A URI that the stack writes as it is, for the same reason.
///
/// Nothing reads its parts: where the request goes is told apart from it.
pub(crate) fn uri_as_is(text: &str) -> Uri {
    Uri {
        host_with_port: Domain::from(text).into(),
        ..Uri::default()
    }
}

/// A response of the agent's in the stack's type: Via, From, To, Call-ID and CSeq of the request,
/// and what the agent says.
pub(crate) fn response(response: &sip::Response, transaction: &Transaction) -> Response {
    let mut message = skeleton(transaction, response.status(), response.reason_phrase());
    if let Some(tag) = response.to_tag() {
        add_to_tag(&mut message, tag);
    }
    if response.copies_record_route() {
        let routes = transaction.original.headers.iter();
        let routes = routes
            .filter(|header| matches!(header, Header::RecordRoute(_)))
            .cloned();
        message.headers.extend(routes.collect());
    }
    let fields = response
        .fields()
        .map(|(name, value)| make_header(name, value.to_owned()));
    message.headers.extend(fields.collect());
    set_body(&mut message, response.body());
    message
}

/// A response of somebody else's to what was forwarded.
pub(crate) fn passed(passed: &Passed, transaction: &Transaction) -> Response {
    let mut message = skeleton(transaction, passed.status, "");
    message
        .headers
        .retain(|header| !matches!(header, Header::RecordRoute(_)));
    if let Some(tag) = &passed.to_tag {
        add_to_tag(&mut message, tag);
    }
    let fields = passed.fields.iter();
    let fields = fields.map(|(name, value)| make_header(name, value.clone()));
    message.headers.extend(fields.collect());
    set_body(&mut message, &passed.body);
    message
}

/// A response of the host's own.
pub(crate) fn reply(reply: &Reply, transaction: &Transaction) -> Response {
    let mut message = skeleton(transaction, reply.status, "");
    if let Ok(None) = transaction.original.to_header().and_then(|to| to.tag()) {
        let tag = rsipstack::transaction::make_tag();
        add_to_tag(&mut message, tag.value());
    }
    for (name, value) in &reply.fields {
        message.headers.push(make_header(name, value.clone()));
    }
    message
}

/// The usual words for a status code.
pub(crate) fn reason_phrase(status: u16) -> String {
    let status = StatusCode::try_from((status, "")).unwrap_or(StatusCode::ServerInternalError);
    status.text().to_owned()
}

fn add_to_tag(message: &mut Response, tag: &str) {
    for header in message.headers.iter_mut() {
        if let Header::To(to) = header {
            to.replace(format!("{};tag={tag}", to.value()));
        }
    }
}

fn skeleton(transaction: &Transaction, status: u16, reason: &str) -> Response {
    let status = StatusCode::try_from((status, reason)).unwrap_or(StatusCode::ServerInternalError);
    transaction
        .endpoint_inner
        .make_response(&transaction.original, status, None)
}

fn set_body(message: &mut Response, body: &Bytes) {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    message
        .headers
        .unique_push(Header::ContentLength(length.into()));
    message.body = body.to_vec();
}

/// A request of ours in the stack's type, from its method, URI, fields and body.
pub(crate) fn request<'f>(
    (method, uri): (&str, &str),
    via: Header,
    fields: impl Iterator<Item = (&'f str, &'f str)>,
    body: &Bytes,
) -> Option<Request> {
    let mut headers = vec![via];
    headers.extend(fields.map(|(name, value)| make_header(name, value.to_owned())));
    Some(Request {
        method: method.parse().ok()?,
        uri: uri_as_is(uri),
        version: Version::V2,
        headers: headers.into(),
        body: body.to_vec(),
    })
}

/// Marks the responses that the stack makes up when a request times out (408) or cannot be sent
/// (503): they lose their Via, without which no response comes from the network.
pub(crate) struct MarkLocal;

impl MessageInspector for MarkLocal {
    fn before_send(&self, message: SipMessage, _: Option<&SipAddr>) -> SipMessage {
        message
    }

    fn after_received(&self, message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        match message {
            SipMessage::Response(mut response) if from.is_none() => {
                response
                    .headers
                    .retain(|header| !matches!(header, Header::Via(_)));
                SipMessage::Response(response)
            }
            message => message,
        }
    }
}

/// The failure that a made-up response stands for.
pub(crate) fn local_failure(response: &Response) -> Option<Failure> {
    match response.via_header() {
        Ok(_) => None,
        Err(_) if response.status_code == StatusCode::RequestTimeout => Some(Failure::Timeout),
        Err(_) => Some(Failure::Transport),
    }
}
