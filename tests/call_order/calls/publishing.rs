//! PUBLISH, at once or by way of a job.

use core::time::Duration;

use presentity::engine::FlowId;
use presentity::event::{JobOutcome, PublishKind, ReplacePublications};

use super::course::{Course, Effect};
use super::model::{
    DEFERRED, ExpectedOf, PRESENTITIES, PendingJob, Publication, WATCHERS, document,
};
use super::operations::{PublishFault, TagChoice, Wish};
use super::requests;

impl Course {
    pub(super) fn mark(&mut self, presentity: usize, same: bool) -> u32 {
        let last = self
            .publications
            .iter()
            .rev()
            .find(|publication| publication.presentity == presentity);
        if let Some(last) = last
            && same
        {
            return last.mark;
        }
        self.next_mark += 1;
        self.next_mark
    }

    pub(super) fn tag(&self, presentity: usize, choice: TagChoice, pick: usize) -> Option<String> {
        let publications = self.publications.iter();
        let own = |it: &&Publication| it.presentity == presentity;
        let right = || {
            let known = publications.clone().filter(own).filter(|it| it.alive);
            known.filter_map(|it| it.tag.clone()).collect::<Vec<_>>()
        };
        let candidates: Vec<String> = match choice {
            TagChoice::None => return None,
            TagChoice::Right => right(),
            TagChoice::Stale => publications
                .clone()
                .filter(own)
                .flat_map(|it| {
                    let gone = it.tag.clone().filter(|_| !it.alive);
                    it.old_tags.iter().cloned().chain(gone)
                })
                .collect(),
            TagChoice::Elsewhere => publications
                .clone()
                .filter(|it| !own(it))
                .filter_map(|it| it.tag.clone())
                .collect(),
            TagChoice::Nonsense => Vec::new(),
            TagChoice::Guessed => vec!["aaaaaaaaaaaaa.1".into()],
            TagChoice::Respelled => right()
                .into_iter()
                .map(|tag| tag.replace('.', ".0"))
                .collect(),
        };
        let found = candidates.get(pick % candidates.len().max(1)).cloned();
        Some(found.unwrap_or_else(|| "none-such".into()))
    }

    /// The publication that a tag names now.
    pub(super) fn publication(&self, presentity: usize, tag: &str) -> Option<usize> {
        self.publications.iter().position(|it| {
            it.alive
                && it.presentity == presentity
                && it.tag.as_deref() == Some(tag)
                && self.clock < it.expires_at
        })
    }

