//! What NOTIFYs tell, held against what their watchers may see and have asked for.

use presentity::pidf::partial::{PartialDocument, Taken};
use presentity::xml::XmlLimits;

use crate::ledger::{INTERVAL, Ledger, Notify};
use crate::model::{Shown, State};
use crate::network::SECOND;
use crate::record::{Record, Told};
use crate::terms::{Condition, PIDF, PIDF_DIFF};

/// The same is not told again sooner, whatever is asked.
const LEAST_REPEAT: u64 = 10 * SECOND;
/// Within so long a watcher with an adaptive rate of 20 s is told something, whatever came before.
const ADAPTIVE: u64 = 300 * SECOND;

impl Ledger {
    fn expected(&self, record: &Record) -> Shown {
        let state = &self.states[record.presentity];
        let shown = state.shown(record.rule, self.rules.brief(record.presentity));
        record.filter.of(shown)
    }

    /// What a NOTIFY with the state tells; nothing when its watcher is at rest.
    pub fn told(&mut self, now: u64, notify: &Notify<'_>, record: &mut Record) -> Option<Told> {
        let tag = notify.entity_tag.expect("each state has a tag");
        let state = &self.states[record.presentity];
        let is_unsure = state.is_unsure(now);
        let mut told = Told {
            shown: Shown::Nothing,
            basics: None,
            tag: tag.to_owned(),
            version: state.version,
            members: state.members,
        };
        if !is_unsure {
            let brief = self.rules.brief(record.presentity);
            told.basics = Some(state.basics(record.rule, brief));
        }
        match &record.condition {
            Some(Condition::Always) => {
                assert!(notify.body.is_empty(), "at rest: {notify:?} to {record:#?}");
                self.suppressed += 1;
                return None;
            }
            Some(Condition::Unless(known)) if known == tag => {
                assert!(
                    notify.body.is_empty(),
                    "it has it: {notify:?} to {record:#?}"
                );
                let shown = self.tags.get(tag).expect("a tag that was told");
                assert!(
                    is_unsure || *shown == self.expected(record),
                    "it has something else: {notify:?} to {record:#?}"
                );
                self.suppressed += 1;
                told.shown = shown.clone();
                return Some(told);
            }
            _ => record.condition = None,
        }
        told.shown = self.read(is_unsure, notify, record);
        match self.tags.get(tag) {
            Some(shown) => assert_eq!(*shown, told.shown, "one tag for both"),
            None => {
                self.tags.insert(tag.to_owned(), told.shown.clone());
            }
        }
        Some(told)
    }

    /// What a document shows, which must be the newest state, unless nobody can say what that is.
    fn read(&mut self, is_unsure: bool, notify: &Notify<'_>, record: &mut Record) -> Shown {
        let expected = self.expected(record);
        let state = &self.states[record.presentity];
        let by_pres = record.entity.starts_with("pres:");
        let name = (record.presentity, record.rule, record.filter, by_pres);
        let read = match notify.content_type {
            None => {
                assert!(notify.body.is_empty());
                Shown::Nothing
            }
            Some(PIDF) => {
                assert!(!record.partial);
                record.copy.type_changed();
                let known = self.read.get(&name).is_some_and(|(version, body)| {
                    *version == state.version && body.as_ptr() == notify.body.as_ptr()
                });
                if known {
                    return expected;
                }
                Shown::read(notify.body, &record.entity)
            }
            Some(PIDF_DIFF) => {
                assert!(record.partial);
                self.put_together(notify, record)
            }
            Some(other) => panic!("{other}"),
        };
        if is_unsure {
            // Then it is what the watcher has, be it the newest or not.
            return read;
        }
        assert_eq!(
            read, expected,
            "not the newest state: {notify:?} to {record:#?}"
        );
        if !record.partial {
            let version = self.states[record.presentity].version;
            self.read.insert(name, (version, notify.body.clone()));
        }
        read
    }

