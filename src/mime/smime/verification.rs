//! Signatures, checked.

use bytes::Bytes;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::X509;

use super::cms::{self, DATA, SignedData, SignerInfo};
use super::{Trust, certificate, transfer};
use crate::mime::{Part, Signed, Signer, Verify, VerifyError};

/// What OpenSSL says when a signature is by somebody else: `ERR_LIB_CMS` and
/// `CMS_R_SIGNER_CERTIFICATE_NOT_FOUND`.
const NOT_THE_SIGNER: (i32, i32) = (46, 138);

/// Certificates that are tried for one signature if they all claim to be the one that is named, which
/// only those do that somebody forged.
const MAX_TRIES: usize = 4;

impl Verify for Trust {
    fn verify(&self, signed: &Signed) -> Result<Vec<Signer>, VerifyError> {
        let known = [
            "application/pkcs7-signature",
            "application/x-pkcs7-signature",
        ];
        let protocol = signed.protocol();
        if !known
            .iter()
            .any(|known| known.eq_ignore_ascii_case(protocol))
        {
            return Err(VerifyError::Protocol);
        }
        let octets = transfer::decoded(signed.signature_encoding(), signed.signature())
            .map_err(VerifyError::Unreadable)?;
        self.check(&octets, |data| {
            if data.content.is_some() {
                return unreadable("it has a content of its own");
            }
            self.signers(data, signed.content())
        })
    }

    fn verify_opaque(&self, part: &Part) -> Result<(Bytes, Vec<Signer>), VerifyError> {
        let octets = transfer::decoded(part.transfer_encoding(), part.body())
            .map_err(VerifyError::Unreadable)?;
        self.check(&octets, |data| {
            let Some(content) = data.content else {
                return unreadable("it has no content");
            };
            let signers = self.signers(data, content)?;
            Ok((Bytes::copy_from_slice(content), signers))
        })
    }
}

fn unreadable<T>(reason: &str) -> Result<T, VerifyError> {
    Err(VerifyError::Unreadable(reason.to_owned()))
}

impl Trust {
    /// Reads signed data, in BER if need be, and has it checked.
    fn check<T>(
        &self,
        octets: &[u8],
        check: impl FnOnce(&SignedData<'_>) -> Result<T, VerifyError>,
    ) -> Result<T, VerifyError> {
        let unreadable = VerifyError::Unreadable;
        let der = cms::in_der(octets, self.max_len(), SignedData::check).map_err(unreadable)?;
        check(&SignedData::read(&der).map_err(|error| unreadable(error.into()))?)
    }

    /// Who signed this content, all of them.
    fn signers(&self, data: &SignedData<'_>, content: &[u8]) -> Result<Vec<Signer>, VerifyError> {
        if data.signers.is_empty() {
            return unreadable("nobody signed it");
        }
        // Entities are data; what is signed as something else was meant for somebody else.
        if data.content_type != DATA || data.signers.iter().any(|s| s.digest_name().is_none()) {
            return Err(VerifyError::Protocol);
        }
        let mut embedded = Vec::new();
        for der in &data.certificates {
            let read = X509::from_der(der);
            let read = read.map_err(|stack| VerifyError::Unreadable(super::reason(&stack)))?;
            embedded.push(read);
        }
        let ids: Vec<_> = embedded.iter().map(|one| certificate::ids(one)).collect();
        let mut signers = Vec::new();
        for info in &data.signers {
            let within = embedded.iter().zip(&ids);
            let within = within.filter(|(_, ids)| ids.contains(&info.id));
            let candidates = within.map(|(one, _)| one).chain(self.known(&info.id));
            let signer = signer_among(candidates, info, content)?;
            signers.push(self.signer(signer, &embedded, info)?);
        }
        Ok(signers)
    }

    fn signer(
        &self,
        by: &X509,
        embedded: &[X509],
        info: &SignerInfo<'_>,
    ) -> Result<Signer, VerifyError> {
        let (names, domains) = certificate::names(by);
        let der = by
            .to_der()
            .map_err(|stack| VerifyError::Unreadable(super::reason(&stack)))?;
        let signer = Signer::new(names, self.judge_signer(by, embedded))
            .with_domains(domains)
            .with_certificate(der);
        Ok(match info.signing_time {
            Some(time) => signer.with_signing_time(time),
            None => signer,
        })
    }
}

/// The one of these certificates whose key made the signature.
fn signer_among<'a>(
    candidates: impl Iterator<Item = &'a X509>,
    info: &SignerInfo<'_>,
    content: &[u8],
) -> Result<&'a X509, VerifyError> {
    let alone = info
        .alone(DATA)
        .map_err(|error| VerifyError::Unreadable(error.to_string()))?;
    let mut tried: Vec<&X509> = Vec::new();
    for candidate in candidates {
        if tried.contains(&candidate) {
            continue;
        }
        match is_by(&alone, candidate, content) {
            Ok(()) => return Ok(candidate),
            Err(stack) if is_other(&stack) => {}
            Err(_) => {
                tried.push(candidate);
                if tried.len() >= MAX_TRIES {
                    break;
                }
            }
        }
    }
    Err(if tried.is_empty() {
        VerifyError::NoCertificate
    } else {
        VerifyError::Wrong
    })
}

/// Whether signed data with one signature is by this one, who is the only one that there is.
fn is_by(alone: &[u8], candidate: &X509, content: &[u8]) -> Result<(), ErrorStack> {
    // What went wrong before must not be taken for what goes wrong now.
    let _ = ErrorStack::get();
    let mut info = CmsContentInfo::from_der(alone)?;
    let mut only = Stack::new()?;
    only.push(candidate.clone())?;
    // Chains are judged apart: that they lead nowhere makes no signature wrong.
    let flags = CMSOptions::NO_SIGNER_CERT_VERIFY | CMSOptions::NOINTERN | CMSOptions::BINARY;
    info.verify(Some(&only), None, Some(content), None, flags)
}

fn is_other(stack: &ErrorStack) -> bool {
    let errors = stack.errors();
    errors
        .iter()
        .any(|error| (error.library_code(), error.reason_code()) == NOT_THE_SIGNER)
}
