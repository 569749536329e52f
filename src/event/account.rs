//! On whose behalf requests leave, and by which way.

use super::dialog::may_be_target;
use super::server::added_fields;
use crate::engine::FlowId;
use crate::sip::{Head, HeadWriter, Tag, Uri};

/// Who asks and by which way: what all requests of one user have alike.
///
/// ```
/// use presentity::event::Account;
///
/// let account = Account::new("sip:dora@example.com")?
///     .with_route("sip:proxy.example.com;lr")?
///     .with_field("User-Agent", "Telephone/2.1")?;
/// # Ok::<(), presentity::event::InvalidAccount>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    from: String,
    routes: Vec<String>,
    flow: Option<FlowId>,
    /// Whole lines, each ended by CRLF.
    fields: String,
}

/// Something of an account that no request may carry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAccount {
    /// The text is no URI, or none that From may carry.
    #[error("{text:?} is no URI of a user")]
    Uri {
        /// The text.
        text: String,
    },
    /// The text is no SIP URI of a proxy that routes loosely, with `lr` (RFC 3261 section 16.12).
    #[error("{text:?} is no SIP URI with lr")]
    Route {
        /// The text.
        text: String,
    },
    /// The name is no token, the value has a control character, or the field is one that this
    /// library writes by itself.
    #[error("{name:?} is no header field that can be added")]
    Field {
        /// The name of the field.
        name: String,
    },
}

impl Account {
    /// An account whose From is this URI.
    ///
    /// # Errors
    /// [`InvalidAccount::Uri`].
    pub fn new(from: &str) -> Result<Self, InvalidAccount> {
        if !is_address(from) {
            return Err(InvalidAccount::Uri {
                text: from.to_owned(),
            });
        }
        Ok(Self {
            from: from.to_owned(),
            routes: Vec::new(),
            flow: None,
            fields: String::new(),
        })
    }

    /// The account with one more proxy that its requests outside dialogs go through: an outbound
    /// proxy, or a Service-Route (RFC 3608) in its order.
    ///
    /// # Errors
    /// [`InvalidAccount::Route`].
    pub fn with_route(mut self, uri: &str) -> Result<Self, InvalidAccount> {
        let loose = match Uri::parse(uri) {
            Ok(Uri::Sip(parsed)) => parsed.params().get("lr").is_some() && may_be_target(uri),
            _ => false,
        };
        if !loose {
            return Err(InvalidAccount::Route {
                text: uri.to_owned(),
            });
        }
        self.routes.push(uri.to_owned());
        Ok(self)
    }

    /// The account with the connection that its requests leave by, as long as the host has it
    /// (RFC 5626).
    #[must_use]
    pub fn with_flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// The account with a header field that each of its requests carries, such as User-Agent.
    ///
    /// # Errors
    /// [`InvalidAccount::Field`].
    pub fn with_field(mut self, name: &str, value: &str) -> Result<Self, InvalidAccount> {
        let line = added_fields(&[(name.to_owned(), value.to_owned())]);
        let of_ours = crate::sip::HeaderName::from_wire(name).is_some_and(is_of_ours);
        if line.is_empty() || of_ours {
            return Err(InvalidAccount::Field {
                name: name.to_owned(),
            });
        }
        self.fields.push_str(&line);
        Ok(self)
    }

    /// The URI of From.
    pub fn uri(&self) -> &str {
        &self.from
    }

    /// The proxy that requests outside dialogs go to first.
    pub(super) fn first_route(&self) -> Option<&str> {
        self.routes.first().map(String::as_str)
    }

    pub(super) fn flow(&self) -> Option<FlowId> {
        self.flow
    }

    /// Octets of it in a request, about.
    pub(super) fn len(&self) -> usize {
        let routes: usize = self.routes.iter().map(|route| route.len() + 12).sum();
        self.from.len() + routes + self.fields.len()
    }

    /// The head of requests outside dialogs (RFC 3261 section 8.1.1); `more` is whole lines. Nothing
    /// when the URI is too long.
    pub(super) fn head(
        &self,
        writer: &mut HeadWriter,
        method: &str,
        request_uri: &str,
        names: &Names<'_>,
        more: &str,
    ) -> Option<Head> {
        writer.begin(method, request_uri)?;
        let parts = [
            "From: <",
            &self.from,
            ">;tag=",
            names.from_tag.as_str(),
            "\r\nTo: <",
            names.to,
            ">\r\nCall-ID: ",
            names.call_id.as_str(),
            "\r\n",
        ];
        for part in parts {
            writer.push(part);
        }
        for route in &self.routes {
            for part in ["Route: <", route, ">\r\n"] {
                writer.push(part);
            }
        }
        writer.push(more);
        writer.push(&self.fields);
        Some(writer.finish())
    }
}

/// What names a request, or several in a row, outside dialogs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) from_tag: Tag,
    pub(super) to: &'a str,
    pub(super) call_id: Tag,
}

/// Whether the text is a URI as it stands in From, To or a Request-URI: between angle brackets and
/// without header fields.
pub(super) fn is_address(text: &str) -> bool {
    match Uri::parse(text) {
        Ok(Uri::Sip(uri)) => uri.headers().is_empty() && uri.params().get("method").is_none(),
        Ok(_) => !text.contains(['<', '>', '"', ' ']),
        Err(_) => false,
    }
}

/// Whether a request may name the text as its target: a SIP, pres or telephone URI.
pub(super) fn may_be_asked(text: &str) -> bool {
    let known = matches!(
        Uri::parse(text),
        Ok(Uri::Sip(_) | Uri::Pres(_) | Uri::Tel(_))
    );
    known && is_address(text)
}

/// Fields that are written here, or that the host adds to the whole message.
fn is_of_ours(name: crate::sip::HeaderName) -> bool {
    use crate::sip::HeaderName as H;
    !matches!(
        name,
        H::Supported | H::Allow | H::AllowEvents | H::Require | H::Date | H::Warning
    )
}
