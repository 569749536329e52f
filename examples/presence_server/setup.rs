//! The agent as the command line wants it.

use std::net::SocketAddr;

use presentity::engine::Timestamp;
use presentity::event::{Account, ReplacePublications};
use presentity::presence::{
    Agent, AgentConfig, Compositor, ContactShown, Migration, RulesPolicy, Watcher, WatcherConfig,
};
use presentity::winfo::WatcherInfoConfig;

use crate::adapter;
use crate::args::{Args, Compose};
use crate::host::ServerAgent;
use crate::policy::ServerPolicy;

/// Tell the transactions of the agent's parts apart; watcher information has one for each level.
const AGENT: u8 = 0;
const BACK_END: u8 = 1;
const WATCHER_INFO: u8 = 2;

/// The settings of the agent.
fn config(args: &Args, opens_bodies: bool) -> AgentConfig {
    let mut config = AgentConfig::default();
    config.domains.clone_from(&args.domains);
    config.registrations.shown = match args.sources.shows_contacts {
        true => ContactShown::Registered,
        false => ContactShown::AddressOfRecord,
    };
    config.migration = args.sources.migration;
    config.follows_agents = args.sources.follows_agents;
    let server = &mut config.server;
    server.role = AGENT;
    server.min_expires = args.min_expires;
    server.max_expires = args.max_expires;
    server.publish_min_expires = args.min_expires;
    server.publish_max_expires = args.max_expires;
    server.publish_default_expires = args.max_expires;
    server.notify_interval = args.notify_interval;
    // Many watchers may sit behind one proxy, whose socket has room for about so many requests.
    server.window = 1024;
    // Phones forget their entity-tags; what came through a proxy has no flow here and is left alone.
    server.replace_publications = ReplacePublications::SameFlow;
    server.opens_bodies = opens_bodies;
    let (limits, bounds) = (&mut server.limits, &args.bounds);
    for (limit, bound) in [
        (&mut limits.subscriptions, bounds.subscriptions),
        (&mut limits.publications, bounds.publications),
        (
            &mut limits.subscriptions_per_resource,
            bounds.watchers_per_presentity,
        ),
        (&mut limits.body, bounds.body),
    ] {
        *limit = bound.unwrap_or(*limit);
    }
    config
}

/// The agent; `bound` is where the server listens.
pub(crate) fn agent(
    args: &Args,
    policy: ServerPolicy,
    opens_bodies: bool,
    bound: &[SocketAddr],
) -> Result<ServerAgent, Box<dyn std::error::Error>> {
    let config = config(args, opens_bodies);
    let mut info = WatcherInfoConfig::default();
    info.server = config.server.clone();
    info.server.role = WATCHER_INFO;
    let mut agent = Agent::new(config, RulesPolicy::new(policy), adapter::entropy()?);
    let start = Timestamp::ZERO;
    let compositor = match args.sources.compose {
        Compose::Union => None,
        Compose::Device => Some(Compositor::by_device()),
        Compose::Person => Some(Compositor::newest_person()),
    };
    if let Some(compositor) = compositor {
        agent.set_composition(start, compositor);
    }
    if args.watcher_info {
        agent.serve_watcher_info(info, adapter::entropy()?)?;
    }
    if args.sources.follows_agents {
        let mut config = WatcherConfig::default();
        config.subscriber.role = BACK_END;
        let watcher = Watcher::new(config, adapter::entropy()?);
        agent.set_back_end(start, watcher, &account(args, bound)?)?;
    }
    Ok(agent)
}

/// Whether requests may have to be sent on to devices.
pub(crate) fn migrates(args: &Args) -> bool {
    args.sources.migration != Migration::Never
}

/// As whom the server subscribes to devices.
fn account(args: &Args, bound: &[SocketAddr]) -> Result<Account, Box<dyn std::error::Error>> {
    let here = bound.first().copied().ok_or("nothing is listened on")?;
    let here = adapter::bind::reachable(here);
    let from = match (&args.sources.account, args.domains.first()) {
        (Some(uri), _) => uri.clone(),
        (None, Some(domain)) => format!("sip:presence@{domain}"),
        (None, None) => format!("sip:presence@{here}"),
    };
    Ok(Account::new(&from)?.with_contact(&format!("sip:presence@{here}"))?)
}
