//! Challenges to requests of ours (RFC 3261 section 22), which the host answers.

use crate::engine::ClientTransaction;
use crate::sip::{HeaderName, ResponseRef};

/// Challenges that are answered in a row; a second one may mean a stale nonce.
pub(super) const CHALLENGES_ANSWERED: u8 = 2;

/// A request was answered by 401 or 407 (RFC 3261 section 22).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedCredentials {
    transaction: ClientTransaction,
    status: u16,
    method: &'static str,
    uri: Box<str>,
    from: Box<str>,
    challenges: Vec<String>,
}

impl NeedCredentials {
    /// Nothing when the response challenges by its status alone.
    pub(super) fn of(
        transaction: ClientTransaction,
        method: &'static str,
        uri: &str,
        from: &str,
        response: &ResponseRef<'_>,
    ) -> Option<Self> {
        let name = match response.status() {
            401 => HeaderName::WwwAuthenticate,
            _ => HeaderName::ProxyAuthenticate,
        };
        let challenges: Vec<String> = response.values(name).map(str::to_owned).collect();
        (!challenges.is_empty()).then(|| Self {
            transaction,
            status: response.status(),
            method,
            uri: uri.into(),
            from: from.into(),
            challenges,
        })
    }

    /// The transaction that was challenged; it names the wish in `provide_credentials`.
    pub fn transaction(&self) -> ClientTransaction {
        self.transaction
    }

    /// 401 (answer with Authorization) or 407 (Proxy-Authorization).
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The method that credentials are computed over.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The Request-URI that credentials are computed over.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The URI of From: whose credentials are asked for.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The values of WWW-Authenticate or Proxy-Authenticate.
    pub fn challenges(&self) -> impl Iterator<Item = &str> {
        self.challenges.iter().map(String::as_str)
    }
}

/// The field that answers a challenge of this status.
pub(super) fn credentials_field(status: u16) -> HeaderName {
    match status {
        401 => HeaderName::Authorization,
        _ => HeaderName::ProxyAuthorization,
    }
}
