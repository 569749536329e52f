//! Subscription requests as documents (CPIM), signed with S/MIME and verified where they are served.

use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{Authorization, Decision, Identity, Signature, SubscribeQuery, View};
use presentity::mime::smime::{Credential, Trust};
use presentity::mime::{Part, Sign, Signed, Verify, Written};
use presentity::presence::{AgentConfig, Policy};
use presentity::sdf::{
    Failure, Granted, MEDIA_TYPE, Output, Request, RequestContext, Service, ServiceConfig, Token,
};

use crate::authority::{Holder, KINDS, bob, now, profile, root};
use crate::common::seeded;

/// Lets in whoever has signed, by the name in the certificate.
#[derive(Debug)]
struct Signatories;

impl Policy for Signatories {
    fn subscribe(&mut self, query: &SubscribeQuery<'_>) -> Authorization {
        match query.signature() {
            Signature::Bound => Decision::Allow(View::full()).into(),
            _ => Authorization::SignatureRequired(Signature::Bound),
        }
    }
}

/// Ana asks for Bob's presence, and this is who signs.
fn request(signer: &Credential, token: &str) -> Written {
    let token = Token::new(token).unwrap();
    let request = Request::subscribe(
        "pres:ana@example.com",
        "pres:bob@example.com",
        now(),
        &token,
        600,
    );
    let part = Part::new(MEDIA_TYPE, request.unwrap().octets()).unwrap();
    let signature = signer.sign(part.octets()).unwrap();
    Signed::write(part.octets(), &signature, &mut seeded(4))
}

/// What the service says to it, asked by nobody in particular.
fn answer(trust: &Trust, written: &Written) -> Result<Granted, Failure> {
    let (agent, config) = (AgentConfig::default(), ServiceConfig::default());
    let mut service = Service::new(agent, config, Signatories, seeded(5));
    let time = Timestamp::from_secs(1);
    service.set_wall_clock(time, now());
    let nobody = Identity::nobody();
    let context = RequestContext::new(&nobody);
    let (kind, body) = (&written.content_type, &written.body);
    let taken = service.handle_request(time, ServerTransaction(1), kind, body, &context);
    taken.unwrap();
    while let Some(output) = service.poll_output() {
        match output {
            Output::Verify(verification) => {
                let verdict = trust.verify(&verification.signed);
                assert!(service.complete_verification(time, verification.key, &verdict));
            }
            Output::Respond { result, .. } => return result,
            _ => {}
        }
    }
    panic!("no answer");
}

// SEC-36, SEC-38
#[test]
fn who_has_signed_with_smime_is_known_by_it() {
    for kind in KINDS {
        let trust = root(kind).trust();
        let ana = root(kind).certify(&profile(&["pres:ana@example.com"]), kind);
        let granted = answer(&trust, &request(&ana.credential(), "a"));
        assert_eq!(granted.unwrap().duration, 600);
        // Bob has a certificate of the same authority, and is not Ana.
        let refused = answer(&trust, &request(&bob(kind).credential(), "a"));
        assert!(refused.is_err(), "{refused:?}");
        // Somebody has made one for himself, with her name in it.
        let key = crate::authority::new_key(kind);
        let forged = Holder::signing_itself(&profile(&["pres:ana@example.com"]), key);
        let refused = answer(&trust, &request(&forged.credential(), "a"));
        assert!(refused.is_err(), "{refused:?}");
        // And somebody has altered hers.
        let mut altered = request(&ana.credential(), "a");
        let text = String::from_utf8_lossy(&altered.body).into_owned();
        assert!(text.contains("600"));
        let at = text.find("600").unwrap();
        let mut octets = altered.body.to_vec();
        octets[at] = b'9';
        altered.body = octets.into();
        let refused = answer(&trust, &altered);
        assert!(refused.is_err(), "{refused:?}");
    }
}
