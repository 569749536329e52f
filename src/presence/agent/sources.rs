//! What the application, the registrar and other agents say of presentities.

use core::time::Duration;

use super::{Agent, SetPresenceError, UnknownPresentity, own_uri};
use crate::engine::Timestamp;
use crate::event::{Identity, SubscribeBodies};
use crate::pidf::Presence;
use crate::presence::alarms::Cause;
use crate::presence::composition::{Composition, Source};
use crate::presence::package::{PresenceState, fit};
use crate::presence::policy::Policy;
use crate::presence::registered::{RegisteredContact, RegisteredError};

/// A registration that tells nothing of a presentity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetRegistrationError {
    /// The text names no presentity of this agent.
    #[error(transparent)]
    Presentity(#[from] UnknownPresentity),
    /// Nobody has proved who registers (RFC 3856 section 7.2).
    #[error("the registration is not authenticated")]
    NotAuthenticated,
    /// There is something in it that no document can show, or too much of it.
    #[error(transparent)]
    Contacts(#[from] RegisteredError),
}

/// A source lasts no shorter.
const BRIEFEST: Duration = Duration::from_secs(1);

impl<P: Policy, B: SubscribeBodies> Agent<P, B> {
    /// How what several sources say becomes one document. Until it is called that is the union: what each
    /// says, side by side. Documents that become others are told to their watchers.
    pub fn set_composition(
        &mut self,
        now: Timestamp,
        composition: impl Composition + Send + 'static,
    ) {
        self.server.package_mut().composition = Some(Box::new(composition));
        self.look_at_all(now, true);
    }

    /// What is known of presentities may mean something else; what the same parts come to, if they are composed
    /// anew.
    pub(super) fn look_at_all(&mut self, now: Timestamp, is_composed: bool) {
        let names: Vec<String> = (self.server.resource_names()).map(str::to_owned).collect();
        for name in names {
            self.server.update_state(now, &name, |_| is_composed);
            self.state_changed(now, &name);
        }
    }

    /// Sets what one source of the application's says of a presentity, such as a presence user agent in the
    /// same process (RFC 3856 section 7.1): one of several, by its name, for a time or for as long as it is
    /// not removed. It takes part in the document beside publications; what lasts beneath all is for
    /// [`set_presence`](Self::set_presence). A time of less than a second counts as one.
    ///
    /// # Errors
    /// As for [`set_presence`](Self::set_presence), and when there are too many sources
    /// ([`AgentConfig::sources`](crate::presence::AgentConfig::sources)). Then nothing changes.
    pub fn set_source(
        &mut self,
        now: Timestamp,
        presentity: &str,
        name: &str,
        document: Presence,
        lasts: Option<Duration>,
    ) -> Result<(), SetPresenceError> {
        self.advance(now);
        let presentity = self.presentity(presentity)?;
        let until = lasts.map(|time| now + time.max(BRIEFEST));
        self.put_source(
            now,
            &presentity,
            (Source::Application, name),
            document,
            until,
        )?;
        self.follow_agents(now, &presentity);
        Ok(())
    }

    /// Takes back what a source of the application's has said; tells whether there was anything.
    ///
    /// # Errors
    /// When the text names no presentity that this agent could serve.
    pub fn remove_source(
        &mut self,
        now: Timestamp,
        presentity: &str,
        name: &str,
    ) -> Result<bool, UnknownPresentity> {
        self.advance(now);
        let presentity = self.presentity(presentity)?;
        let was_there = self.drop_source(now, &presentity, (Source::Application, name));
        if was_there {
            self.follow_agents(now, &presentity);
        }
        Ok(was_there)
    }

    /// Tells which contacts of a presentity are registered (RFC 3856 section 7.2): all that there are, each
    /// time that something has changed; those that are not named are gone, and each is gone at its time.
    /// Each contact is a tuple. `registrant` is who has registered them, as the registrar has
    /// established it. Tells whether that changes the presentity's state.
    ///
    /// # Errors
    /// See [`SetRegistrationError`].
    pub fn set_registration(
        &mut self,
        now: Timestamp,
        presentity: &str,
        registrant: &Identity,
        contacts: &[RegisteredContact],
    ) -> Result<bool, SetRegistrationError> {
        self.advance(now);
        let presentity = self.presentity(presentity)?;
        if registrant.is_nobody() && !contacts.is_empty() {
            return Err(SetRegistrationError::NotAuthenticated);
        }
        let document = (self.registrations).presence(now, &own_uri(&presentity), contacts)?;
        let contacts = contacts.iter().filter(|contact| now < contact.expires_at);
        let contacts: Vec<RegisteredContact> = contacts.cloned().collect();
        let changed = self.change_sources(now, &presentity, |state| {
            state.sources.contacts = contacts;
            show_registration(now, document, state)
        });
        self.follow_agents(now, &presentity);
        self.ask_again(now, &presentity);
        Ok(changed)
    }

    /// A document from some source, in the form in which it is kept.
    pub(super) fn put_source(
        &mut self,
        now: Timestamp,
        presentity: &str,
        (source, name): (Source, &str),
        mut document: Presence,
        until: Option<Timestamp>,
    ) -> Result<(), SetPresenceError> {
        document.repair();
        document.entity = own_uri(presentity);
        document.write()?;
        fit(&mut document);
        let most = self.max_sources;
        let mut has_room = true;
        self.change_sources(now, presentity, |state| {
            let sources = &mut state.sources;
            has_room = sources.len() < most || sources.has(source, name);
            has_room && sources.set(now, (source, name), document, until)
        });
        match has_room {
            true => Ok(()),
            false => Err(SetPresenceError::TooManySources),
        }
    }

    pub(super) fn drop_source(
        &mut self,
        now: Timestamp,
        presentity: &str,
        (source, name): (Source, &str),
    ) -> bool {
        self.change_sources(now, presentity, |state| state.sources.remove(source, name))
    }

    /// The time of some sources is over.
    pub(super) fn end_sources(&mut self, now: Timestamp, presentity: &str) {
        let registrations = self.registrations.clone();
        let mut contacts_ended = false;
        let mut may_be_sent_again = false;
        let changed = self.change_sources(now, presentity, |state| {
            let changed = state.sources.expire(now);
            let spared = &mut state.sources.spared_until;
            may_be_sent_again = spared.take_if(|until| *until <= now).is_some();
            let contacts = &mut state.sources.contacts;
            let before = contacts.len();
            contacts.retain(|contact| now < contact.expires_at);
            contacts_ended = contacts.len() < before;
            // What could be shown of more can be shown of fewer.
            let fewer = contacts_ended
                .then(|| {
                    registrations
                        .presence(now, &own_uri(presentity), contacts)
                        .ok()
                })
                .flatten();
            fewer.is_some_and(|document| show_registration(now, document, state)) || changed
        });
        if changed || contacts_ended || may_be_sent_again {
            self.follow_agents(now, presentity);
        }
    }

    pub(super) fn change_sources(
        &mut self,
        now: Timestamp,
        presentity: &str,
        change: impl FnOnce(&mut PresenceState) -> bool,
    ) -> bool {
        let mut next_end = None;
        let changed = self.server.update_state(now, presentity, |state| {
            let changed = change(state);
            next_end = state.sources.next_end();
            changed
        });
        let alarms = &mut self.server.package_mut().alarms;
        alarms.set(presentity, Cause::Source, next_end);
        if changed {
            self.state_changed(now, presentity);
        }
        changed
    }
}

/// Puts what is registered in force, as the document says it; whether that is another state.
fn show_registration(now: Timestamp, mut document: Presence, state: &mut PresenceState) -> bool {
    let sources = &mut state.sources;
    let contacts = &sources.contacts;
    (sources.refused).retain(|uri| contacts.iter().any(|contact| contact.uri == *uri));
    if contacts.is_empty() {
        return sources.remove(Source::Registration, "");
    }
    fit(&mut document);
    sources.set(now, (Source::Registration, ""), document, None)
}
