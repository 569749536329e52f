//! Rich presence (RFC 4480, section 5).

use super::{Content, NOTE, NOTHING, Named, Others, Rule, Slot, Value};

type Names = &'static [(&'static str, &'static Rule)];

const UNKNOWN: Names = &[("unknown", &NOTHING)];

const NOTES: Slot = {
    const NAMES: Names = &[("note", &NOTE)];
    Slot::many(NAMES)
};

const ID: Named = optional("id", Value::Id);

const TIMED: &[Named] = &[
    optional("from", Value::Time),
    optional("until", Value::Time),
    ID,
];

const fn optional(local: &'static str, value: Value) -> Named {
    Named {
        local,
        value,
        required: false,
    }
}

const fn timed(sequences: &'static [&'static [Slot]]) -> Rule {
    Rule {
        content: Content::Elements(sequences),
        attributes: TIMED,
        others: Others::Any,
    }
}

/// One value or more of a list, or of others.
const fn values(choice: Names) -> Slot {
    Slot {
        choice,
        foreign: true,
        least: 1,
        most: usize::MAX,
    }
}

pub(super) const GLOBAL: Names = &[
    ("activities", &ACTIVITIES),
    ("class", &CLASS),
    ("mood", &MOOD),
    ("place-is", &PLACE_IS),
    ("place-type", &PLACE_TYPE),
    ("privacy", &PRIVACY),
    ("relationship", &RELATIONSHIP),
    ("service-class", &SERVICE_CLASS),
    ("sphere", &SPHERE),
    ("status-icon", &STATUS_ICON),
    ("time-offset", &TIME_OFFSET),
    ("user-input", &USER_INPUT),
];

static ACTIVITIES: Rule = timed(&[
    &[NOTES, Slot::optional(UNKNOWN)],
    &[NOTES, values(ACTIVITY)],
]);

#[rustfmt::skip]
const ACTIVITY: Names = &[
    ("appointment", &NOTHING), ("away", &NOTHING), ("breakfast", &NOTHING), ("busy", &NOTHING),
    ("dinner", &NOTHING), ("holiday", &NOTHING), ("in-transit", &NOTHING),
    ("looking-for-work", &NOTHING), ("meal", &NOTHING), ("meeting", &NOTHING),
    ("on-the-phone", &NOTHING), ("performance", &NOTHING), ("permanent-absence", &NOTHING),
    ("playing", &NOTHING), ("presentation", &NOTHING), ("shopping", &NOTHING),
    ("sleeping", &NOTHING), ("spectator", &NOTHING), ("steering", &NOTHING), ("travel", &NOTHING),
    ("tv", &NOTHING), ("vacation", &NOTHING), ("working", &NOTHING), ("worship", &NOTHING),
    ("other", &NOTE),
];

static CLASS: Rule = Rule::value(Value::Text);

static MOOD: Rule = timed(&[&[NOTES, Slot::one(UNKNOWN)], &[NOTES, values(FEELING)]]);

#[rustfmt::skip]
const FEELING: Names = &[
    ("afraid", &NOTHING), ("amazed", &NOTHING), ("angry", &NOTHING), ("annoyed", &NOTHING),
    ("anxious", &NOTHING), ("ashamed", &NOTHING), ("bored", &NOTHING), ("brave", &NOTHING),
    ("calm", &NOTHING), ("cold", &NOTHING), ("confused", &NOTHING), ("contented", &NOTHING),
    ("cranky", &NOTHING), ("curious", &NOTHING), ("depressed", &NOTHING),
    ("disappointed", &NOTHING), ("disgusted", &NOTHING), ("distracted", &NOTHING),
    ("embarrassed", &NOTHING), ("excited", &NOTHING), ("flirtatious", &NOTHING),
    ("frustrated", &NOTHING), ("grumpy", &NOTHING), ("guilty", &NOTHING), ("happy", &NOTHING),
    ("hot", &NOTHING), ("humbled", &NOTHING), ("humiliated", &NOTHING), ("hungry", &NOTHING),
    ("hurt", &NOTHING), ("impressed", &NOTHING), ("in_awe", &NOTHING), ("in_love", &NOTHING),
    ("indignant", &NOTHING), ("interested", &NOTHING), ("invincible", &NOTHING),
    ("jealous", &NOTHING), ("lonely", &NOTHING), ("mean", &NOTHING), ("moody", &NOTHING),
    ("nervous", &NOTHING), ("neutral", &NOTHING), ("offended", &NOTHING), ("playful", &NOTHING),
    ("proud", &NOTHING), ("relieved", &NOTHING), ("remorseful", &NOTHING), ("restless", &NOTHING),
    ("sad", &NOTHING), ("sarcastic", &NOTHING), ("serious", &NOTHING), ("shocked", &NOTHING),
    ("shy", &NOTHING), ("sick", &NOTHING), ("sleepy", &NOTHING), ("stressed", &NOTHING),
    ("surprised", &NOTHING), ("thirsty", &NOTHING), ("worried", &NOTHING),
    ("other", &NOTE),
];

