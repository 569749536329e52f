//! Who vouches for a document, in short.

use presentity::mime::Signer;
use presentity::presence::{Authority, PresenceChange};

use crate::summary::one_line;

/// How a document was protected on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) signers: Vec<SignerSummary>,
    /// What makes one of them somebody who may speak for the presentity, if there is one: `domain` or
    /// `presentity`.
    pub(crate) authority: Option<&'static str>,
    pub(crate) is_encrypted: bool,
}

/// Who signed a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignerSummary {
    /// The names in the certificate.
    pub(crate) names: Vec<String>,
    /// Whether an authority that is trusted has certified them.
    pub(crate) is_trusted: bool,
}

impl Seal {
    pub(crate) fn of(change: &PresenceChange) -> Self {
        Self {
            signers: change.signed_by.iter().map(SignerSummary::of).collect(),
            authority: change.authority.map(|authority| match authority {
                Authority::Domain => "domain",
                Authority::Presentity => "presentity",
                _ => "other",
            }),
            is_encrypted: change.is_encrypted,
        }
    }

    /// In words, such as `signed by sip:example.com`; empty for a document that comes as it is.
    pub(crate) fn in_words(&self) -> String {
        let signers = self.signers.iter();
        let mut words: Vec<String> = signers.map(|signer| self.signer_in_words(signer)).collect();
        if self.is_encrypted {
            words.push("encrypted".to_owned());
        }
        words.join(", ")
    }

    fn signer_in_words(&self, signer: &SignerSummary) -> String {
        let names = match signer.names.is_empty() {
            true => "somebody without a name".to_owned(),
            false => signer.names.join(" "),
        };
        let doubt = match (signer.is_trusted, self.authority) {
            (true, Some(_)) => "",
            // Whoever that is, he is not asked about this presentity.
            (true, None) => " (of no account)",
            (false, _) => " (not trusted)",
        };
        format!("signed by {names}{doubt}")
    }
}

impl SignerSummary {
    fn of(signer: &Signer) -> Self {
        let names = signer.names().iter().chain(signer.domains());
        Self {
            names: names.map(|name| one_line(name)).collect(),
            is_trusted: signer.is_trusted(),
        }
    }
}
