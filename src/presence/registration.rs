//! What a presence user agent says of itself when it registers (RFC 3856 sections 6.11.2 and 7.2).

use crate::pidf::caps::{Devcaps, EventPackage, Method, Servcaps, Support, to_feature_parameters};

/// The parameters of the Contact of a REGISTER by which a presence user agent says what it can do
/// and that it is the agent of its own state as well: a presence server may subscribe to it there
/// (RFC 3856 section 6.11.2, RFC 3840).
///
/// Of the capabilities that they are made of, what
/// [`to_feature_parameters`] cannot express is left out. An agent for presence is told even when
/// the capabilities say that there is none.
///
/// ```
/// use presentity::pidf::caps::{Devcaps, Method, Servcaps, Support};
/// use presentity::presence::registration_parameters;
///
/// let mut service = Servcaps::new();
/// service.methods = Support::of([Method::Message]);
/// assert_eq!(
///     registration_parameters(&service, &Devcaps::new()),
///     ";events=\"presence\";methods=\"MESSAGE,SUBSCRIBE\"",
/// );
/// ```
pub fn registration_parameters(service: &Servcaps, device: &Devcaps) -> String {
    let mut service = service.clone();
    support(&mut service.methods, Method::Subscribe);
    support(&mut service.event_packages, EventPackage::Presence);
    to_feature_parameters(&service, device)
}

fn support<V: PartialEq>(list: &mut Support<V>, value: V) {
    list.notsupported.retain(|known| *known != value);
    if !list.supported.contains(&value) {
        list.supported.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pidf::caps::from_feature_parameters;
    use crate::sip::NameAddr;

    // PUA-07, PUA-08
    #[test]
    fn whoever_reads_them_finds_a_presence_agent_and_everything_else() {
        let mut service = Servcaps::new();
        service.audio = Some(true);
        service.methods = Support::of([Method::Message]).without([Method::Subscribe]);
        service.event_packages = Support::of([EventPackage::Presence]);
        let parameters = registration_parameters(&service, &Devcaps::new());
        let contact = format!("<sip:dora@192.0.2.7>{parameters}");
        let contact = NameAddr::parse(&contact).unwrap();
        let (read, _) = from_feature_parameters(contact.params());
        assert_eq!(read.audio, Some(true));
        for method in [Method::Subscribe, Method::Message] {
            assert_eq!(read.methods.supports(&method), Some(true), "{parameters}");
        }
        let events = &read.event_packages;
        assert_eq!(events.supported, [EventPackage::Presence]);
        assert!(read.methods.notsupported.is_empty());
    }
}
