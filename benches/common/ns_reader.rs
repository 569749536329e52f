//! The baseline of reading: what quick-xml spends on looking at everything, names resolved.

use std::hint::black_box;

use quick_xml::NsReader;
use quick_xml::events::Event;

/// Gives the number of events, so that the work has a result.
pub(crate) fn ns_reader(document: &[u8]) -> usize {
    let mut reader = NsReader::from_reader(document);
    let mut events = 0;
    loop {
        match reader.read_resolved_event().expect("well-formed") {
            (_, Event::Eof) => return events,
            event => {
                black_box(event);
                events += 1;
            }
        }
    }
}