    pub(super) fn publish(
        &mut self,
        presentity: usize,
        tag: Option<String>,
        mark: Option<u32>,
        wish: Wish,
        flow: Option<FlowId>,
        fault: PublishFault,
    ) {
        let of_body = matches!(
            fault,
            PublishFault::UnknownType
                | PublishFault::NoType
                | PublishFault::Encoded
                | PublishFault::BrokenDocument
                | PublishFault::HugeBody
        );
        let mark = match mark {
            None if of_body || tag.is_none() => Some(self.mark(presentity, false)),
            mark => mark,
        };
        let call = self.call_id();
        let body = mark.map(|mark| {
            let written = document(presentity, mark)
                .write()
                .expect("it can be written");
            String::from_utf8(written.to_vec()).expect("text")
        });
        let plain = requests::publish(presentity, &call, tag.as_deref(), body.as_deref(), wish);
        let mut message = requests::faulty(plain, fault);
        let mut repeated = false;
        if fault == PublishFault::Repeated
            && let Some((last, when)) = &self.last_publish
            && self.now.saturating_since(*when) < Duration::from_secs(32)
            && self.setting.config.server.limits.remembered_requests > 10
        {
            message = last.clone();
            repeated = true;
        }
        let owner = format!("sip:{}", PRESENTITIES[presentity]);
        let user = match fault {
            PublishFault::OtherUser => Some(WATCHERS[0]),
            PublishFault::Nobody => None,
            _ => Some(&*owner),
        };
        let seconds = match wish {
            Wish::Absent => 3600,
            Wish::Seconds(seconds) => seconds,
        };
        let kind = match (&tag, mark, seconds) {
            (None, _, _) => PublishKind::Initial,
            (Some(_), _, 0) => PublishKind::Remove,
            (Some(_), None, _) => PublishKind::Refresh,
            (Some(_), Some(_), _) => PublishKind::Modify,
        };
        let (transaction, effect) = self.hand_in(&message, user, flow, |course| {
            let found = tag
                .as_deref()
                .map(|tag| course.publication(presentity, tag));
            vec![match fault {
                _ if repeated => 482,
                PublishFault::InDialog => 481,
                PublishFault::OtherDomain => 404,
                PublishFault::Extension => 420,
                PublishFault::OtherEvent => 489,
                PublishFault::TwoTags => 400,
                PublishFault::NoBodyNorTag => 400,
                PublishFault::Nobody => 401,
                PublishFault::OtherUser => 403,
                _ if found == Some(None) => 412,
                _ if 0 < seconds && seconds < 60 => 423,
                PublishFault::UnknownType | PublishFault::Encoded
                    if kind != PublishKind::Remove =>
                {
                    415
                }
                PublishFault::HugeBody if kind != PublishKind::Remove => 413,
                PublishFault::NoType | PublishFault::BrokenDocument
                    if kind != PublishKind::Remove =>
                {
                    400
                }
                _ => return course.publish_statuses(presentity, flow, found.flatten()),
            }]
        });
        if effect != Effect::Backlog && fault == PublishFault::None && !repeated {
            self.last_publish = Some((message, self.clock));
        }
        if effect != Effect::Taken || repeated {
            return;
        }
        self.publish_taken(transaction, presentity, flow, kind, tag, mark, seconds);
    }

    /// What is said to a PUBLISH that is in order.
    pub(super) fn publish_statuses(
        &self,
        presentity: usize,
        flow: Option<FlowId>,
        found: Option<usize>,
    ) -> Vec<u16> {
        if presentity != DEFERRED {
            return vec![self.commit_status(presentity, flow, found)];
        }
        let limit = self.setting.config.server.limits.jobs;
        let may_be = self.jobs.iter().filter(|job| !job.over);
        let are = may_be.clone().filter(|job| !job.may_be_over);
        match (are.count() >= limit, may_be.count() >= limit) {
            (true, _) => vec![503],
            (false, true) => vec![200, 503],
            (false, false) => vec![200],
        }
    }

