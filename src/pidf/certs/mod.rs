//! The capability `certs`: that signalling with a presentity can be secured by S/MIME, and where
//! its certificate is (draft-schubert-simple-pidf-cert-00).
//!
//! [`Certs`] stands at the end of the capabilities of a service,
//! [`Servcaps`](super::caps::Servcaps). The draft leaves its namespace and schema open; the
//! namespace written here is [`namespace::CERTS`], and `urn:ietf:params:xml:ns:pidf:certs` is read
//! too, as are stanzas in other places of a tuple.
//!
//! ```
//! use presentity::pidf::caps::Servcaps;
//! use presentity::pidf::certs::{CertificateSource, Certs};
//! use presentity::pidf::{Presence, Tuple};
//!
//! let caps = Servcaps::new().with_message(true).with_certs(Certs::new());
//! let phone = Tuple::open("phone").with_contact("sip:dora@example.com").with(&caps)?;
//! let document = Presence::new("pres:dora@example.com").with_tuple(phone);
//!
//! assert!(document.secure_signalling());
//! assert_eq!(
//!     document.certificate_sources(&document.tuples[0]),
//!     [CertificateSource::Subscribe { uri: "sip:dora@example.com".to_owned() }]
//! );
//! # Ok::<(), presentity::pidf::ValueError>(())
//! ```
//!
//! # What may be believed
//!
//! The capability is a hint (RFC 5196, 1.2). Its absence says nothing about S/MIME (RFC 4479,
//! 3.6), and a watcher may disregard it. Whoever can alter a document can point `src`, or the
//! contact, at a place of his own, so **a certificate that came from there is not the presentity's
//! for that reason alone**: it is bound to the URI that was asked (RFC 6072, 10.3), and may be used
//! for the presentity only when that URI is one of those that the watcher knows the presentity by,
//! when a trusted authority vouches for such a URI in it, or when the presentity or its domain
//! protected the document itself.

mod sources;
mod stanza;

pub use sources::CertificateSource;
pub(super) use stanza::check_source;
pub use stanza::{Certs, CertsFault};

use crate::xml::namespace;

/// A name that nobody registered, but that somebody may have guessed.
const GUESSED_NAMESPACE: &str = "urn:ietf:params:xml:ns:pidf:certs";

/// Whether the namespace is that of the stanza, or taken for it.
pub(super) fn is_certs(namespace: &str) -> bool {
    matches!(namespace, namespace::CERTS | GUESSED_NAMESPACE)
}

#[cfg(test)]
mod fixtures {
    use crate::xml::{Element, XmlLimits};

    /// The element that is written so; `x`, `p`, `g` and `c` are prefixes.
    pub(super) fn element(document: &str) -> Element {
        let prefixes = "xmlns='urn:ietf:id:schubert-simple-pidf-cert-00' xmlns:x='urn:example:x' \
                        xmlns:p='urn:ietf:params:xml:ns:pidf' \
                        xmlns:g='urn:ietf:params:xml:ns:pidf:certs' \
                        xmlns:c='urn:ietf:params:xml:ns:pidf:caps'";
        let at = document.find(['/', '>', ' ']).unwrap();
        let (name, rest) = document.split_at(at);
        let document = format!("{name} {prefixes} {rest}");
        Element::read(document.as_bytes(), &XmlLimits::default()).unwrap()
    }
}
