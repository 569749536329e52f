//! The document of watcher information, as it is sent.

use bytes::Bytes;

use crate::winfo::{WatcherEntry, WatcherEvent, WatcherInfo, WatcherStatus};
use crate::xml::{Document, Layout, Writer, XmlWriteError, namespace};

/// The document as octets (RFC 3858 section 6).
pub(super) fn write(info: &WatcherInfo) -> Result<Bytes, XmlWriteError> {
    let entries: usize = info.lists.iter().map(|list| list.watchers.len()).sum();
    let document = Document {
        default: namespace::WATCHER_INFO,
        size: entries.saturating_mul(128).saturating_add(512),
        layout: Layout::Compact,
    };
    document.write(|xml| write_info(info, xml), |_| Ok(()))
}

fn write_info(info: &WatcherInfo, xml: &mut Writer<'_>) -> Result<(), XmlWriteError> {
    xml.markup("<watcherinfo");
    xml.root_declarations();
    attribute(xml, "version", &info.version.to_string())?;
    attribute(xml, "state", if info.is_full { "full" } else { "partial" })?;
    xml.markup(">");
    for list in &info.lists {
        xml.markup("<watcher-list");
        attribute(xml, "resource", &list.resource)?;
        attribute(xml, "package", &list.package)?;
        xml.markup(">");
        for entry in &list.watchers {
            write_entry(entry, xml)?;
        }
        xml.markup("</watcher-list>");
    }
    xml.markup("</watcherinfo>");
    Ok(())
}

fn write_entry(entry: &WatcherEntry, xml: &mut Writer<'_>) -> Result<(), XmlWriteError> {
    xml.markup("<watcher");
    attribute(xml, "id", &entry.id)?;
    let status = match entry.status {
        WatcherStatus::Pending => "pending",
        WatcherStatus::Active => "active",
        WatcherStatus::Waiting => "waiting",
        WatcherStatus::Terminated => "terminated",
    };
    attribute(xml, "status", status)?;
    let event = match entry.event {
        WatcherEvent::Subscribe => "subscribe",
        WatcherEvent::Approved => "approved",
        WatcherEvent::Deactivated => "deactivated",
        WatcherEvent::Probation => "probation",
        WatcherEvent::Rejected => "rejected",
        WatcherEvent::Timeout => "timeout",
        WatcherEvent::GiveUp => "giveup",
        WatcherEvent::NoResource => "noresource",
    };
    attribute(xml, "event", event)?;
    if let Some(name) = &entry.display_name {
        attribute(xml, "display-name", name)?;
    }
    if let Some(seconds) = entry.expiration {
        attribute(xml, "expiration", &seconds.to_string())?;
    }
    if let Some(seconds) = entry.duration_subscribed {
        attribute(xml, "duration-subscribed", &seconds.to_string())?;
    }
    if let Some(language) = &entry.language {
        attribute(xml, "xml:lang", language)?;
    }
    xml.markup(">");
    xml.text(&entry.uri)?;
    xml.markup("</watcher>");
    Ok(())
}

fn attribute(xml: &mut Writer<'_>, name: &str, value: &str) -> Result<(), XmlWriteError> {
    xml.markup(" ");
    xml.markup(name);
    xml.markup("=\"");
    xml.value(value)?;
    xml.markup("\"");
    Ok(())
}
