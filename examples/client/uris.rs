//! URIs of the command line.

use presentity::sip::Uri;
use rsipstack::sip::Transport;

/// The address of record that a URI names, and the transport to its server.
pub(crate) fn address_of_record(text: &str) -> Result<(String, Transport), String> {
    let Ok(Uri::Sip(uri)) = Uri::parse(text) else {
        return Err("it is a URI like sip:dora@example.com".to_owned());
    };
    if uri.is_sips() {
        return Err("there is no TLS here, which a sips URI asks for".to_owned());
    }
    let transport = match uri.params().get("transport").flatten() {
        None => Transport::Udp,
        Some(name) if name.eq_ignore_ascii_case("udp") => Transport::Udp,
        Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
        Some(name) => return Err(format!("there is no transport {name:?} here")),
    };
    // From and To have no parameters of that kind (RFC 3261 section 19.1.1).
    let user = uri.user().map_or(String::new(), |user| format!("{user}@"));
    let port = uri.port().map_or(String::new(), |port| format!(":{port}"));
    Ok((format!("sip:{user}{}{port}", uri.host()), transport))
}

/// A URI to route by, from `ADDR:PORT`, perhaps with a transport.
pub(crate) fn proxy(text: &str) -> Result<String, String> {
    let uri = format!("sip:{text};lr");
    match Uri::parse(&uri) {
        Ok(Uri::Sip(proxy)) if proxy.user().is_none() => Ok(uri),
        _ => Err("it is ADDR:PORT, perhaps with ;transport=tcp".to_owned()),
    }
}
