//! What every state machine here runs on: time, keys, timers, entropy, output.

mod entropy;
mod ids;
mod timestamp;

pub use entropy::Entropy;
pub use ids::{ClientTransaction, FlowId, ServerTransaction};
pub use timestamp::Timestamp;
