//! The event package `certificate`, to those who serve certificates (RFC 6072 section 6).

use bytes::Bytes;

use super::profile::profile;
use crate::event::{
    Authorization, Decision, Package, Profile, PublishedBody, RenderRequest, SubscribeQuery,
    Unreadable, Unserved, View, Visibility,
};
use crate::sip::{Uri, host_of};

/// Who may subscribe to certificates.
pub trait CertificatePolicy {
    /// Whether this subscription is let in. By default everybody's is, known or not: certificates are
    /// public (RFC 6072 section 6.6).
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let _ = query;
        Decision::Allow(View::full()).into()
    }
}

/// Certificates are for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Anybody;

impl CertificatePolicy for Anybody {}

/// Certificates as an event package: the state of a resource is its certificate in DER, and nothing is
/// published.
#[derive(Debug)]
pub struct CertificatePackage<P> {
    policy: P,
    profile: Profile,
    domains: Vec<String>,
}

/// The certificate of a resource, in DER; nothing when it has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServedCertificate(pub Option<Bytes>);

impl<P> CertificatePackage<P> {
    /// The package for users of these domains, whoever asks others is told 404; of every domain when
    /// there are none.
    pub fn new(policy: P, domains: &[String]) -> Self {
        let domains = domains.iter().map(|domain| domain.to_ascii_lowercase());
        Self {
            policy,
            profile: profile(),
            domains: domains.collect(),
        }
    }

    /// The policy.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// The policy, to change what it decides by.
    pub fn policy_mut(&mut self) -> &mut P {
        &mut self.policy
    }
}

impl<P: CertificatePolicy> Package for CertificatePackage<P> {
    type State = ServedCertificate;
    type Publication = ();

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        if !matches!(uri, Uri::Sip(_) | Uri::Pres(_)) {
            return Err(Unserved::Scheme);
        }
        let name = uri.address_of_record().ok_or(Unserved::NotHere)?;
        let domain = host_of(&name);
        let is_served = self.domains.is_empty() || self.domains.iter().any(|it| it == domain);
        match is_served {
            true => Ok(name),
            false => Err(Unserved::NotHere),
        }
    }

    fn authorize_subscription(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        self.policy.subscribe(query)
    }

    fn read_publication(
        &mut self,
        _: &PublishedBody<'_>,
        _: Option<&()>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::new("certificates are not published"))
    }

    fn render(
        &mut self,
        request: &RenderRequest<'_>,
        state: &mut ServedCertificate,
        _: &[(u64, &())],
    ) -> Option<Bytes> {
        match request.visibility {
            Visibility::View(_) => state.0.clone(),
            Visibility::Pending | Visibility::PoliteBlock => None,
        }
    }

    fn is_lasting(&self, state: &ServedCertificate) -> bool {
        state.0.is_some()
    }
}
