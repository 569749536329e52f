//! Digest authentication of requests (RFC 3261 section 22, with RFC 7616 and RFC 8760).
//!
//! Nonces carry the time they were made at and are proven by a keyed hash, so that a challenge
//! costs no memory. What is remembered is which counts of a nonce were used, once somebody with a
//! password used it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rsipstack::sip::typed::tokenizers::AuthTokenizer;
use sha2::Sha256;
use tokio::time::Instant;

use crate::algorithm::{Algorithm, hex};

/// How long a nonce is good for.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);
/// Nonces in use that are remembered; the oldest go first and are taken as stale from then on.
const MAX_NONCES: usize = 10_000;
/// Counts below the highest one seen that may still come, since UDP reorders.
const WINDOW: u32 = 64;
/// Octets of a nonce: milliseconds since the start, random, proof.
const STAMP_LEN: usize = 16;
const PROOF_LEN: usize = 16;

/// Who the credentials of a request are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    /// A user with the right password.
    Of(&'a str),
    /// The right password with a nonce that is too old, or a count that was used.
    Stale,
    /// None, or wrong ones.
    None,
}

/// Which counts of a nonce were used: the highest, and a bit for each of those below it.
#[derive(Debug, Clone, Copy)]
struct Counts {
    highest: u32,
    seen: u64,
}

/// Checks credentials.
pub(crate) struct Authenticator {
    realm: String,
    /// In order of preference.
    offered: Vec<Algorithm>,
    passwords: HashMap<String, String>,
    key: [u8; 32],
    epoch: Instant,
    used: BTreeMap<[u8; STAMP_LEN], Counts>,
    /// Nonces up to this one were forgotten while still good.
    floor: [u8; STAMP_LEN],
}

impl Authenticator {
    pub(crate) fn new(
        realm: String,
        offered: Vec<Algorithm>,
        passwords: HashMap<String, String>,
    ) -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self {
            realm,
            offered,
            passwords,
            key,
            epoch: Instant::now(),
            used: BTreeMap::new(),
            floor: [0; STAMP_LEN],
        })
    }

    /// The values of WWW-Authenticate, the preferred algorithm first (RFC 8760 section 2.4).
    pub(crate) fn challenges(&self, stale: bool) -> Result<Vec<String>, getrandom::Error> {
        let mut stamp = [0; STAMP_LEN];
        let (time, random) = stamp.split_at_mut(8);
        time.copy_from_slice(&self.millis().to_be_bytes());
        getrandom::fill(random)?;
        let nonce = format!("{}{}", hex(&stamp), hex(&self.proof(&stamp)));
        let stale = if stale { ", stale=true" } else { "" };
        let challenge = |algorithm: Algorithm| {
            let realm = &self.realm;
            let algorithm = match algorithm {
                Algorithm::Sha256 => "SHA-256",
                Algorithm::Md5 => "MD5",
            };
            format!(
                "Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm={algorithm}{stale}"
            )
        };
        Ok(self.offered.iter().copied().map(challenge).collect())
    }

    /// Checks a value of Authorization against the request that it came with.
    pub(crate) fn check(&mut self, value: &str, method: &str) -> Credentials<'_> {
        match self.judge(value, method) {
            Some((user, true)) => match self.passwords.get_key_value(&user) {
                Some((user, _)) => Credentials::Of(user),
                None => Credentials::None,
            },
            Some((_, false)) => Credentials::Stale,
            None => Credentials::None,
        }
    }

    /// The user whose password it is, and whether nonce and count are good.
    fn judge(&mut self, value: &str, method: &str) -> Option<(String, bool)> {
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
        let algorithm = param("algorithm").unwrap_or("MD5");
        let algorithm = Algorithm::parse(algorithm).filter(|name| self.offered.contains(name))?;
        let (nonce, count, client) = (param("nonce")?, param("nc")?, param("cnonce")?);
        let (user, digest_uri) = (param("username")?, param("uri")?);
        // The URI may be another than that of the request, which proxies change (RFC 3261 section
        // 22.4); what keeps credentials from being used for another request is the count.
        if param("realm")? != self.realm || !param("qop")?.eq_ignore_ascii_case("auth") {
            return None;
        }
        let stamp = self.stamp_of(nonce)?;
        // An unknown user costs as much as a known one.
        let known = self.passwords.get(user);
        let password = known.map_or("", String::as_str);
        let secret = algorithm.hash(&[user, &self.realm, password]);
        let subject = algorithm.hash(&[method, digest_uri]);
        let expected = algorithm.hash(&[&secret, nonce, count, client, "auth", &subject]);
        let right = same(expected.as_bytes(), param("response")?.as_bytes());
        if !right || known.is_none() {
            return None;
        }
        let count = u32::from_str_radix(count, 16).ok()?;
        let fresh = self.is_young(&stamp) && self.use_count(stamp, count);
        Some((user.to_owned(), fresh))
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn mac(&self, stamp: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(stamp);
        Some(mac)
    }

    fn proof(&self, stamp: &[u8]) -> Vec<u8> {
        let mac = self
            .mac(stamp)
            .map(|mac| mac.finalize().into_bytes().to_vec());
        let mut proof = mac.unwrap_or_default();
        proof.truncate(PROOF_LEN);
        proof
    }

    /// The stamp of a nonce that was made here.
    fn stamp_of(&self, nonce: &str) -> Option<[u8; STAMP_LEN]> {
        let octets = unhex(nonce)?;
        let (stamp, proof) = octets.split_at_checked(STAMP_LEN)?;
        if proof.len() != PROOF_LEN {
            return None;
        }
        self.mac(stamp)?.verify_truncated_left(proof).ok()?;
        stamp.try_into().ok()
    }

    fn is_young(&self, stamp: &[u8; STAMP_LEN]) -> bool {
        let time = stamp
            .first_chunk()
            .map_or(0, |time| u64::from_be_bytes(*time));
        let age = self.millis().saturating_sub(time);
        Duration::from_millis(age) < NONCE_LIFETIME
    }

    /// Takes a count of a nonce, unless it was taken before.
    fn use_count(&mut self, stamp: [u8; STAMP_LEN], count: u32) -> bool {
        if stamp <= self.floor {
            return false;
        }
        if let Some(counts) = self.used.get_mut(&stamp) {
            return counts.take(count);
        }
        if self.used.len() >= MAX_NONCES
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.floor = oldest;
            if stamp <= oldest {
                return false;
            }
        }
        self.used.insert(
            stamp,
            Counts {
                highest: count,
                seen: 1,
            },
        );
        true
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            let ahead = count - self.highest;
            self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let bit = 1_u64
            .checked_shl(behind)
            .filter(|_| behind < WINDOW)
            .unwrap_or(0);
        let fresh = bit != 0 && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

/// Compares in a time that tells nothing of where the two differ.
fn same(left: &[u8], right: &[u8]) -> bool {
    let pairs = left.iter().zip(right);
    left.len() == right.len()
        && pairs.fold(0, |rest, (a, b)| rest | (a ^ b.to_ascii_lowercase())) == 0
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * (STAMP_LEN + PROOF_LEN) {
        return None;
    }
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}
