//! Encryption for others.

use bytes::Bytes;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::pkey::Id;
use openssl::stack::Stack;
use openssl::symm::Cipher;
use openssl::x509::X509;

use super::{certificate, reason, usage};
use crate::mime::{Encrypt, EncryptError};

/// Bits of an RSA key that is worth encrypting for (RFC 8551 section 4.3).
const MIN_RSA_BITS: u32 = 2048;

/// What the content is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ContentCipher {
    /// AES with 128 bits in CBC mode, which everybody has (RFC 8551 section 2.7, RFC 3261 section 23.4.3
    /// as RFC 3853 has it).
    #[default]
    Aes128Cbc,
    /// AES with 256 bits in CBC mode.
    Aes256Cbc,
}

/// Encrypts for holders of certificates with RSA keys (key transport) or keys on elliptic curves (key
/// agreement).
///
/// Whether a certificate is the one of the recipient, valid and trusted, is for
/// [`ReadCertificate`](crate::mime::ReadCertificate) to say, beforehand. What is refused here is a
/// certificate whose use for encryption its issuer ruled out (see
/// [`may_encrypt`](crate::mime::CertificateInfo::may_encrypt)), and RSA keys of less than 2048 bits.
///
/// ```
/// use presentity::mime::smime::{ContentCipher, Encryptor};
/// use presentity::mime::{Encrypt, EncryptError};
///
/// let encryptor = Encryptor::new().with_cipher(ContentCipher::Aes256Cbc);
/// let refused = encryptor.encrypt(b"Content-Type: text/plain\r\n\r\nhere", &[]);
/// assert_eq!(refused, Err(EncryptError::NoCertificate));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encryptor {
    cipher: ContentCipher,
}

impl Encryptor {
    /// Encrypts with [`ContentCipher::Aes128Cbc`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Encrypts with this.
    #[must_use]
    pub fn with_cipher(mut self, cipher: ContentCipher) -> Self {
        self.cipher = cipher;
        self
    }
}

impl Encrypt for Encryptor {
    fn encrypt(&self, content: &[u8], recipients: &[Bytes]) -> Result<Bytes, EncryptError> {
        if recipients.is_empty() {
            return Err(EncryptError::NoCertificate);
        }
        let failed = |stack: ErrorStack| EncryptError::Failed(reason(&stack));
        let mut stack = Stack::new().map_err(failed)?;
        for der in recipients {
            stack.push(recipient(der)?).map_err(failed)?;
        }
        let cipher = match self.cipher {
            ContentCipher::Aes128Cbc => Cipher::aes_128_cbc(),
            ContentCipher::Aes256Cbc => Cipher::aes_256_cbc(),
        };
        CmsContentInfo::encrypt(&stack, content, cipher, CMSOptions::BINARY)
            .and_then(|info| info.to_der())
            .map(Bytes::from)
            .map_err(failed)
    }
}

/// A certificate that may be used.
fn recipient(der: &[u8]) -> Result<X509, EncryptError> {
    let failed = |reason: &str| EncryptError::Failed(reason.to_owned());
    let read = certificate::read(der).map_err(|error| EncryptError::Failed(error.to_string()))?;
    let key = read
        .public_key()
        .map_err(|stack| EncryptError::Failed(reason(&stack)))?;
    if !usage::is_usable(&key) {
        return Err(failed("keys of this kind are not supported"));
    }
    if key.id() == Id::RSA && key.bits() < MIN_RSA_BITS {
        return Err(failed("the RSA key has less than 2048 bits"));
    }
    if !usage::may_encrypt(&read) {
        return Err(failed("the key usage of the certificate forbids it"));
    }
    Ok(read)
}
