//! What every state machine here runs on: time, keys, timers, entropy, bounded windows.

pub(crate) mod ahead;
mod entropy;
mod ids;
pub(crate) mod interned;
pub(crate) mod jobs;
pub(crate) mod lanes;
pub(crate) mod place_index;
pub(crate) mod slab;
pub(crate) mod timer_wheel;
mod timestamp;
pub(crate) mod wall_clock;
pub(crate) mod window;

pub use entropy::Entropy;
pub use ids::{ClientTransaction, FlowId, ServerTransaction};
pub use timestamp::Timestamp;
