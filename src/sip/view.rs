//! Borrowed views of the host's messages.

use bytes::Bytes;

use super::byte_set::ByteSet;
use super::{HeaderError, HeaderName, grammar};

/// Known fields that a view keeps; more are dropped.
///
/// Far above what proxies add (a Via and a Record-Route a hop, 70 hops at most), low enough that
/// looking through them all costs little.
pub const MAX_FIELDS: usize = 256;
/// Octets of one field value that a view keeps; a longer field is dropped.
///
/// The longest legal values in use are credentials and certificates' URIs, a few KiB.
pub const MAX_FIELD_LEN: usize = 16 * 1024;
/// Octets of all field values of a view together; fields beyond are dropped.
///
/// As much as fits into the largest UDP datagram.
pub const MAX_FIELDS_LEN: usize = 64 * 1024;
/// Octets of the Request-URI; a longer one is taken as empty.
pub const MAX_URI_LEN: usize = 8 * 1024;

/// Room for an ordinary SUBSCRIBE that came over a few proxies.
const USUAL_FIELDS: usize = 16;

static GRAPHIC: ByteSet = ByteSet::GRAPHIC;

/// The known fields of a message, in order.
#[derive(Debug, Clone)]
struct Fields<'a> {
    list: Vec<(HeaderName, &'a str)>,
    /// The bits of the names that stand in `list`, and of those that stand there several times.
    present: u64,
    repeated: u64,
    /// Where in `list` a name that is present stands first.
    first: [u8; HeaderName::COUNT],
    overlong: bool,
    malformed: bool,
}

// An index into the list fits into an octet.
const _: () = assert!(MAX_FIELDS <= 256);

impl<'a> Fields<'a> {
    fn new<I>(fields: I) -> Self
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let fields = fields.into_iter();
        let most = fields.size_hint().1.unwrap_or(USUAL_FIELDS);
        let mut this = Self {
            list: Vec::with_capacity(most.min(USUAL_FIELDS)),
            present: 0,
            repeated: 0,
            first: [0; HeaderName::COUNT],
            overlong: false,
            malformed: false,
        };
        let mut total = 0_usize;
        for (name, value) in fields {
            let Some(name) = HeaderName::from_wire(name) else {
                continue;
            };
            let with_this = total.saturating_add(value.len());
            if this.list.len() == MAX_FIELDS
                || value.len() > MAX_FIELD_LEN
                || with_this > MAX_FIELDS_LEN
            {
                this.overlong = true;
                continue;
            }
            // A line break that is no folding would become a header field of its own when the
            // value is copied into another message.
            if !grammar::is_field_text(value) {
                this.malformed = true;
                continue;
            }
            total = with_this;
            this.push(name, value);
        }
        this
    }

    fn push(&mut self, name: HeaderName, value: &'a str) {
        if self.has(name) {
            self.repeated |= name.bit();
        } else if let (Some(first), Ok(at)) = (
            self.first.get_mut(name.index()),
            u8::try_from(self.list.len()),
        ) {
            *first = at;
        }
        self.present |= name.bit();
        self.list.push((name, value));
    }

    fn has(&self, name: HeaderName) -> bool {
        self.present & name.bit() != 0
    }

    /// The fields from the first of this name on.
    fn starting_with(&self, name: HeaderName) -> &[(HeaderName, &'a str)] {
        let first = self.first.get(name.index()).filter(|_| self.has(name));
        first
            .and_then(|at| self.list.get(usize::from(*at)..))
            .unwrap_or_default()
    }

    fn first(&self, name: HeaderName) -> Option<&'a str> {
        self.starting_with(name).first().map(|(_, value)| *value)
    }

    fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a str> + '_ {
        let list = self.starting_with(name).iter();
        list.filter(move |(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    fn single(&self, name: HeaderName) -> Result<Option<&'a str>, HeaderError> {
        if self.repeated & name.bit() != 0 {
            return Err(HeaderError::Repeated { name });
        }
        Ok(self.first(name))
    }

    fn required(&self, name: HeaderName) -> Result<&'a str, HeaderError> {
        self.single(name)?.ok_or(HeaderError::Missing { name })
    }
}

