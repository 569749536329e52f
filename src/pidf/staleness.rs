//! Which documents and tuples are older than what is known already.

use core::time::Duration;
use std::collections::HashMap;

use time::OffsetDateTime;

use super::presence::Presence;
use super::tuple::Tuple;

/// Tells documents about one presentity, from one source, that have been overtaken
/// (RFC 3863, section 6; RFC 3856, section 9.4).
///
/// A document whose newest timestamp is older than that of the last one admitted is outdated, and
/// so is a tuple that is older than the last one admitted with its id. What has no timestamp is
/// taken as it comes. This tells replayed documents where nothing else does; where something else
/// tells the order, such as the CSeq of notifications in one dialog, it goes before. For a
/// document that merely lost its newest tuple looks like an old one too.
///
/// With the local time at hand, times ahead of it count as it: a clock that is wrong, or a forged
/// time, does not shut out whatever comes after.
///
/// What is kept is bounded by the last document admitted.
///
/// ```
/// use presentity::pidf::{Presence, Staleness, Tuple};
/// use time::OffsetDateTime;
///
/// let at = |seconds| {
///     let changed = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
///     Presence::new("sip:dora@example.com").with_tuple(Tuple::open("a").with_timestamp(changed).unwrap())
/// };
/// let mut staleness = Staleness::default();
/// assert!(staleness.admit(&mut at(1_000), None).is_ok());
/// assert!(staleness.admit(&mut at(999), None).is_err());
/// assert!(staleness.admit(&mut at(1_000), None).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Staleness {
    age: Option<Duration>,
    newest: Option<OffsetDateTime>,
    tuples: HashMap<String, OffsetDateTime>,
}

/// Why a document is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Outdated {
    /// A newer document has been admitted.
    #[error("newest timestamp {newest} is older than {admitted}, which is known already")]
    Overtaken {
        /// The newest timestamp of the document.
        newest: OffsetDateTime,
        /// That of the last one admitted.
        admitted: OffsetDateTime,
    },
    /// It is older than documents may be.
    #[error("newest timestamp {newest} is older than {limit:?}")]
    TooOld {
        /// The newest timestamp of the document.
        newest: OffsetDateTime,
        /// How old a document may be.
        limit: Duration,
    },
}

