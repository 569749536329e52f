//! Presence for SIP stacks to embed.

pub mod engine;
pub mod sip;
