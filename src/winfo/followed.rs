//! What is known by one subscription to watcher information.

use super::change::WatcherChange;
use super::table::{WatcherTable, WatcherTableLimits};
use crate::engine::Timestamp;
use crate::event::{NotifiedState, NotifierKey};

/// By one subscription, which several notifiers may have.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// One for each notifier.
    pub(super) told: Vec<Told>,
    /// What the last notifier had told before its subscription ended.
    pub(super) left: Option<WatcherTable>,
    /// When everything was asked for last.
    pub(super) asked_at: Option<Timestamp>,
    /// When it is to be asked for.
    pub(super) ask_at: Option<Timestamp>,
}

/// By one notifier.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) notifier: Option<NotifierKey>,
    pub(super) state: Option<NotifiedState>,
    pub(super) table: WatcherTable,
    /// Whether a document of its own has come.
    pub(super) is_heard: bool,
}

impl Followed {
    /// What a notifier has told.
    pub(super) fn by(
        &mut self,
        notifier: Option<NotifierKey>,
        limits: WatcherTableLimits,
    ) -> Option<&mut Told> {
        let known = self.told.iter().position(|told| told.notifier == notifier);
        if known.is_none() {
            self.told.push(Told {
                notifier,
                state: None,
                table: WatcherTable::new(limits),
                is_heard: false,
            });
        }
        match known {
            Some(at) => self.told.get_mut(at),
            None => self.told.last_mut(),
        }
    }

    /// The subscription at a notifier has ended: what it had told.
    pub(super) fn end(&mut self, notifier: Option<NotifierKey>) -> Option<WatcherTable> {
        let at = self.told.iter().position(|it| it.notifier == notifier)?;
        Some(self.told.swap_remove(at).table)
    }

    /// Whether each of so many notifiers has told everything.
    pub(super) fn is_complete(&self, notifiers: usize) -> bool {
        let told = self.told.iter().filter(|told| told.notifier.is_some());
        told.clone().all(|told| told.table.is_complete()) && told.count() >= notifiers
    }

    /// All that was known is not any more.
    pub(super) fn forget(&mut self) -> Vec<WatcherChange> {
        let told = self.told.drain(..).map(|told| told.table);
        let tables = told.chain(self.left.take());
        tables.flat_map(|mut table| table.clear()).collect()
    }

    /// What is known, by whom.
    pub(super) fn tables(&self) -> impl Iterator<Item = (Option<NotifierKey>, &WatcherTable)> {
        let told = self.told.iter().map(|told| (told.notifier, &told.table));
        told.chain(self.left.iter().map(|table| (None, table)))
    }
}
