//! On whose behalf requests leave, and by which way.

use super::dialog::may_be_target;
use super::server::added_fields;
use crate::engine::FlowId;
use crate::sip::{Contacts, HeadWriter, HeaderName, ResponseRef, Tag, Uri};
use std::sync::Arc;

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
pub struct Account(Arc<Parts>);

/// Shared by all that is asked for on behalf of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    from: String,
    contact: Option<String>,
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
    /// The text is no SIP URI that requests can be sent to (RFC 3261 section 8.1.1.8).
    #[error("{text:?} is no SIP URI to be reached by")]
    Contact {
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
        Ok(Self(Arc::new(Parts {
            from: from.to_owned(),
            contact: None,
            routes: Vec::new(),
            flow: None,
            fields: String::new(),
        })))
    }

    fn parts(&mut self) -> &mut Parts {
        Arc::make_mut(&mut self.0)
    }

    /// The account with the URI by which requests of others reach it, a GRUU where there is one (RFC
    /// 6665 section 4.5.1), a sips URI for those who are watched by one. A subscription needs it, a
    /// publication does not.
    ///
    /// # Errors
    /// [`InvalidAccount::Contact`].
    pub fn with_contact(mut self, uri: &str) -> Result<Self, InvalidAccount> {
        if !may_be_target(uri) {
            return Err(InvalidAccount::Contact {
                text: uri.to_owned(),
            });
        }
        self.parts().contact = Some(uri.to_owned());
        Ok(self)
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
        self.parts().routes.push(uri.to_owned());
        Ok(self)
    }

    /// The account with the connection that its requests leave by, as long as the host has it
    /// (RFC 5626).
    #[must_use]
    pub fn with_flow(mut self, flow: FlowId) -> Self {
        self.parts().flow = Some(flow);
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
        self.parts().fields.push_str(&line);
        Ok(self)
    }

    /// The URI of From.
    pub fn uri(&self) -> &str {
        &self.0.from
    }

    /// The URI by which requests of others reach it.
    pub fn contact(&self) -> Option<&str> {
        self.0.contact.as_deref()
    }

    /// The proxy that requests outside dialogs go to first.
    pub(super) fn first_route(&self) -> Option<&str> {
        self.0.routes.first().map(String::as_str)
    }

    pub(super) fn flow(&self) -> Option<FlowId> {
        self.0.flow
    }

    /// Octets of it in a request, about.
    pub(super) fn len(&self) -> usize {
        let parts = &*self.0;
        let routes: usize = parts.routes.iter().map(|route| route.len() + 12).sum();
        let contact = parts.contact.as_ref().map_or(0, String::len);
        parts.from.len() + contact + routes + parts.fields.len()
    }

    /// Begins the head of a request (RFC 3261 sections 8.1.1 and 12.2.1.1); `more` is whole lines.
    /// Nothing when the URI is too long.
    pub(super) fn head(
        &self,
        writer: &mut HeadWriter,
        method: &str,
        request_uri: &str,
        names: &Names<'_>,
        more: &str,
    ) -> Option<()> {
        writer.begin(method, request_uri)?;
        for part in ["From: <", self.uri(), ">;tag=", names.from_tag.as_str()] {
            writer.push(part);
        }
        for part in ["\r\nTo: <", names.to, ">"] {
            writer.push(part);
        }
        if let Some(dialog) = names.dialog {
            writer.push(";tag=");
            writer.push(dialog.remote_tag);
        }
        for part in ["\r\nCall-ID: ", names.call_id.as_str(), "\r\n"] {
            writer.push(part);
        }
        let mut route = |uri: &str| {
            for part in ["Route: <", uri, ">\r\n"] {
                writer.push(part);
            }
        };
        match names.dialog {
            Some(dialog) => dialog.routes.iter().for_each(|uri| route(uri)),
            None => self.0.routes.iter().for_each(|uri| route(uri)),
        }
        writer.push(more);
        writer.push(&self.0.fields);
        Some(())
    }
}

/// Whether a URI demands TLS on each hop (RFC 3261 section 26.2.2).
pub(super) fn is_sips(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("sips")
}

/// Whether the hop that a URI of a route leads to is one of TLS.
pub(super) fn is_secure_hop(uri: &str) -> bool {
    match Uri::parse(uri) {
        Ok(Uri::Sip(parsed)) => {
            let transport = parsed.params().get("transport").flatten();
            parsed.is_sips() || transport.is_some_and(|it| it.eq_ignore_ascii_case("tls"))
        }
        _ => false,
    }
}

/// Targets that a 3xx names for a resource, best first, without the one that it came from (RFC 3261
/// section 8.1.3.4).
pub(super) fn redirections<'a>(
    response: &ResponseRef<'a>,
    resource: &str,
    from: &str,
) -> Vec<&'a str> {
    let contacts = Contacts::parse(response.values(HeaderName::Contact));
    let Ok(Contacts::List(mut contacts)) = contacts else {
        return Vec::new();
    };
    contacts.sort_by_key(|contact| core::cmp::Reverse(contact.quality()));
    let uris = contacts.iter().map(|contact| contact.uri());
    // What is to be secure is not to be led astray.
    let secure = is_sips(resource);
    uris.filter(|uri| may_be_target(uri) && *uri != from && (!secure || is_sips(uri)))
        .collect()
}

/// What names a request, or several in a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) from_tag: Tag,
    pub(super) to: &'a str,
    pub(super) call_id: Tag,
    /// Within a dialog, what that adds.
    pub(super) dialog: Option<InDialog<'a>>,
}

/// The part of a dialog that its peer made.
#[derive(Debug, Clone, Copy)]
pub(super) struct InDialog<'a> {
    pub(super) remote_tag: &'a str,
    pub(super) routes: &'a [&'a str],
}

/// The next hop that a URI leads to, without what tells users apart.
pub(super) fn hop_of(uri: &str) -> String {
    match Uri::parse(uri) {
        Ok(Uri::Sip(uri)) => {
            let param = |name| uri.params().get(name).flatten().unwrap_or_default();
            let scheme = if uri.is_sips() { "sips" } else { "sip" };
            let port = uri.port().unwrap_or_default();
            let (host, transport) = (uri.host(), param("transport"));
            format!("{scheme}:{host}:{port};{transport};{}", param("maddr")).to_lowercase()
        }
        _ => uri.rsplit('@').next().unwrap_or(uri).to_lowercase(),
    }
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
