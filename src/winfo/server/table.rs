//! The watchers of one resource, in the order in which they last changed, and who was told how far.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::engine::Timestamp;
use crate::event::SubscriptionKey;
use crate::winfo::{WatcherEvent, WatcherStatus};

/// A subscription that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its place in the order of changes.
    place: u64,
    /// Its first place.
    born: u64,
    pub(super) watcher: Arc<str>,
    pub(super) status: WatcherStatus,
    pub(super) event: WatcherEvent,
    pub(super) expires_at: Option<Timestamp>,
}

impl Row {
    fn is_undecided(&self) -> bool {
        matches!(self.status, WatcherStatus::Pending | WatcherStatus::Waiting)
    }

    fn is_over(&self) -> bool {
        self.status == WatcherStatus::Terminated
    }
}

/// What somebody who watches the watchers sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    Everybody,
    /// The subscriptions of this watcher, which is itself.
    Own(Arc<str>),
    Nobody,
}

/// A subscription to the watcher information of the resource.
#[derive(Debug)]
struct Reader {
    sight: Sight,
    /// The place up to which it was told, if it was.
    mark: Option<u64>,
}

/// What is told at once.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) rows: Vec<(SubscriptionKey, &'a Row)>,
    /// The place up to which it tells.
    pub(super) mark: u64,
    /// What could not be told.
    pub(super) has_more: bool,
}

/// The watchers of one resource that somebody is told of, and those that wait for a decision.
///
/// Every change moves a row to the end. So who was told up to a place is behind by the rows after it,
/// however many there are before.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: HashMap<SubscriptionKey, Row>,
    order: BTreeMap<u64, SubscriptionKey>,
    by_watcher: HashMap<Arc<str>, Vec<SubscriptionKey>>,
    /// The last place that was given.
    last: u64,
    /// Rows that are over, in their order.
    over: VecDeque<u64>,
    /// Who was not told up to here has missed that a subscription is over.
    forgotten: u64,
    undecided: usize,
    readers: HashMap<SubscriptionKey, Reader>,
    /// How many readers were told up to a place.
    marks: BTreeMap<u64, usize>,
    /// Every watcher has its rows, since somebody sees them all.
    is_complete: bool,
    /// Watchers who see their own rows, and how often.
    followed: HashMap<Arc<str>, usize>,
}

impl Table {
    /// Whether rows wait for a decision.
    pub(super) fn has_undecided(&self) -> bool {
        self.undecided > 0
    }

