//! What is asked of every part of a document costs one pass over it, not one for each part.
#![allow(clippy::unwrap_used, reason = "test code may fail loudly")]

use allocation_counter::measure;
use presentity::pidf::caps::Servcaps;
use presentity::pidf::certs::Certs;
use presentity::pidf::{Device, DeviceId, Presence, Tuple};

/// As many tuples as devices; either each on its own, or all with one identifier.
fn document(parts: usize, alone: bool) -> Presence {
    let mut document = Presence::new("sip:dora@example.com");
    let capabilities = |n: usize| {
        let certs =
            Certs::new().with_source(format!("sip:d{}@example.com", if alone { n } else { 0 }));
        let element = Servcaps::new().with_certs(certs);
        Tuple::open("t")
            .with(&element)
            .unwrap()
            .extensions
            .remove(0)
    };
    for n in 0..parts {
        let id = format!("urn:example:{}", if alone { n } else { 0 });
        let id = DeviceId::new(id).unwrap();
        let tuple = Tuple::open(format!("t{n}")).with(&id).unwrap();
        let device = Device::new(format!("d{n}"), id).with_extension(capabilities(n));
        document = document.with_tuple(tuple).with_device(device);
    }
    document
}

/// What it takes to ask about every part.
fn cost(parts: usize, alone: bool) -> u64 {
    let document = document(parts, alone);
    let info = measure(|| {
        let index = document.device_index();
        for tuple in &document.tuples {
            assert_eq!(index.certificate_sources(tuple).len(), 1);
            if alone {
                assert_eq!(index.certs_of(tuple).count(), 1);
                assert_eq!(index.devices_of(tuple).count(), 1);
            }
        }
        for device in document.devices.iter().filter(|_| alone) {
            assert_eq!(index.services_of(device).count(), 1);
        }
    });
    info.count_total
}

#[test]
fn a_pass_over_a_document_costs_what_the_document_is_long() {
    for alone in [true, false] {
        let (few, many) = (cost(250, alone), cost(2_000, alone));
        // Eight times as many; sixty-four times the work would be that of asking for each anew.
        assert!(many < few * 10, "{few} to {many}");
    }
}
