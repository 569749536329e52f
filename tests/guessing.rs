//! A stranger who guesses: entity-tags and dialogs, at random and as near to the right ones as can
//! be. He is told nothing, touches nothing, and can be seen in the counters.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "test code may fail loudly"
)]

mod common;

use std::collections::BTreeSet;

use common::{Driver, Message, Outputs, response_field, seeded};
use presentity::event::{
    Assurance, Authorization, Decision, Identity, PublishDecision, PublishQuery, RefusalReason,
    SubscribeQuery, View,
};
use presentity::presence::{Agent, AgentConfig, Policy};

const TESS: &str = "sip:tess@example.com";
const UDO: &str = "sip:udo@example.com";
const STRANGER: &str = "sip:stranger@example.org";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The worst of all policies: whoever asks may. What protects is the secret alone.
#[derive(Debug)]
struct Open;

impl Policy for Open {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn publish(&mut self, _: &PublishQuery<'_>) -> PublishDecision {
        PublishDecision::Allow
    }
}

type Server = Driver<Agent<Open>>;

fn server() -> Server {
    Driver::new(Agent::new(AgentConfig::default(), Open, seeded(41)))
}

fn document(of: &str, note: &str) -> String {
    format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{of}'>\
         <tuple id='t'><status/><note>{note}</note></tuple></presence>"
    )
}

fn etag(outputs: &Outputs) -> String {
    let tag = response_field(outputs.response(), "SIP-ETag");
    tag.unwrap().to_owned()
}

/// Small numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A tag of the form of ours.
    fn tag(&mut self) -> String {
        let mut bits = self.roll();
        let mut letter = || {
            let letter = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
            char::from(letter)
        };
        (0..13).map(|_| letter()).collect()
    }
}

/// The tag with each of its 64 bits changed in turn, each letter replaced by another, dropped,
/// doubled or exchanged with the next, and in capitals.
fn near(tag: &str) -> BTreeSet<String> {
    let letters = tag.as_bytes();
    let mut all = BTreeSet::new();
    let mut add = |letters: Vec<u8>| all.insert(String::from_utf8(letters).unwrap());
    for place in 0..letters.len() {
        for other in ALPHABET {
            let mut changed = letters.to_vec();
            changed[place] = *other;
            add(changed);
        }
        let mut shorter = letters.to_vec();
        shorter.remove(place);
        add(shorter);
        let mut longer = letters.to_vec();
        longer.insert(place, letters[place]);
        add(longer);
        let mut turned = letters.to_vec();
        turned.swap(place, (place + 1) % letters.len());
        add(turned);
    }
    add(tag.to_ascii_uppercase().into_bytes());
    all.remove(tag);
    all
}

#[test]
fn near_ones_are_near() {
    let all = near("abcdefghijklm");
    assert!(all.len() > 13 * 31 && !all.contains("abcdefghijklm"));
    assert!(all.contains("bbcdefghijklm") && all.contains("abcdefghijkl"));
}

#[test]
fn fifty_thousand_guessed_entity_tags_find_nothing() {
    const GUESSES: u64 = 50_000;
    let mut server = server();
    server.subscribed(&Message::subscribe(UDO, TESS, "w").with("Expires", "3600"));
    let outputs = server.send(&Message::publish(TESS, "p", &document(TESS, "old")));
    server.answer_all(&outputs);
    let old = etag(&outputs);
    server.pass(6.0);
    let modify = Message::publish(TESS, "q", &document(TESS, "mine"));
    let outputs = server.send(&modify.with("SIP-If-Match", &old));
    server.answer_all(&outputs);
    let tag = etag(&outputs);
    let others = etag(&server.send(&Message::publish(UDO, "u", &document(UDO, "his"))));
    server.pass(6.0);

    // Tags that are good for somebody else's presentity, that were good once, that lack or change
    // anything: the bits, or the number behind them.
    let (random, count) = tag.split_once('.').unwrap();
    let mut guesses: Vec<String> = near(random)
        .into_iter()
        .map(|near| format!("{near}.{count}"))
        .collect();
    for other in 0..200_u64 {
        let other = format!("{other:x}");
        if other != count {
            guesses.push(format!("{random}.{other}"));
        }
    }
    let (elsewhere, _) = others.split_once('.').unwrap();
    guesses.push(format!("{elsewhere}.{count}"));
    guesses.extend([old, others.clone(), random.to_owned(), format!("{tag}x")]);
    assert!(guesses.len() > 600);
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    while (guesses.len() as u64) < GUESSES {
        // The number is easily guessed: it is counted.
        guesses.push(format!("{}.{count}", dice.tag()));
    }

    let before = server.role.occupancy();
    let publications: Vec<_> = server
        .role
        .publications()
        .map(|it| (it.key, it.publisher.map(str::to_owned), it.expires_at))
        .collect();
    let body = document(TESS, "forged");
    let stranger = Identity::of(STRANGER, Assurance::Digest).unwrap();
    for (number, guess) in guesses.iter().enumerate() {
        let (body, expires) = [(&*body, "600"), ("", "600"), ("", "0")][number % 3];
        let message = Message::publish(TESS, &format!("g{number}"), body)
            .with("SIP-If-Match", guess)
            .with("Expires", expires);
        let outputs = server.send_as(&message, &stranger);
        assert_eq!((outputs.status(), outputs.all.len()), (412, 1), "{guess}");
        // Not a word of how near it was.
        assert_eq!(outputs.response().fields().count(), 0);
    }
    let refused = |server: &Server| {
        let counters = server.role.counters();
        counters.refused(RefusalReason::UnknownEntityTag)
    };
    assert_eq!(refused(&server), guesses.len() as u64);
    assert_eq!(server.role.occupancy(), before);
    let after: Vec<_> = server
        .role
        .publications()
        .map(|it| (it.key, it.publisher.map(str::to_owned), it.expires_at))
        .collect();
    assert_eq!(after, publications);
    // Nobody heard of it, and the right one is as good as before.
    assert!(server.pass(6.0).all.is_empty());
    for (call, tag, user) in [("r", tag, TESS), ("s", others, UDO)] {
        let refresh = Message::publish(user, call, "");
        let outputs = server.send(&refresh.with("SIP-If-Match", &tag));
        assert_eq!(outputs.status(), 200);
        assert!(outputs.requests().is_empty());
    }
}

