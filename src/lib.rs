//! Presence for SIP stacks to embed.

pub mod engine;
pub mod pidf;
pub mod sip;
pub mod xml;
