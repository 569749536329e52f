//! The flow with `--extensions`: less is sent, and less often.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use presentity::filter::{self, Filter, FilterSet};
use presentity::pidf::partial::{self, Numbered, Reconstruction, Taken};
use presentity::pidf::{Basic, Presence, ReadOptions, Tuple};

use crate::peer::{Ladder, Message, Peer};
use crate::{Outcome, PRESENTITY, WATCHER, check, presence_in};

/// No watcher is told of changes any faster by the server, whatever they ask for.
pub(crate) const PACE: Duration = Duration::from_secs(1);

/// A watcher names the type of partial documents to get them.
const ACCEPT: (&str, &str) = ("Accept", "application/pidf+xml, application/pidf-diff+xml");

/// Watching begins and ends, and Ivo changes in between; Nora is told no word too many.
pub(crate) async fn script(server: SocketAddr, ladder: &Rc<RefCell<Ladder>>) -> Outcome<()> {
    // Whole documents are too long for datagrams.
    let mut nora = Peer::over_tcp("nora", WATCHER, server, ladder.clone()).await?;
    let mut ivo = Peer::over_tcp("ivo", PRESENTITY, server, ladder.clone()).await?;

    println!("Ivo publishes all that he has (RFC 5264).\n");
    let devices = [
        "desk", "hall", "cell", "car", "home", "boat", "lab", "tablet",
    ];
    let before = document(&devices, None);
    let whole = before.write()?;
    let publication = publish(&mut ivo, None, &Numbered::full(&whole)?).await?;

    println!(
        "Nora watches, takes changes in place of documents, and wants no more than two in a second."
    );
    println!("The server grants one.\n");
    let mut copy = Reconstruction::new();
    let subscribe = [("Event", "presence;max-rate=2"), ACCEPT];
    let notify = watch(&mut nora, &subscribe, "").await?;
    let state = notify.field("Subscription-State").unwrap_or_default();
    check(state.ends_with(";max-rate=1"), "the rate is granted")?;
    check(is_partial(&notify), "the type is that of partial documents")?;
    check(
        copy.take(&notify.body)? == Taken::Full,
        "the first is whole",
    )?;
    check(copy.version() == Some(1), "and has the version 1")?;
    let tuples = copy.presence(&ReadOptions::default())?.tuples;
    check(tuples == before.tuples, "it is what Ivo published")?;
    let first_tag = entity_tag(&notify)?;
    let full = notify.body.len();

    println!("Ivo leaves his desk, and publishes the difference.\n");
    let after = document(&devices, Some("desk"));
    let now_whole = after.write()?;
    let difference = Numbered::difference(&whole, &now_whole)?;
    let publication = publish(&mut ivo, Some(&publication), &difference).await?;

    println!(
        "Nora is told the difference (RFC 5263), and makes the document of it that Ivo has.\n"
    );
    let notify = nora.notify().await?;
    check(is_partial(&notify), "the type is that of partial documents")?;
    check(
        copy.take(&notify.body)? == Taken::Changed,
        "these are changes",
    )?;
    check(copy.version() == Some(2), "their version is 2")?;
    let presence = copy.presence(&ReadOptions::default())?;
    check(presence.entity == PRESENTITY, "the document is about Ivo")?;
    check(presence.tuples == after.tuples, "it is what Ivo has now")?;
    let tag = entity_tag(&notify)?;
    check(tag != first_tag, "another state has another entity-tag")?;
    let partial = notify.body.len();
    check(partial < full, "less is sent than the whole")?;

    println!("Nora refreshes and says what she has (RFC 5839). There is nothing to tell.\n");
    let contact = nora.remote_target.clone();
    let refresh = [
        ("Event", "presence;max-rate=2"),
        ACCEPT,
        ("Suppress-If-Match", &tag),
        ("Expires", "600"),
    ];
    nora.request("SUBSCRIBE", &contact, &refresh, "").await?;
    nora.response(204).await?;
    leave(&mut nora).await?;

    println!("Nora has a small screen: she asks for nothing but open and closed (RFC 4660).\n");
    let basic = "/pidf:presence/pidf:tuple/pidf:status/pidf:basic";
    let filter = FilterSet::of_presence().with(Filter::new("screen").include(basic));
    let filter = filter.write()?;
    let subscribe = [
        ("Event", "presence"),
        ("Accept", "application/pidf+xml"),
        ("Content-Type", filter::MEDIA_TYPE),
    ];
    let notify = watch(&mut nora, &subscribe, std::str::from_utf8(&filter)?).await?;
    let filtered = presence_in(&notify)?;
    let shown: Vec<_> = filtered.tuples.iter().map(as_shown).collect();
    let expected: Vec<_> = after.tuples.iter().map(as_shown).collect();
    check(shown == expected, "it says which are open and which closed")?;
    let is_bare = |tuple: &Tuple| tuple.notes.is_empty() && tuple.contact.is_none();
    check(filtered.tuples.iter().all(is_bare), "and nothing else")?;
    let unfiltered = now_whole.len();
    let filtered = notify.body.len();
    leave(&mut nora).await?;

    println!("Nora comes back with what she had. It is still so, and the NOTIFY has no body.\n");
    let subscribe = [("Event", "presence"), ACCEPT, ("Suppress-If-Match", &tag)];
    let notify = watch(&mut nora, &subscribe, "").await?;
    check(notify.body.is_empty(), "what is known is not sent")?;
    check(entity_tag(&notify)? == tag, "the entity-tag is the same")?;
    leave(&mut nora).await?;

    println!("Ivo takes back what he published.\n");
    let remove = [
        ("Event", "presence"),
        ("SIP-If-Match", publication.as_str()),
        ("Expires", "0"),
    ];
    ivo.request("PUBLISH", PRESENTITY, &remove, "").await?;
    ivo.response(200).await?;

    println!("Octets of state:");
    let published = difference.without_version().len();
    let rows = [
        ("published, the difference", published, now_whole.len()),
        ("notified, the difference", partial, full),
        ("notified, filtered", filtered, unfiltered),
        ("notified, known already", 0, full),
    ];
    for (what, octets, whole) in rows {
        println!("    {what:<26} {octets:>5} in place of {whole:>5}");
        check(octets < whole, "less is sent than the whole")?;
    }
    println!();
    Ok(())
}

