//! S/MIME on the command line of the examples: keys, certificates and authorities in PEM files.
//!
//! It takes the Cargo feature `smime`. Without it the options are known all the same, and whoever gives
//! one is told what to build.

#[cfg(not(feature = "smime"))]
mod absent;
#[cfg(feature = "smime")]
mod keys;

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

#[cfg(not(feature = "smime"))]
pub(crate) use absent::Keys;
#[cfg(feature = "smime")]
pub(crate) use keys::Keys;

/// A private key, and its certificate with what is to be sent along: `KEY,CERT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFiles {
    pub(crate) key: PathBuf,
    pub(crate) certificates: PathBuf,
}

impl FromStr for KeyFiles {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(',') {
            Some((key, certificates)) if !key.is_empty() && !certificates.is_empty() => Ok(Self {
                key: key.into(),
                certificates: certificates.into(),
            }),
            _ => Err("it is KEY,CERT, two files in PEM"),
        }
    }
}

/// What a command line names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Files {
    /// Documents are signed with it.
    pub(crate) sign_with: Option<KeyFiles>,
    /// A folder with the certificates of those for whom documents are encrypted.
    pub(crate) encrypt_for: Option<PathBuf>,
    /// What is encrypted is opened with it.
    pub(crate) decrypt_with: Option<KeyFiles>,
    /// The authorities whose word counts for signatures.
    pub(crate) trust: Option<PathBuf>,
}

/// Why these files are of no use.
#[derive(Debug, thiserror::Error)]
#[allow(dead_code, reason = "a program has the first, or the others")]
pub(crate) enum KeysError {
    #[error(
        "this program was built without S/MIME: build it with the feature smime, as by \
         `cargo run --features smime --example ...`"
    )]
    NotBuilt,
    #[error("{0}: {1}")]
    Unreadable(PathBuf, io::Error),
    #[error("{0}: {1}")]
    Unusable(PathBuf, String),
}

impl Files {
    /// Reads them; nothing when none is named.
    pub(crate) fn keys(&self) -> Result<Option<Arc<Keys>>, KeysError> {
        if *self == Self::default() {
            return Ok(None);
        }
        Keys::read(self).map(|keys| Some(Arc::new(keys)))
    }
}

#[cfg_attr(not(feature = "smime"), allow(dead_code, reason = "nothing is read"))]
fn unusable(file: &Path, problem: impl std::fmt::Display) -> KeysError {
    KeysError::Unusable(file.to_owned(), problem.to_string())
}
