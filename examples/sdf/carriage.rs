//! How documents travel in HTTP, beyond POST, Content-Type and status codes: the fields that say what
//! no document does.

use hyper::header::{HeaderName, HeaderValue};
use url::form_urlencoded;

/// In a request: the URL that takes the notifications.
pub(crate) const NOTIFY_TO: HeaderName = HeaderName::from_static("notify-to");
/// In an answer: the seconds granted. In a notification: those that are left; none for a fetch.
pub(crate) const DURATION: HeaderName = HeaderName::from_static("duration");
/// In a notification: From of the request.
pub(crate) const WATCHER: HeaderName = HeaderName::from_static("watcher");
/// In a notification: To of the request.
pub(crate) const PRESENTITY: HeaderName = HeaderName::from_static("presentity");
/// In a notification: the token, encoded as in a form, as it may have any character; none for a fetch.
pub(crate) const TOKEN: HeaderName = HeaderName::from_static("token");

pub(crate) fn encoded(token: &str) -> String {
    form_urlencoded::byte_serialize(token.as_bytes()).collect()
}

pub(crate) fn decoded(value: &str) -> String {
    let mut pairs = form_urlencoded::parse(value.as_bytes());
    pairs
        .next()
        .map(|(token, _)| token.into_owned())
        .unwrap_or_default()
}

/// A field of text that may have other characters than those of ASCII, but no control characters.
pub(crate) fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).ok()
}
