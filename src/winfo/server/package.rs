//! Watcher information as an event package, at one level.

use std::collections::VecDeque;

use bytes::Bytes;

use super::policy::InfoPolicy;
use super::table::{Page, Row, Sight, Table};
use crate::engine::Timestamp;
use crate::event::{
    Authorization, Documents, Forks, Package, Personal, PersonalRequest, Profile, PublishedBody,
    RenderRequest, SubscribeQuery, SubscriptionKey, Unreadable, Unserved, Visibility,
};
use crate::sip::Uri;
use crate::winfo::{MEDIA_TYPE, WatcherEntry, WatcherInfo, WatcherList, WatcherStatus};

const MEDIA_TYPES: &[&str] = &[MEDIA_TYPE];

/// What is appended to the name of a package.
pub(super) const TEMPLATE: &str = ".winfo";

/// The template package over one other package.
#[derive(Debug)]
pub(super) struct InfoPackage<P> {
    pub(super) policy: P,
    level: u8,
    /// The event type of the package whose subscriptions are told of.
    watched: String,
    profile: Profile,
    entries_per_document: usize,
    /// Subscriptions that were prolonged, whose next document tells when others run out.
    pub(super) asked: VecDeque<(String, SubscriptionKey)>,
    /// Fetches that did not show everything.
    pub(super) cut: u64,
}

impl<P> InfoPackage<P> {
    pub(super) fn new(policy: P, level: u8, watched: &str, entries_per_document: usize) -> Self {
        let name = [watched, TEMPLATE].concat();
        let mut profile = Profile::new("", MEDIA_TYPES).with_event_type(name);
        profile.default_expires = 3600;
        profile.forks = Forks::Several;
        profile.documents = Documents::Personal;
        Self {
            policy,
            level,
            watched: watched.to_owned(),
            profile,
            entries_per_document,
            asked: VecDeque::new(),
            cut: 0,
        }
    }

    fn document(
        &self,
        request: &PersonalRequest<'_>,
        page: &Page<'_>,
        is_full: bool,
    ) -> Option<Bytes> {
        let mut list = WatcherList::new(request.entity, &*self.watched);
        list.watchers = page
            .rows
            .iter()
            .map(|(key, row)| entry(*key, row, request.now))
            .collect();
        let info = WatcherInfo {
            version: request.number,
            is_full,
            lists: vec![list],
        };
        info.write().ok()
    }
}

impl<P: InfoPolicy> Package for InfoPackage<P> {
    type State = Table;
    type Publication = ();

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn resource(&self, uri: &Uri<'_>) -> Result<String, Unserved> {
        self.policy.resource(uri)
    }

    fn authorize_subscription(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let authorization = self.policy.subscribe(self.level, query);
        if let (Authorization::Decided(_), Some(key)) = (&authorization, query.subscription()) {
            self.asked.push_back((query.resource().to_owned(), key));
        }
        authorization
    }

    fn read_publication(
        &mut self,
        _: &PublishedBody<'_>,
        _: Option<&()>,
    ) -> Result<(), Unreadable> {
        Err(Unreadable::new("watcher information is not published"))
    }

    fn render(&mut self, _: &RenderRequest<'_>, _: &mut Table, _: &[(u64, &())]) -> Option<Bytes> {
        None
    }

    fn personal(&mut self, request: &PersonalRequest<'_>, table: &mut Table) -> Option<Personal> {
        let key = request.subscription;
        let sight = match request.visibility {
            Visibility::View(_) => table.sight(key).unwrap_or(&Sight::Nobody),
            Visibility::Pending | Visibility::PoliteBlock => &Sight::Nobody,
        };
        let since = match request.is_full {
            true => 0,
            false => table.since(key, request.since),
        };
        let most = self.entries_per_document;
        let page = match request.is_last {
            true => table.only_page(sight, most),
            false => table.page(since, sight, most),
        };
        let (mark, has_more) = (page.mark, page.has_more);
        if since > 0 && page.rows.is_empty() {
            table.told(key, mark);
            return None;
        }
        let body = self.document(request, &page, since == 0)?;
        if request.is_last {
            self.cut += u64::from(has_more);
            return Some(Personal::new(body, mark));
        }
        table.told(key, mark);
        let personal = Personal::new(body, mark);
        Some(match has_more {
            true => personal.and_more(),
            false => personal,
        })
    }

    fn forget(&mut self, subscription: SubscriptionKey, table: &mut Table) {
        table.dismiss(subscription);
    }

    fn is_lasting(&self, table: &Table) -> bool {
        table.has_undecided()
    }
}

fn entry(key: SubscriptionKey, row: &Row, now: Timestamp) -> WatcherEntry {
    let uri = uri_of(&row.watcher);
    let mut entry = WatcherEntry::new(key.to_string(), uri, row.status, row.event);
    if let WatcherStatus::Active | WatcherStatus::Pending = row.status {
        let left = row.expires_at.map(|at| at.saturating_since(now));
        entry.expiration = left.map(|left| left.as_secs());
    }
    entry
}

/// The URI of one who is known by its canonical address of record.
pub(super) fn uri_of(address: &str) -> String {
    match has_scheme(address) {
        true => address.to_owned(),
        false => ["sip:", address].concat(),
    }
}

/// The address of a SIP or pres URI is without its scheme: a colon in it is that of a port.
fn has_scheme(address: &str) -> bool {
    let head = match address.split_once('@') {
        Some((user, _)) => user,
        None => address,
    };
    if head.starts_with('[') {
        return false;
    }
    let is_port = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit());
    match head.split_once(':') {
        Some(("tel", _)) => true,
        Some((_, rest)) => !is_port(rest),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::uri_of;

    #[test]
    fn an_address_becomes_a_uri_again() {
        for (address, uri) in [
            ("ana@example.com", "sip:ana@example.com"),
            ("example.com:5080", "sip:example.com:5080"),
            ("ana@[2001:db8::1]", "sip:ana@[2001:db8::1]"),
            ("[2001:db8::1]:5070", "sip:[2001:db8::1]:5070"),
            ("tel:+4312345", "tel:+4312345"),
            ("tel:112", "tel:112"),
            ("urn:service:sos", "urn:service:sos"),
            ("mailto:ana@example.com", "mailto:ana@example.com"),
            (
                "https://example.com/ana@home",
                "https://example.com/ana@home",
            ),
        ] {
            assert_eq!(uri_of(address), uri);
        }
    }
}
