//! A subscription, as it should be at the agent.

use bytes::Bytes;
use presentity::event::{EndReason, Reason, SubscriptionKey};
use presentity::pidf::partial::Reconstruction;

use crate::model::{Rule, Shown};
use crate::terms::{Condition, Filter, Pace};

/// What a NOTIFY has told.
#[derive(Debug, Clone)]
pub struct Told {
    pub shown: Shown,
    /// Every basic status before a filter was applied, where it is known, by who said it.
    pub basics: Option<Vec<(u64, &'static str)>>,
    /// The entity-tag.
    pub tag: String,
    /// The version of the presentity's state, and how many publications had come and gone.
    pub version: u64,
    pub members: u64,
}

impl Told {
    /// What the statuses are, whoever said them.
    pub fn statuses(basics: &[(u64, &'static str)]) -> Vec<&'static str> {
        let mut statuses: Vec<_> = basics.iter().map(|(_, basic)| *basic).collect();
        statuses.sort_unstable();
        statuses
    }
}

#[derive(Debug)]
pub struct Record {
    pub watcher: usize,
    pub presentity: usize,
    pub entity: String,
    pub call_id: String,
    /// The agent's tag, when it is known.
    pub tag: Option<String>,
    pub key: Option<SubscriptionKey>,
    pub rule: Rule,
    pub expires_at: u64,
    /// The connection that it came by, as long as that is there.
    pub flow: Option<u64>,
    pub remote_cseq: u32,
    pub local_cseq: u32,
    pub live: bool,
    /// Why it is over, and whether the agent has said so.
    pub ended: Option<EndReason>,
    pub retry_after: Option<u32>,
    pub end_told: bool,
    /// The watcher has been told the end.
    pub farewell: bool,
    /// Something else was decided before its last NOTIFY left, which tells no state then.
    pub withheld: bool,
    /// The agent holds nothing of it any more, and has yet to say so.
    pub gone: bool,
    /// The NOTIFY that is open.
    pub open: Option<u64>,
    /// Challenges of it that were answered in a row.
    pub attempts: u8,
    /// It waits for credentials.
    pub challenged: bool,
    /// The next one has them.
    pub repeats: bool,
    /// What the last NOTIFY of all said.
    pub last_word: Option<Bytes>,
    /// It is to get a NOTIFY whatever it has.
    pub owed: bool,
    /// The watcher sent a SUBSCRIBE since the last NOTIFY.
    pub spoken: bool,
    pub held_until: Option<u64>,
    pub changed_at: u64,
    pub settled_at: u64,
    /// When the last NOTIFY left that nothing but a change was the reason for.
    pub last_change: Option<u64>,
    pub on_its_way: Option<Told>,
    /// What the watcher said 200 to, or that it has.
    pub taken: Option<Told>,
    /// It takes partial documents.
    pub partial: bool,
    pub filter: Filter,
    pub pace: Pace,
    pub condition: Option<Condition>,
    /// The answer to a SUBSCRIBE will tell whether a NOTIFY is owed.
    pub unanswered: bool,
    /// What its watcher is known to have when that is 204; nothing when another one is on its way.
    pub claim: Option<Told>,
    /// Its watcher has what is on its way, whatever becomes of that.
    pub claims_open: bool,
    /// When the pace was agreed on.
    pub agreed_at: u64,
    /// When the last NOTIFY left.
    pub last_sent: Option<u64>,
    /// The number of the last partial document, and what they come to.
    pub number: u32,
    pub copy: Reconstruction,
    /// The same without the one that is open, if that is one.
    pub copy_before: Option<Reconstruction>,
    /// What its watcher had before it challenged what is repeated.
    pub taken_before: Option<Told>,
    /// The watcher refused the last one and gets the next change.
    pub excused: bool,
    /// When it is to be looked at again.
    pub look_at: Option<u64>,
}

impl Record {
    /// Nobody takes what he challenges: the number is that of the next.
    pub fn take_back(&mut self) {
        if let Some(copy) = self.copy_before.take() {
            self.copy = copy;
            self.number -= 1;
        }
    }

    pub fn end(&mut self, reason: EndReason) {
        self.live = false;
        self.ended = Some(reason);
        self.owed = true;
        self.held_until = None;
    }

    /// It is over, and its watcher will not be told.
    pub fn drop(&mut self, reason: EndReason) {
        self.end(reason);
        self.owed = false;
        self.gone = true;
    }

    /// Whether its last NOTIFY has the document.
    pub fn ends_with_state(&self) -> bool {
        let tells = matches!(
            self.ended,
            Some(
                EndReason::Fetched
                    | EndReason::Unsubscribed
                    | EndReason::Terminated(Reason::Invariant)
            )
        );
        tells && !self.withheld
    }

    /// What its last NOTIFY says.
    pub fn last_state(&self) -> Option<String> {
        let reason = match self.ended? {
            EndReason::Unsubscribed | EndReason::Fetched | EndReason::Expired => "timeout",
            EndReason::Rejected => "rejected",
            EndReason::Terminated(reason) => reason.as_str(),
            _ => return None,
        };
        let after = self.retry_after.map(|it| format!(";retry-after={it}"));
        Some(format!(
            "terminated;reason={reason}{}",
            after.unwrap_or_default()
        ))
    }
}
