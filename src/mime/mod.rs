//! MIME entities and `multipart/signed`, octet for octet, and the traits by which a host signs and
//! verifies.
//!
//! A signature holds over exact octets, so nothing here is normalised: what was read is kept as it
//! came and handed out as slices of it. There is no cryptography here: a host brings S/MIME (RFC 8551), or
//! whatever else its peers use, as an implementation of [`Sign`] and [`Verify`], or takes the one of
//! `smime`, which the feature of that name adds.
//!
//! ```
//! use bytes::Bytes;
//! use presentity::mime::{Part, Sign, SignError, Signature, Signed};
//!
//! /// Stands for a library that makes CMS objects.
//! struct Smime;
//!
//! impl Sign for Smime {
//!     fn sign(&self, content: &[u8]) -> Result<Signature, SignError> {
//! #       let cms = Bytes::from(content.len().to_string());
//!         Signature::new("application/pkcs7-signature", "sha-256", cms)
//!             .map_err(|error| SignError::Failed(error.to_string()))
//!     }
//! }
//! # let mut counter = 0u8;
//! # let mut entropy = move |buffer: &mut [u8]| {
//! #   buffer.iter_mut().for_each(|byte| { counter = counter.wrapping_add(97); *byte = counter });
//! # };
//!
//! // To send: what is signed is the part with its header, and that is what goes out.
//! let document = Bytes::from("<presence/>");
//! let part = Part::new("application/pidf+xml", &document)?;
//! let signature = Smime.sign(part.octets())?;
//! let body = Signed::write(part.octets(), &signature, &mut entropy);
//! assert!(body.content_type.starts_with("multipart/signed;"));
//!
//! // Received: a `Verify` is given the whole, and what it covers is read after it said yes.
//! let signed = Signed::read(&body.content_type, &body.body)?;
//! assert_eq!(signed.content(), part.octets());
//! assert_eq!(signed.part()?.plain_body()?, &document);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
mod delimiter;
mod encryption;
mod error;
mod opened;
mod part;
mod signature;
mod signed;
#[cfg(feature = "smime")]
pub mod smime;

pub use certificate::{CertificateError, CertificateInfo, ReadCertificate};
pub use encryption::{Decrypt, DecryptError, Encrypt, EncryptError, Enveloped, PKCS7_MIME};
pub use error::MimeError;
pub use opened::{OpenError, Opened, Opener, is_protected};
pub use part::{MAX_HEADER_FIELDS, MAX_HEADER_LEN, Part};
pub use signature::{Chain, Sign, SignError, Signature, Signer, Verify, VerifyError};
pub use signed::{MULTIPART_SIGNED, Signed, Written};
