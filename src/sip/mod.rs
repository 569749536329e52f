//! SIP as presence needs it: views of messages, typed header fields, URIs, media types.

mod outgoing;
mod response;
mod tag;

pub use outgoing::OutgoingRequest;
pub use response::Response;
pub use tag::Tag;
