//! Presence for SIP stacks to embed.

pub mod engine;
pub mod event;
pub mod pidf;
pub mod presence;
pub mod sip;
pub mod xml;