#[test]
fn fifty_thousand_guessed_dialogs_find_nothing() {
    const GUESSES: u64 = 50_000;
    let mut server = server();
    let one = Message::subscribe(UDO, TESS, "one").with("Expires", "3600");
    let two = Message::subscribe(UDO, TESS, "two").with("Expires", "3600");
    let (tag, second) = (server.subscribed(&one), server.subscribed(&two));
    server.pass(6.0);
    let before = server.role.occupancy();
    let subscriptions = |server: &Server| -> Vec<_> {
        let all = server.role.subscriptions();
        all.map(|it| (it.key, it.expires_at, it.last_result))
            .collect()
    };
    let held = subscriptions(&server);

    let stranger = Identity::of(STRANGER, Assurance::Digest).unwrap();
    let owner = Identity::of(UDO, Assurance::Digest).unwrap();
    let mut guesses: Vec<Message> = Vec::new();
    // All is right but the agent's tag.
    for near in near(&tag) {
        guesses.push(one.clone().in_dialog(&near, 2));
    }
    // Another's tag with the right call, another's call with the right tag, and so on.
    let from = |message: Message, tag: &str| message.with("From", &format!("<{UDO}>;tag={tag}"));
    guesses.push(one.clone().in_dialog(&second, 2));
    guesses.push(two.clone().in_dialog(&tag, 2));
    guesses.push(one.clone().with("Call-ID", "two").in_dialog(&tag, 2));
    for call in ["one ", "ONE", "on", "onee", "one@x", "tw"] {
        let guess = one.clone().with("Call-ID", call).in_dialog(&tag, 2);
        if call.trim() != "one" {
            guesses.push(guess);
        }
    }
    for wrong in ["tag-two", "tag-on", "tag-onee", "TAG-ONE", "x", &tag] {
        guesses.push(from(one.clone(), wrong).in_dialog(&tag, 2));
    }
    // Both tags, exchanged.
    guesses.push(from(one.clone(), &tag).in_dialog("tag-one", 2));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    while (guesses.len() as u64) < GUESSES {
        let cseq = (dice.roll() >> 40) as u32 + 2;
        let guess = match dice.roll() % 3 {
            0 => one.clone().in_dialog(&dice.tag(), cseq),
            1 => from(one.clone(), &dice.tag()).in_dialog(&tag, cseq),
            _ => one
                .clone()
                .with("Call-ID", &dice.tag())
                .in_dialog(&tag, cseq),
        };
        guesses.push(guess);
    }
    for (number, guess) in guesses.iter().enumerate() {
        let expires = if number % 2 == 0 { "0" } else { "60" };
        let guess = guess.clone().with("Expires", expires);
        // Who asks makes no difference, be it the watcher himself.
        let identity = [&stranger, &owner][number / 2 % 2];
        let outputs = server.send_as(&guess, identity);
        assert_eq!((outputs.status(), outputs.all.len()), (481, 1), "{guess:?}");
        assert_eq!(outputs.response().fields().count(), 0);
    }
    let counters = server.role.counters();
    assert_eq!(
        counters.refused(RefusalReason::UnknownDialog),
        guesses.len() as u64
    );
    // Who has heard all of it but is somebody else gets no further.
    for number in 0..100 {
        let overheard = one.clone().in_dialog(&tag, 1_000 + number);
        let overheard = overheard.with("Expires", "0");
        let outputs = server.send_as(&overheard, &stranger);
        assert_eq!((outputs.status(), outputs.all.len()), (403, 1));
        let outputs = server.send_as(&overheard, &Identity::nobody());
        assert_eq!((outputs.status(), outputs.all.len()), (401, 1));
    }
    let counters = server.role.counters();
    assert_eq!(counters.refused(RefusalReason::WrongIdentity), 100);
    assert_eq!(counters.refused(RefusalReason::Challenged), 100);
    assert_eq!(server.role.occupancy(), before);
    assert_eq!(subscriptions(&server), held);
    assert!(server.pass(6.0).all.is_empty());
    // Nor did any of it use up a number of the dialog.
    let outputs = server.send(&one.in_dialog(&tag, 2));
    assert_eq!(outputs.status(), 200);
}
