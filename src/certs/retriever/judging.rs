//! Who has a usable certificate now, and what is told of it.

use core::time::Duration;

use super::{Due, Retriever};
use crate::certs::followed::{Followed, Place, Standing, Use};
use crate::certs::output::{Certificate, FollowKey, Loss, RetrieveFailure, RetrieverEvent};
use crate::certs::source::{Source, Word};
use crate::certs::verdict::{Case, Objection};
use crate::engine::Timestamp;
use crate::engine::slab::Key;

/// What there is for somebody.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) usable: Option<Certificate>,
    pub(super) source: Option<Key>,
    /// Why the first one that is not usable is not, and where it is from.
    pub(super) objection: Option<(Key, Objection)>,
    /// Whether all that were asked have said something.
    is_settled: bool,
}

impl Retriever {
    /// The first certificate among the sources of somebody that may be used at a time for one of these
    /// names.
    pub(super) fn look(&self, followed: &Followed, names: &[String], now: Timestamp) -> Found {
        let now = now.max(self.now);
        let utc = self.clock.at(now);
        let mut found = Found {
            is_settled: true,
            ..Found::default()
        };
        for candidate in &followed.candidates {
            let Some(key) = candidate.at() else {
                continue;
            };
            let Some(source) = self.sources.get(key) else {
                continue;
            };
            found.is_settled &= source.word != Word::Awaited;
            // A time to keep of nothing is that of the moment.
            let held = source.held.as_ref().filter(|held| now <= held.until);
            let Some(held) = held else {
                continue;
            };
            let case = Case {
                info: &held.info,
                origin: &held.origin,
                rules: &self.config.rules,
                integrity: followed.integrity,
                utc,
            };
            for name in names {
                match case.judge(name) {
                    Ok(ground) => {
                        found.source = Some(key);
                        found.usable = Some(Certificate {
                            info: held.info.clone(),
                            ground,
                            source: source.spec.clone(),
                            until: held.until,
                        });
                        return found;
                    }
                    Err(objection) => {
                        // Elsewhere it would be the same.
                        found.is_settled &= objection != Objection::ClockUnset;
                        found.objection.get_or_insert((key, objection));
                    }
                }
            }
        }
        found
    }

    /// Looks anew at those for whom something may have changed.
    pub(super) fn settle(&mut self) {
        while let Some(key) = self.dirty.pop_first() {
            self.rejudge(key);
        }
    }

    fn rejudge(&mut self, key: Key) {
        let Some(followed) = self.followed.get(key) else {
            return;
        };
        let found = self.look(followed, &followed.names, self.now);
        let is_settled = found.is_settled && found.usable.is_none();
        self.tell_standing(key, found);
        if is_settled {
            self.try_next(key);
        }
    }

    /// Asks the next source of somebody, and sees to it that more are asked if that is of no use.
    fn try_next(&mut self, key: Key) {
        let Some(followed) = self.followed.get_mut(key) else {
            return;
        };
        let next = followed
            .candidates
            .iter_mut()
            .enumerate()
            .find(|(_, candidate)| candidate.place == Place::Untried);
        let Some((at, candidate)) = next else {
            return;
        };
        let most = self.config.limits.sources_each.max(1);
        if let Err(over) = followed.pace.take(self.now, most) {
            let wheel = &mut self.wheel;
            (followed.pace.alarm).get_or_insert_with(|| wheel.arm(over, Due::Followed(key)));
            return;
        }
        let candidate =
            crate::certs::followed::Candidate::new(candidate.spec.clone(), candidate.is_own);
        let outcome = self.acquire(key, &candidate);
        let place = match &outcome {
            Ok(source) => Place::At(*source),
            Err(failure) => Place::Impossible(failure.clone()),
        };
        if let Some(followed) = self.followed.get_mut(key)
            && let Some(candidate) = followed.candidates.get_mut(at)
        {
            candidate.place = place;
        }
        if let Err(failure) = outcome {
            self.events.push_back(RetrieverEvent::Failed {
                key: FollowKey(key),
                source: candidate.spec,
                failure,
                retry_in: None,
            });
        }
        self.dirty.insert(key);
    }