impl Staleness {
    /// Also refuses documents that are older than `age` by the local clock, which need not agree
    /// with that of the source: RFC 3863 speaks of about an hour.
    ///
    /// Presence that lasts is left out by such a bound as well: a tuple has the time of its last
    /// change, not of its document.
    #[must_use]
    pub fn with_age_limit(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// Admits a document, without its outdated tuples, and tells their ids; `now` is the local
    /// time, for the bound on the age and against times to come.
    ///
    /// # Errors
    ///
    /// The document is outdated as a whole. Nothing is changed then.
    pub fn admit(
        &mut self,
        document: &mut Presence,
        now: Option<OffsetDateTime>,
    ) -> Result<Vec<String>, Outdated> {
        let not_ahead = |moment: OffsetDateTime| now.map_or(moment, |now| moment.min(now));
        let newest = document.newest_timestamp().map(not_ahead);
        if let (Some(newest), Some(admitted)) = (newest, self.newest)
            && newest < admitted
        {
            return Err(Outdated::Overtaken { newest, admitted });
        }
        if let (Some(newest), Some(limit), Some(now)) = (newest, self.age, now)
            && now - newest > limit
        {
            return Err(Outdated::TooOld { newest, limit });
        }
        let mut outdated = Vec::new();
        document.tuples.retain_mut(|tuple| {
            let keep = !self.is_outdated(tuple, not_ahead);
            if !keep {
                outdated.push(core::mem::take(&mut tuple.id));
            }
            keep
        });
        // An id that is left out for being outdated is still the one that was admitted.
        let kept = outdated.iter();
        let mut tuples: HashMap<String, OffsetDateTime> =
            kept.filter_map(|id| self.tuples.remove_entry(id)).collect();
        for tuple in &document.tuples {
            if let Some(changed) = tuple.timestamp().map(not_ahead) {
                let newest = tuples.entry(tuple.id.clone()).or_insert(changed);
                *newest = changed.max(*newest);
            }
        }
        self.tuples = tuples;
        self.newest = self.newest.max(newest);
        Ok(outdated)
    }

    fn is_outdated(
        &self,
        tuple: &Tuple,
        not_ahead: impl Fn(OffsetDateTime) -> OffsetDateTime,
    ) -> bool {
        let admitted = self.tuples.get(&tuple.id);
        admitted
            .zip(tuple.timestamp().map(not_ahead))
            .is_some_and(|(admitted, changed)| changed < *admitted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn document(tuples: &[(&str, Option<i64>)]) -> Presence {
        let mut document = Presence::new("sip:dora@example.com");
        for (id, changed) in tuples {
            let mut tuple = Tuple::open(*id);
            tuple.set_timestamp(changed.map(at)).unwrap();
            document = document.with_tuple(tuple);
        }
        document
    }

    fn admit(
        staleness: &mut Staleness,
        tuples: &[(&str, Option<i64>)],
    ) -> Result<Vec<String>, i64> {
        let mut document = document(tuples);
        let outcome = staleness.admit(&mut document, None);
        if let Ok(outdated) = &outcome {
            assert_eq!(document.tuples.len() + outdated.len(), tuples.len());
        }
        outcome.map_err(|refused| match refused {
            Outdated::Overtaken { newest, .. } | Outdated::TooOld { newest, .. } => {
                newest.unix_timestamp()
            }
        })
    }

    // PIDF-29
    #[test]
    fn an_overtaken_document_is_refused_and_changes_nothing() {
        let mut staleness = Staleness::default();
        assert_eq!(
            admit(&mut staleness, &[("a", Some(10)), ("b", Some(20))]),
            Ok(vec![])
        );
        let before = staleness.clone();
        assert_eq!(
            admit(&mut staleness, &[("a", Some(19)), ("b", Some(5))]),
            Err(19)
        );
        assert_eq!(staleness, before);
        // A repeated one is as good as the first.
        assert_eq!(
            admit(&mut staleness, &[("a", Some(10)), ("b", Some(20))]),
            Ok(vec![])
        );
        // An unchanged tuple keeps its time while another one changes.
        assert_eq!(
            admit(&mut staleness, &[("a", Some(10)), ("b", Some(21))]),
            Ok(vec![])
        );
    }

    // SEC-26
    #[test]
    fn an_overtaken_tuple_is_left_out_alone() {
        let mut staleness = Staleness::default();
        assert_eq!(
            admit(&mut staleness, &[("a", Some(10)), ("b", Some(20))]),
            Ok(vec![])
        );
        let stale = Ok(vec!["a".to_owned()]);
        assert_eq!(
            admit(&mut staleness, &[("a", Some(9)), ("b", Some(30))]),
            stale
        );
        // Left out, it is no excuse for the next one.
        assert_eq!(
            admit(&mut staleness, &[("a", Some(9)), ("b", Some(30))]),
            stale
        );
        assert_eq!(
            admit(&mut staleness, &[("a", Some(10)), ("b", Some(30))]),
            Ok(vec![])
        );
        // A name that was gone begins anew.
        assert_eq!(admit(&mut staleness, &[("b", Some(30))]), Ok(vec![]));
        assert_eq!(
            admit(&mut staleness, &[("a", Some(1)), ("b", Some(30))]),
            Ok(vec![])
        );
    }

    #[test]
    fn a_time_to_come_shuts_nothing_out() {
        let mut staleness = Staleness::default();
        let mut check = |changed: i64, now: i64| {
            let mut document = document(&[("a", Some(changed))]);
            let admitted = staleness.admit(&mut document, Some(at(now)));
            admitted.is_ok() && document.tuples.len() == 1
        };
        assert!(check(250_000_000_000, 1_000));
        assert!(!check(999, 1_001));
        assert!(check(1_001, 1_001));
        // Clocks differ.
        assert!(check(1_010, 1_005));
        assert!(check(1_011, 1_006));
    }

    #[test]
    fn what_has_no_time_is_taken_as_it_comes() {
        let mut staleness = Staleness::default();
        assert_eq!(admit(&mut staleness, &[("a", Some(10))]), Ok(vec![]));
        assert_eq!(admit(&mut staleness, &[("a", None)]), Ok(vec![]));
        assert_eq!(admit(&mut staleness, &[]), Ok(vec![]));
        assert_eq!(admit(&mut staleness, &[("a", Some(9))]), Err(9));
    }

    // PIDF-29
    #[test]
    fn a_document_may_be_too_old() {
        let mut staleness = Staleness::default().with_age_limit(Duration::from_secs(3600));
        let mut check = |changed: i64, now: Option<i64>| {
            let mut document = document(&[("a", Some(changed))]);
            staleness.admit(&mut document, now.map(at)).is_ok()
        };
        assert!(!check(1_000, Some(4_601)));
        assert!(check(1_000, Some(4_600)));
        assert!(check(1_000, None));
        // Clocks differ.
        assert!(check(9_000, Some(4_000)));
    }
}
