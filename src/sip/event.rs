//! Event, Subscription-State (RFC 6665 section 8.2).

use core::fmt;

use nom::Parser;

use super::expires::once_seconds;
use super::grammar::{Parsed, fail, is_token, token_for, whole};
use super::{HeaderError, HeaderName, Params};

/// An Event value (RFC 6665 section 8.2.1). A message has one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    event_type: &'a str,
    id: Option<&'a str>,
    params: Params<'a>,
}

impl<'a> Event<'a> {
    /// Reads an Event value.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`], for a list of events too.
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        whole(Some(HeaderName::Event), text, event)
    }

    /// The package, with its templates: `presence`, `presence.winfo`. Compares byte by byte.
    pub fn event_type(&self) -> &'a str {
        self.event_type
    }

    /// The `id` parameter, which tells subscriptions of one dialog apart. Compares byte by byte.
    pub fn id(&self) -> Option<&'a str> {
        self.id
    }

    /// All parameters, the id among them.
    pub fn params(&self) -> Params<'a> {
        self.params
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.event_type, self.params)
    }
}

fn event(input: &str) -> Parsed<'_, Event<'_>> {
    let (rest, event_type) = token_for("an event package").parse(input)?;
    // A package and its templates are tokens without a full stop.
    if event_type.split('.').any(str::is_empty) {
        return fail(input, "an event package");
    }
    let mut id = None;
    let (rest, params) = Params::read(rest, |name, value| {
        if name.eq_ignore_ascii_case("id") {
            match value {
                Some(value) if id.is_none() && is_token(value) => id = Some(value),
                _ => return Err("a single id that is a token"),
            }
        }
        Ok(())
    })?;
    Ok((
        rest,
        Event {
            event_type,
            id,
            params,
        },
    ))
}

/// A Subscription-State value (RFC 6665 section 8.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionState<'a> {
    /// The state of the subscription.
    pub state: Substate<'a>,
    /// Why it ended; of use with [`Substate::Terminated`] alone.
    pub reason: Option<Reason<'a>>,
    /// Seconds until the subscription expires; of use unless it is terminated.
    pub expires: Option<u32>,
    /// Seconds before the subscriber may come back; of use with [`Reason::Probation`] and
    /// [`Reason::GiveUp`].
    pub retry_after: Option<u32>,
    /// All parameters, those above among them.
    pub params: Params<'a>,
}

/// The state of a subscription (RFC 6665 section 4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Substate<'a> {
    /// Accepted, and authorized if that is needed.
    Active,
    /// Received, and not authorized yet.
    Pending,
    /// Ended.
    Terminated,
    /// A state that RFC 6665 does not know.
    Other(&'a str),
}

/// Why a subscription ended (RFC 6665 section 4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason<'a> {
    /// Come back at once, to another notifier perhaps.
    Deactivated,
    /// Come back later.
    Probation,
    /// Authorization was withdrawn or refused: do not come back.
    Rejected,
    /// Not refreshed in time: come back at will.
    Timeout,
    /// Authorization was not had in time: come back later.
    GiveUp,
    /// What was watched is no more: do not come back.
    NoResource,
    /// What was watched will not change again: do not come back.
    Invariant,
    /// The filter cannot be applied any more (RFC 4660 section 5.3.5).
    BadFilter,
    /// A reason that is not known: come back at will.
    Other(&'a str),
}

/// The values compare without case, being tokens of RFC 3261.
const SUBSTATES: [Substate<'static>; 3] =
    [Substate::Active, Substate::Pending, Substate::Terminated];
const REASONS: [Reason<'static>; 8] = [
    Reason::Deactivated,
    Reason::Probation,
    Reason::Rejected,
    Reason::Timeout,
    Reason::GiveUp,
    Reason::NoResource,
    Reason::Invariant,
    Reason::BadFilter,
];

impl<'a> SubscriptionState<'a> {
    /// Reads a Subscription-State value.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`].
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        whole(
            Some(HeaderName::SubscriptionState),
            text,
            subscription_state,
        )
    }
}

impl fmt::Display for SubscriptionState<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.state.as_str(), self.params)
    }
}

impl<'a> Substate<'a> {
    fn from_token(text: &'a str) -> Self {
        let known = SUBSTATES
            .iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(text));
        known.copied().unwrap_or(Self::Other(text))
    }

    /// The state as it is written.
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Terminated => "terminated",
            Self::Other(text) => text,
        }
    }
}

impl<'a> Reason<'a> {
    /// The reason that a token stands for.
    pub fn from_token(text: &'a str) -> Self {
        let known = REASONS
            .iter()
            .find(|reason| reason.as_str().eq_ignore_ascii_case(text));
        known.copied().unwrap_or(Self::Other(text))
    }

