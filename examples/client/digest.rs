//! Answers to Digest challenges (RFC 7616, RFC 2617 and before, as RFC 3261 section 22 has them in SIP).

use rsipstack::sip::typed::tokenizers::AuthTokenizer;

use crate::algorithm::{Algorithm, hex};

/// Nonces that are remembered: more than there are proxies on any way.
const MAX_NONCES: usize = 16;

/// A challenged request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Challenged<'a> {
    /// 401 or 407.
    pub(crate) status: u16,
    pub(crate) method: &'a str,
    /// The Request-URI.
    pub(crate) uri: &'a str,
}

/// Why a challenge is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Declined {
    #[error("no challenge asks for Digest with SHA-256 or MD5 and qop auth or none")]
    Unsupported,
    #[error("wrong user or password")]
    WrongPassword,
    #[error("the system has no random numbers")]
    NoRandom,
}

/// A user with a password, and what was answered with them.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    user: String,
    password: String,
    /// The newest last.
    answered: Vec<Answered>,
}

/// What was answered with a nonce.
#[derive(Debug, Clone)]
struct Answered {
    status: u16,
    realm: String,
    nonce: String,
    count: u32,
    /// The request that bears the answer has no outcome yet.
    open: bool,
}

/// A challenge that can be answered.
#[derive(Debug, Clone, Copy)]
struct Challenge<'a> {
    algorithm: Algorithm,
    /// As it was written; nothing in challenges of old.
    algorithm_name: Option<&'a str>,
    realm: &'a str,
    nonce: &'a str,
    opaque: Option<&'a str>,
    with_qop: bool,
    stale: bool,
}

impl Credentials {
    /// From `user:password`; nothing when that has no colon, or what no quoted string holds as it is.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        let plain = |c: char| !c.is_control() && c != '"' && c != '\\';
        (!user.is_empty() && user.chars().all(plain)).then(|| Self {
            user: user.to_owned(),
            password: password.to_owned(),
            answered: Vec::new(),
        })
    }

    /// The value of Authorization or Proxy-Authorization: an answer to the strongest challenge.
    ///
    /// # Errors
    /// When none can be answered, or one comes back that says nothing of an old nonce.
    pub(crate) fn answer<'c>(
        &mut self,
        request: Challenged<'_>,
        challenges: impl Iterator<Item = &'c str>,
    ) -> Result<String, Declined> {
        let known = challenges.filter_map(Challenge::parse);
        let challenge = known.min_by_key(|challenge| challenge.algorithm);
        let challenge = challenge.ok_or(Declined::Unsupported)?;
        let count = self.count(request.status, &challenge)?;
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(|_| Declined::NoRandom)?;
        Ok(self.write(request, &challenge, count, &hex(&octets)))
    }

    /// The requests that bear answers have their outcome: the next challenge is a new one.
    pub(crate) fn settled(&mut self) {
        for answered in &mut self.answered {
            answered.open = false;
        }
    }

    /// How often the nonce is used with this answer.
    fn count(&mut self, status: u16, challenge: &Challenge<'_>) -> Result<u32, Declined> {
        let known = self
            .answered
            .iter()
            .position(|it| it.status == status && it.realm == challenge.realm);
        let known = known.map(|place| self.answered.remove(place));
        if !challenge.stale && known.as_ref().is_some_and(|known| known.open) {
            return Err(Declined::WrongPassword);
        }
        let again = known.filter(|known| known.nonce == challenge.nonce);
        let count = again.map_or(0, |known| known.count).saturating_add(1);
        if self.answered.len() >= MAX_NONCES {
            self.answered.remove(0);
        }
        self.answered.push(Answered {
            status,
            realm: challenge.realm.to_owned(),
            nonce: challenge.nonce.to_owned(),
            count,
            open: true,
        });
        Ok(count)
    }

    fn write(
        &self,
        request: Challenged<'_>,
        challenge: &Challenge<'_>,
        count: u32,
        client_nonce: &str,
    ) -> String {
        let Challenge {
            algorithm,
            realm,
            nonce,
            ..
        } = *challenge;
        let (user, uri) = (&self.user, request.uri);
        let secret = algorithm.hash(&[user, realm, &self.password]);
        let subject = algorithm.hash(&[request.method, uri]);
        let count = format!("{count:08x}");
        let response = match challenge.with_qop {
            true => algorithm.hash(&[&secret, nonce, &count, client_nonce, "auth", &subject]),
            // RFC 2069, which servers of before RFC 2617 speak.
            false => algorithm.hash(&[&secret, nonce, &subject]),
        };
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\""
        );
        if let Some(name) = challenge.algorithm_name {
            value.extend([", algorithm=", name]);
        }
        if challenge.with_qop {
            value.extend([", qop=auth, nc=", &count, ", cnonce=\"", client_nonce, "\""]);
        }
        if let Some(opaque) = challenge.opaque {
            value.extend([", opaque=\"", opaque, "\""]);
        }
        value
    }
}

impl<'a> Challenge<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let tokens = AuthTokenizer::parse(value).ok()?;
        if !tokens.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let param = |name: &str| {
            let mut found = tokens
                .params
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| *value)
        };
        let algorithm_name = param("algorithm");
        let qop = param("qop").filter(|qop| !qop.trim().is_empty());
        let offers_auth = |qop: &str| {
            let mut offered = qop.split(',');
            offered.any(|one| one.trim().eq_ignore_ascii_case("auth"))
        };
        if !qop.is_none_or(offers_auth) {
            return None;
        }
        Some(Self {
            algorithm: Algorithm::parse(algorithm_name.unwrap_or("MD5"))?,
            algorithm_name,
            realm: param("realm")?,
            nonce: param("nonce")?,
            opaque: param("opaque"),
            with_qop: qop.is_some(),
            stale: param("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}
