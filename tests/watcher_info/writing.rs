//! What is written, and that it is read as what it was.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use presentity::winfo::{
    ReadWatcherInfoOptions, WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus,
    WriteWatcherInfoError,
};
use presentity::xml::{Element, Layout, XmlLimits, XmlWriteError};

use crate::made::{LENA, entry, full, info, list};

fn status() -> impl Strategy<Value = WatcherStatus> {
    use WatcherStatus::{Active, Pending, Terminated, Waiting};
    proptest::sample::select(vec![Pending, Active, Waiting, Terminated])
}

fn event() -> impl Strategy<Value = WatcherEvent> {
    use WatcherEvent::{
        Approved, Deactivated, GiveUp, NoResource, Probation, Rejected, Subscribe, Timeout,
    };
    proptest::sample::select(vec![
        Subscribe,
        Approved,
        Deactivated,
        Probation,
        Rejected,
        Timeout,
        GiveUp,
        NoResource,
    ])
}

prop_compose! {
    fn any_entry()(
        id in "[a-zA-Z0-9.!%*_+`'~-]{1,12}",
        uri in "(sips?|pres|tel|urn):([!-$&-~é-ü]|%[0-9a-fA-F]{2}){1,40}",
        (status, event) in (status(), event()),
        display_name in option::of("[ -~\t\n\r¡-\u{2fff}😀]{0,30}"),
        language in option::of("[a-z]{2,3}(-[A-Z0-9]{2,8})?"),
        expiration in option::of(any::<u64>()),
        duration_subscribed in option::of(any::<u64>()),
    ) -> WatcherEntry {
        let mut entry = WatcherEntry::new(id, uri, status, event);
        entry.display_name = display_name;
        entry.language = language;
        entry.expiration = expiration;
        entry.duration_subscribed = duration_subscribed;
        entry
    }
}

fn any_info() -> impl Strategy<Value = WatcherInfo> {
    let list = ("sip:[!-$&-~]{1,30}", "[a-z.]{1,20}", vec(any_entry(), 0..6));
    (any::<u32>(), any::<bool>(), vec(list, 0..5)).prop_map(|(version, is_full, lists)| {
        let mut number = 0;
        let lists = lists.into_iter().map(|(resource, package, mut watchers)| {
            for entry in &mut watchers {
                number += 1;
                entry.id.push_str(&number.to_string());
                entry.id.insert(0, 'n');
                entry.id = format!("{number}.{}", entry.id);
            }
            let mut list = WatcherList::new(resource, package);
            list.watchers = watchers;
            list
        });
        info(version, is_full, lists.collect())
    })
}

proptest! {
    // SRV-70, SRV-71
    #[test]
    fn what_is_written_is_read_as_what_it_was(info in any_info(), pretty in any::<bool>()) {
        let layout = if pretty { Layout::Pretty } else { Layout::Compact };
        prop_assert!(info.lists.iter().flat_map(|it| &it.watchers).all(|it| it.check().is_ok()));
        let octets = info.write_as(layout).unwrap();
        let (again, faults) =
            WatcherInfo::read_with(&octets, &ReadWatcherInfoOptions::default()).unwrap();
        prop_assert_eq!(&again, &info);
        prop_assert_eq!(faults, vec![]);
        prop_assert_eq!(again.write_as(layout).unwrap(), octets);
    }
}

#[test]
fn the_form_is_that_of_the_schema() {
    let mut one = entry("w-1", WatcherStatus::Pending);
    one.display_name = Some("Ida \"I\" <x> & \u{e9}".to_owned());
    one.language = Some("de-AT".to_owned());
    one.expiration = Some(30);
    one.duration_subscribed = Some(u64::MAX);
    let mut named = WatcherList::new("sip:lena@example.com;a=<b>&c", "presence.winfo");
    named.watchers.push(one);
    let info = info(u32::MAX, false, vec![list(LENA, &[]), named]);
    let written = String::from_utf8(info.write().unwrap().to_vec()).unwrap();
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"4294967295\" \
         state=\"partial\"><watcher-list resource=\"sip:lena@example.com\" package=\"presence\"/>\
         <watcher-list resource=\"sip:lena@example.com;a=&lt;b&gt;&amp;c\" \
         package=\"presence.winfo\"><watcher id=\"w-1\" status=\"pending\" event=\"subscribe\" \
         display-name=\"Ida &quot;I&quot; &lt;x&gt; &amp; é\" expiration=\"30\" \
         duration-subscribed=\"18446744073709551615\" xml:lang=\"de-AT\">sip:w-1@example.org\
         </watcher></watcher-list></watcherinfo>";
    assert_eq!(written, expected);
    // A tree of the general reader says the same of it.
    let tree = Element::read(written.as_bytes(), &XmlLimits::default()).unwrap();
    let pretty = info.write_as(Layout::Pretty).unwrap();
    let of_pretty = Element::read(&pretty, &XmlLimits::default()).unwrap();
    assert_eq!(tree.write().unwrap(), of_pretty.write().unwrap());
    assert!(pretty.iter().filter(|octet| **octet == b'\n').count() >= 6);
}

