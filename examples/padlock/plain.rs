//! How it goes when nobody disturbs.

use bytes::Bytes;
use presentity::certs::{Binding, Ground, Proof, Verdict};
use presentity::mime::smime::Encryptor;
use presentity::mime::{Encrypt as _, Enveloped, PKCS7_MIME, Part};
use presentity::presence::{Authority, PresenceChange, Protection};

use crate::Outcome;
use crate::party::Party;
use crate::phone::message_to;
use crate::roles::Retrieving;
use crate::steps::{passed, told};
use crate::world::{ANA, BOB, Found, Heard, World};

pub(crate) async fn run() -> Outcome<()> {
    let mut world = World::begin().await?;
    passed("keys are made; Example Authority certifies sip:example.com and sip:bob@example.com");

    world.publish("at my desk", BOB).await?;
    passed(format_args!(
        "Bob has published that he is open, with a certificate at {BOB}"
    ));

    let mut ana = world.watcher(Protection::Signed).await?;
    let watching = ana.watch(&world.presence)?;
    let change = taken(ana.document().await?)?;
    let signer = padlock(&change)?;
    passed(format_args!(
        "Ana's document of {BOB} is signed by {signer}, the authority of his domain"
    ));
    passed(format_args!(
        "Ana sees the padlock \u{1f512}: signalling with Bob can be secured by S/MIME"
    ));

    let mut finder = world.retriever(false).await?;
    let found = finder.judge(&change).await?;
    let by_sip = usable(&found, Binding::SameAddress)?;
    passed(format_args!("by SIP, from {}: {by_sip}", found.source));

    world
        .publish("at my desk, still", &world.url.clone())
        .await?;
    let change = taken(ana.document().await?)?;
    padlock(&change)?;
    let mut cautious = world.retriever(false).await?;
    match cautious.judge(&change).await?.verdict {
        Err(why) => passed(format_args!("by the default rules, on loopback: {why}")),
        Ok(verdict) => return Err(format!("the default rules let it be fetched: {verdict}").into()),
    }
    told("From here on these rules allow this machine's addresses, and the one port.");
    let mut finder = world.retriever(true).await?;
    let again = finder.judge(&change).await?;
    let by_http = usable(&again, Binding::Named)?;
    passed(format_args!("by HTTP, from {}: {by_http}", again.source));
    if again.certificate != found.certificate {
        return Err("SIP and HTTP have led to different certificates".into());
    }

    let certificate = found.certificate.ok_or("there is no certificate")?;
    let contact = contact(&change)?;
    let text = "Lunch at one? The new place, not the canteen.";
    let status = send(&finder, &contact, text, certificate).await?;
    let received = world.phone.received().await?;
    match received.text {
        Ok(read) if read == text && status == 200 => {
            passed(format_args!(
                "Bob has decrypted it and answered 200: {read:?}"
            ));
        }
        Ok(read) => return Err(format!("Bob has read {read:?}, and Ana got {status}").into()),
        Err(error) => return Err(format!("Bob cannot read it: {error}").into()),
    }

    // One that names him, too, and whose key he has lost.
    let former = world.authority.certify(BOB)?.certificate()?;
    let status = send(&finder, &contact, text, former).await?;
    let received = world.phone.received().await?;
    match received.text {
        Err(error) if (status, received.status) == (493, 493) => {
            passed(format_args!(
                "encrypted for a key that Bob has no more: {error}, answered 493"
            ));
        }
        Err(error) => return Err(format!("{error}, and Ana got {status}").into()),
        Ok(_) => return Err("Bob has read what was not encrypted for him".into()),
    }

    ana.leave(watching).await?;
    world.leave().await?;
    passed("Ana watches no more, and Bob's state is removed");
    Ok(())
}

/// Encrypts a text and sends it: the status of the answer.
async fn send(
    from: &Party<Retrieving>,
    contact: &str,
    text: &str,
    certificate: Bytes,
) -> Outcome<u16> {
    let entity = Part::new("text/plain;charset=utf-8", &Bytes::from(text.to_owned()))?;
    let enveloped = Encryptor::new().encrypt(entity.octets(), &[certificate])?;
    let written = Enveloped::write(enveloped);
    let has_leaked = written.body.windows(5).any(|octets| octets == b"Lunch");
    if has_leaked {
        return Err("the text is not encrypted".into());
    }
    let message = message_to(contact, (ANA, BOB), &written.content_type, &written.body)?;
    passed(format_args!(
        "Ana sends Bob a MESSAGE of {} octets of {}",
        written.body.len(),
        PKCS7_MIME
    ));
    match from.ask(message, contact).await {
        Ok(response) => Ok(response.status_code.code()),
        Err(failure) => Err(format!("the MESSAGE has no answer: {failure:?}").into()),
    }
}

pub(crate) fn taken(heard: Heard) -> Outcome<PresenceChange> {
    match heard {
        Heard::Taken(change) => Ok(*change),
        Heard::Refused(why) => Err(format!("Ana's watcher has refused a document: {why}").into()),
    }
}

/// Whether a document says that Bob has a certificate, and who has signed that.
fn padlock(change: &PresenceChange) -> Outcome<String> {
    let document = change.after.as_deref().ok_or("there is no document")?;
    if !document.secure_signalling() {
        return Err("the document has no certs, so that there is no padlock".into());
    }
    if change.authority != Some(Authority::Domain) {
        return Err(format!("signed by {:?}", change.signed_by).into());
    }
    let mut names = change.signed_by.iter().flat_map(|signer| signer.names());
    Ok(names.next().ok_or("the signer has no name")?.clone())
}

fn contact(change: &PresenceChange) -> Outcome<String> {
    let document = change.after.as_deref().ok_or("there is no document")?;
    let tuple = document.tuples.first().ok_or("there is no tuple")?;
    let contact = tuple.contact.as_ref().ok_or("there is no contact")?;
    Ok(contact.uri.clone())
}

/// The verdict in words, if it is the expected one.
fn usable(found: &Found, expected: Binding) -> Outcome<String> {
    match &found.verdict {
        Ok(
            verdict @ Verdict::Usable(Ground {
                proof: Proof::TrustedChain,
                binding,
                ..
            }),
        ) if *binding == expected => Ok(format!("{verdict} [{binding:?}]")),
        Ok(verdict) => Err(format!("the certificate from {}: {verdict:?}", found.source).into()),
        Err(why) => Err(format!("no certificate from {}: {why}", found.source).into()),
    }
}
