//! The dialogs of the server as somebody sees them who looks at its messages: what may leave, and how often.

use std::collections::{BTreeMap, VecDeque};

use crate::network::SECOND;

#[derive(Debug, Default)]
struct Call {
    subscriber: String,
    resource: String,
    /// The last Subscription-State.
    state: String,
    /// A NOTIFY is owed that no interval holds back.
    owed: bool,
    /// When changes were told.
    changes: VecDeque<u64>,
    over: bool,
}

/// All calls, by Call-ID.
#[derive(Debug, Default)]
pub struct Calls(BTreeMap<String, Call>);

impl Calls {
    /// A SUBSCRIBE is handed to the agent.
    pub fn asked(&mut self, call_id: &str, subscriber: &str, resource: &str) {
        let call = self.0.entry(call_id.to_owned()).or_default();
        call.subscriber = subscriber.to_owned();
        call.resource = resource.to_owned();
        call.owed = true;
    }

    /// Something else holds for a watcher, by its name.
    pub fn changed(&mut self, watcher: &str, resource: &str) {
        for call in self.0.values_mut() {
            let is_of = call.subscriber.strip_prefix("sip:") == Some(watcher);
            if is_of && call.resource.strip_prefix("sip:") == Some(resource) {
                call.owed = true;
            }
        }
    }

    /// A NOTIFY leaves.
    pub fn notified(&mut self, now: u64, call_id: &str, state: &str, interval: u64) {
        let call = self.0.get_mut(call_id).expect("a SUBSCRIBE before");
        assert!(!call.over, "a NOTIFY after the end of {call_id}");
        let state = state.split(';').next().expect("a state");
        let owed = core::mem::take(&mut call.owed) || state != call.state;
        state.clone_into(&mut call.state);
        call.over = state == "terminated";
        if owed {
            return;
        }
        call.changes.push_back(now);
        call.changes.retain(|at| at + 60 * SECOND > now);
        // Those that waited for an answer to the one before come late, and not more often.
        let most = 60 * SECOND / interval + 2;
        let told = call.changes.len() as u64;
        assert!(told <= most, "{told} changes in a minute: {call_id}");
    }
}
