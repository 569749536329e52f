//! SIP as presence needs it: views of messages, typed header fields, URIs, media types.

mod accept;
mod byte_set;
mod cseq;
mod entity_tag;
mod error;
mod event;
mod expires;
mod grammar;
mod header_name;
mod list;
mod media_type;
mod name_addr;
mod outgoing;
mod params;
mod response;
pub(crate) mod status;
mod tag;
mod uri;
mod view;

pub use accept::Accept;
pub use cseq::{CSeq, parse_call_id};
pub use entity_tag::parse_entity_tag;
pub use error::HeaderError;
pub use event::{Event, Reason, SubscriptionState, Substate};
pub use expires::{RetryAfter, parse_delta_seconds};
pub use header_name::HeaderName;
pub use list::{parse_tokens, split_list};
pub use media_type::{ContentDisposition, MediaType};
pub use name_addr::{Contacts, NameAddr, parse_routes};
pub use outgoing::OutgoingRequest;
pub(crate) use outgoing::{Content, Head, HeadWriter, Own, Standing};
pub use params::Params;
pub use response::Response;
pub use tag::Tag;
pub use uri::{MAX_URI_PARTS, PresUri, SipUri, TelUri, Uri, UriError, UriHeaders, UriParams};
pub use view::{MAX_FIELD_LEN, MAX_FIELDS, MAX_FIELDS_LEN, MAX_URI_LEN, RequestRef, ResponseRef};
