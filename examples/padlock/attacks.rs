//! What Mallory tries, and what becomes of it. Each function fails if he succeeds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use presentity::certs::Verdict;
use presentity::event::OwnSubscriptionKey;
use presentity::presence::Protection;

use crate::Outcome;
use crate::mallory::{Mallory, Notice};
use crate::party::Party;
use crate::people::Holder;
use crate::plain::taken;
use crate::roles::Watching;
use crate::steps::{passed, reason, refused, told};
use crate::world::{BOB, Found, Heard, World, certificate_service};

const MALLORY: &str = "sip:mallory@example.org";

/// Bob's document leads to another certificate.
pub(crate) async fn src() -> Outcome<()> {
    let mut world = begin().await?;
    let mallory = world.authority.certify(MALLORY)?;
    let service = certificate_service(MALLORY, mallory.certificate()?).await?;
    let shelf = &world.shelf;
    let own = shelf.put("mallory", mallory.certificate()?);
    let forged = shelf.put("forged", Holder::self_signed(BOB)?.certificate()?);
    world.publish("at my desk", BOB).await?;
    passed(format_args!(
        "Bob has published, with a certificate at {BOB}"
    ));
    told(format_args!(
        "The authority has certified Mallory, too, as {MALLORY}."
    ));
    told("Ana does not ask for signatures, and Mallory alters what she gets.");
    for (place, whose) in [
        (MALLORY, "his own, by SIP"),
        (&*own, "his own, by HTTP"),
        (
            &*forged,
            "one that he has signed himself, with Bob's name in it",
        ),
    ] {
        told(format_args!(
            "Mallory writes src={place:?}, where there is {whose}."
        ));
        let mut ana = world.watcher(Protection::None).await?;
        meet(&mut ana, &world.presence, redirect(place.to_owned())).await?;
        let change = taken(ana.document().await?)?;
        let mut finder = world.retriever(true).await?;
        // As a proxy does that knows where example.org is.
        finder.route_by(&service)?;
        let found = finder.judge(&change).await?;
        if found.source != place {
            return Err(format!("Ana has asked {}, not Mallory", found.source).into());
        }
        objected(found)?;
    }
    told("Ana asks for signatures, and Mallory alters what is signed.");
    let mut ana = world.watcher(Protection::Signed).await?;
    meet(&mut ana, &world.presence, redirect(MALLORY.to_owned())).await?;
    left_aside(&mut ana).await
}

fn redirect(place: String) -> impl FnMut(&mut Notice) -> Outcome<()> {
    move |notice| {
        // The last one, at the end of a subscription, has no document.
        match notice.body.is_empty() {
            true => Ok(()),
            false => notice.replace(&format!("src=\"{BOB}\""), &format!("src=\"{place}\"")),
        }
    }
}

/// Bob's document of before is told once more.
pub(crate) async fn replay() -> Outcome<()> {
    let mut world = begin().await?;
    world
        .publish("my certificate is on the shelf", &world.url.clone())
        .await?;
    let stage = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&stage);
    let mut recorded = None;
    let mut ana = world.watcher(Protection::Signed).await?;
    let tamper = move |notice: &mut Notice| {
        match at.load(Ordering::Relaxed) {
            // He listens,
            0 => recorded = Some((notice.content_type.clone(), notice.body.clone())),
            // lets others pass,
            1 => {}
            // ends the dialog, so that CSeq does not help,
            2 => {
                notice.state = "terminated;reason=deactivated".to_owned();
                at.store(3, Ordering::Relaxed);
            }
            // and tells the old one in the next.
            _ => {
                let (content_type, body) = recorded.clone().ok_or("there was none")?;
                (notice.content_type, notice.body) = (content_type, body);
            }
        }
        Ok(())
    };
    let key = meet(&mut ana, &world.presence, tamper).await?;
    let first = taken(ana.document().await?)?;
    passed(format_args!(
        "Ana has Bob's document, signed; the certificate is at {}",
        world.url
    ));
    // Signatures tell their time in seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    stage.store(1, Ordering::Relaxed);
    world
        .publish("that one is not good any more: ask for it", BOB)
        .await?;
    let second = taken(ana.document().await?)?;
    if first.after == second.after {
        return Err("nothing has changed".into());
    }
    passed(format_args!(
        "Ana has Bob's next document; the certificate is at {BOB}"
    ));
    told("Mallory ends the dialog, and tells the first document in the next one.");
    stage.store(2, Ordering::Relaxed);
    let now = ana.now();
    ana.role.watcher.request_state(now, key);
    left_aside(&mut ana).await?;
    let known = ana.role.watcher.presence(key);
    if known != second.after.as_deref() {
        return Err("Ana's document is another one now".into());
    }
    passed("Ana still has the second one");
    Ok(())
}

