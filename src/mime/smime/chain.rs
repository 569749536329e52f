//! From a certificate to an authority.

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509PurposeId, X509Ref, X509StoreContext};

use super::certificate::is_self_signed;
use super::revocation::{self, Revocation};
use super::usage::{self, Field};
use super::{Trust, reason};
use crate::mime::Chain;

/// 112 bits: RSA and DH of 2048 bits, no SHA-1 in signatures of certificates.
const SECURITY_LEVEL: i32 = 2;

/// The authorities, once for each purpose: OpenSSL keeps it with them.
pub(super) struct Stores {
    signing: X509Store,
    any: X509Store,
}

impl Stores {
    pub(super) fn new(
        authorities: &[X509],
        depth: u8,
        time: Option<i64>,
    ) -> Result<Self, ErrorStack> {
        let store = |purpose| {
            let mut param = X509VerifyParam::new()?;
            param.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
            param.set_depth(depth.into());
            param.set_auth_level(SECURITY_LEVEL);
            param.set_purpose(purpose)?;
            if let Some(time) = time {
                param.set_time(time as _);
            }
            let mut builder = X509StoreBuilder::new()?;
            builder.set_param(&param)?;
            for authority in authorities {
                builder.add_cert(authority.clone())?;
            }
            Ok::<_, ErrorStack>(builder.build())
        };
        Ok(Self {
            signing: store(X509PurposeId::SMIME_SIGN)?,
            any: store(X509PurposeId::ANY)?,
        })
    }
}

/// What is thought of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) chain: Chain,
    pub(super) is_revoked: bool,
}

impl Trust {
    /// Judges a certificate that may sign or encrypt.
    pub(super) fn judge(
        &self,
        certificate: &X509,
        others: impl IntoIterator<Item = X509>,
    ) -> Judgement {
        let mut is_revoked = false;
        let judged = self.verdict(certificate, others, &mut is_revoked);
        let chain = judged.unwrap_or_else(|stack| Err(reason(&stack)));
        Judgement {
            chain: chain.map_or_else(Chain::Untrusted, |()| Chain::Trusted),
            is_revoked,
        }
    }

    /// The same, as the signer of a body.
    pub(super) fn judge_signer(&self, certificate: &X509, others: &[X509]) -> Chain {
        if usage::may_sign(certificate) {
            self.judge(certificate, others.iter().cloned()).chain
        } else {
            Chain::Untrusted("its key may not sign".to_owned())
        }
    }

    fn verdict(
        &self,
        certificate: &X509,
        others: impl IntoIterator<Item = X509>,
        is_revoked: &mut bool,
    ) -> Result<Result<(), String>, ErrorStack> {
        let Some(stores) = self.stores() else {
            return Ok(Err("the authorities cannot be used".to_owned()));
        };
        let field = Field::of(certificate);
        // The purpose of encryption is of no use: it knows nothing of agreement on keys.
        let by_purpose = field == Field::Bodies && usage::may_sign(certificate);
        let store = if by_purpose {
            &stores.signing
        } else {
            &stores.any
        };
        let mut stack = Stack::new()?;
        for other in others {
            stack.push(other)?;
        }
        let mut context = X509StoreContext::new()?;
        let (verdict, chain) = context.init(store, certificate, &stack, |context| {
            let is_good = context.verify_cert()?;
            let verdict = if is_good {
                Ok(())
            } else {
                Err(context.error().error_string().to_owned())
            };
            let chain = context.chain().map(|chain| {
                let owned = chain.iter().map(X509Ref::to_owned);
                owned.collect::<Vec<X509>>()
            });
            Ok((verdict, chain.unwrap_or_default()))
        })?;
        // What a list says counts though the chain may not.
        let revoked = self.revoked_among(certificate, &chain, is_revoked);
        let issuers = chain.iter().skip(1).rev().skip(1);
        // The purpose "any" does not heed what authorities in between are restricted to.
        let mut fields = issuers.map(|issuer| Field::of(issuer));
        let is_restricted = !by_purpose && fields.any(|field| field == Field::Other);
        Ok(match verdict {
            _ if field == Field::Other => {
                Err("its extended key usage is neither mail nor SIP".to_owned())
            }
            Err(reason) => Err(reason),
            Ok(()) if is_restricted => {
                Err("the extended key usage of an authority is neither mail nor SIP".to_owned())
            }
            Ok(()) => revoked,
        })
    }

    /// Why a certificate of the chain is not good by the lists; tells whether it is the first.
    fn revoked_among(
        &self,
        certificate: &X509,
        chain: &[X509],
        is_revoked: &mut bool,
    ) -> Result<(), String> {
        let lists = self.revocation_lists();
        let alone = [certificate.clone(), certificate.clone()];
        // One that stands alone can only be revoked by itself.
        let chain = if chain.len() < 2 && !lists.is_empty() && is_self_signed(certificate) {
            &alone
        } else {
            chain
        };
        let mut found = Ok(());
        for (at, pair) in chain.windows(2).enumerate() {
            let [subject, issuer] = pair else { continue };
            match revocation::of(lists, subject, issuer, self.time()) {
                Revocation::None => {}
                Revocation::Revoked => {
                    *is_revoked |= at == 0;
                    let what = if at == 0 { "it" } else { "an authority" };
                    return Err(format!("{what} is revoked"));
                }
                Revocation::Stale => {
                    found = found.and(Err("a revocation list is out of date".to_owned()));
                }
            }
        }
        found
    }
}
