//! A SIP watcher: it subscribes, prolongs, and begins anew when its subscription is lost.

use crate::common::Message;
use crate::rules::PRESENTITIES;

#[derive(Debug)]
pub struct Phone {
    pub user: String,
    pub presentity: usize,
    calls: u64,
    /// Its request, the tag of the other side, and the last CSeq.
    dialog: Option<(Message, String, u32)>,
    pub ask_at: u64,
    pub wants: bool,
    pub held: Option<String>,
}

impl Phone {
    pub fn new(user: String, presentity: usize) -> Self {
        Self {
            user,
            presentity,
            calls: 0,
            dialog: None,
            ask_at: 0,
            wants: true,
            held: None,
        }
    }

    pub fn uri(&self) -> String {
        format!("sip:{}", self.user)
    }

    pub fn forget(&mut self) {
        self.dialog = None;
        self.held = None;
        self.ask_at = 0;
    }

    /// Calls that it has made.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    pub fn is_of(&self, call: &str) -> bool {
        let dialog = self.dialog.as_ref();
        dialog.is_some_and(|(message, ..)| message.field("Call-ID") == call)
    }

    pub fn wake(&mut self, now: u64) -> Option<Message> {
        if now < self.ask_at || (!self.wants && self.dialog.is_none()) {
            return None;
        }
        self.ask_at = now + 10_000;
        let expires = if self.wants { "600" } else { "0" };
        if let Some((first, tag, cseq)) = &mut self.dialog {
            *cseq += 1;
            let next = first.clone().in_dialog(tag, *cseq);
            return Some(next.with("Expires", expires));
        }
        self.calls += 1;
        let to = format!("sip:{}", PRESENTITIES[self.presentity]);
        // No token has an @.
        let call = format!("{}-{}", self.user.replace('@', "."), self.calls);
        Some(Message::subscribe(&self.uri(), &to, &call))
    }

    pub fn answered(&mut self, now: u64, message: Message, status: u16, tag: Option<&str>) {
        match (status, tag) {
            (200..=299, _) if !self.wants => self.dialog = None,
            (200..=299, Some(tag)) => {
                if !self.is_of(message.field("Call-ID")) {
                    self.dialog = Some((message, tag.to_owned(), 1));
                }
                self.ask_at = now + 300_000;
            }
            _ => {
                self.forget();
                self.ask_at = now + 30_000;
            }
        }
    }
}
