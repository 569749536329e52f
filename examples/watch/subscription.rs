//! What every subscription here has: on whose behalf it is, how it stands in a word, and how long its end
//! may take.

use std::fmt::Display;
use std::time::Duration;

use presentity::event::{
    Account, NotifiedState, OwnSubscriptionPhase, RefusedBody, SubscribeFailure, SubscriptionEnd,
};
use presentity::sip::Uri;

use crate::adapter::message;
use crate::args::Args;
use crate::client::endpoint::Endpoint;
use crate::client::link::Unanswered;

/// How long the last words may take; the rest of three seconds is for the way out.
pub(crate) const CLOSING_LIMIT: Duration = Duration::from_millis(2500);
/// Why nothing happens.
pub(crate) const DELAYED: &str = "the server has asked to wait";
/// What is left of one that was not ended in time.
pub(crate) const UNCONFIRMED: &str = "not confirmed in time; it runs out by itself";

/// On whose behalf somebody is watched, to be reached from where that one's server is.
pub(crate) async fn account(
    args: &Args,
    uri: &str,
    endpoint: &Endpoint,
) -> Result<Account, Box<dyn std::error::Error>> {
    let user = match Uri::parse(&args.from) {
        Ok(Uri::Sip(from)) => from.user().unwrap_or("watch").to_owned(),
        _ => "watch".to_owned(),
    };
    let towards = match (&args.proxy, Uri::parse(uri)) {
        (Some(proxy), _) => proxy.clone(),
        (None, Ok(Uri::Pres(uri))) => format!("sip:{}", uri.domain()),
        (None, _) => uri.to_owned(),
    };
    let contact = endpoint.contact(&user, &towards).await;
    let contact = contact.ok_or("this machine has no address")?;
    let account = Account::new(&args.from)?.with_contact(&contact)?;
    Ok(match &args.proxy {
        Some(proxy) => account.with_route(proxy)?,
        None => account,
    })
}

/// How far a subscription has come; nothing when it is over.
pub(crate) fn phase_name(phase: Option<OwnSubscriptionPhase>) -> &'static str {
    match phase {
        Some(OwnSubscriptionPhase::Trying) => "trying",
        Some(OwnSubscriptionPhase::Held(NotifiedState::Pending)) => "pending",
        Some(OwnSubscriptionPhase::Held(NotifiedState::Active)) => "active",
        Some(OwnSubscriptionPhase::Waiting) => "waiting",
        Some(OwnSubscriptionPhase::Refused) => "refused",
        Some(OwnSubscriptionPhase::Leaving) => "leaving",
        Some(_) => "held",
        None => "over",
    }
}

pub(crate) fn why_unanswered(why: Unanswered) -> String {
    match why {
        Unanswered::NoCredentials => format!("{why}: give --auth USER:PASSWORD"),
        Unanswered::Declined(_) => why.to_string(),
    }
}

pub(crate) fn why_ended(end: &SubscriptionEnd) -> String {
    match end {
        SubscriptionEnd::Unknown { status } => with_phrase(end, *status),
        _ => end.to_string(),
    }
}

pub(crate) fn why_failed(failure: &SubscribeFailure) -> String {
    match failure {
        SubscribeFailure::Refused { status } | SubscribeFailure::Body { status } => {
            with_phrase(failure, *status)
        }
        _ => failure.to_string(),
    }
}

pub(crate) fn why_refused(body: &RefusedBody) -> String {
    match body {
        RefusedBody::Type(name) => format!("of type {name:?}"),
        RefusedBody::Length(octets) => format!("of {octets} octets"),
        _ => format!("{body:?}"),
    }
}

pub(crate) fn how_over(was_fetch: bool, confirmed: bool) -> &'static str {
    match (was_fetch, confirmed) {
        (true, true) => "answered",
        (true, false) => "not answered",
        (false, true) => "ended",
        (false, false) => "not confirmed; it runs out by itself",
    }
}

fn with_phrase(what: &impl Display, status: u16) -> String {
    format!("{what} {}", message::reason_phrase(status))
}
