//! What `--filter` names: a filter document (RFC 4661). It is sent as it is, but for one that nobody could
//! go by: a server that is sent an empty one, for instance, filters nothing.
//!
//! This one leaves nothing but open and closed:
//!
//! ```xml
//! <filter-set xmlns="urn:ietf:params:xml:ns:simple-filter">
//!   <ns-bindings><ns-binding prefix="p" urn="urn:ietf:params:xml:ns:pidf"/></ns-bindings>
//!   <filter id="basic">
//!     <what><include type="xpath">/p:presence/p:tuple/p:status/p:basic</include></what>
//!   </filter>
//! </filter-set>
//! ```

use std::path::Path;

use presentity::filter::{FilterLimits, FilterSet};

/// Its octets.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let told = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let octets = std::fs::read(path).map_err(|error| told(&error))?;
    FilterSet::read(&octets, &FilterLimits::default()).map_err(|error| told(&error))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_filter_is_told_before_anything_is_sent() {
        let path = std::env::temp_dir().join(format!("watch-filter-{}", std::process::id()));
        let basic = "<filter-set xmlns='urn:ietf:params:xml:ns:simple-filter'><filter id='a'><what>\
                     <include type='xpath'>/pidf:presence/pidf:tuple/pidf:status</include>\
                     </what></filter></filter-set>";
        assert!(read(&path).is_err());
        for (text, is_one) in [
            (basic, true),
            ("", false),
            ("nothing", false),
            ("<a/>", false),
        ] {
            std::fs::write(&path, text).unwrap();
            let octets = read(&path);
            assert_eq!(octets.is_ok(), is_one, "{text}: {octets:?}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