    /// The next partial document of a subscription.
    fn put_together(&mut self, notify: &Notify<'_>, record: &mut Record) -> Shown {
        let document = PartialDocument::read(notify.body, &XmlLimits::default());
        let document = document.expect("a partial document");
        record.number += 1;
        assert_eq!(document.version(), Some(record.number), "{record:#?}");
        let is_full = matches!(document, PartialDocument::Full { .. });
        if is_full {
            self.partial.full += 1;
        } else {
            self.partial.changes += 1;
            let is_asked_for = record.owed && record.spoken;
            let taken = match record.repeats {
                true => &record.taken_before,
                false => &record.taken,
            };
            let has_one = taken.as_ref().is_some_and(|it| it.shown != Shown::Nothing);
            assert!(
                has_one && !is_asked_for,
                "changes of nothing: {notify:?} to {record:#?}"
            );
        }
        record.copy_before = Some(record.copy.clone());
        let taken = record.copy.take(notify.body).expect("it fits");
        assert_eq!(taken, if is_full { Taken::Full } else { Taken::Changed });
        let whole = record.copy.presence_octets().expect("a document");
        Shown::read(&whole, &record.entity)
    }

    /// A NOTIFY that is not owed has a reason, and comes at the right time.
    pub fn check_reason(
        &mut self,
        now: u64,
        notify: &Notify<'_>,
        record: &Record,
        told: Option<&Told>,
    ) {
        assert!(
            record.condition != Some(Condition::Always),
            "not left to rest: {notify:?} to {record:#?}"
        );
        let pace = record.pace;
        let last = if pace.is_none() {
            record.last_change
        } else {
            record.last_sent
        };
        let since = last.map_or(u64::MAX, |last| now - last);
        assert!(
            since >= pace.shortest.unwrap_or(INTERVAL),
            "too fast: {notify:?} to {record:#?}"
        );
        let is_news = match (told, &record.taken) {
            (Some(told), Some(taken)) => {
                // Without notes it cannot be seen whose status it is. Ids may be others when some came
                // and went.
                let is_sure = told.basics.is_some() && told.members == taken.members;
                let is_seen = !record.filter.has_trigger() && told.shown != taken.shown;
                !is_sure || is_seen || told.basics != taken.basics
            }
            _ => true,
        };
        if is_news {
            return;
        }
        self.repeated += 1;
        // It may have become what it was meanwhile.
        let changed = self.states[record.presentity].changed_at;
        let has_changed = record.last_sent.is_some_and(|last| last < changed);
        let may_repeat = pace.longest.is_some_and(|longest| since >= longest)
            || pace.adaptive && since >= LEAST_REPEAT
            || !pace.is_none() && has_changed;
        assert!(may_repeat, "nothing new: {notify:?} to {record:#?}");
    }

    /// Whether its watcher is not to be told what there is.
    pub fn is_spared_for_now(&self, record: &Record, _: &State) -> bool {
        match &record.condition {
            None => false,
            Some(Condition::Always) => true,
            Some(Condition::Unless(tag)) => self.tags.get(tag) == Some(&self.expected(record)),
        }
    }

    /// Whether its watcher has what there is to see, or what the filter lets it know of that.
    pub fn is_up_to_date(&self, record: &Record, state: &State) -> bool {
        let Some(taken) = &record.taken else {
            return false;
        };
        if !record.filter.has_trigger() {
            return taken.shown == self.expected(record);
        }
        let basics = state.basics(record.rule, self.rules.brief(record.presentity));
        let known = taken.basics.as_deref();
        known.is_none_or(|known| Told::statuses(known) == Told::statuses(&basics))
    }

    /// By when its watcher is told something, be it the same again.
    pub fn repeat_at(&self, record: &Record) -> Option<u64> {
        let adaptive = record.pace.adaptive.then_some(ADAPTIVE);
        let longest = record.pace.longest.or(adaptive)?;
        let mut since = record.last_sent?.max(record.agreed_at);
        if let Some(Condition::Unless(_)) = record.condition {
            // Until it changed the watcher was spared what was due.
            let changed_at = self.states[record.presentity].changed_at;
            since = since.max(changed_at).max(record.changed_at);
        }
        Some((since + longest).max(record.settled_at))
    }

    /// How a SUBSCRIBE with a condition was answered.
    pub fn answered(&mut self, id: u64, spared: bool) {
        self.spared += u64::from(spared);
        if !self.records.contains_key(&id) {
            return;
        }
        self.change(id, |record| {
            if !core::mem::take(&mut record.unanswered) || !record.live {
                return;
            }
            let claim = record.claim.take();
            if !spared {
                record.owed = true;
            } else if claim.is_some() {
                record.taken = claim;
                record.excused = false;
            } else if !record.claims_open && record.condition != Some(Condition::Always) {
                record.condition = None;
            }
        });
    }
}