    /// Whether somebody sees the rows of a watcher.
    pub(super) fn shows(&self, watcher: &str) -> bool {
        self.is_complete || self.followed.contains_key(watcher)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(super) fn row(&self, key: SubscriptionKey) -> Option<&Row> {
        self.rows.get(&key)
    }

    /// The mark of one who was told everything; never 0.
    fn end(&self) -> u64 {
        self.last.max(1)
    }

    fn next_place(&mut self) -> u64 {
        self.last = self.end() + 1;
        self.last
    }

    /// A row of a subscription that has none.
    pub(super) fn insert(
        &mut self,
        key: SubscriptionKey,
        watcher: &Arc<str>,
        status: WatcherStatus,
        event: WatcherEvent,
    ) {
        let place = self.next_place();
        let row = Row {
            place,
            born: place,
            watcher: Arc::clone(watcher),
            status,
            event,
            expires_at: None,
        };
        self.undecided += usize::from(row.is_undecided());
        self.order.insert(place, key);
        self.by_watcher
            .entry(Arc::clone(watcher))
            .or_default()
            .push(key);
        self.rows.insert(key, row);
    }

    /// A row stands otherwise from now on. False when there is none.
    pub(super) fn change(
        &mut self,
        key: SubscriptionKey,
        status: WatcherStatus,
        event: WatcherEvent,
    ) -> bool {
        let place = self.next_place();
        let Some(row) = self.rows.get_mut(&key) else {
            return false;
        };
        self.undecided -= usize::from(row.is_undecided());
        row.status = status;
        row.event = event;
        self.undecided += usize::from(row.is_undecided());
        self.order.remove(&row.place);
        row.place = place;
        self.order.insert(place, key);
        true
    }

    /// When a subscription runs out, which is no change.
    pub(super) fn set_expiry(&mut self, key: SubscriptionKey, at: Timestamp) {
        if let Some(row) = self.rows.get_mut(&key) {
            row.expires_at = Some(at);
        }
    }

    /// A subscription is over. Its row stays until all have been told who were told of it before; tells
    /// whether there are any.
    pub(super) fn end_row(
        &mut self,
        key: SubscriptionKey,
        event: WatcherEvent,
        most: usize,
    ) -> bool {
        let Some(row) = self.rows.get(&key) else {
            return false;
        };
        let told_up_to = self.marks.last_key_value().map_or(0, |(mark, _)| *mark);
        let is_of_interest = row.born <= told_up_to && self.shows(&row.watcher);
        if !is_of_interest {
            self.remove(key);
            return false;
        }
        self.change(key, WatcherStatus::Terminated, event);
        self.over.push_back(self.last);
        while self.over.len() > most
            && let Some(place) = self.over.pop_front()
        {
            self.forgotten = place;
            self.remove_at(place);
        }
        true
    }

    pub(super) fn remove(&mut self, key: SubscriptionKey) {
        let Some(row) = self.rows.remove(&key) else {
            return;
        };
        self.undecided -= usize::from(row.is_undecided());
        self.order.remove(&row.place);
        if let Some(keys) = self.by_watcher.get_mut(&row.watcher) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_watcher.remove(&row.watcher);
            }
        }
    }

    fn remove_at(&mut self, place: u64) {
        if let Some(key) = self.order.get(&place).copied() {
            self.remove(key);
        }
    }

    /// The rows of a watcher that ran out without a decision.
    pub(super) fn waiting_of(&self, watcher: &str) -> Vec<SubscriptionKey> {
        let keys = self.by_watcher.get(watcher).into_iter().flatten().copied();
        let is_waiting = |key: &SubscriptionKey| {
            let row = self.rows.get(key);
            row.is_some_and(|row| row.status == WatcherStatus::Waiting)
        };
        keys.filter(is_waiting).collect()
    }

    // ---- readers --------------------------------------------------------------------------

    /// Somebody watches, or sees something else from now on. What it sees is to be filled in then.
    pub(super) fn admit(&mut self, key: SubscriptionKey, sight: Sight) {
        if self.readers.get(&key).is_some_and(|it| it.sight == sight) {
            return;
        }
        match &sight {
            Sight::Everybody => self.is_complete = true,
            Sight::Own(watcher) => {
                *self.followed.entry(Arc::clone(watcher)).or_default() += 1;
            }
            Sight::Nobody => {}
        }
        let reader = Reader { sight, mark: None };
        if let Some(before) = self.readers.insert(key, reader) {
            self.part(&before);
        }
    }

    pub(super) fn sight(&self, key: SubscriptionKey) -> Option<&Sight> {
        self.readers.get(&key).map(|reader| &reader.sight)
    }

    /// Somebody watches no more. What nobody sees any more goes.
    pub(super) fn dismiss(&mut self, key: SubscriptionKey) {
        if let Some(reader) = self.readers.remove(&key) {
            self.part(&reader);
        }
        if !self.readers.is_empty() {
            self.drop_told();
            return;
        }
        self.is_complete = false;
        let unseen = self.order.values().copied().collect::<Vec<_>>();
        for key in unseen {
            if self.rows.get(&key).is_some_and(|row| !row.is_undecided()) {
                self.remove(key);
            }
        }
        self.over.clear();
        // A table that was large is not to keep its room.
        self.rows.shrink_to_fit();
        self.by_watcher.shrink_to_fit();
    }

    /// Undoes what a reader was counted for.
    fn part(&mut self, reader: &Reader) {
        if let Some(mark) = reader.mark {
            self.count(mark, false);
        }
        let Sight::Own(watcher) = &reader.sight else {
            return;
        };
        let Some(times) = self.followed.get_mut(watcher) else {
            return;
        };
        *times -= 1;
        if *times > 0 {
            return;
        }
        self.followed.remove(watcher);
        if self.is_complete {
            return;
        }
        let own = self.by_watcher.get(watcher).cloned().unwrap_or_default();
        for key in own {
            if self.rows.get(&key).is_some_and(|row| !row.is_undecided()) {
                self.remove(key);
            }
        }
    }

    fn count(&mut self, mark: u64, is_one_more: bool) {
        let times = self.marks.entry(mark).or_default();
        if is_one_more {
            *times += 1;
        } else {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.marks.remove(&mark);
            }
        }
    }

    /// A reader was told up to a place.
    pub(super) fn told(&mut self, key: SubscriptionKey, mark: u64) {
        let Some(reader) = self.readers.get_mut(&key) else {
            return;
        };
        let before = reader.mark.replace(mark);
        self.count(mark, true);
        if let Some(before) = before {
            self.count(before, false);
        }
        self.drop_told();
    }

    /// Lets go of what is over and was told to all; who was told nothing yet gets everything.
    fn drop_told(&mut self) {
        let all = self.marks.first_key_value();
        let all = all.map_or(self.last, |(mark, _)| *mark);
        while let Some(place) = self.over.front().copied()
            && place <= all
        {
            self.over.pop_front();
            self.remove_at(place);
        }
    }

    /// Where a reader is to be told from: what it was told, by its subscription and by what was of no
    /// concern to it; 0 when it has to be told everything.
    pub(super) fn since(&self, key: SubscriptionKey, since: u64) -> u64 {
        let reader = self.readers.get(&key);
        let mark = reader.and_then(|reader| reader.mark).unwrap_or(0);
        match since.max(mark) {
            known if since > 0 && known >= self.forgotten => known,
            _ => 0,
        }
    }

    /// What comes after a place: at most so many rows that a reader sees.
    pub(super) fn page(&self, since: u64, sight: &Sight, most: usize) -> Page<'_> {
        let after = since.saturating_add(1);
        let mut rows: Vec<(SubscriptionKey, &Row)> = Vec::new();
        // Who was not told that one began is not told that it is over.
        let is_news = |row: &Row| row.place > since && (!row.is_over() || row.born <= since);
        let enough = most.saturating_add(1);
        match sight {
            Sight::Everybody => {
                let changed = self.order.range(after..).map(|(_, key)| *key);
                let changed = changed.filter_map(|key| Some((key, self.rows.get(&key)?)));
                rows.extend(changed.filter(|(_, row)| is_news(row)).take(enough));
            }
            Sight::Own(watcher) => {
                let own = self.by_watcher.get(watcher).into_iter().flatten();
                let own = own.filter_map(|key| Some((*key, self.rows.get(key)?)));
                rows.extend(own.filter(|(_, row)| is_news(row)));
                rows.sort_by_key(|(_, row)| row.place);
                rows.truncate(enough);
            }
            Sight::Nobody => {}
        }
        let has_more = rows.len() > most;
        rows.truncate(most);
        let mark = match rows.last() {
            Some((_, row)) if has_more => row.place,
            _ => self.end(),
        };
        Page {
            rows,
            mark,
            has_more,
        }
    }

    /// Everything, for one who is told once: those that wait for a decision first.
    pub(super) fn only_page(&self, sight: &Sight, most: usize) -> Page<'_> {
        let mut page = self.page(0, sight, most);
        if page.has_more && *sight == Sight::Everybody {
            let all = self.order.values();
            let all = all.filter_map(|key| Some((*key, self.rows.get(key)?)));
            let undecided = all.clone().filter(|(_, row)| row.is_undecided());
            let others = all.filter(|(_, row)| row.status == WatcherStatus::Active);
            page.rows = undecided.chain(others).take(most).collect();
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use bytes::Bytes;

    use super::{Sight, Table};
    use crate::engine::{ServerTransaction, Timestamp};
    use crate::event::PublishedBody;
    use crate::event::{
        Assurance, Authorization, Decision, Identity, Package, Profile, RenderRequest,
        RequestContext, Server, ServerConfig, SubscribeQuery, SubscriptionKey, Unreadable,
        Unserved, View,
    };
    use crate::sip::{RequestRef, Uri};
    use crate::winfo::{WatcherEvent, WatcherStatus};

    struct Open(Profile);

    impl Package for Open {
        type State = ();
        type Publication = ();

        fn profile(&self) -> &Profile {
            &self.0
        }

        fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
            uri.address_of_record().ok_or(Unserved::NotHere)
        }

        fn authorize_subscription(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
            Decision::Allow(View::full()).into()
        }

        fn read_publication(
            &mut self,
            _: &PublishedBody<'_>,
            _: Option<&()>,
        ) -> Result<(), Unreadable> {
            Err(Unreadable::new(""))
        }

        fn render(
            &mut self,
            _: &RenderRequest<'_>,
            (): &mut (),
            _: &[(u64, &())],
        ) -> Option<Bytes> {
            None
        }
    }

    /// Names of subscriptions, which only a server makes.
    fn keys(count: u32) -> Vec<SubscriptionKey> {
        let package = Open(Profile::new("x", &["text/plain"]));
        let mut next = 0_u8;
        let entropy = move |buffer: &mut [u8]| {
            for byte in buffer {
                next = next.wrapping_mul(5).wrapping_add(7);
                *byte = next;
            }
        };
        let mut server = Server::new(package, ServerConfig::default(), entropy);
        let identity = Identity::of("sip:a@example.com", Assurance::Digest).unwrap();
        for number in 0..count {
            let call = format!("c{number}");
            let fields = [
                ("From", "<sip:a@example.com>;tag=1"),
                ("To", "<sip:b@example.com>"),
                ("Call-ID", &call),
                ("CSeq", "1 SUBSCRIBE"),
                ("Contact", "<sip:a@192.0.2.1>"),
                ("Event", "x"),
            ];
            let body = Bytes::new();
            let request = RequestRef::new("SUBSCRIBE", "sip:b@example.com", fields, &body);
            let context = RequestContext::new(&identity, "sip:192.0.2.2");
            let transaction = ServerTransaction(number.into());
            let now = Timestamp::from_secs(1);
            server
                .handle_request(now, transaction, &request, &context)
                .unwrap();
        }
        server.subscriptions().map(|it| it.key).collect()
    }

    #[test]
    fn what_nobody_sees_any_more_goes() {
        let keys = keys(8);
        let [ana, bob]: [Arc<str>; 2] = ["ana".into(), "bob".into()];
        let mut table = Table::default();
        table.admit(keys[0], Sight::Own(Arc::clone(&ana)));
        table.admit(keys[1], Sight::Own(Arc::clone(&bob)));
        table.admit(keys[2], Sight::Own(Arc::clone(&ana)));
        table.insert(
            keys[3],
            &ana,
            WatcherStatus::Active,
            WatcherEvent::Subscribe,
        );
        table.insert(
            keys[4],
            &bob,
            WatcherStatus::Active,
            WatcherEvent::Subscribe,
        );
        table.insert(
            keys[5],
            &ana,
            WatcherStatus::Pending,
            WatcherEvent::Subscribe,
        );
        for (place, key) in [1, 2, 3].into_iter().zip(&keys) {
            table.told(*key, place);
        }
        table.dismiss(keys[0]);
        assert!(table.shows("ana") && table.shows("bob"));
        assert_eq!(table.rows.len(), 3);
        table.dismiss(keys[2]);
        assert!(!table.shows("ana") && table.shows("bob"));
        assert_eq!(table.rows.len(), 2);
        assert!(table.row(keys[5]).is_some(), "it waits");
        table.dismiss(keys[1]);
        assert_eq!(table.rows.len(), 1);
        assert!(table.marks.is_empty() && table.readers.is_empty() && table.followed.is_empty());
        assert!(table.has_undecided());
        table.remove(keys[5]);
        assert!(!table.has_undecided());
        assert!(table.order.is_empty() && table.by_watcher.is_empty());
    }

    #[test]
    fn ends_are_kept_until_the_last_has_been_told() {
        let keys = keys(5);
        let watcher: Arc<str> = "w".into();
        let mut table = Table::default();
        for key in &keys[3..] {
            table.insert(
                *key,
                &watcher,
                WatcherStatus::Active,
                WatcherEvent::Subscribe,
            );
        }
        for key in &keys[..2] {
            table.admit(*key, Sight::Everybody);
            let end = table.end();
            table.told(*key, end);
        }
        assert!(table.end_row(keys[3], WatcherEvent::Timeout, 9));
        assert!(
            !table.end_row(keys[0], WatcherEvent::Timeout, 9),
            "there is none"
        );
        let end = table.end();
        table.told(keys[0], end);
        assert!(table.row(keys[3]).is_some());
        // One who comes later, and is told everything, does not need it.
        table.admit(keys[2], Sight::Everybody);
        table.told(keys[2], end);
        assert!(table.row(keys[3]).is_some());
        table.told(keys[1], end);
        assert!(table.row(keys[3]).is_none());
        assert!(table.end_row(keys[4], WatcherEvent::Timeout, 0));
        assert_eq!(table.rows, HashMap::new());
        assert_eq!(table.since(keys[0], end), 0);
    }
}
