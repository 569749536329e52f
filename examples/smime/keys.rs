//! Keys and certificates, and what is done with them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use openssl::x509::X509;
use presentity::event::{
    Opening, OpeningOutcome, ProtectError, Protection, ProtectionJob, ProtectionKind,
};
use presentity::mime::smime::{Credential, Encryptor, Trust};
use presentity::mime::{
    CertificateInfo, Encrypt as _, EncryptError, Enveloped, Opener, ReadCertificate as _,
    Sign as _, SignError, Signed, Written,
};
use presentity::sip::Uri;
use time::format_description::well_known::Rfc3339;

use super::{Files, KeyFiles, KeysError, unusable};
use crate::adapter::{entropy, wall_clock};

/// What signs, encrypts, opens and trusts. Its work takes up to milliseconds: it is for threads on which
/// nobody waits.
#[derive(Debug)]
pub(crate) struct Keys {
    signer: Option<Credential>,
    /// By the address of record of those for whom documents are encrypted.
    recipients: BTreeMap<String, CertificateInfo>,
    decrypter: Option<Credential>,
    trust: Trust,
    has_authorities: bool,
}

impl Keys {
    pub(super) fn read(files: &Files) -> Result<Self, KeysError> {
        let signer = files.sign_with.as_ref().map(|files| {
            let signer = credential(files)?;
            // A key that must not sign shows it now.
            let signed = signer.sign(b"\r\n");
            signed.map_err(|error| unusable(&files.certificates, error))?;
            Ok(signer)
        });
        let mut trust = Trust::new();
        if let Some(file) = &files.trust {
            let trusted = trust.with_authorities_pem(&read(file)?);
            trust = trusted.map_err(|error| unusable(file, error))?;
        }
        let recipients = files.encrypt_for.as_deref().map(recipients);
        Ok(Self {
            signer: signer.transpose()?,
            recipients: recipients.transpose()?.unwrap_or_default(),
            decrypter: files.decrypt_with.as_ref().map(credential).transpose()?,
            trust,
            has_authorities: files.trust.is_some(),
        })
    }

    /// For whom documents are signed, by the certificate, and until when, for people to read; and whether
    /// that is over.
    pub(crate) fn signs_as(&self) -> Option<(String, bool)> {
        let der = self.signer.as_ref()?.certificate().ok()?;
        let info = self.trust.read_certificate(&der, &[]).ok()?;
        let names = [info.names, info.domains].concat().join(", ");
        let until = info.not_after.format(&Rfc3339).unwrap_or_default();
        let is_over = info.not_after < wall_clock();
        Some((format!("{names} until {until}"), is_over))
    }

    /// The most that can be done for the documents of a watcher.
    pub(crate) fn offers(&self, watcher: Option<&str>) -> Protection {
        let encrypts = watcher.is_some_and(|watcher| self.recipients.contains_key(watcher));
        match (self.signer.is_some(), encrypts) {
            (true, true) => Protection::SignedAndEncrypted,
            (true, false) => Protection::Signed,
            (false, true) => Protection::Encrypted,
            (false, false) => Protection::None,
        }
    }

    /// Signs or encrypts a document.
    pub(crate) fn protect(&self, job: &ProtectionJob) -> Result<Written, ProtectError> {
        let content = job.content.octets();
        match &job.kind {
            ProtectionKind::Sign => {
                let signature = self.signer.as_ref().ok_or(SignError::NoKey)?;
                let signature = signature.sign(content)?;
                let entropy = entropy().map_err(|error| SignError::Failed(error.to_string()));
                Ok(Signed::write(content, &signature, &mut entropy?))
            }
            ProtectionKind::Encrypt { watcher } => {
                let known = self.recipients.get(&**watcher);
                let valid =
                    known.filter(|it| (it.not_before..=it.not_after).contains(&wall_clock()));
                let certificate = valid.ok_or(EncryptError::NoCertificate)?;
                let enveloped =
                    Encryptor::new().encrypt(content, std::slice::from_ref(&certificate.der))?;
                Ok(Enveloped::write(enveloped))
            }
            other => Err(SignError::Failed(format!("{other:?} is not known here")).into()),
        }
    }

    /// Whether what is signed or encrypted is to be opened at all.
    pub(crate) fn opens(&self) -> bool {
        self.decrypter.is_some() || self.has_authorities
    }

    /// Opens what is signed or encrypted.
    pub(crate) fn open(&self, opening: &Opening) -> OpeningOutcome {
        let mut opener = Opener::new()
            .leaving(&opening.taken)
            .with_verify(&self.trust);
        if let Some(decrypter) = &self.decrypter {
            opener = opener.with_decrypt(decrypter);
        }
        opener.open(&opening.content_type, &opening.body)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, KeysError> {
    fs::read(file).map_err(|error| KeysError::Unreadable(file.to_owned(), error))
}

fn credential(files: &KeyFiles) -> Result<Credential, KeysError> {
    let (key, certificates) = (read(&files.key)?, read(&files.certificates)?);
    Credential::from_pem(&key, &certificates).map_err(|error| unusable(&files.certificates, error))
}

/// The certificates in a folder, in files that are named after their owners: `user@domain.pem`.
fn recipients(folder: &Path) -> Result<BTreeMap<String, CertificateInfo>, KeysError> {
    let unreadable = |error| KeysError::Unreadable(folder.to_owned(), error);
    let mut recipients = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_none_or(|extension| extension != "pem") {
            continue;
        }
        let name = file.file_stem().and_then(|name| name.to_str());
        let uri = format!("sip:{}", name.unwrap_or_default());
        let address = Uri::parse(&uri).ok();
        let address = address.and_then(|uri| uri.address_of_record());
        let address = address.filter(|address| address.contains('@'));
        let address = address.ok_or_else(|| unusable(&file, "it is not named user@domain.pem"))?;
        let der = X509::from_pem(&read(&file)?).and_then(|certificate| certificate.to_der());
        let der = Bytes::from(der.map_err(|error| unusable(&file, error))?);
        let info = Trust::new().read_certificate(&der, &[]);
        let info = info.map_err(|error| unusable(&file, error))?;
        if !info.may_encrypt {
            return Err(unusable(&file, "its key must not be used to encrypt"));
        }
        recipients.insert(address, info);
    }
    Ok(recipients)
}
