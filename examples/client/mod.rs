//! What a client on the SIP stack `rsipstack` has beside its role in presence: to embed a publisher or
//! a watcher in a program of your own, copy this directory with `../adapter` and `../digest`.
//!
//! - [`endpoint`] has the stack with its sockets, finds the way of each request, and reports what
//!   becomes of it.
//! - [`link`] joins a role that subscribes to it.
//! - [`digest`] answers challenges, [`answers`] those to several requests at once.
//! - [`uris`] reads those of a command line.
//!
//! A client has few requests to send and to answer, so that UDP, too, is the stack's own. The messages are
//! turned into each other's by `message` of the adapter, as in the server.
//!
//! Left out, as there: TLS, so that nothing is sent to a sips URI; NAPTR and SRV records (RFC 3263),
//! names being looked up as addresses only.

pub(crate) mod answers;
pub(crate) mod digest;
pub(crate) mod endpoint;
pub(crate) mod link;
pub(crate) mod uris;
