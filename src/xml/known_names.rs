//! Local names that presence documents are made of, so that reading need not copy them.

use super::byte_search::first_word;

/// Elements and attributes of RFC 3863, 4479, 4480, 4482, 5196 and the `certs` capability.
#[rustfmt::skip]
static NAMES: [&str; 235] = [
    "ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH",
    "REFER", "REGISTER", "SUBSCRIBE", "Siemens-RTP-Stats", "UPDATE", "activities", "actor",
    "afraid", "amazed", "angry", "annoyed", "anxious", "application", "appointment", "ashamed",
    "assistant", "associate", "attendant", "audio", "automata", "away", "basic", "bored", "brave",
    "breakfast", "bright", "business", "busy", "calm", "card", "certs", "class", "cold",
    "conference", "confused", "contact", "contented", "control", "courier", "cranky", "curious",
    "dark", "data", "depressed", "description", "devcaps", "device", "deviceID", "dialog", "dinner",
    "disappointed", "disgusted", "display-name", "distracted", "duplex", "early-session",
    "electronic", "embarrassed", "entity", "equals", "event-packages", "eventlist", "excited",
    "extensions", "family", "fixed", "flirtatious", "freight", "friend", "from", "from-change",
    "frustrated", "full", "grumpy", "gruu", "guilty", "half", "happy", "higherthan", "hist-info",
    "holiday", "home", "homepage", "hot", "humbled", "humiliated", "hungry", "hurt", "icon", "id",
    "idle-threshold", "impressed", "in-person", "in-transit", "in_awe", "in_love", "inappropriate",
    "indignant", "information", "interested", "invincible", "isfocus", "jealous", "join", "kpml",
    "l", "lang", "languages", "last-input", "lonely", "looking-for-work", "lowerthan", "lunch",
    "map", "maxvalue", "meal", "mean", "meeting", "message", "message-summary", "methods",
    "minvalue", "mobile", "mobility", "mood", "moody", "msg-taker", "mustUnderstand", "nervous",
    "neutral", "noisy", "norefersub", "note", "notsupported", "offended", "ok", "on-the-phone",
    "other", "path", "performance", "permanent-absence", "person", "personal", "place-is",
    "place-type", "playful", "playing", "poc-settings", "postal", "precondition", "pref",
    "presence", "presentation", "principal", "priority", "privacy", "proud", "quiet", "range",
    "receive-only", "recipient-list-invite", "recipient-list-subscribe", "refer", "reg", "rel100",
    "relationship", "relieved", "remorseful", "replaces", "resource-priority", "restless", "s",
    "sad", "sarcastic", "schemes", "sdp-anat", "sec-agree", "self", "send-only", "serious",
    "servcaps", "service-class", "shocked", "shopping", "shy", "sick", "sleeping", "sleepy",
    "sound", "spectator", "sphere", "spirits-INDPs", "spirits-user-prof", "src", "status",
    "status-icon", "steering", "stressed", "supervisor", "supported", "surprised", "tdialog",
    "text", "thirsty", "time-offset", "timer", "timestamp", "tired", "toobright", "travel", "tuple",
    "tv", "type", "uncomfortable", "unknown", "until", "user-input", "vacation", "value", "video",
    "winfo", "work", "working", "worried", "worship",
];

/// Four times the room that the names need, a power of two.
const SLOTS: usize = 1024;

/// For each slot the position of a name plus one, or zero.
#[expect(clippy::indexing_slicing, reason = "worked out at compile time")]
static TABLE: [u8; SLOTS] = {
    let mut table = [0u8; SLOTS];
    let mut at = 0usize;
    while at < NAMES.len() {
        let mut slot = hash(NAMES[at].as_bytes());
        while table[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "there are fewer than 255 names"
        )]
        let number = at as u8 + 1;
        table[slot] = number;
        at += 1;
    }
    table
};

/// The heads of the names, in their order.
#[expect(clippy::indexing_slicing, reason = "worked out at compile time")]
static HEADS: [u64; NAMES.len()] = {
    let mut heads = [0; NAMES.len()];
    let mut at = 0usize;
    while at < NAMES.len() {
        heads[at] = first_word(NAMES[at].as_bytes());
        at += 1;
    }
    heads
};

/// Made of the length, the first eight bytes and the last one.
const fn hash(name: &[u8]) -> usize {
    let mut all = first_word(name).wrapping_add((name.len() as u64) << 56);
    if let Some(last) = name.last() {
        all = all.wrapping_add((*last as u64) << 3);
    }
    (all.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize
}

/// The constant that equals `name`, if there is one.
pub(super) fn find(name: &str) -> Option<&'static str> {
    let bytes = name.as_bytes();
    let (head, tail) = (first_word(bytes), bytes.last_chunk::<8>());
    let mut slot = hash(bytes);
    loop {
        let number = usize::from(*TABLE.get(slot)?).checked_sub(1)?;
        let known = NAMES.get(number)?;
        let is_it = known.len() == name.len()
            && HEADS.get(number) == Some(&head)
            && match name.len() {
                0..=8 => true,
                9..=16 => known.as_bytes().last_chunk() == tail,
                _ => *known == name,
            };
        if is_it {
            return Some(known);
        }
        slot = (slot + 1) % SLOTS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::is_nc_name;

    #[test]
    fn every_name_is_found_and_no_other() {
        for name in NAMES {
            assert_eq!(find(name), Some(name));
            assert_eq!(find(&format!("{name}x")), None);
            for at in 0..name.len() {
                let mut other = name.to_owned();
                other.replace_range(at..=at, "~");
                assert_eq!(find(&other), None);
            }
        }
        for other in [
            "",
            "x",
            "tuples",
            "Tuple",
            "é",
            "a-name-longer-than-any-other-that-is-known",
        ] {
            assert_eq!(find(other), None);
        }
    }

    #[test]
    fn names_are_listed_once() {
        assert!(NAMES.iter().all(|name| is_nc_name(name)));
        for two in NAMES.windows(2) {
            assert!(two[0] < two[1], "{two:?}");
        }
    }
}
