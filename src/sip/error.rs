//! What can be wrong with a header field.

use super::HeaderName;

/// Why a header field cannot be used. Each is answered by 400 (RFC 3261 section 21.4.1), and by
/// itself changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The message needs this field and has none.
    #[error("no {name} header field")]
    Missing {
        /// The field.
        name: HeaderName,
    },
    /// A field that may stand once stands several times.
    #[error("more than one {name} header field")]
    Repeated {
        /// The field.
        name: HeaderName,
    },
    /// The value breaks the grammar of the field.
    #[error(
        "{} header field is malformed at octet {offset}: expected {expected}",
        name.map_or("a", HeaderName::as_str)
    )]
    Malformed {
        /// The field; nothing when the parser serves several fields and was not told which, see
        /// [`in_field`](Self::in_field).
        name: Option<HeaderName>,
        /// Where, in octets from the beginning of the field's value.
        offset: usize,
        /// What was expected there.
        expected: &'static str,
    },
}

impl HeaderError {
    /// The field that is wrong, where it is known.
    pub fn name(&self) -> Option<HeaderName> {
        match self {
            Self::Missing { name } | Self::Repeated { name } => Some(*name),
            Self::Malformed { name, .. } => *name,
        }
    }

    /// The same error, with the field named if it was not.
    #[must_use]
    pub fn in_field(self, field: HeaderName) -> Self {
        match self {
            Self::Malformed {
                name: None,
                offset,
                expected,
            } => Self::Malformed {
                name: Some(field),
                offset,
                expected,
            },
            named => named,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_field_and_the_place() {
        let error = HeaderError::Malformed {
            name: None,
            offset: 3,
            expected: "a token",
        };
        assert_eq!(
            error.to_string(),
            "a header field is malformed at octet 3: expected a token"
        );
        let named = error.in_field(HeaderName::To);
        assert_eq!(
            named.to_string(),
            "To header field is malformed at octet 3: expected a token"
        );
        assert_eq!(named.clone().in_field(HeaderName::From), named);
        let missing = HeaderError::Missing {
            name: HeaderName::CallId,
        };
        assert_eq!(missing.to_string(), "no Call-ID header field");
        assert_eq!(
            missing.in_field(HeaderName::To).name(),
            Some(HeaderName::CallId)
        );
    }
}
