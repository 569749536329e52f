//! The same with real keys and certificates.

use bytes::Bytes;
use presentity::mime::{Opener, Part, Sign, Signed};
use presentity::presence::{Authority, Protection, Unprotected, WatcherConfig, WatcherEvent};

use crate::common::seeded;
use crate::notifies::ACTIVE;
use crate::phone::{BOB, Notifier, Phone, Taken};
use crate::signing::{self, KeyHolder};
use crate::wrapping::{DOMAIN, PIDF, carrying};

/// What comes of a NOTIFY that this key has signed.
fn told(key: &KeyHolder, alter: bool) -> Taken {
    let text = format!(
        "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='{BOB}'><tuple id='t'><status>\
         <basic>open</basic></status><timestamp>2026-01-01T00:00:00Z</timestamp></tuple></presence>"
    );
    let part = Part::new(PIDF, &Bytes::from(text)).unwrap();
    let signature = key.sign(part.octets()).unwrap();
    let mut written = Signed::write(part.octets(), &signature, &mut seeded(9));
    if alter {
        let mut octets = written.body.to_vec();
        let place = octets.windows(4).position(|it| it == b"open").unwrap();
        octets[place..place + 4].copy_from_slice(b"busy");
        written.body = octets.into();
    }
    let mut config = WatcherConfig::default();
    config.protection = Protection::Signed;
    let mut phone = Phone::with(config);
    let (_, subscribe) = phone.watch();
    phone.accept(&subscribe, "n", 3600);
    let mut notifier = Notifier::of(&subscribe, "n");
    phone.notify(&notifier.notify(ACTIVE));
    let opening = phone
        .notify(&carrying(notifier.notify(ACTIVE), &written))
        .opening()
        .clone();
    let verifier = signing::Authority::new("Example CA").verifier();
    let opener = Opener::new().with_verify(&verifier);
    phone.opened(
        opening.key,
        opener.open(&opening.content_type, &opening.body),
    )
}

// SEC-18, SEC-19
#[test]
fn signatures_with_real_keys_are_told_apart() {
    let authority = signing::Authority::new("Example CA");
    for (name, by) in [(DOMAIN, Authority::Domain), (BOB, Authority::Presentity)] {
        let taken = told(&authority.signer(&[name]), false);
        let [WatcherEvent::Changed(change)] = &taken.events[..] else {
            panic!("{taken:?}");
        };
        assert_eq!((taken.status(), change.authority), (200, Some(by)));
    }
    let lacks = |taken: &Taken| match &taken.events[..] {
        [WatcherEvent::Unprotected { why, .. }] => why.clone(),
        other => panic!("{other:?}"),
    };
    let taken = told(&authority.signer(&["sip:example.com"]), false);
    let names = vec!["sip:example.com".to_owned()];
    assert_eq!(lacks(&taken), Unprotected::WrongSigner { names });
    let impostor = signing::Authority::with_key("Example CA", "another");
    for key in [
        KeyHolder::self_signed(&[DOMAIN]),
        impostor.signer(&[DOMAIN]),
    ] {
        assert!(matches!(
            lacks(&told(&key, false)),
            Unprotected::Untrusted(_)
        ));
    }
    // Altered on its way, or without a certificate.
    let key = authority.signer(&[DOMAIN]);
    assert_eq!(told(&key, true).status(), 403);
    assert_eq!(told(&key.without_certificate(), false).status(), 403);
}
