//! S/MIME 4.0 (RFC 8551) for real, on OpenSSL: it signs, verifies, encrypts, decrypts and judges
//! certificates.
//!
//! | type | implements |
//! | --- | --- |
//! | [`Credential`], a private key with its certificate | [`Sign`](super::Sign), [`Decrypt`](super::Decrypt) |
//! | [`Trust`], authorities and what they revoked | [`Verify`](super::Verify), [`ReadCertificate`](super::ReadCertificate) |
//! | [`Encryptor`] | [`Encrypt`](super::Encrypt) |
//!
//! OpenSSL does what is cryptography, and builds and checks chains; CMS structures are only taken apart
//! here. Nothing does I/O. All of it computes, for up to milliseconds, and may be shared by threads.
//!
//! # What is accepted
//!
//! - Signatures with SHA-256, SHA-384 or SHA-512 by RSA (also PSS) or ECDSA keys; with anything older
//!   they are refused as [`VerifyError::Protocol`](super::VerifyError::Protocol). Each of up to
//!   [`MAX_SIGNERS`] signatures has to be right.
//! - CMS in DER, or in up to 256 KiB of BER; nothing may follow it.
//! - A certificate counts for what people or servers send as bodies if it has no extended key usage, or
//!   one of `emailProtection` (RFC 8551 section 4.4.4), `anyExtendedKeyUsage` and `id-kp-sipDomain` (RFC
//!   5924). One for TLS servers alone does not, though the same authority issued it.
//! - Keys and digests in chains are those of OpenSSL's security level 2: RSA of 2048 bits, no SHA-1.
//! - A chain counts if it is valid when it is looked at; when it was signed says the signer alone.
//!
//! # An oracle that remains
//!
//! CBC does not authenticate. Who sends a thousand altered copies of somebody's encrypted body, and learns
//! of each whether it was taken, learns what it says. Failures look alike up to
//! [`OpenError::status`](super::OpenError::status), whatever failed; that some succeed cannot be hidden
//! here. Where it matters, take only what was [signed](super::Opened::signers) within.

mod certificate;
mod chain;
mod cms;
mod credential;
mod encryptor;
mod revocation;
mod transfer;
mod trust;
mod usage;
mod verification;

pub use cms::{MAX_CERTIFICATES, MAX_SIGNERS};
pub use credential::{Credential, CredentialError};
pub use encryptor::{ContentCipher, Encryptor};
pub use trust::{Trust, TrustError};

use openssl::error::ErrorStack;

/// Octets of CMS that are looked at unless told otherwise.
const MAX_LEN: usize = 4 * 1024 * 1024;

/// What OpenSSL says, for people to read.
fn reason(stack: &ErrorStack) -> String {
    let known = stack.errors().iter().find_map(|error| error.reason());
    known.unwrap_or("OpenSSL gives no reason").to_owned()
}
