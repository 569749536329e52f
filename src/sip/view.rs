//! Borrowed views of the host's messages.

use bytes::Bytes;

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

/// The known fields of a message, in order.
#[derive(Debug, Clone)]
struct Fields<'a> {
    list: Vec<(HeaderName, &'a str)>,
    /// The bits of the names that stand in `list`.
    present: u64,
    overlong: bool,
    malformed: bool,
}

impl<'a> Fields<'a> {
    fn new<I>(fields: I) -> Self
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let mut this = Self {
            list: Vec::with_capacity(USUAL_FIELDS),
            present: 0,
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
            this.present |= name.bit();
            this.list.push((name, value));
        }
        this
    }

    fn has(&self, name: HeaderName) -> bool {
        self.present & name.bit() != 0
    }

    fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a str> + '_ {
        // An absent name costs one test.
        let list = if self.has(name) {
            self.list.as_slice()
        } else {
            &[]
        };
        list.iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| *value)
    }

    fn single(&self, name: HeaderName) -> Result<Option<&'a str>, HeaderError> {
        let mut values = self.values(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(HeaderError::Repeated { name }),
        }
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
            self.fields.values(name).next()
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
        } else if !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
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
