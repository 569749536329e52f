//! URIs, two at a time: what is read is written as it was, comparison is symmetric, and equivalent URIs
//! name the same resource.
#![no_main]

use libfuzzer_sys::fuzz_target;
use presentity::sip::Uri;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.lines();
    let one = lines.next().and_then(read);
    let other = lines.next().and_then(read);
    if let (Some(one), Some(other)) = (one, other) {
        let equivalent = one.equivalent(&other);
        assert_eq!(equivalent, other.equivalent(&one), "{one} {other}");
        if equivalent {
            assert_eq!(one.address_of_record(), other.address_of_record());
        }
    }
});

fn read(text: &str) -> Option<Uri<'_>> {
    let uri = Uri::parse(text).ok()?;
    assert!(uri.equivalent(&uri), "{uri}");
    let written = uri.to_string();
    let again = Uri::parse(&written).unwrap_or_else(|error| panic!("{written:?}: {error}"));
    assert_eq!(again.to_string(), written);
    assert!(again.equivalent(&uri), "{again} {uri}");
    assert_eq!(again.scheme(), uri.scheme());
    let key = uri.address_of_record();
    assert_eq!(again.address_of_record(), key);

    // Read as a sip URI, such a key has itself as its key.
    if let (Uri::Sip(_) | Uri::Pres(_), Some(key)) = (&uri, &key) {
        let plain = format!("sip:{key}");
        let named = Uri::parse(&plain).unwrap_or_else(|error| panic!("{plain:?}: {error}"));
        assert_eq!(named.address_of_record().as_ref(), Some(key), "{plain}");
    }

    match &uri {
        Uri::Sip(sip) => {
            assert_eq!(sip.as_str(), text);
            for (name, value) in sip.params().iter() {
                assert!(sip.params().get(name).is_some(), "{name} {value:?}");
            }
            assert_eq!(
                sip.params().is_empty(),
                sip.params().iter().next().is_none()
            );
            assert_eq!(
                sip.headers().is_empty(),
                sip.headers().iter().next().is_none()
            );
        }
        Uri::Pres(pres) => assert_eq!(pres.as_str(), text),
        Uri::Tel(tel) => assert_eq!(tel.as_str(), text),
        _ => {}
    }
    Some(uri)
}
