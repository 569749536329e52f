//! Who may see and publish what.

use std::collections::BTreeMap;
use std::sync::Arc;

use presentity::event::{
    Authorization, Decision, Protection, ProtectionQuery, PublishDecision, PublishQuery, Rejection,
    SubscribeQuery, View,
};
use presentity::presence::Policy;

use crate::args::DefaultPolicy;
use crate::smime::Keys;

/// Decisions that are remembered; more are made for the moment only.
const MAX_DECISIONS: usize = 100_000;

/// The default, and what was decided at the console.
#[derive(Debug)]
pub(crate) struct ServerPolicy {
    default: DefaultPolicy,
    ports: Vec<u16>,
    /// By presentity and watcher.
    decisions: BTreeMap<(String, String), Decision>,
    keys: Option<Arc<Keys>>,
}

impl ServerPolicy {
    /// `ports` are those that the server listens on.
    pub(crate) fn new(default: DefaultPolicy, ports: Vec<u16>, keys: Option<Arc<Keys>>) -> Self {
        Self {
            default,
            ports,
            decisions: BTreeMap::new(),
            keys,
        }
    }

    /// Remembers a decision; whether there was room for it.
    pub(crate) fn remember(&mut self, watcher: &str, presentity: &str, decision: Decision) -> bool {
        let key = (presentity.to_owned(), watcher.to_owned());
        if self.decisions.len() >= MAX_DECISIONS && !self.decisions.contains_key(&key) {
            return false;
        }
        self.decisions.insert(key, decision);
        true
    }
}

impl Policy for ServerPolicy {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        let Some(watcher) = query.watcher() else {
            return Authorization::Challenge;
        };
        if query.identity().includes(query.resource()) {
            return Decision::Allow(View::full()).into();
        }
        let key = (query.resource().to_owned(), watcher.to_owned());
        let decision = self.decisions.get(&key).cloned();
        decision.unwrap_or_else(|| self.default.decision()).into()
    }

    /// Only the presentity itself publishes.
    fn publish(&mut self, query: &PublishQuery<'_>) -> PublishDecision {
        if query.identity().is_nobody() {
            PublishDecision::Challenge
        } else if query.identity().includes(query.resource()) {
            PublishDecision::Allow
        } else {
            PublishDecision::Forbid
        }
    }

    /// The most that there are keys for and the watcher takes.
    fn protection(&mut self, query: &ProtectionQuery<'_>) -> Protection {
        let keys = self.keys.as_ref();
        let offered = keys.map_or(Protection::None, |keys| keys.offers(query.watcher()));
        let less = match offered {
            Protection::SignedAndEncrypted => &[Protection::Encrypted, Protection::Signed][..],
            _ => &[],
        };
        let mut offered = std::iter::once(offered).chain(less.iter().copied());
        let taken = offered.find(|protection| query.accepts(*protection));
        taken.unwrap_or_default()
    }

    fn alias(&self, presentity: &str) -> Option<String> {
        without_port(presentity, &self.ports).map(str::to_owned)
    }
}

impl DefaultPolicy {
    fn decision(self) -> Decision {
        match self {
            Self::Allow => Decision::Allow(View::full()),
            Self::Confirm => Decision::Pending,
            Self::PoliteBlock => Decision::PoliteBlock,
            Self::Block => Decision::Reject(Rejection::Forbidden),
        }
    }
}

/// The same address of record without its port, when that is one of the server's own: to a phone
/// with the account bob at 192.0.2.1:5070 that is who `bob@192.0.2.1` is, too.
pub(crate) fn without_port<'a>(address_of_record: &'a str, ports: &[u16]) -> Option<&'a str> {
    let (host, port) = address_of_record.rsplit_once(':')?;
    let port = port.parse().ok()?;
    ports.contains(&port).then_some(host)
}