static PLACE_IS: Rule = timed(&[&[
    NOTES,
    Slot::optional(&[("audio", &AUDIO)]),
    Slot::optional(&[("video", &VIDEO)]),
    Slot::optional(&[("text", &TEXT)]),
]]);

static AUDIO: Rule = Rule::elements(&[&[Slot::one(&[
    ("noisy", &NOTHING),
    ("ok", &NOTHING),
    ("quiet", &NOTHING),
    ("unknown", &NOTHING),
])]]);

static VIDEO: Rule = Rule::elements(&[&[Slot::one(&[
    ("toobright", &NOTHING),
    ("ok", &NOTHING),
    ("dark", &NOTHING),
    ("unknown", &NOTHING),
])]]);

static TEXT: Rule = Rule::elements(&[&[Slot::one(&[
    ("uncomfortable", &NOTHING),
    ("inappropriate", &NOTHING),
    ("ok", &NOTHING),
    ("unknown", &NOTHING),
])]]);

static PLACE_TYPE: Rule = timed(&[
    &[NOTES, Slot::one(&[("other", &NOTE)])],
    &[NOTES, Slot::foreign(1)],
]);

static PRIVACY: Rule = timed(&[
    &[NOTES, Slot::one(UNKNOWN)],
    &[
        NOTES,
        Slot::optional(&[("audio", &NOTHING)]),
        Slot::optional(&[("text", &NOTHING)]),
        Slot::optional(&[("video", &NOTHING)]),
        Slot::foreign(0),
    ],
]);

static RELATIONSHIP: Rule = Rule::elements(&[
    &[
        NOTES,
        Slot::optional(&[
            ("assistant", &NOTHING),
            ("associate", &NOTHING),
            ("family", &NOTHING),
            ("friend", &NOTHING),
            ("other", &NOTE),
            ("self", &NOTHING),
            ("supervisor", &NOTHING),
            ("unknown", &NOTHING),
        ]),
    ],
    &[NOTES, Slot::foreign(1)],
]);

static SERVICE_CLASS: Rule = Rule::elements(&[
    &[
        NOTES,
        Slot::one(&[
            ("courier", &NOTHING),
            ("electronic", &NOTHING),
            ("freight", &NOTHING),
            ("in-person", &NOTHING),
            ("postal", &NOTHING),
            ("unknown", &NOTHING),
        ]),
    ],
    &[NOTES, Slot::foreign(1)],
]);

static SPHERE: Rule = timed(&[
    &[Slot::optional(&[
        ("home", &NOTHING),
        ("work", &NOTHING),
        ("unknown", &NOTHING),
    ])],
    &[Slot::foreign(1)],
]);

static STATUS_ICON: Rule = Rule {
    content: Content::Value(Value::Uri),
    attributes: TIMED,
    others: Others::Any,
};

static TIME_OFFSET: Rule = Rule {
    content: Content::Value(Value::Integer),
    attributes: &[
        optional("from", Value::Time),
        optional("until", Value::Time),
        optional("description", Value::Text),
        ID,
    ],
    others: Others::Any,
};

static USER_INPUT: Rule = Rule {
    content: Content::Value(Value::OneOf(&["active", "idle"])),
    attributes: &[
        optional("idle-threshold", Value::PositiveInteger),
        optional("last-input", Value::Time),
        ID,
    ],
    others: Others::Any,
};
