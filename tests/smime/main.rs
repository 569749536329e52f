//! S/MIME with keys and certificates that are made and thrown away: what is signed is verified, what is
//! encrypted is decrypted, who is certified is known, and nothing else passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "test code may fail loudly"
)]

mod authority;
#[path = "../common/mod.rs"]
mod common;

mod certificates;
mod chains;
mod encryption;
mod hostile;
mod opening;
mod signatures;
mod splicing;
mod subscription_requests;

use authority::Holder;
use bytes::Bytes;
use common::seeded;
use openssl::cms::{CMSOptions, CmsContentInfo};
use presentity::mime::smime::{Credential, Trust};
use presentity::mime::{Chain, Part, Sign, Signature, Signed, Signer, Verify, VerifyError};

const PROTOCOL: &str = "application/pkcs7-signature";

fn part() -> Part {
    let body = Bytes::from_static(b"<presence/>\n\0\xff\r\r\n");
    Part::new("application/pidf+xml", &body).unwrap()
}

/// A body that has this signature over [`part`].
fn signed_with(octets: impl Into<Bytes>) -> Signed {
    let signature = Signature::new(PROTOCOL, "sha-256", octets).unwrap();
    let written = Signed::write(part().octets(), &signature, &mut seeded(3));
    Signed::read(&written.content_type, &written.body).unwrap()
}

fn signature_by(credential: &Credential) -> Bytes {
    credential.sign(part().octets()).unwrap().octets().clone()
}

fn verified(trust: &Trust, signature: impl Into<Bytes>) -> Result<Vec<Signer>, VerifyError> {
    trust.verify(&signed_with(signature))
}

/// A signature as OpenSSL makes it by itself, whoever it is.
fn raw(holder: &Holder, flags: CMSOptions) -> Vec<u8> {
    let (certificate, key) = (Some(&*holder.certificate), Some(&*holder.key));
    let flags = flags | CMSOptions::BINARY | CMSOptions::DETACHED;
    let content = part().octets().clone();
    CmsContentInfo::sign(certificate, key, None, Some(&content), flags)
        .unwrap()
        .to_der()
        .unwrap()
}

/// Why it leads to nobody.
fn why(chain: &Chain) -> &str {
    match chain {
        Chain::Untrusted(reason) => reason,
        other => panic!("{other:?}"),
    }
}
