//! How a subscription is treated.

/// How a watcher's subscription is to be treated (RFC 5025 section 3.2.1). Of those that several rules
/// give, the highest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "new kinds have to be actions of their own, RFC 5025 section 3.2.1"
)]
pub enum SubHandling {
    /// It is refused, and ended where it lives: value 0, which holds when no rule says anything. This
    /// forbids nothing that another rule allows.
    #[default]
    Block,
    /// It waits until the presentity decides: value 10.
    Confirm,
    /// It is accepted, and told that the presentity is not available: value 20.
    PoliteBlock,
    /// It is accepted: value 30.
    Allow,
}

impl SubHandling {
    /// All of them, the lowest first.
    pub const NAMED: &'static [Self] =
        &[Self::Block, Self::Confirm, Self::PoliteBlock, Self::Allow];

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().copied().find(|it| it.as_str() == name)
    }

    /// As it is written in a document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Confirm => "confirm",
            Self::PoliteBlock => "polite-block",
            Self::Allow => "allow",
        }
    }

    /// The number that the standard gives it.
    pub const fn value(self) -> u8 {
        match self {
            Self::Block => 0,
            Self::Confirm => 10,
            Self::PoliteBlock => 20,
            Self::Allow => 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SRV-80
    #[test]
    fn the_order_is_that_of_the_numbers() {
        for two in SubHandling::NAMED.windows(2) {
            assert!(two[0] < two[1] && two[0].value() < two[1].value());
        }
        for one in SubHandling::NAMED {
            assert_eq!(SubHandling::from_name(one.as_str()), Some(*one));
        }
        assert_eq!(SubHandling::from_name("Allow"), None);
        assert_eq!(SubHandling::default(), SubHandling::Block);
    }
}
