//! Signatures, and what a host implements to make and check them.

use bytes::Bytes;
use time::OffsetDateTime;

use super::{MimeError, Part, Signed};
use crate::sip::{HeaderError, HeaderName, MediaType, Uri};

/// Octets that a protocol or the names of digests may have: twice what a part of a media type may
/// (RFC 6838 section 4.2), and the slash.
const MAX_NAME_LEN: usize = 255;

/// A detached signature: one that stands beside what it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    protocol: String,
    micalg: String,
    octets: Bytes,
}

impl Signature {
    /// A signature of the media type `protocol`, such as `application/pkcs7-signature`, made with
    /// the message digests `micalg`: `sha-256`, or several with commas between (RFC 5751 section
    /// 3.4.3.2). `octets` is the signature itself, not encoded for transfer.
    ///
    /// # Errors
    /// [`MimeError::MediaType`] when `protocol` is no media type, has parameters or more than 255
    /// octets; [`MimeError::DigestName`] when `micalg` is empty, has more than 255 octets or others
    /// than ASCII that can be seen, quotation marks and backslashes aside, and spaces.
    pub fn new(protocol: &str, micalg: &str, octets: impl Into<Bytes>) -> Result<Self, MimeError> {
        let media = MediaType::parse(protocol)?;
        let essence = format!("{}/{}", media.type_, media.subtype);
        let expected = if !media.params.is_empty() {
            Some("no parameters")
        } else if essence.len() > MAX_NAME_LEN {
            Some("at most 255 octets")
        } else {
            None
        };
        if let Some(expected) = expected {
            return Err(MimeError::MediaType(HeaderError::Malformed {
                name: Some(HeaderName::ContentType),
                offset: essence.len().min(MAX_NAME_LEN),
                expected,
            }));
        }
        let fits = |b: u8| (b == b' ' || b.is_ascii_graphic()) && !matches!(b, b'"' | b'\\');
        if !(1..=MAX_NAME_LEN).contains(&micalg.len()) || !micalg.bytes().all(fits) {
            return Err(MimeError::DigestName);
        }
        Ok(Self {
            protocol: essence,
            micalg: micalg.to_owned(),
            octets: octets.into(),
        })
    }

    /// The media type of the signature, `type/subtype`.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// The names of the message digests.
    pub fn micalg(&self) -> &str {
        &self.micalg
    }

    /// The signature itself.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }
}

/// Whether the certificate of a signer leads to somebody who is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chain {
    /// It leads to a trusted authority and is valid: not run out, not revoked as far as is known.
    Trusted,
    /// It does not, for the reason that is given, for people to read. The signature may be right all
    /// the same; a certificate that is known by other means, such as a fingerprint, comes out so too.
    Untrusted(String),
}

/// Who made a signature, as the certificate says.
///
/// ```
/// use presentity::mime::{Chain, Signer};
///
/// let signer = Signer::new(["sip:ana@example.com", "pres:ana@example.com"], Chain::Trusted);
/// assert!(signer.is_trusted());
/// assert_eq!(signer.names()[1], "pres:ana@example.com");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    names: Vec<String>,
    domains: Vec<String>,
    certificate: Option<Bytes>,
    chain: Chain,
    signing_time: Option<OffsetDateTime>,
}

impl Signer {
    /// A signer whose certificate has these URIs as subject alternative names (RFC 3261 section
    /// 23.1), as they stand there.
    pub fn new<N>(names: N, chain: Chain) -> Self
    where
        N: IntoIterator,
        N::Item: Into<String>,
    {
        Self {
            names: names.into_iter().map(Into::into).collect(),
            domains: Vec::new(),
            certificate: None,
            chain,
            signing_time: None,
        }
    }

    /// With these DNS names as subject alternative names, as certificates of SIP servers have them (RFC
    /// 5922 section 7.1).
    #[must_use]
    pub fn with_domains<N>(mut self, domains: N) -> Self
    where
        N: IntoIterator,
        N::Item: Into<String>,
    {
        self.domains = domains.into_iter().map(Into::into).collect();
        self
    }

    /// With the certificate itself, in DER.
    #[must_use]
    pub fn with_certificate(mut self, der: impl Into<Bytes>) -> Self {
        self.certificate = Some(der.into());
        self
    }

    /// With the time of signing that the signature covers, if it has one (RFC 5751 section 2.5.1).
    #[must_use]
    pub fn with_signing_time(mut self, time: OffsetDateTime) -> Self {
        self.signing_time = Some(time);
        self
    }

    /// The URIs that the certificate speaks for. They prove nothing unless the chain is
    /// [trusted](Self::is_trusted): anybody can make a certificate with any name.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The DNS names that the certificate speaks for, with the same reservation.
    pub fn domains(&self) -> &[String] {
        &self.domains
    }

    /// The certificate, in DER, where it is known.
    pub fn certificate(&self) -> Option<&Bytes> {
        self.certificate.as_ref()
    }

    /// Whether the certificate leads to somebody who is trusted.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Whether the chain is [`Chain::Trusted`].
    pub fn is_trusted(&self) -> bool {
        self.chain == Chain::Trusted
    }