    /// The reason as it is written.
    pub const fn as_str(&self) -> &'a str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Probation => "probation",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::GiveUp => "giveup",
            Self::NoResource => "noresource",
            Self::Invariant => "invariant",
            Self::BadFilter => "badfilter",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for Substate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn subscription_state(input: &str) -> Parsed<'_, SubscriptionState<'_>> {
    let (rest, state) = token_for("a state")
        .map(Substate::from_token)
        .parse(input)?;
    let (mut reason, mut expires, mut retry_after) = (None, None, None);
    let (rest, params) = Params::read(rest, |name, value| {
        if name.eq_ignore_ascii_case("expires") {
            expires = Some(once_seconds(expires, value)?);
        } else if name.eq_ignore_ascii_case("reason") {
            match value {
                Some(value) if reason.is_none() && is_token(value) => {
                    reason = Some(Reason::from_token(value));
                }
                _ => return Err("a single reason that is a token"),
            }
        } else if name.eq_ignore_ascii_case("retry-after") {
            retry_after = Some(once_seconds(retry_after, value)?);
        }
        Ok(())
    })?;
    Ok((
        rest,
        SubscriptionState {
            state,
            reason,
            expires,
            retry_after,
            params,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    // PA-06
    #[test]
    fn an_event_has_a_type_with_its_case_and_an_id() {
        let event = Event::parse("presence").unwrap();
        assert_eq!((event.event_type(), event.id()), ("presence", None));
        let event = Event::parse(" Presence.winfo.winfo \r\n ; ID = aB ;max-rate=0.25").unwrap();
        assert_eq!(
            (event.event_type(), event.id()),
            ("Presence.winfo.winfo", Some("aB"))
        );
        assert_eq!(event.params().get("max-rate"), Some(Some("0.25")));
        assert_eq!(
            event.to_string(),
            "Presence.winfo.winfo;ID=aB;max-rate=0.25"
        );
    }

    // SUB-06
    #[test]
    fn one_event_and_no_list_of_them() {
        for text in [
            "",
            " ",
            "presence, dialog",
            "presence,",
            "presence dialog",
            ".",
            ".winfo",
            "presence.",
            "presence..winfo",
            "presence;id",
            "presence;id=",
            "presence;id=\"1\"",
            "presence;id=1;id=1",
            "presence;",
            "présence",
            "presence\r\n",
            "presence\0",
            "a/b",
        ] {
            let error = Event::parse(text).unwrap_err();
            assert_eq!(error.name(), Some(HeaderName::Event), "{text:?}");
        }
    }

    #[test]
    fn a_subscription_state_is_read_without_case() {
        let parsed = SubscriptionState::parse("Active ; Expires=3599;x=\"y\"").unwrap();
        assert_eq!(
            (parsed.state, parsed.expires),
            (Substate::Active, Some(3_599))
        );
        assert_eq!((parsed.reason, parsed.retry_after), (None, None));
        assert_eq!(parsed.params.unquoted("x").as_deref(), Some("y"));
        assert_eq!(parsed.to_string(), "active;Expires=3599;x=\"y\"");
        let parsed =
            SubscriptionState::parse("terminated;reason=GIVEUP;retry-after=99999999999").unwrap();
        assert_eq!(parsed.state, Substate::Terminated);
        assert_eq!(
            (parsed.reason, parsed.retry_after),
            (Some(Reason::GiveUp), Some(u32::MAX))
        );
        assert_eq!(
            SubscriptionState::parse("pending").map(|one| one.state),
            Ok(Substate::Pending)
        );
        let parsed = SubscriptionState::parse("paused;reason=why-not").unwrap();
        assert_eq!(parsed.state, Substate::Other("paused"));
        assert_eq!(parsed.reason, Some(Reason::Other("why-not")));
    }

    #[test]
    fn every_reason_is_read_as_it_is_written() {
        for reason in REASONS {
            let text = format!("terminated;reason={reason}");
            assert_eq!(
                SubscriptionState::parse(&text).map(|one| one.reason),
                Ok(Some(reason))
            );
        }
        for state in SUBSTATES {
            assert_eq!(
                SubscriptionState::parse(state.as_str()).map(|one| one.state),
                Ok(state)
            );
        }
    }

    #[test]
    fn a_broken_subscription_state_is_refused() {
        for text in [
            "",
            ";reason=timeout",
            "active, pending",
            "active expires=1",
            "active;expires",
            "active;expires=",
            "active;expires=-1",
            "active;expires=1;expires=1",
            "terminated;reason",
            "terminated;reason=\"a\"",
            "terminated;reason=a;reason=a",
            "terminated;retry-after=soon",
            "active;",
            "active\r\nX: y",
        ] {
            let error = SubscriptionState::parse(text).unwrap_err();
            assert_eq!(
                error.name(),
                Some(HeaderName::SubscriptionState),
                "{text:?}"
            );
        }
    }
}