macro_rules! field_access {
    () => {
        /// The body; empty when the message has none.
        pub fn body(&self) -> &'a Bytes {
            self.body
        }

        /// The values of each field of this name, in order and untouched; each may hold a list
        /// with commas, and folding where the host left it.
        pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a str> + '_ {
            self.fields.values(name)
        }

        /// Whether there is a field of this name.
        pub fn has(&self, name: HeaderName) -> bool {
            self.fields.has(name)
        }

        /// The value of the first field of this name.
        pub fn first(&self, name: HeaderName) -> Option<&'a str> {
            self.fields.first(name)
        }

        /// The value of a field that may stand once at most.
        ///
        /// # Errors
        /// [`HeaderError::Repeated`] when the field stands several times.
        pub fn single(&self, name: HeaderName) -> Result<Option<&'a str>, HeaderError> {
            self.fields.single(name)
        }

        /// The value of a field that must stand exactly once.
        ///
        /// # Errors
        /// [`HeaderError::Missing`] without the field, [`HeaderError::Repeated`] when it stands
        /// several times.
        pub fn required(&self, name: HeaderName) -> Result<&'a str, HeaderError> {
            self.fields.required(name)
        }

        /// Whether something went beyond [`MAX_FIELDS`], [`MAX_FIELD_LEN`], [`MAX_FIELDS_LEN`] or
        /// [`MAX_URI_LEN`] and was dropped. Such a request is refused.
        pub fn is_overlong(&self) -> bool {
            self.fields.overlong
        }

        /// Whether something was dropped because it held a control character, NUL, or a line break
        /// that is no folding; no message parsed from the wire does. Such a request is refused.
        pub fn is_malformed(&self) -> bool {
            self.fields.malformed
        }
    };
}

/// A request that came in, lent by the host for the time of a call.
///
/// ```
/// use bytes::Bytes;
/// use presentity::sip::{HeaderName, RequestRef};
///
/// let body = Bytes::new();
/// let fields = [("f", "<sip:ann@example.com>;tag=1"), ("Event", "presence"), ("Subject", "hello")];
/// let request = RequestRef::new("SUBSCRIBE", "sip:bea@example.com", fields, &body);
/// assert_eq!(request.first(HeaderName::From), Some("<sip:ann@example.com>;tag=1"));
/// assert_eq!(request.single(HeaderName::Event), Ok(Some("presence")));
/// ```
#[derive(Debug, Clone)]
pub struct RequestRef<'a> {
    method: &'a str,
    uri: &'a str,
    fields: Fields<'a>,
    body: &'a Bytes,
}

impl<'a> RequestRef<'a> {
    /// A view of a request: its method, Request-URI, header fields as name (long or compact) and
    /// value, and body.
    ///
    /// Nothing is copied; fields that this library has no use for are skipped. A method that is
    /// no token, and a URI with characters that no URI has, are taken as empty, with
    /// [`is_malformed`](Self::is_malformed) set.
    pub fn new<I>(method: &'a str, uri: &'a str, fields: I, body: &'a Bytes) -> Self
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let mut fields = Fields::new(fields);
        let method = if grammar::is_token(method) {
            method
        } else {
            fields.malformed = true;
            ""
        };
        let uri = if uri.len() > MAX_URI_LEN {
            fields.overlong = true;
            ""
        } else if !GRAPHIC.covers(uri) {
            fields.malformed = true;
            ""
        } else {
            uri
        };
        Self {
            method,
            uri,
            fields,
            body,
        }
    }

    /// The method, as it stands (methods have a case).
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The fields that are known, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (HeaderName, &'a str)> + '_ {
        self.fields.list.iter().copied()
    }

    /// The Request-URI.
    pub fn uri(&self) -> &'a str {
        self.uri
    }

    field_access!();
}

/// A response that came in, lent by the host for the time of a call.
#[derive(Debug, Clone)]
pub struct ResponseRef<'a> {
    status: u16,
    fields: Fields<'a>,
    body: &'a Bytes,
}

impl<'a> ResponseRef<'a> {
    /// A view of a response: its status code, header fields as name (long or compact) and value,
    /// and body.
    pub fn new<I>(status: u16, fields: I, body: &'a Bytes) -> Self
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        Self {
            status,
            fields: Fields::new(fields),
            body,
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    field_access!();
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn view<'a>(fields: &[(&'a str, &'a str)], body: &'a Bytes) -> RequestRef<'a> {
        RequestRef::new(
            "SUBSCRIBE",
            "sip:ann@example.com",
            fields.iter().copied(),
            body,
        )
    }