    /// Whether the certificate is that of the authority of a domain (RFC 5922 section 7.1), to the letter:
    /// a wildcard is no name of it, neither is a domain above or below, and where the certificate has URIs
    /// of SIP its DNS names do not count.
    pub(crate) fn is_of_domain(&self, domain: &str) -> bool {
        let is_it = |host: &str| {
            let host = host.strip_suffix('.').unwrap_or(host);
            !host.is_empty() && host.eq_ignore_ascii_case(domain)
        };
        let mut sip = self
            .names
            .iter()
            .filter_map(|name| sip_host(name))
            .peekable();
        match sip.peek().is_some() {
            true => sip.any(|(is_domain, host)| is_domain && is_it(&host)),
            false => self.domains.iter().any(|host| is_it(host)),
        }
    }

    /// When it was signed, as the signer says.
    pub fn signing_time(&self) -> Option<OffsetDateTime> {
        self.signing_time
    }
}

/// Of a SIP URI in a certificate, whether it is one of a domain, and its host.
fn sip_host(name: &str) -> Option<(bool, String)> {
    match Uri::parse(name).ok()? {
        Uri::Sip(uri) => Some((uri.user().is_none(), uri.host().to_owned())),
        _ => None,
    }
}

/// Makes signatures with a key of its own.
pub trait Sign {
    /// Signs exactly these octets: an entity with its header, see [`Part::octets`](super::Part::octets).
    ///
    /// # Errors
    /// [`SignError`] when there is no key, or it cannot be used.
    fn sign(&self, content: &[u8]) -> Result<Signature, SignError>;
}

/// Checks signatures.
pub trait Verify {
    /// Who signed. `Ok` means that each of these signatures is right for exactly the octets of
    /// [`Signed::content`]; it says nothing of trust, which each [`Signer`] tells. There is at least
    /// one.
    ///
    /// The implementation undoes the transfer encoding of [`Signed::signature`]. It takes the digest
    /// from the signature, not from [`Signed::micalg`], which is not protected.
    ///
    /// # Errors
    /// [`VerifyError`]: then nothing is known of who sent it, and its content is not to be used.
    fn verify(&self, signed: &Signed) -> Result<Vec<Signer>, VerifyError>;

    /// The same of an entity of the type [`PKCS7_MIME`](super::PKCS7_MIME) that is signed data (RFC 8551
    /// section 3.5.2), and the octets of the entity that it has within. The implementation undoes the
    /// transfer encoding of `part`.
    ///
    /// # Errors
    /// [`VerifyError`]; by default [`VerifyError::Protocol`].
    fn verify_opaque(&self, part: &Part) -> Result<(Bytes, Vec<Signer>), VerifyError> {
        let _ = part;
        Err(VerifyError::Protocol)
    }
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// There is no key to sign with.
    #[error("no key to sign with")]
    NoKey,
    /// It failed, for the reason that is given, for people to read.
    #[error("signing failed: {0}")]
    Failed(String),
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is not one of these octets by that key: they were altered, or it was made for others.
    #[error("the signature does not match the content")]
    Wrong,
    /// It cannot be read, for the reason that is given, for people to read.
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    /// Signatures of this protocol, or made with this algorithm, cannot be checked here.
    #[error("the protocol or algorithm of the signature is not supported")]
    Protocol,
    /// The certificate of the signer neither came with it nor is known.
    #[error("no certificate of the signer")]
    NoCertificate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_can_be_written_whatever_it_is() {
        let made = Signature::new("Application/PKCS7-signature", "sha-1, sha-256", &b"\0"[..]);
        let made = made.unwrap();
        assert_eq!(made.protocol(), "Application/PKCS7-signature");
        assert_eq!(made.micalg(), "sha-1, sha-256");
        assert_eq!(made.octets(), &b"\0"[..]);
        assert_eq!(
            Signature::new("a \r\n / b", "c", Bytes::new())
                .unwrap()
                .protocol(),
            "a/b"
        );

        let [longest, long] = [253, 254].map(|len| format!("a/{}", "b".repeat(len)));
        assert!(Signature::new(&longest, "c", Bytes::new()).is_ok());
        for bad in ["", "a", "a/b;c=d", "a/b\r\nX: y", "a/\"b\"", long.as_str()] {
            let refused = Signature::new(bad, "sha-256", Bytes::new());
            assert!(matches!(refused, Err(MimeError::MediaType(_))), "{bad:?}");
        }
        let [longest, long] = [255, 256].map(|len| "d".repeat(len));
        assert!(Signature::new("a/b", &longest, Bytes::new()).is_ok());
        for bad in ["", "a\"b", "a\\b", "a\r\nb", "\u{e4}", long.as_str()] {
            let refused = Signature::new("a/b", bad, Bytes::new());
            assert_eq!(refused, Err(MimeError::DigestName), "{bad:?}");
        }
    }

    #[test]
    fn a_signer_is_trusted_by_its_chain_alone() {
        let untrusted = Chain::Untrusted("self-signed".to_owned());
        let signer = Signer::new(["pres:ana@example.com"], untrusted.clone());
        assert!(!signer.is_trusted());
        assert_eq!(signer.chain(), &untrusted);
        assert_eq!(signer.signing_time(), None);
        let time = OffsetDateTime::UNIX_EPOCH;
        let signer = Signer::new(Vec::<String>::new(), Chain::Trusted).with_signing_time(time);
        assert!(signer.is_trusted() && signer.names().is_empty());
        assert_eq!(signer.signing_time(), Some(time));
    }
}