    /// A publication is in force, or waits for its job.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn publish_taken(
        &mut self,
        transaction: u64,
        presentity: usize,
        flow: Option<FlowId>,
        kind: PublishKind,
        tag: Option<String>,
        mark: Option<u32>,
        seconds: u32,
    ) {
        let change = PendingJob {
            transaction,
            presentity,
            flow,
            kind,
            tag,
            mark: match kind {
                PublishKind::Initial | PublishKind::Modify => mark,
                _ => None,
            },
            expires: seconds.min(3600),
            deadline: self.clock + self.setting.config.server.job_deadline,
            key: None,
            may_be_over: false,
            over: false,
        };
        if presentity == DEFERRED {
            let expected = self.expected.get_mut(&transaction).expect("an expectation");
            expected.statuses = vec![504];
            expected.of = ExpectedOf::Job(self.jobs.len());
            self.deferring.push_back(self.jobs.len());
            self.jobs.push(change);
        } else {
            self.commit(change);
        }
    }

    /// Earlier publications that make way for a new one.
    fn replaced(&self, presentity: usize, flow: Option<FlowId>) -> Vec<usize> {
        let never = self.setting.config.server.replace_publications == ReplacePublications::Never;
        let makes_way = |place: &usize| {
            let one = &self.publications[*place];
            one.alive && one.presentity == presentity && one.flow == flow
        };
        let places = 0..self.publications.len();
        if never || flow.is_none() {
            Vec::new()
        } else {
            places.filter(makes_way).collect()
        }
    }

    fn commit_status(&self, presentity: usize, flow: Option<FlowId>, found: Option<usize>) -> u16 {
        let limit = self.setting.config.server.limits.publications_per_resource
            + self.replaced(presentity, flow).len();
        let own = self.publications.iter();
        let own = own.filter(|it| it.alive && it.presentity == presentity);
        if found.is_none() && own.count() >= limit {
            503
        } else {
            200
        }
    }

    /// A publication is in force.
    pub(super) fn commit(&mut self, change: PendingJob) {
        self.changed_at[change.presentity] = self.clock;
        let found = change
            .tag
            .as_deref()
            .and_then(|tag| self.publication(change.presentity, tag));
        let expires_at = self.clock + Duration::from_secs(change.expires.into());
        if found.is_none() {
            for place in self.replaced(change.presentity, change.flow) {
                self.publications[place].alive = false;
                self.publications[place].replaced = true;
            }
        }
        let place = match (found, change.mark) {
            (None, Some(_)) if change.expires == 0 => None,
            (None, Some(mark)) => {
                let is_new = |key: &_| self.publications.iter().all(|it| it.key != *key);
                let key = self.agent.publications().map(|info| info.key).find(is_new);
                self.publications.push(Publication {
                    presentity: change.presentity,
                    flow: change.flow,
                    mark,
                    expires_at,
                    tag: None,
                    old_tags: Vec::new(),
                    key: key.expect("a new publication"),
                    alive: true,
                    replaced: false,
                });
                self.published
                    .push_back((change.presentity, PublishKind::Initial));
                Some(self.publications.len() - 1)
            }
            (Some(place), mark) => {
                let publication = &mut self.publications[place];
                publication.old_tags.extend(publication.tag.take());
                publication.expires_at = expires_at;
                publication.flow = change.flow;
                publication.mark = mark.unwrap_or(publication.mark);
                publication.alive = change.kind != PublishKind::Remove;
                self.published.push_back((change.presentity, change.kind));
                publication.alive.then_some(place)
            }
            (None, None) => panic!("a condition that nothing meets was met"),
        };
        let expected = self.expected.get_mut(&change.transaction);
        expected.expect("an expectation").of = ExpectedOf::Publication {
            place,
            granted: change.expires,
        };
    }

    pub(super) fn complete_job(&mut self, pick: usize, success: bool) {
        let known: Vec<usize> = (0..self.jobs.len())
            .filter(|place| self.jobs[*place].key.is_some())
            .collect();
        // Mostly the latest.
        let Some(place) = known.iter().rev().nth(pick % known.len().clamp(1, 4)) else {
            return;
        };
        self.complete(*place, success);
    }

    pub(super) fn complete(&mut self, place: usize, success: bool) {
        let Some(key) = self.jobs[place].key else {
            return;
        };
        let now = self.time();
        let before = self.agent.occupancy().jobs;
        let outcome = self.agent.complete_job(now, key, success);
        let ended = before - self.agent.occupancy().jobs;
        let job = &self.jobs[place];
        if ended == 0 {
            assert!(job.over || job.may_be_over, "a job is lost: {job:?}");
            assert_eq!(outcome, JobOutcome::Over);
            return;
        }
        assert!(!job.over, "a job ended twice: {job:?}");
        let job = PendingJob {
            tag: job.tag.clone(),
            ..*job
        };
        self.jobs[place].over = true;
        let found = job
            .tag
            .as_deref()
            .map(|tag| self.publication(job.presentity, tag));
        let status = match found {
            _ if !success => 504,
            Some(None) => 412,
            _ => self.commit_status(job.presentity, job.flow, found.flatten()),
        };
        assert_eq!(
            outcome,
            match status {
                200 => JobOutcome::Done,
                other => JobOutcome::Refused(other),
            }
        );
        let expected = self.expected.get_mut(&job.transaction).expect("unanswered");
        expected.statuses = vec![status];
        expected.of = ExpectedOf::Other;
        if status == 200 {
            self.commit(job);
        }
    }
}
