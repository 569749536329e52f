//! Who may watch: the whole loop, from the question to the answer and its change of mind.
//!
//! ```text
//! cargo run --example authorize
//! ```
//!
//! Dora's program is her own presence server, and has a window in which she sees who watches her and who
//! asks to: watcher information (RFC 3857). She answers at first each time by a decision
//! ([`Agent::decide_watcher`](presentity::presence::Agent::decide_watcher)), then by rules (RFC 5025), which
//! she changes while everybody watches
//! ([`Agent::set_rules`](presentity::presence::Agent::set_rules)). The window is a client like those of her
//! watchers, and could be on another machine.
//!
//! All of it is in one process, without a socket and on a clock of its own: [`network`] carries what they
//! send. Each step is told with what passed, in the order in which it did. The exit code is 0 only if
//! everybody saw what they should. `quickstart` has an agent on sockets, and `watch --winfo` such a window
//! for the command line.

mod network;
mod party;

use std::process::ExitCode;
use std::time::Duration;

use presentity::event::{Authorization, Decision, SubscribeQuery, View};
use presentity::pidf::{Presence, Tuple};
use presentity::presence::Policy;
use presentity::rules::{CompiledRules, Many, Provided, Rule, Ruleset, SubHandling};

use network::Network;

const DORA: &str = "sip:dora@example.com";
/// More than there is between two rounds of NOTIFYs.
const A_MOMENT: Duration = Duration::from_secs(6);
const AN_HOUR: u32 = 3600;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What holds without rules: whoever has a name waits for the presentity's word.
#[derive(Debug)]
pub(crate) struct AskFirst;

impl Policy for AskFirst {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        match query.watcher() {
            Some(watcher) if watcher == query.resource() => Decision::Allow(View::full()).into(),
            Some(_) => Decision::Pending.into(),
            None => Authorization::Challenge,
        }
    }
}

/// What must not be guessed is made of this.
pub(crate) fn entropy(buffer: &mut [u8]) {
    if getrandom::fill(buffer).is_err() {
        std::process::abort();
    }
}

