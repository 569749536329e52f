//! What is asked of the host: to fetch by http, and to read certificates.

use core::fmt;

use bytes::Bytes;

use crate::engine::Timestamp;
use crate::engine::slab::Key;
use crate::mime::{CertificateError, CertificateInfo, ReadCertificate};

/// Names a fetch while it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchKey(pub(super) Key);

/// The wish to have a URL fetched by GET, with nothing of the user in the request: no cookies, no
/// credentials, no Referer. Redirections are not to be followed but reported.
///
/// The URL stood in a document that somebody else wrote, or was named by the server before. It was
/// checked by [`WebRules`](super::WebRules); that the address its name resolves to is none of the host's
/// own network is the host's to check, and to answer [`FetchFailure::Refused`] if it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetch {
    /// Names it in `complete_fetch` and `fail_fetch`.
    pub key: FetchKey,
    /// The URL, of https or http.
    pub url: String,
    /// The value of Accept.
    pub accept: &'static str,
    /// Octets of the body that are taken; a longer one need not be read to its end.
    pub max_len: usize,
    /// When the answer is not waited for any more.
    pub deadline: Timestamp,
}

/// The answer to a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchResponse {
    /// The status code.
    pub status: u16,
    /// The value of Content-Type.
    pub content_type: Option<String>,
    /// The value of Location.
    pub location: Option<String>,
    /// The seconds of Retry-After.
    pub retry_after: Option<u32>,
    /// The body, without the encodings that it was transferred in.
    pub body: Bytes,
}

impl FetchResponse {
    /// An answer with a body, which may be empty.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: None,
            location: None,
            retry_after: None,
            body: body.into(),
        }
    }

    /// With its Content-Type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// With its Location.
    #[must_use]
    pub fn with_location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }
}

/// Why a fetch has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FetchFailure {
    /// Nobody there was reached.
    #[error("not reached")]
    Unreachable,
    /// The server did not prove who it is.
    #[error("the server is not who it should be")]
    Untrusted,
    /// No answer came in time.
    #[error("no answer in time")]
    Timeout,
    /// The body is longer than what is taken.
    #[error("longer than what is taken")]
    TooLarge,
    /// The host does not ask there.
    #[error("refused by the host")]
    Refused,
}

/// Names the reading of a certificate while it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InspectionKey(pub(super) Key);

/// How octets hold a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CertificateForm {
    /// One certificate in DER.
    Der,
    /// A CMS object with certificates alone (RFC 8551 section 3.8): the host takes the one that is the
    /// user's, and the others as what may lead to an authority.
    Bundle,
}

/// The wish to have a certificate read, its chain and revocation looked at.
///
/// Its octets come from outside and may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Names it in `complete_inspection`.
    pub key: InspectionKey,
    /// The octets.
    pub certificate: Bytes,
    /// What they are.
    pub form: CertificateForm,
    /// When the answer is not waited for any more.
    pub deadline: Timestamp,
}

impl Inspection {
    /// Has it read by the host's implementation, as the argument of `complete_inspection`.
    ///
    /// # Errors
    /// What the reader says; [`CertificateError::Unsupported`] for a bundle.
    pub fn read_with(
        &self,
        reader: &dyn ReadCertificate,
    ) -> Result<CertificateInfo, CertificateError> {
        match self.form {
            CertificateForm::Der => reader.read_certificate(&self.certificate, &[]),
            CertificateForm::Bundle => Err(CertificateError::Unsupported),
        }
    }
}

impl fmt::Display for FetchKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}.{}", self.0.index, self.0.generation)
    }
}

impl fmt::Display for InspectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "i{}.{}", self.0.index, self.0.generation)
    }
}
