//! Whom the user is asked about: one after the other of those who wait for a word.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::rules_file::Somebody;

/// Who has just been put in the place of another is not meant by what was typed about that one.
const TIME_TO_READ: Duration = Duration::from_secs(2);

/// The question that is open.
#[derive(Debug, Default)]
pub(crate) struct Question {
    about: Option<Asked>,
    /// The user's word about these is known, be it that it comes later.
    answered: BTreeSet<String>,
}

#[derive(Debug)]
struct Asked {
    somebody: Somebody,
    /// When it took the place of another, who went without an answer.
    instead_since: Option<Instant>,
}

/// Why nobody is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    #[error("nobody was asked about: name somebody")]
    Nobody,
    #[error("another one is asked about now: say it again")]
    Another,
}

impl Question {
    /// Looks for the next one to ask about among those who wait; somebody, if that is a new question.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        waiting: impl Iterator<Item = Somebody>,
    ) -> Option<&Somebody> {
        let mut next = None;
        for somebody in waiting.filter(|it| !self.answered.contains(&it.address)) {
            if (self.about.as_ref()).is_some_and(|asked| asked.somebody == somebody) {
                return None;
            }
            next.get_or_insert(somebody);
        }
        let before = self.about.take();
        let before = before.filter(|asked| !self.answered.contains(&asked.somebody.address));
        self.about = next.map(|somebody| Asked {
            somebody,
            instead_since: before.map(|_| now),
        });
        self.about.as_ref().map(|asked| &asked.somebody)
    }

    /// Whom an answer without a name is about.
    pub(crate) fn meant(&self, now: Instant) -> Result<Somebody, Unclear> {
        let asked = self.about.as_ref().ok_or(Unclear::Nobody)?;
        let since = asked.instead_since;
        match since.is_some_and(|since| now.saturating_duration_since(since) < TIME_TO_READ) {
            true => Err(Unclear::Another),
            false => Ok(asked.somebody.clone()),
        }
    }

    /// The user has said something.
    pub(crate) fn answered(&mut self, somebody: &Somebody) {
        self.answered.insert(somebody.address.clone());
    }

    /// Somebody asks anew.
    pub(crate) fn asked_again(&mut self, somebody: &Somebody) {
        self.answered.remove(&somebody.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(name: &str) -> Somebody {
        Somebody::parse(&format!("{name}@example.org")).unwrap()
    }

    fn waiting(names: &'static [&'static str]) -> impl Iterator<Item = Somebody> {
        names.iter().map(|name| somebody(name))
    }

    #[test]
    fn one_after_the_other_is_asked_about_once() {
        let (mut question, now) = (Question::default(), Instant::now());
        assert_eq!(question.meant(now), Err(Unclear::Nobody));
        let both: &[&str] = &["bjarne", "clara"];
        assert_eq!(question.next(now, waiting(both)), Some(&somebody("bjarne")));
        assert_eq!(question.next(now, waiting(both)), None);
        assert_eq!(question.meant(now), Ok(somebody("bjarne")));
        question.answered(&somebody("bjarne"));
        // The server may not know it yet.
        assert_eq!(question.next(now, waiting(both)), Some(&somebody("clara")));
        assert_eq!(question.meant(now), Ok(somebody("clara")));
        question.answered(&somebody("clara"));
        assert_eq!(question.next(now, waiting(both)), None);
        assert_eq!(question.meant(now), Err(Unclear::Nobody));
        question.asked_again(&somebody("bjarne"));
        assert_eq!(question.next(now, waiting(both)), Some(&somebody("bjarne")));
    }

    #[test]
    fn an_answer_about_one_who_has_just_gone_is_not_taken_for_the_next() {
        let (mut question, now) = (Question::default(), Instant::now());
        question.next(now, waiting(&["bjarne", "mallory"]));
        let next = question.next(now, waiting(&["mallory"]));
        assert_eq!(next, Some(&somebody("mallory")));
        assert_eq!(question.meant(now), Err(Unclear::Another));
        assert_eq!(question.meant(now + TIME_TO_READ), Ok(somebody("mallory")));
    }
}
