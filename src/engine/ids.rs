//! Names of the host's transactions and connections.

use super::slab::Key;

/// The host's name for a server transaction: the request that opened it waits for a response.
///
/// The host chooses the value; it must differ for every request that it hands in while an earlier
/// one is unanswered, and for each branch of a request that arrived by several paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTransaction(pub u64);

/// The library's name for a client transaction: an outgoing request whose outcome the host reports.
///
/// The host gives it back with the final response, the timeout or the failure. The value is opaque;
/// it tells the roles of one process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientTransaction(u64);

/// Bits of a generation that fit into a transaction's name beside the role.
const GENERATION: u64 = 0x00ff_ffff;

impl ClientTransaction {
    /// The transaction that stands at this place in the table of a role.
    pub(crate) fn of(role: u8, place: Key) -> Self {
        let generation = u64::from(place.generation.get()) & GENERATION;
        Self((u64::from(role) << 56) | (generation << 32) | u64::from(place.index))
    }

    /// Where it stands, if it stands there still.
    pub(crate) const fn index(self) -> u32 {
        self.0 as u32
    }

    /// The number of the role that it is of, as its configuration said.
    pub const fn role(self) -> u8 {
        (self.0 >> 56) as u8
    }

    /// The value, for hosts that key their tables by an integer.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The host's name for the connection or path that a request came by (RFC 5626, "flow").
///
/// The host chooses the value. It is kept per subscription, renewed by each refresh, and returned
/// with each request that must go back the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);