    /// Tells what has changed for somebody.
    fn tell_standing(&mut self, key: Key, found: Found) {
        let Some(followed) = self.followed.get_mut(key) else {
            return;
        };
        let before = core::mem::take(&mut followed.standing);
        let name = FollowKey(key);
        let event = match (before, found.usable, found.source) {
            (before, Some(certificate), Some(source)) => {
                followed.standing = Standing::Usable(Use {
                    source,
                    info: certificate.info.clone(),
                    ground: certificate.ground.clone(),
                });
                match before {
                    Standing::Usable(before)
                        if before.info.der == certificate.info.der
                            && before.ground == certificate.ground =>
                    {
                        None
                    }
                    Standing::Usable(before) => Some(RetrieverEvent::Changed {
                        key: name,
                        before: before.info,
                        certificate,
                    }),
                    Standing::Nothing | Standing::Unusable(..) => Some(RetrieverEvent::Found {
                        key: name,
                        certificate,
                    }),
                }
            }
            (Standing::Usable(before), ..) => {
                let at = |(source, _): &(Key, Objection)| *source == before.source;
                let loss = match found.objection.as_ref().filter(|it| at(it)) {
                    Some((_, objection)) => Loss::Unusable(objection.clone()),
                    None if followed
                        .candidates
                        .iter()
                        .all(|it| it.at() != Some(before.source)) =>
                    {
                        Loss::SourceDropped
                    }
                    None => {
                        let source = self.sources.get(before.source);
                        let loss = source.and_then(|source| source.loss.clone());
                        loss.unwrap_or(Loss::Lapsed)
                    }
                };
                if let Some((source, objection)) = found.objection.filter(at) {
                    followed.standing = Standing::Unusable(source, objection);
                } else {
                    // Of another one there is more to tell.
                    self.dirty.insert(key);
                }
                Some(RetrieverEvent::Lost {
                    key: name,
                    before: before.info,
                    loss,
                })
            }
            (before, ..) => match found.objection {
                Some((source, objection)) => {
                    let is_known = matches!(
                        &before,
                        Standing::Unusable(at, it) if (*at, it) == (source, &objection)
                    );
                    let spec = self.sources.get(source).map(|it| it.spec.clone());
                    followed.standing = Standing::Unusable(source, objection.clone());
                    spec.filter(|_| !is_known)
                        .map(|source| RetrieverEvent::Unusable {
                            key: name,
                            source,
                            objection,
                        })
                }
                None => None,
            },
        };
        self.events.extend(event);
    }

    /// Tells all who follow a source of something.
    pub(super) fn tell(&mut self, key: Key, event: impl Fn(FollowKey, &Source) -> RetrieverEvent) {
        if let Some(source) = self.sources.get(key) {
            let events = source.users.iter();
            self.events
                .extend(events.map(|user| event(FollowKey(*user), source)));
        }
    }

    /// Nothing is to be had from a source for now.
    pub(super) fn failed(
        &mut self,
        key: Key,
        failure: RetrieveFailure,
        retry_in: Option<Duration>,
    ) {
        if let Some(source) = self.sources.get_mut(key)
            && source.word == Word::Awaited
        {
            source.word = Word::Spoken;
        }
        self.tell(key, |key, source| RetrieverEvent::Failed {
            key,
            source: source.spec.clone(),
            failure: failure.clone(),
            retry_in,
        });
        if retry_in.is_none() {
            self.rechecked(key);
        }
        self.dirty_users(key);
        self.rearm(key);
    }

    /// Those who reported the certificate of a source as unusable learn what has become of it.
    pub(super) fn rechecked(&mut self, key: Key) {
        let Some(source) = self.sources.get(key) else {
            return;
        };
        for user in &source.users {
            let Some(followed) = self.followed.get_mut(*user) else {
                continue;
            };
            if followed.reported.as_ref().is_none_or(|(it, _)| *it != key) {
                continue;
            }
            let Some((_, before)) = followed.reported.take() else {
                continue;
            };
            let Some(followed) = self.followed.get(*user) else {
                continue;
            };
            let found = self.look(followed, &followed.names, self.now);
            let is_changed = found.usable.is_some_and(|it| it.info.der != before);
            self.events.push_back(RetrieverEvent::Rechecked {
                key: FollowKey(*user),
                is_changed,
            });
        }
    }
}