/// Ivo's devices, all of them open but one perhaps.
fn document(devices: &[&str], closed: Option<&str>) -> Presence {
    let tuples = devices.iter().zip(1..).map(|(device, number)| {
        let (tuple, note) = match closed == Some(device) {
            true => (Tuple::closed(*device), "out until four".to_owned()),
            false => (Tuple::open(*device), format!("the {device} is in reach")),
        };
        let contact = format!("sip:ivo@192.0.2.{number}:5060;transport=tcp");
        tuple
            .with_contact(contact.as_str())
            .with_note(note.as_str())
    });
    tuples.fold(Presence::new(PRESENTITY), Presence::with_tuple)
}

fn as_shown(tuple: &Tuple) -> (&str, Option<Basic>) {
    (tuple.id.as_str(), tuple.status.basic())
}

fn is_partial(notify: &Message) -> bool {
    notify.field("Content-Type") == Some(partial::MEDIA_TYPE)
}

fn entity_tag(message: &Message) -> Outcome<String> {
    let tag = message.field("SIP-ETag").unwrap_or_default();
    check(!tag.is_empty(), "what is told has an entity-tag")?;
    Ok(tag.to_owned())
}

/// Publishes a partial document; returns the entity-tag of the publication.
async fn publish(ivo: &mut Peer, known: Option<&str>, document: &Numbered) -> Outcome<String> {
    let mut fields = vec![
        ("Event", "presence"),
        ("Expires", "600"),
        ("Content-Type", partial::MEDIA_TYPE),
    ];
    fields.extend(known.map(|tag| ("SIP-If-Match", tag)));
    let body = document.without_version();
    let body = std::str::from_utf8(&body)?;
    ivo.request("PUBLISH", PRESENTITY, &fields, body).await?;
    entity_tag(&ivo.response(200).await?)
}

/// Subscribes anew; returns the first NOTIFY.
async fn watch(nora: &mut Peer, fields: &[(&str, &str)], body: &str) -> Outcome<Message> {
    let fields = [fields, &[("Expires", "600")]].concat();
    nora.request("SUBSCRIBE", PRESENTITY, &fields, body).await?;
    let ok = nora.response(200).await?;
    nora.enter_dialog(&ok)?;
    let notify = nora.notify().await?;
    let state = notify.field("Subscription-State").unwrap_or_default();
    check(state.starts_with("active;"), "the subscription is active")?;
    Ok(notify)
}

/// Ends the subscription, of which nothing more is to be told, whatever it is.
async fn leave(nora: &mut Peer) -> Outcome<()> {
    println!("Nora leaves without a last word.\n");
    let contact = nora.remote_target.clone();
    let unsubscribe = [
        ("Event", "presence"),
        ("Suppress-If-Match", "*"),
        ("Expires", "0"),
    ];
    nora.request("SUBSCRIBE", &contact, &unsubscribe, "")
        .await?;
    nora.response(204).await?;
    nora.leave_dialog();
    Ok(())
}
