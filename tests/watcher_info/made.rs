//! Documents of the tests' making.

use presentity::winfo::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherList, WatcherStatus};

pub const LENA: &str = "sip:lena@example.com";

/// An entry by its id; the URI is named after it.
pub fn entry(id: &str, status: WatcherStatus) -> WatcherEntry {
    let event = match status {
        WatcherStatus::Active => WatcherEvent::Approved,
        WatcherStatus::Waiting => WatcherEvent::Timeout,
        WatcherStatus::Terminated => WatcherEvent::Rejected,
        _ => WatcherEvent::Subscribe,
    };
    WatcherEntry::new(id, format!("sip:{id}@example.org"), status, event)
}

pub fn list(resource: &str, entries: &[(&str, WatcherStatus)]) -> WatcherList {
    let mut list = WatcherList::new(resource, "presence");
    let entries = entries.iter().map(|(id, status)| entry(id, *status));
    list.watchers = entries.collect();
    list
}

pub fn info(version: u32, is_full: bool, lists: Vec<WatcherList>) -> WatcherInfo {
    let mut info = WatcherInfo::default();
    info.version = version;
    info.is_full = is_full;
    info.lists = lists;
    info
}

pub fn full(version: u32, entries: &[(&str, WatcherStatus)]) -> WatcherInfo {
    info(version, true, vec![list(LENA, entries)])
}

pub fn partial(version: u32, entries: &[(&str, WatcherStatus)]) -> WatcherInfo {
    info(version, false, vec![list(LENA, entries)])
}

/// A full document about Lena with these elements in its list.
pub fn with_entries(entries: &str) -> String {
    format!(
        "<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' version='3' state='full'>\
         <watcher-list resource='{LENA}' package='presence'>{entries}</watcher-list></watcherinfo>"
    )
}
