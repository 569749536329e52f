//! Fingerprints of documents: equal for equal ones, and not to be aimed at.

use core::hash::{BuildHasher, Hasher};
use std::hash::DefaultHasher;

use crate::engine::Entropy;

/// Makes fingerprints, which the same source of entropy makes alike.
#[derive(Debug)]
pub(super) struct Fingerprints {
    secret: [u8; 16],
}

impl Fingerprints {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        let mut secret = [0; 16];
        entropy.fill(&mut secret);
        Self { secret }
    }
}

impl BuildHasher for Fingerprints {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.secret);
        hasher
    }
}
