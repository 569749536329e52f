//! The agent as the command line wants it.

use std::net::SocketAddr;

use presentity::engine::Timestamp;
use presentity::event::{Account, ReplacePublications};
use presentity::presence::{
    Agent, AgentConfig, Compositor, ContactShown, Migration, RulesPolicy, SignedPublications,
    Watcher, WatcherConfig,
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
    // Clients sign for this server, which opens what they sign; what else there is is shown beside it.
    config.signed_publications = SignedPublications::Compose;
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use presentity::pidf::{Device, DeviceId, Person, Presence};

    use super::*;
    use crate::args::{self, DefaultPolicy};

    fn agent_with(options: &[&str]) -> ServerAgent {
        let options = ["--no-auth"].iter().chain(options).map(OsString::from);
        let args = args::parse(options).unwrap().unwrap();
        let policy = ServerPolicy::new(DefaultPolicy::Block, vec![5070], None);
        let bound = SocketAddr::from(([127, 0, 0, 1], 5070));
        agent(&args, policy, false, &[bound]).unwrap()
    }

    /// Persons and devices of somebody of whom two sources speak, with the same device.
    fn composed(how: &str) -> (usize, usize) {
        let mut agent = agent_with(&["--compose", how]);
        for source in ["first", "second"] {
            let mut document = Presence::new("sip:anna@example.org");
            document.persons.push(Person::new(source));
            let id = DeviceId::new("mac:0011aa22bb33").unwrap();
            document.devices.push(Device::new(source, id));
            let told = agent.set_source(
                Timestamp::ZERO,
                &document.entity.clone(),
                source,
                document,
                None,
            );
            told.unwrap();
        }
        let document = agent.presence("anna@example.org").unwrap().unwrap();
        (document.persons.len(), document.devices.len())
    }

    #[test]
    fn sources_are_composed_as_asked() {
        assert_eq!(composed("union"), (2, 2));
        assert_eq!(composed("device"), (2, 1));
        assert_eq!(composed("person"), (1, 1));
    }

    #[test]
    fn watcher_information_is_there_unless_it_is_not_wanted() {
        let events = |options: &[&str]| agent_with(options).allow_events().to_owned();
        assert_eq!(
            events(&[]),
            "presence, presence.winfo, presence.winfo.winfo"
        );
        assert_eq!(events(&["--no-winfo"]), "presence");
    }

    #[test]
    fn devices_are_asked_on_behalf_of_an_account() {
        let account = |options: &[&str]| {
            let asked = [
                "--no-auth",
                "--follow-agents",
                "--presence-from-registrations",
            ];
            let options = asked.iter().chain(options).map(OsString::from);
            let args = args::parse(options).unwrap().unwrap();
            let bound = SocketAddr::from(([127, 0, 0, 1], 5070));
            account(&args, &[bound]).map(|account| account.uri().to_owned())
        };
        assert_eq!(account(&[]).unwrap(), "sip:presence@127.0.0.1:5070");
        let domains = ["--domain=example.org", "--domain=example.com"];
        assert_eq!(account(&domains).unwrap(), "sip:presence@example.org");
        assert_eq!(account(&["--account=sip:b@c"]).unwrap(), "sip:b@c");
        assert!(account(&["--account=no uri"]).is_err());
    }
}
