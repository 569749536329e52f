//! Presentities that have two names.

use presentity::engine::{ServerTransaction, Timestamp};
use presentity::event::{Assurance, Authorization, Decision, Identity, SubscribeQuery, View};
use presentity::presence::{AgentConfig, Policy};
use presentity::sdf::{
    Failure, Granted, MEDIA_TYPE, Operation, Output, Request, RequestContext, Service,
    ServiceConfig, Token,
};
use time::{Duration, OffsetDateTime};

use crate::common::seeded;

#[derive(Debug)]
struct TwoNames;

impl Policy for TwoNames {
    fn subscribe(&mut self, _: &SubscribeQuery<'_>) -> Authorization {
        Decision::Allow(View::full()).into()
    }

    fn alias(&self, presentity: &str) -> Option<String> {
        (presentity == "em@example.com").then(|| "emil@example.com".to_owned())
    }
}

fn answer(service: &mut Service<TwoNames>, request: &Request) -> Result<Granted, Failure> {
    let nora = Identity::of("pres:nora@example.org", Assurance::Asserted).unwrap();
    let context = RequestContext::new(&nora);
    let body = request.octets();
    service
        .handle_request(
            Timestamp::ZERO,
            ServerTransaction(1),
            MEDIA_TYPE,
            body,
            &context,
        )
        .unwrap();
    let mut answer = None;
    while let Some(output) = service.poll_output() {
        if let Output::Respond { result, .. } = output {
            answer = Some(result);
        }
    }
    answer.unwrap()
}

#[test]
fn by_either_name_each_request_is_newer() {
    let mut service = Service::new(
        AgentConfig::default(),
        ServiceConfig::default(),
        TwoNames,
        seeded(3),
    );
    let start = OffsetDateTime::UNIX_EPOCH;
    service.set_wall_clock(Timestamp::ZERO, start);
    let token = Token::new("a").unwrap();
    let at = |seconds| start + Duration::seconds(seconds);
    let nora = "pres:nora@example.org";
    let [emil, em] = ["pres:emil@example.com", "pres:em@example.com"];
    let late = Request::subscribe(nora, em, at(1), &token, 600).unwrap();
    let begun = Request::subscribe(nora, emil, at(2), &token, 600).unwrap();
    let ended = Request::cancel(nora, em, at(3), &token).unwrap();
    assert!(answer(&mut service, &begun).is_ok());
    assert_eq!(answer(&mut service, &late), Err(Failure::Replayed));
    assert_eq!(
        answer(&mut service, &ended).unwrap().operation,
        Operation::Cancel
    );
    assert_eq!(answer(&mut service, &late), Err(Failure::Replayed));
}
