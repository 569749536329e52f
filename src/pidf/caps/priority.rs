//! Ranges of call priorities.

use super::support::{Capability, Listed, Sealed};
use super::{check_foreign, is_caps, is_foreign, named};
use crate::pidf::extension::ValueError;
use crate::pidf::lexical;
use crate::xml::Element;

/// Priorities of calls that a service handles (RFC 5196, 3.2.15). All bounds belong to their
/// range.
///
/// Numbers that are too large for their type are read as nothing, and written again as they were.
///
/// RFC 3840, 10.13, gives the values of the SIP field Priority numbers: 10 non-urgent, 20 normal,
/// 30 urgent, 40 emergency.
///
/// ```
/// use presentity::pidf::caps::{PriorityRange, Support};
///
/// let priority = Support::of([PriorityRange::HigherThan(20)]);
/// assert_eq!(priority.supports(&20), Some(true));
/// assert_eq!(priority.supports(&10), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PriorityRange {
    /// This one.
    Equals(i64),
    /// This one and all above.
    HigherThan(i64),
    /// This one and all below.
    LowerThan(i64),
    /// From one to the other. A range whose ends are the wrong way round has nothing in it:
    /// reading passes it over, writing refuses it.
    Range {
        /// The lowest.
        min: i64,
        /// The highest.
        max: i64,
    },
    /// An element of another namespace, kept as it is; it contains no priority.
    Foreign(Element),
}

impl PriorityRange {
    /// Whether the priority is in the range.
    pub fn contains(&self, priority: i64) -> bool {
        match self {
            Self::Equals(value) => priority == *value,
            Self::HigherThan(min) => priority >= *min,
            Self::LowerThan(max) => priority <= *max,
            Self::Range { min, max } => (*min..=*max).contains(&priority),
            Self::Foreign(_) => false,
        }
    }

    /// Its place among the elements that the schema allows.
    fn kind(&self) -> usize {
        match self {
            Self::Equals(_) => 0,
            Self::HigherThan(_) => 1,
            Self::LowerThan(_) => 2,
            Self::Range { .. } => 3,
            Self::Foreign(_) => 4,
        }
    }

    fn to_element(&self) -> Element {
        match self {
            Self::Equals(value) => named("equals").with_attribute("value", value.to_string()),
            Self::HigherThan(min) => {
                named("higherthan").with_attribute("minvalue", min.to_string())
            }
            Self::LowerThan(max) => named("lowerthan").with_attribute("maxvalue", max.to_string()),
            Self::Range { min, max } => named("range")
                .with_attribute("minvalue", min.to_string())
                .with_attribute("maxvalue", max.to_string()),
            Self::Foreign(element) => element.clone(),
        }
    }
}

impl Sealed for PriorityRange {}

impl Capability for PriorityRange {
    type Question = i64;

    fn answers(&self, question: &i64) -> bool {
        self.contains(*question)
    }
}

impl Listed for PriorityRange {
    fn read(element: &Element) -> Option<Self> {
        if !is_caps(element.namespace()) {
            return is_foreign(element).then(|| Self::Foreign(element.clone()));
        }
        let number = |name| element.attribute(name).and_then(lexical::integer);
        match element.local() {
            "equals" => Some(Self::Equals(number("value")?)),
            // The schema of the RFC lacks a letter.
            "higherthan" | "higherhan" => Some(Self::HigherThan(number("minvalue")?)),
            "lowerthan" => Some(Self::LowerThan(number("maxvalue")?)),
            "range" => {
                let (min, max) = (number("minvalue")?, number("maxvalue")?);
                // One the wrong way round has nothing in it.
                (min <= max).then_some(Self::Range { min, max })
            }
            _ => None,
        }
    }

    fn may_write(&self, parent: &'static str) -> Result<(), ValueError> {
        match self {
            Self::Range { min, max } if min > max => Err(ValueError::new(
                parent,
                &format!("{min} to {max}"),
                "a range from a lower to a higher number",
            )),
            Self::Foreign(element) => check_foreign(element, parent),
            _ => Ok(()),
        }
    }

    fn write_all(values: &[Self], _: &'static str, out: &mut Element) {
        let mut values: Vec<&Self> = values.iter().collect();
        values.sort_by_key(|value| value.kind());
        for value in values {
            out.push_child(value.to_element());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Support;
    use super::super::fixtures::element;
    use super::*;
    use PriorityRange::{Equals, HigherThan, LowerThan, Range};

    fn read(content: &str) -> Support<PriorityRange> {
        let mut priority = Support::new();
        priority.read_first(&element("priority", content));
        priority
    }

    // PIDF-47
    #[test]
    fn bounds_belong_to_their_range() {
        for (range, inside, outside) in [
            (Equals(5), vec![5], vec![4, 6]),
            (HigherThan(5), vec![5, 6, i64::MAX], vec![4, i64::MIN]),
            (LowerThan(5), vec![5, i64::MIN], vec![6]),
            (Range { min: -1, max: 1 }, vec![-1, 0, 1], vec![-2, 2]),
            (Range { min: 1, max: 0 }, vec![], vec![0, 1]),
            (
                PriorityRange::Foreign(Element::new("urn:example:x", "y")),
                vec![],
                vec![0],
            ),
        ] {
            for priority in inside {
                assert!(range.contains(priority), "{range:?} {priority}");
            }
            for priority in outside {
                assert!(!range.contains(priority), "{range:?} {priority}");
            }
        }
    }

    // PIDF-47
    #[test]
    fn ranges_are_read_with_the_misspelt_name_too() {
        let priority = read(
            "<c:supported><c:range minvalue='+1' maxvalue=' 007 '/><c:higherhan minvalue='40'/>\
             <c:higherthan minvalue='50'/><c:equals value='-3'/></c:supported>\
             <c:notsupported><c:lowerthan maxvalue='5'/></c:notsupported>",
        );
        assert_eq!(
            priority.supported,
            [
                Range { min: 1, max: 7 },
                HigherThan(40),
                HigherThan(50),
                Equals(-3)
            ]
        );
        assert_eq!(priority.supports(&3), Some(true));
        assert_eq!(priority.supports(&-5), Some(false));
        assert_eq!(priority.supports(&8), None);
        let mut out = named("servcaps");
        priority.write("priority", &mut out).unwrap();
        let list = out.elements().next().unwrap().elements().next().unwrap();
        let names: Vec<&str> = list.elements().map(Element::local).collect();
        assert_eq!(names, ["equals", "higherthan", "higherthan", "range"]);
    }

    #[test]
    fn what_is_no_number_says_nothing() {
        let priority = read(
            "<c:supported><c:equals/><c:equals value=''/><c:equals value='high'/>\
             <c:equals value='1.5'/><c:range minvalue='1'/><c:lowerthan minvalue='1'/>\
             <c:range minvalue='2' maxvalue='1'/><c:equals value='9223372036854775808'/><c:other value='1'/></c:supported>",
        );
        assert!(priority.is_empty());
    }

    #[test]
    fn a_range_the_wrong_way_round_is_refused() {
        let mut out = named("servcaps");
        let wrong = Support::of([Range { min: 2, max: 1 }]);
        let refused = wrong.write("priority", &mut out).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "priority: \"2 to 1\" is not a range from a lower to a higher number"
        );
        assert!(
            Support::of([Range { min: 1, max: 1 }])
                .write("priority", &mut out)
                .is_ok()
        );
    }
}
