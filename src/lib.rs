//! Presence for SIP stacks to embed.

pub mod engine;
pub mod event;
pub mod sip;