fn main() -> ExitCode {
    match Story::begin().and_then(|mut story| story.tell()) {
        Ok(()) => {
            println!("All as it should be.");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("FAILED: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The network, and how far it has come.
struct Story {
    network: Network,
    steps: usize,
}

impl Story {
    fn begin() -> Outcome<Self> {
        Ok(Self {
            network: Network::new()?,
            steps: 0,
        })
    }

    fn tell(&mut self) -> Outcome<()> {
        let at_my_desk = Tuple::open("desk").with_note("at my desk");
        let presence = Presence::new(DORA).with_tuple(at_my_desk);
        let now = self.network.now();
        self.network.agent.set_presence(now, DORA, presence)?;

        self.network.open_window("dora")?;
        self.happens("Dora opens the window that shows who watches her")?;
        self.expect("dora", "active", "nobody")?;

        self.by_decisions()?;
        self.by_rules()?;
        self.out_of_sight()?;
        self.second_thoughts()?;

        self.network.end_all()?;
        self.happens("everybody has seen enough")?;
        let left = self.network.agent.occupancy().subscriptions;
        match left {
            0 => Ok(()),
            left => Err(format!("{left} subscriptions are left").into()),
        }
    }

    fn by_decisions(&mut self) -> Outcome<()> {
        self.network.watch("bob", DORA, AN_HOUR)?;
        self.happens("Bob asks to watch Dora, who has not said anything about him")?;
        // That she is there is not told, and not that she is not.
        self.expect("bob", "pending", "unknown")?;
        self.expect("dora", "active", "bob pending (subscribe)")?;
        self.expect_question_by(&["sip:bob@example.com"])?;

        let now = self.network.now();
        let (bob, yes) = ("sip:bob@example.com", Decision::Allow(View::full()));
        let agent = &mut self.network.agent;
        let count = agent.decide_watcher(now, bob, DORA, &yes)?;
        check(count == 1, "one subscription is decided about")?;
        self.happens("Dora says yes")?;
        self.expect("bob", "active", "open \"at my desk\"")?;
        self.expect("dora", "active", "bob active (approved)")?;
        self.expect_question_by(&[])?;

        self.network.watch("carol", DORA, AN_HOUR)?;
        self.happens("Carol asks, too")?;
        self.expect("carol", "pending", "unknown")?;
        self.expect_question_by(&["sip:carol@example.com"])
    }

    fn by_rules(&mut self) -> Outcome<()> {
        self.set_rules(rules())?;
        let passed = self.happens("Dora writes rules, by which Carol may see less than Bob")?;
        self.expect("carol", "active", "open")?;
        self.expect("bob", "active", "open \"at my desk\"")?;
        let is_quiet = passed.iter().all(|message| !message.contains("bob:"));
        check(is_quiet, "Bob hears nothing, since nothing is new for him")?;
        self.expect(
            "dora",
            "active",
            "bob active (approved), carol active (approved)",
        )?;

        self.network.watch("mallory", DORA, AN_HOUR)?;
        let passed = self.happens("Mallory, whom the rules block, asks")?;
        check(
            passed == ["mallory SUBSCRIBE 403"],
            "nobody else hears of it",
        )?;
        self.expect("mallory", "refused by 403", "nothing")?;
        self.expect_question_by(&[])
    }

    fn out_of_sight(&mut self) -> Outcome<()> {
        self.network.watch("erin", DORA, 60)?;
        self.happens("Erin asks, about whom the rules say that Dora is to be asked")?;
        self.expect("erin", "pending", "unknown")?;
        self.expect_question_by(&["sip:erin@example.com"])?;

        self.network.switch_off("erin");
        self.network.pass(Duration::from_secs(60))?;
        self.happens("Erin's phone is switched off, and her subscription runs out")?;
        let all = "bob active (approved), carol active (approved), erin waiting (timeout)";
        self.expect("dora", "active", all)?;
        self.expect_question_by(&["sip:erin@example.com"])?;

        let erin = Rule::new("erin").for_one("sip:erin@example.com");
        self.set_rules(rules().with_rule(erin.allow().with_everything()))?;
        self.happens("Dora lets her in all the same; nobody has to be told but her window")?;
        self.expect(
            "dora",
            "active",
            "bob active (approved), carol active (approved)",
        )?;

        self.network.watch("erin", DORA, 60)?;
        self.happens("Erin comes back")?;
        self.expect("erin", "active", "open \"at my desk\"")
    }

    fn second_thoughts(&mut self) -> Outcome<()> {
        let mut fewer = rules();
        fewer.rules.retain(|rule| rule.id != "carol");
        let blocked = ["sip:mallory@example.com", "sip:carol@example.com"];
        set_others(&mut fewer, &blocked);
        for rule in fewer.rules.iter_mut().filter(|rule| rule.id == "bob") {
            rule.handling = Some(SubHandling::PoliteBlock);
        }
        self.set_rules(fewer)?;
        self.happens("Dora has had enough of Carol, and of Bob, who need not know it")?;
        let ended = "ended by the notifier: rejected";
        self.expect("carol", ended, "nothing")?;
        self.expect("bob", "active", "closed")?;
        // Nothing is said of Erin now, so that Dora is asked again.
        self.expect("erin", "pending", "unknown")?;
        self.expect_question_by(&["sip:erin@example.com"])
    }

    fn set_rules(&mut self, rules: Ruleset) -> Outcome<()> {
        // As they are kept: a document.
        let document = rules.write()?;
        let compiled = CompiledRules::of(&Ruleset::read(&document)?);
        let now = self.network.now();
        (self.network.agent).set_rules(now, DORA, Some(compiled))?;
        Ok(())
    }

    /// Lets happen what follows, and tells what passed.
    fn happens(&mut self, what: &str) -> Outcome<Vec<String>> {
        self.network.pass(A_MOMENT)?;
        let passed = self.network.take_passed();
        self.steps += 1;
        println!("{}. {what}\n   {}\n", self.steps, passed.join(" | "));
        Ok(passed)
    }

    fn expect(&self, name: &str, state: &str, sees: &str) -> Outcome<()> {
        let party = self.network.party(name)?;
        let found = (party.state(), party.sees());
        match found == (state.to_owned(), sees.to_owned()) {
            true => Ok(()),
            false => {
                let (is, seen) = found;
                let problem = format!("{name} is to be {state} and see {sees}");
                Err(format!("{problem}, but is {is} and sees {seen}").into())
            }
        }
    }

    /// Dora's window shows that these wait for her word.
    fn expect_question_by(&self, uris: &[&str]) -> Outcome<()> {
        let asked = self.network.party("dora")?.is_asked_by();
        match asked == uris {
            true => Ok(()),
            false => Err(format!("Dora is to be asked by {uris:?}, not {asked:?}").into()),
        }
    }
}

/// Bob sees all, Carol no notes, Mallory nothing; about others Dora is asked.
fn rules() -> Ruleset {
    let bob = Rule::new("bob").for_one("sip:bob@example.com");
    let carol = Rule::new("carol").for_one("sip:carol@example.com");
    let services = Provided::nothing().with_all_services();
    let mut rules = Ruleset::new()
        .with_rule(bob.allow().with_everything())
        .with_rule(carol.allow().providing(services));
    set_others(&mut rules, &["sip:mallory@example.com"]);
    rules
}

/// Whoever is left out here, and in no other rule, is blocked: rules give, and never take away.
fn set_others(rules: &mut Ruleset, left_out: &[&str]) {
    let others = left_out.iter().copied();
    let others = others.fold(Many::all(), Many::except_one);
    let others = Rule::new("others").for_many(others);
    rules.rules.retain(|rule| rule.id != "others");
    rules.rules.push(others.handled(SubHandling::Confirm));
}

fn check(holds: bool, what: &str) -> Outcome<()> {
    match holds {
        true => Ok(()),
        false => Err(format!("expected: {what}").into()),
    }
}