/// Certificates that the authority has issued, and for others than Bob and his domain.
pub(crate) async fn san() -> Outcome<()> {
    let mut world = begin().await?;
    world.publish("at my desk", BOB).await?;
    let mallory = world.authority.certify("sip:mallory@example.com")?;

    told("The authority has certified Mallory, too, as sip:mallory@example.com.");
    told("He answers in the place of the certificate service, with his own certificate.");
    let mut ana = world.watcher(Protection::Signed).await?;
    ana.watch(&world.presence)?;
    let change = taken(ana.document().await?)?;
    let between = Mallory::before(&world.certificates).await?;
    let mut finder = world.retriever(true).await?;
    finder.route_by(&between.route())?;
    let certificate = mallory.certificate()?;
    between.start(move |notice| {
        notice.body = certificate.clone();
        Ok(())
    });
    objected(finder.judge(&change).await?)?;

    for (signer, holder) in [
        ("sip:mallory@example.com", mallory),
        (
            "sip:example.org",
            world.authority.certify("sip:example.org")?,
        ),
    ] {
        told(format_args!(
            "Mallory alters Bob's document, and signs it as {signer}."
        ));
        let credential = holder.credential()?;
        let mut redirect = redirect(MALLORY.to_owned());
        let mut ana = world.watcher(Protection::Signed).await?;
        let tamper = move |notice: &mut Notice| {
            notice.strip()?;
            redirect(notice)?;
            notice.sign(&credential)
        };
        meet(&mut ana, &world.presence, tamper).await?;
        left_aside(&mut ana).await?;
    }
    Ok(())
}

/// A document without the signature that it had.
pub(crate) async fn unsigned() -> Outcome<()> {
    let mut world = begin().await?;
    world.publish("at my desk", BOB).await?;
    told("Mallory takes off the signature, and alters the rest.");
    let mut redirect = redirect(MALLORY.to_owned());
    let mut ana = world.watcher(Protection::Signed).await?;
    let tamper = move |notice: &mut Notice| {
        notice.strip()?;
        redirect(notice)
    };
    meet(&mut ana, &world.presence, tamper).await?;
    left_aside(&mut ana).await
}

async fn begin() -> Outcome<World> {
    let world = World::begin().await?;
    passed("keys are made; Example Authority certifies sip:example.com and sip:bob@example.com");
    Ok(world)
}

/// Ana watches Bob, and Mallory is on the way.
async fn meet<T>(ana: &mut Party<Watching>, service: &str, tamper: T) -> Outcome<OwnSubscriptionKey>
where
    T: FnMut(&mut Notice) -> Outcome<()> + Send + 'static,
{
    let mallory = Mallory::before(service).await?;
    let key = ana.watch(&mallory.route())?;
    mallory.start(tamper);
    Ok(key)
}

/// The next document is not taken.
async fn left_aside(ana: &mut Party<Watching>) -> Outcome<()> {
    match ana.document().await? {
        Heard::Refused(why) => {
            refused(why);
            Ok(())
        }
        Heard::Taken(_) => Err("the attack has worked: Ana has taken the document".into()),
    }
}

/// The certificate is not used.
fn objected(found: Found) -> Outcome<()> {
    match found.verdict {
        Ok(Verdict::Unusable(objection)) => {
            refused(reason(&objection, &objection));
            Ok(())
        }
        Ok(verdict) => Err(format!("the attack has worked: {verdict}").into()),
        Err(why) => Err(format!("Mallory's certificate was not even asked for: {why}").into()),
    }
}
