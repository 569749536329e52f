//! The dialogs of a device as somebody sees them who looks at its messages: what may leave, and what may
//! be believed.

use std::collections::BTreeMap;

use crate::network::SECOND;

/// 64 * T1 (RFC 6665 section 4.1.2.4), and what timers are late.
const TIMER_N: u64 = 35 * SECOND;

/// What has the same Call-ID.
#[derive(Debug, Default)]
struct Call {
    begun_at: u64,
    cseq: u32,
    /// A request is not answered yet.
    open: bool,
    /// Since when a NOTIFY is owed to a SUBSCRIBE, by the clock of the device.
    owed_since: Option<u64>,
    /// The highest CSeq of NOTIFYs that were taken, by the notifier's tag.
    notified: BTreeMap<String, u32>,
    /// It has ended here: nothing more is to leave or to be believed.
    over: bool,
}

/// All calls of a device.
#[derive(Debug, Default)]
pub struct Calls {
    calls: BTreeMap<String, Call>,
    /// The newest call for what is asked for, by method and To.
    newest: BTreeMap<String, String>,
}

/// A NOTIFY, as far as it names its place.
#[derive(Debug, Clone)]
pub struct Notified {
    pub call_id: String,
    pub tag: String,
    pub cseq: u32,
}

impl Calls {
    pub fn sent(&mut self, now: u64, what: &str, call_id: &str, cseq: u32) {
        let call = self.calls.entry(call_id.to_owned());
        let call = call.or_insert_with(|| Call {
            begun_at: now,
            ..Call::default()
        });
        assert!(!call.over, "a request in a call that is over: {call_id}");
        assert!(!call.open, "two requests at once: {call_id}");
        assert!(cseq > call.cseq, "CSeq {cseq} after {}", call.cseq);
        (call.cseq, call.open) = (cseq, true);
        if what.starts_with("SUBSCRIBE") {
            call.owed_since.get_or_insert(now);
        }
        let before = self.newest.insert(what.to_owned(), call_id.to_owned());
        // What is asked for anew has ended before; one may publish anew before the old has gone.
        let before = before.filter(|before| before != call_id && what.starts_with("SUBSCRIBE"));
        if let Some(before) = before {
            self.calls.get_mut(&before).expect("a call").over = true;
        }
    }

    pub fn answered(&mut self, call_id: &str) {
        self.calls.get_mut(call_id).expect("a call").open = false;
    }

    /// What is not answered yet is waited for no more.
    pub fn forget_requests(&mut self) {
        self.calls.values_mut().for_each(|call| call.open = false);
    }

    /// No NOTIFY comes of a request that was refused, or that nobody may have seen.
    pub fn refused(&mut self, call_id: &str) {
        self.calls.get_mut(call_id).expect("a call").owed_since = None;
    }

    /// Whose NOTIFY does not come is given up.
    pub fn check_silence(&self, now: u64) {
        for (call_id, call) in &self.calls {
            let owed = call.owed_since.filter(|_| !call.over);
            let patient = owed.is_none_or(|since| now < since + TIMER_N);
            assert!(patient, "{call_id} waits for a NOTIFY since {owed:?}");
        }
    }

    /// The newest call for this has ended, unless it has begun just now: then it is what follows.
    pub fn over(&mut self, now: u64, what: &str) {
        let call = self.newest.get(what).and_then(|it| self.calls.get_mut(it));
        if let Some(call) = call.filter(|call| call.begun_at != now) {
            call.over = true;
            self.newest.remove(what);
        }
    }

    /// A NOTIFY was answered by 2xx.
    pub fn believed(&mut self, notified: &Notified) {
        let Notified { call_id, tag, cseq } = notified;
        let call = self.calls.get_mut(call_id);
        let call = call.unwrap_or_else(|| panic!("a NOTIFY of no call was believed: {call_id}"));
        assert!(!call.over, "a NOTIFY was believed after the end: {call_id}");
        call.owed_since = None;
        let before = call.notified.insert(tag.clone(), *cseq);
        assert!(
            before < Some(*cseq),
            "an old NOTIFY was believed: {cseq} after {before:?}, {call_id}"
        );
    }
}
