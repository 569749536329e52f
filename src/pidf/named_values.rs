//! Lists of values that a standard names.

/// Makes an enumeration of values with their names, and of what else may stand in their place; of
/// that the function after `as` tells the name.
macro_rules! named_values {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$doc:meta])* $variant:ident = $wire:literal $(also $alias:literal)?,)+
        }
        $(
            $(#[$other_doc:meta])*
            $other:ident($content:ty) as $as_str:expr;
        )*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`", $wire, "`.")]
                #[doc = ""]
                $(#[$doc])*
                $variant,
            )+
            $(
                $(#[$other_doc])*
                $other($content),
            )*
        }

        impl $name {
            /// All values that are nothing but a name, in the order of the standard.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)+];

            /// The value of that name, if it is one of those that are nothing but a name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($wire $(| $alias)? => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Its name in a document; of an element of another namespace the local one.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $wire,)+
                    $(Self::$other(content) => $as_str(content),)*
                }
            }
        }
    };
}

pub(super) use named_values;
