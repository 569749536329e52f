//! A key of one's own.

use bytes::Bytes;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::X509;

use super::cms::{self, SignedData};
use super::{MAX_LEN, certificate, reason, transfer, usage};
use crate::mime::{
    CertificateError, Decrypt, DecryptError, PKCS7_MIME, Part, Sign, SignError, Signature, Written,
};

const PROTOCOL: &str = "application/pkcs7-signature";

/// A private key, RSA or on an elliptic curve, with its certificate: it [signs](Sign) and
/// [decrypts](Decrypt).
///
/// Signatures are made with SHA-256. They carry the certificate with the chain that was given, and the
/// time, from the system's clock. What is decrypted may be encrypted by key transport (RSA) or agreement
/// (elliptic curves), in CBC or, authenticated, in GCM (RFC 5083).
#[derive(Clone)]
pub struct Credential {
    key: PKey<Private>,
    certificate: X509,
    chain: Vec<X509>,
    max_len: usize,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The key cannot be read, or not with this password; for the reason that is given, for people to
    /// read.
    #[error("the private key cannot be read: {0}")]
    Key(String),
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The key is neither RSA nor on an elliptic curve.
    #[error("private keys of this kind are not supported")]
    UnsupportedKey,
    /// The certificate is for another key.
    #[error("the certificate is not for this private key")]
    OtherKey,
}

impl core::fmt::Debug for Credential {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (names, domains) = certificate::names(&self.certificate);
        f.debug_struct("Credential")
            .field("names", &names)
            .field("domains", &domains)
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// A key and its certificate, both in PEM; what follows the certificate is the chain to send along.
    /// The key is not encrypted.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn from_pem(key: &[u8], certificates: &[u8]) -> Result<Self, CredentialError> {
        // With a password, or it would be asked for at the terminal.
        let key = PKey::private_key_from_pem_passphrase(key, b"").map_err(unreadable_key)?;
        let mut read = X509::stack_from_pem(certificates)
            .map_err(unreadable)?
            .into_iter();
        let none = || CertificateError::Unreadable("there is none".to_owned());
        let certificate = read.next().ok_or_else(none)?;
        Self::new(key, certificate, read.collect())
    }

    /// A key (PKCS #8, or the traditional form), its certificate, and the chain to send along, all in
    /// DER.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn from_der(
        key: &[u8],
        certificate: &[u8],
        chain: &[Bytes],
    ) -> Result<Self, CredentialError> {
        let key = PKey::private_key_from_der(key).map_err(unreadable_key)?;
        let chain = chain.iter().map(|der| certificate::read(der));
        Self::new(
            key,
            certificate::read(certificate)?,
            chain.collect::<Result<_, _>>()?,
        )
    }

    /// What a PKCS #12 file (RFC 7292) has, in DER: a key, its certificate, and the chain to send along.
    /// Those with algorithms of the last century cannot be read.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn from_pkcs12(der: &[u8], password: &str) -> Result<Self, CredentialError> {
        let parsed = Pkcs12::from_der(der).and_then(|file| file.parse2(password));
        let parsed = parsed.map_err(unreadable_key)?;
        let key = parsed.pkey.ok_or_else(|| none("the private key"))?;
        let certificate = parsed.cert.ok_or_else(|| none("the certificate"))?;
        let chain = parsed.ca.into_iter().flatten().collect();
        Self::new(key, certificate, chain)
    }

    fn new(
        key: PKey<Private>,
        certificate: X509,
        chain: Vec<X509>,
    ) -> Result<Self, CredentialError> {
        if !usage::is_usable(&key) {
            return Err(CredentialError::UnsupportedKey);
        }
        if !certificate
            .public_key()
            .map_err(unreadable)?
            .public_eq(&key)
        {
            return Err(CredentialError::OtherKey);
        }
        Ok(Self {
            key,
            certificate,
            chain,
            max_len: MAX_LEN,
        })
    }

    /// Decrypts entities of so many octets at most; 4 MiB unless told otherwise.
    #[must_use]
    pub fn with_max_len(mut self, octets: usize) -> Self {
        self.max_len = octets;
        self
    }

    /// The certificate, in DER.
    ///
    /// # Errors
    /// [`CertificateError`] when it cannot be written, which happens only for want of memory.
    pub fn certificate(&self) -> Result<Bytes, CertificateError> {
        let der = self.certificate.to_der();
        der.map(Bytes::from).map_err(unreadable)
    }

    /// Signs exactly these octets, an entity with its header, and writes them with the signature around
    /// them as a body of the type `application/pkcs7-mime` (RFC 8551 section 3.5.2): only those who can
    /// read CMS can read it, but no server on the way breaks it.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign_opaque(&self, content: &[u8]) -> Result<Written, SignError> {
        Ok(Written {
            content_type: format!("{PKCS7_MIME};smime-type=signed-data;name=smime.p7m"),
            body: self.signed(content, CMSOptions::empty())?.into(),
        })
    }

    fn signed(&self, content: &[u8], flags: CMSOptions) -> Result<Vec<u8>, SignError> {
        if !usage::may_sign(&self.certificate) {
            let why = "the key usage of the certificate forbids it";
            return Err(SignError::Failed(why.to_owned()));
        }
        let sign = || {
            let mut chain = Stack::new()?;
            for certificate in &self.chain {
                chain.push(certificate.clone())?;
            }
            // What this side can decrypt is said in other ways than by capabilities in signatures.
            let flags = flags | CMSOptions::BINARY | CMSOptions::NOSMIMECAP;
            let (certificate, key) = (Some(&*self.certificate), Some(&*self.key));
            CmsContentInfo::sign(certificate, key, Some(&chain), Some(content), flags)?.to_der()
        };
        sign().map_err(|stack: ErrorStack| SignError::Failed(reason(&stack)))
    }
}

fn unreadable(stack: ErrorStack) -> CertificateError {
    CertificateError::Unreadable(reason(&stack))
}

fn unreadable_key(stack: ErrorStack) -> CredentialError {
    CredentialError::Key(reason(&stack))
}

fn none(what: &str) -> CredentialError {
    CredentialError::Key(format!("{what} is not in the file"))
}

impl Sign for Credential {
    fn sign(&self, content: &[u8]) -> Result<Signature, SignError> {
        let octets = self.signed(content, CMSOptions::DETACHED)?;
        let digest = SignedData::read(&octets).ok().and_then(|data| {
            let signer = data.signers.first()?;
            signer.digest_name()
        });
        let other = || SignError::Failed("OpenSSL took another digest".to_owned());
        Signature::new(PROTOCOL, digest.ok_or_else(other)?, octets)
            .map_err(|error| SignError::Failed(error.to_string()))
    }
}

impl Decrypt for Credential {
    fn decrypt(&self, part: &Part) -> Result<Bytes, DecryptError> {
        let octets = transfer::decoded(part.transfer_encoding(), part.body())
            .map_err(DecryptError::Unreadable)?;
        let der = cms::in_der(&octets, self.max_len, cms::check_enveloped)
            .map_err(DecryptError::Unreadable)?;
        let info = CmsContentInfo::from_der(&der)
            .map_err(|stack| DecryptError::Unreadable(reason(&stack)))?;
        // With the certificate, OpenSSL goes on with a random key where the right one cannot be told, and
        // does not say so; from there on all that fails has to look the same.
        let content = info.decrypt(&self.key, &self.certificate);
        let content = content.map(Bytes::from);
        let _ = ErrorStack::get();
        content
            .ok()
            .filter(|content| Part::read(content).is_ok())
            .ok_or(DecryptError::Undecipherable)
    }
}
