//! Credentials of a program that has several requests under way.

use std::collections::HashMap;

use presentity::engine::ClientTransaction;
use presentity::event::NeedCredentials;
use presentity::sip::OutgoingRequest;

use super::digest::{Challenged, Credentials, Declined};
use super::endpoint::Outcome;

/// Conversations whose nonces are remembered; the oldest go first and are challenged again.
const MAX_CONVERSATIONS: usize = 1024;

/// A user with a password, and what was answered with them in each conversation: a challenge in one of
/// them says nothing of what was answered in another.
#[derive(Debug)]
pub(crate) struct Answers {
    credentials: Credentials,
    /// By their Call-ID, the newest last.
    conversations: Vec<(String, Credentials)>,
    /// The Call-ID of each request that has no outcome yet.
    open: HashMap<ClientTransaction, String>,
    /// The last one that was challenged.
    challenged: Option<(ClientTransaction, String)>,
}

impl Answers {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            conversations: Vec::new(),
            open: HashMap::new(),
            challenged: None,
        }
    }

    /// A request goes out.
    pub(crate) fn sent(&mut self, request: &OutgoingRequest) {
        let mut fields = request.fields();
        let call_id = fields.find(|(name, _)| name.eq_ignore_ascii_case("Call-ID"));
        if let Some((_, call_id)) = call_id {
            self.open.insert(request.transaction(), call_id.to_owned());
        }
    }

    /// What became of it. To be told before the role is, which may ask for credentials then.
    pub(crate) fn outcome(&mut self, transaction: ClientTransaction, outcome: &Outcome) {
        // A challenge that nobody asked to answer.
        if let Some((_, call_id)) = self.challenged.take() {
            self.settle(&call_id);
        }
        let Some(call_id) = self.open.remove(&transaction) else {
            return;
        };
        let status = outcome.as_ref().map(|response| response.status_code.code());
        match status {
            Ok(401 | 407) => self.challenged = Some((transaction, call_id)),
            _ => self.settle(&call_id),
        }
    }

    /// The value that answers a challenge.
    ///
    /// # Errors
    /// As those of [`Credentials::answer`].
    pub(crate) fn answer(&mut self, need: &NeedCredentials) -> Result<String, Declined> {
        let challenged = self.challenged.take();
        let challenged = challenged.filter(|(transaction, _)| *transaction == need.transaction());
        let call_id = challenged.map(|(_, call_id)| call_id).unwrap_or_default();
        let known = self.conversations.iter().position(|(it, _)| *it == call_id);
        let mut credentials = match known {
            Some(place) => self.conversations.remove(place).1,
            None => self.credentials.clone(),
        };
        let request = Challenged {
            status: need.status(),
            method: need.method(),
            uri: need.uri(),
        };
        let answer = credentials.answer(request, need.challenges());
        if answer.is_err() {
            credentials.settled();
        }
        if self.conversations.len() >= MAX_CONVERSATIONS {
            self.conversations.remove(0);
        }
        self.conversations.push((call_id, credentials));
        answer
    }

    fn settle(&mut self, call_id: &str) {
        let mut conversations = self.conversations.iter_mut();
        if let Some((_, credentials)) = conversations.find(|(it, _)| it == call_id) {
            credentials.settled();
        }
    }
}
