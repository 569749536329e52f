//! What stands for keys in a program without S/MIME.

use presentity::event::{Opening, OpeningOutcome, ProtectError, Protection, ProtectionJob};
use presentity::mime::Written;

use super::{Files, KeysError};

/// There are none.
#[derive(Debug)]
pub(crate) enum Keys {}

impl Keys {
    pub(super) fn read(_: &Files) -> Result<Self, KeysError> {
        Err(KeysError::NotBuilt)
    }

    pub(crate) fn signs_as(&self) -> Option<(String, bool)> {
        match *self {}
    }

    pub(crate) fn offers(&self, _: Option<&str>) -> Protection {
        match *self {}
    }

    pub(crate) fn protect(&self, _: &ProtectionJob) -> Result<Written, ProtectError> {
        match *self {}
    }

    pub(crate) fn opens(&self) -> bool {
        match *self {}
    }

    pub(crate) fn open(&self, _: &Opening) -> OpeningOutcome {
        match *self {}
    }
}
