//! The hash functions of Digest authentication (RFC 7616 section 3.3), for both sides of it.

use md5::Md5;
use sha2::{Digest, Sha256};

/// A hash function, the stronger one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Sha256,
    Md5,
}

impl Algorithm {
    /// By its name, with or without the hyphen.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let names = [
            (Self::Sha256, "SHA-256"),
            (Self::Sha256, "SHA256"),
            (Self::Md5, "MD5"),
        ];
        let mut found = names
            .iter()
            .filter(|(_, known)| known.eq_ignore_ascii_case(name));
        found.next().map(|(algorithm, _)| *algorithm)
    }

    /// The hash of the parts with colons between them, in hexadecimal.
    pub(crate) fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Sha256 => hex(&Sha256::digest(text)),
            Self::Md5 => hex(&Md5::digest(text)),
        }
    }
}

pub(crate) fn hex(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(
        String::with_capacity(octets.len() * 2),
        |mut text, octet| {
            let _ = write!(text, "{octet:02x}");
            text
        },
    )
}
