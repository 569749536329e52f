//! Protection that protects nothing: an envelope turns every octet over, a signature is the names of who
//! signed and the length of what is signed. It can be opened, made for somebody else, and be wrong.
#![allow(dead_code, reason = "each test file uses its part")]

use bytes::Bytes;
use presentity::mime::{
    Chain, Decrypt, DecryptError, Enveloped, OpenError, Opened, Opener, Part, Sign, SignError,
    Signature, Signed, Signer, Verify, VerifyError, Written,
};
use time::OffsetDateTime;

use crate::common::{Message, seeded};

pub const PIDF: &str = "application/pidf+xml";
/// The authority of Bob's domain.
pub const DOMAIN: &str = "sip:example.org";
const PROTOCOL: &str = "application/x-toy-signature";

/// Somebody who signs: URIs, whether an authority that is trusted says so, and when.
#[derive(Debug, Clone)]
pub struct Pen {
    pub names: Vec<String>,
    pub domains: Vec<String>,
    pub is_trusted: bool,
    pub at: Option<i64>,
}

impl Pen {
    pub fn of(name: &str) -> Self {
        Self {
            names: vec![name.to_owned()],
            domains: Vec::new(),
            is_trusted: true,
            at: None,
        }
    }

    pub fn at(mut self, seconds: i64) -> Self {
        self.at = Some(seconds);
        self
    }

    pub fn untrusted(mut self) -> Self {
        self.is_trusted = false;
        self
    }
}

impl Sign for Pen {
    fn sign(&self, content: &[u8]) -> Result<Signature, SignError> {
        let at = self.at.map_or(String::new(), |at| at.to_string());
        let [names, domains] = [&self.names, &self.domains].map(|it| it.join(" "));
        let text = format!(
            "{names}\n{domains}\n{}\n{at}\n{}",
            self.is_trusted,
            content.len()
        );
        Ok(Signature::new(PROTOCOL, "none", text).unwrap())
    }
}

/// Who can read what was written with [`Pen`] and [`seal`].
#[derive(Debug, Clone, Copy)]
pub struct Reader;

impl Verify for Reader {
    fn verify(&self, signed: &Signed) -> Result<Vec<Signer>, VerifyError> {
        if signed.protocol() != PROTOCOL {
            return Err(VerifyError::Protocol);
        }
        let octets = signed.signature();
        let text = match signed.signature_encoding() {
            Some("base64") => from_base64(octets),
            _ => octets.to_vec(),
        };
        let text = String::from_utf8(text).unwrap();
        let [names, domains, is_trusted, at, len] =
            <[&str; 5]>::try_from(text.split('\n').collect::<Vec<_>>()).unwrap();
        if len.parse() != Ok(signed.content().len()) {
            return Err(VerifyError::Wrong);
        }
        let chain = match is_trusted {
            "true" => Chain::Trusted,
            _ => Chain::Untrusted("nobody knows it".to_owned()),
        };
        let signer = Signer::new(names.split_whitespace(), chain);
        let signer = signer.with_domains(domains.split_whitespace());
        Ok(vec![match at.parse() {
            Ok(at) => signer.with_signing_time(OffsetDateTime::from_unix_timestamp(at).unwrap()),
            Err(_) => signer,
        }])
    }
}

impl Decrypt for Reader {
    fn decrypt(&self, part: &Part) -> Result<Bytes, DecryptError> {
        match part.body().split_first() {
            Some((b'm', rest)) => Ok(turned(rest)),
            Some((b'x', _)) => Err(DecryptError::Undecipherable),
            _ => Err(DecryptError::Unreadable("no envelope".to_owned())),
        }
    }
}

fn turned(octets: &[u8]) -> Bytes {
    octets
        .iter()
        .map(|octet| !octet)
        .collect::<Vec<u8>>()
        .into()
}

fn from_base64(text: &[u8]) -> Vec<u8> {
    let value = |digit: &u8| match digit {
        b'A'..=b'Z' => Some(u32::from(digit - b'A')),
        b'a'..=b'z' => Some(u32::from(digit - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(digit - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits: Vec<u32> = text.iter().filter_map(value).collect();
    let groups = digits.chunks(4).flat_map(|group| {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        let octets = [bits >> 16, bits >> 8, bits].map(|octet| octet as u8);
        octets
            .into_iter()
            .take(group.len() * 3 / 4)
            .collect::<Vec<u8>>()
    });
    groups.collect()
}

/// An entity of this type, signed.
pub fn sign(pen: &Pen, content_type: &str, body: &str) -> Written {
    let part = Part::new(content_type, &Bytes::copy_from_slice(body.as_bytes())).unwrap();
    let signature = pen.sign(part.octets()).unwrap();
    Signed::write(part.octets(), &signature, &mut seeded(3))
}

/// An entity, encrypted for me.
pub fn seal(content_type: &str, body: &Bytes) -> Written {
    sealed_for(b'm', content_type, body)
}

/// An entity, encrypted for somebody else.
pub fn sealed_for(whom: u8, content_type: &str, body: &Bytes) -> Written {
    let part = Part::new(content_type, body).unwrap();
    let mut octets = vec![whom];
    octets.extend_from_slice(&turned(part.octets()));
    Enveloped::write(octets)
}

pub fn open(content_type: &str, body: &Bytes) -> Result<Opened, OpenError> {
    let opener = Opener::new().with_verify(&Reader).with_decrypt(&Reader);
    opener.open(content_type, body)
}

/// The message with such a body.
pub fn carrying(message: Message, written: &Written) -> Message {
    let mut message = message.with("Content-Type", &written.content_type);
    message.body = written.body.clone();
    message
}

/// A protected body that was opened by means that look at nothing.
pub fn as_opened(content_type: &str, body: &str) -> Opened {
    Opened::new(content_type, Bytes::copy_from_slice(body.as_bytes()))
}
