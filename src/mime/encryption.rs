//! Encrypted entities (`application/pkcs7-mime`), and what a host implements to make and open them.

use bytes::Bytes;

use super::{Part, Written};

/// The media type of encrypted entities, and of signed ones that show nothing without being opened
/// (RFC 8551 section 3.2).
pub const PKCS7_MIME: &str = "application/pkcs7-mime";

/// An entity that only holders of certain keys can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enveloped(());

impl Enveloped {
    /// Writes CMS enveloped data (RFC 5652 section 6), in DER, as a body. It is not encoded for
    /// transfer; SIP carries binary bodies (RFC 3261 section 7.4).
    ///
    /// ```
    /// let body = presentity::mime::Enveloped::write(&b"\x30\x80"[..]);
    /// assert!(body.content_type.starts_with("application/pkcs7-mime;"));
    /// ```
    pub fn write(enveloped: impl Into<Bytes>) -> Written {
        Written {
            content_type: format!("{PKCS7_MIME};smime-type=enveloped-data;name=smime.p7m"),
            body: enveloped.into(),
        }
    }
}

/// Encrypts for others.
pub trait Encrypt {
    /// Encrypts exactly these octets, an entity with its header (see [`Part::octets`]), for whoever
    /// holds the key of one of these certificates, which are in DER. The result is CMS enveloped data
    /// in DER.
    ///
    /// # Errors
    /// [`EncryptError`]; nothing is encrypted for a part of them.
    fn encrypt(&self, content: &[u8], recipients: &[Bytes]) -> Result<Bytes, EncryptError>;
}

/// Decrypts with keys of its own.
pub trait Decrypt {
    /// What an entity of the type [`PKCS7_MIME`] has within: the octets of another entity. The
    /// implementation undoes the transfer encoding of `part`.
    ///
    /// # Errors
    /// [`DecryptError`]. A sender must not learn more than that it failed: what is told apart may tell
    /// him what is within (RFC 8551 section 6).
    fn decrypt(&self, part: &Part) -> Result<Bytes, DecryptError>;
}

/// Why nothing was encrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// There is no certificate of the recipient.
    #[error("no certificate of the recipient")]
    NoCertificate,
    /// It failed, for the reason that is given, for people to read.
    #[error("encrypting failed: {0}")]
    Failed(String),
}

/// Why nothing was decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptError {
    /// It is not encrypted for a key that is here, or was altered.
    #[error("not encrypted for a key that is here")]
    Undecipherable,
    /// It is no encrypted entity, for the reason that is given, for people to read.
    #[error("the encrypted entity cannot be read: {0}")]
    Unreadable(String),
    /// Its algorithms cannot be used here.
    #[error("the algorithm of the encryption is not supported")]
    Unsupported,
}
