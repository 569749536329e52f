//! The gateway: between a service whose requests are documents and SIP, in both directions.
//!
//! Documents and bodies cross it octet for octet, so that what was signed on one side is verified on
//! the other. What SIP sends by itself, such as a refresh, has no document.

mod from_sip;
mod relay;
mod to_sip;

pub use from_sip::{
    FromSip, FromSipConfig, FromSipOccupancy, FromSipOutput, Order, OrderKey, OrderRefused,
};
pub use to_sip::{RelayedState, ToSip, ToSipConfig, ToSipOutput};