#[test]
fn a_document_without_lists() {
    let octets = info(0, true, Vec::new()).write().unwrap();
    let read = WatcherInfo::read(&octets).unwrap();
    assert_eq!(read, info(0, true, Vec::new()));
}

fn error_of(change: impl FnOnce(&mut WatcherInfo)) -> WriteWatcherInfoError {
    let mut info = full(
        0,
        &[("a", WatcherStatus::Active), ("b", WatcherStatus::Active)],
    );
    assert!(info.write().is_ok());
    change(&mut info);
    let error = info.write().unwrap_err();
    assert!(error.to_string().len() < 400, "{error}");
    // Without the entries that say so themselves there is nothing to be said.
    let watchers = &mut info.lists[0].watchers;
    let said: Vec<_> = (watchers.iter())
        .filter_map(|entry| entry.check().err())
        .collect();
    if !said.is_empty() {
        assert_eq!(said, std::slice::from_ref(&error));
        watchers.retain(|entry| entry.check().is_ok());
        assert_eq!(watchers.len(), 1);
        assert!(info.write().is_ok());
    }
    error
}

// SRV-71
#[test]
fn ids_are_tokens_and_unique() {
    for id in ["", "a b", "ä", "a\"", "a<", "a\n"] {
        let error = error_of(|info| info.lists[0].watchers[0].id = id.to_owned());
        let text = id.to_owned();
        assert_eq!(error, WriteWatcherInfoError::Token { text });
    }
    let error = error_of(|info| info.lists[0].watchers[0].id = "b".to_owned());
    let id = "b".to_owned();
    assert_eq!(error, WriteWatcherInfoError::Repeated { id });
    // Over all lists.
    let error = error_of(|info| {
        let other = list("sip:other@example.com", &[("a", WatcherStatus::Pending)]);
        info.lists.push(other);
    });
    let id = "a".to_owned();
    assert_eq!(error, WriteWatcherInfoError::Repeated { id });
}

#[test]
fn uris_are_in_one_piece_and_bounded() {
    let long = format!("sip:{}@example.org", "u".repeat(65_536));
    for uri in [
        "",
        " ",
        "sip:a b",
        "sip:a\n",
        "sip:\u{0}",
        "sip:\u{7f}",
        "sip:a%",
        "sip:%4x@b",
        "sip:%41%4",
        &long,
    ] {
        let of_watcher = error_of(|info| info.lists[0].watchers[1].uri = uri.to_owned());
        let of_resource = error_of(|info| info.lists[0].resource = uri.to_owned());
        for error in [of_watcher, of_resource] {
            let WriteWatcherInfoError::Uri { octets, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(octets, uri.len());
        }
    }
    let mut info = full(0, &[("a", WatcherStatus::Active)]);
    info.lists[0].watchers[0].uri = long.chars().take(8192).collect();
    assert_eq!(WatcherInfo::read(&info.write().unwrap()), Ok(info));
}

#[test]
fn what_the_format_does_not_have_is_not_written() {
    let error = error_of(|info| info.lists[0].watchers[0].event = WatcherEvent::Other);
    let id = "a".to_owned();
    assert_eq!(error, WriteWatcherInfoError::Event { id });
    let error = error_of(|info| info.lists[0].package = "a b".to_owned());
    assert!(matches!(error, WriteWatcherInfoError::Token { .. }));
    let error = error_of(|info| info.lists[0].watchers[0].language = Some("e\"n".to_owned()));
    assert!(matches!(error, WriteWatcherInfoError::Language { .. }));
    let name = Some("bell \u{7}".to_owned());
    let error = error_of(|info| info.lists[0].watchers[0].display_name = name);
    let character = XmlWriteError::Character { code: 7 };
    assert_eq!(error, WriteWatcherInfoError::Xml(character));
}