    #[test]
    fn fields_are_found_by_any_of_their_names_in_order() {
        let body = Bytes::from_static(b"x");
        let request = view(
            &[
                ("v", "first"),
                ("X-Private", "no"),
                ("VIA", "second"),
                ("via", "third, fourth"),
                ("Expires ", " 600 "),
            ],
            &body,
        );
        let vias: Vec<_> = request.values(HeaderName::Via).collect();
        assert_eq!(vias, ["first", "second", "third, fourth"]);
        assert_eq!(request.first(HeaderName::Via), Some("first"));
        assert_eq!(request.single(HeaderName::Expires), Ok(Some(" 600 ")));
        assert_eq!(request.single(HeaderName::Event), Ok(None));
        assert!(request.has(HeaderName::Via) && !request.has(HeaderName::To));
        assert_eq!(
            (request.method(), request.uri()),
            ("SUBSCRIBE", "sip:ann@example.com")
        );
        assert_eq!(request.body().as_ref(), b"x");
        assert!(!request.is_overlong() && !request.is_malformed());
    }

    #[test]
    fn what_must_stand_once_is_told_from_what_stands_twice_or_not_at_all() {
        let body = Bytes::new();
        let request = view(
            &[("Event", "presence"), ("o", "presence"), ("To", "x")],
            &body,
        );
        let name = HeaderName::Event;
        assert_eq!(request.single(name), Err(HeaderError::Repeated { name }));
        assert_eq!(request.required(name), Err(HeaderError::Repeated { name }));
        let name = HeaderName::From;
        assert_eq!(request.required(name), Err(HeaderError::Missing { name }));
        assert_eq!(request.required(HeaderName::To), Ok("x"));
    }

    #[test]
    fn responses_are_viewed_alike() {
        let body = Bytes::new();
        let response = ResponseRef::new(423, [("min-expires", "90")], &body);
        assert_eq!(response.status(), 423);
        assert_eq!(response.required(HeaderName::MinExpires), Ok("90"));
        assert!(response.body().is_empty());
    }

    #[test]
    fn beyond_the_limits_fields_are_dropped_and_that_is_told() {
        let body = Bytes::new();
        let many = vec![("Via", "x"); MAX_FIELDS];
        assert!(!view(&many, &body).is_overlong());
        let more = vec![("Via", "x"); MAX_FIELDS + 1];
        let request = view(&more, &body);
        assert!(request.is_overlong());
        assert_eq!(request.values(HeaderName::Via).count(), MAX_FIELDS);
        // Fields without a use do not count.
        let foreign = vec![("X-Any", "x"); 100_000];
        assert!(!view(&foreign, &body).is_overlong());

        let longest = "x".repeat(MAX_FIELD_LEN);
        assert!(!view(&[("To", &longest)], &body).is_overlong());
        let longer = "x".repeat(MAX_FIELD_LEN + 1);
        let request = view(&[("To", &longer), ("From", "x")], &body);
        assert!(request.is_overlong() && !request.has(HeaderName::To));
        assert!(request.has(HeaderName::From));

        let full = [("Via", longest.as_str()); 4];
        assert!(!view(&full, &body).is_overlong());
        let over = [&full[..], &[("To", "x")]].concat();
        let request = view(&over, &body);
        assert!(request.is_overlong() && !request.has(HeaderName::To));

        let uri = "x".repeat(MAX_URI_LEN);
        assert!(!RequestRef::new("NOTIFY", &uri, [], &body).is_overlong());
        let uri = uri + "x";
        let request = RequestRef::new("NOTIFY", &uri, [], &body);
        assert!(request.is_overlong());
        assert_eq!(request.uri(), "");
    }

    #[test]
    fn what_could_become_a_field_of_its_own_is_dropped_and_that_is_told() {
        let body = Bytes::new();
        for value in [
            "a\r\nEvil: b",
            "a\nb",
            "a\rb",
            "a\r\n",
            "a\r\n\r\n b",
            "\0",
            "a\u{1}",
            "a\u{7f}",
            "\n b",
            "a\r",
            "a\r\n\t\r\nb",
        ] {
            let request = view(&[("Via", value), ("To", "x")], &body);
            assert!(request.is_malformed(), "{value:?}");
            assert!(!request.has(HeaderName::Via) && request.has(HeaderName::To));
        }
        for value in [
            "",
            "a\tb",
            "a\r\n b",
            "a\r\n\tb",
            "a \r\n  b\r\n c",
            "é\u{85}",
        ] {
            assert!(!view(&[("Via", value)], &body).is_malformed(), "{value:?}");
        }
        for (method, uri) in [
            ("NOTIFY ", "sip:a@b"),
            ("", "sip:a@b"),
            ("A\r\nB", "sip:a@b"),
            ("NOTIFY", "sip:a b"),
            ("NOTIFY", "sip:a\r\n b"),
            ("NOTIFY", "sip:ä@b"),
        ] {
            assert!(
                RequestRef::new(method, uri, [], &body).is_malformed(),
                "{method:?} {uri:?}"
            );
        }
    }
}
