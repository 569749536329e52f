//! Whose subscription is whose.

use presentity::event::{Assurance, Authorization, Decision, Identity};
use presentity::sdf::{Failure, MEDIA_TYPE, Operation, RequestContext};

use crate::scene::{EMIL, NORA, OTTO, RUTH, Scene, allowed, known, nobody, viewing};

// SDF-14, SDF-20
#[test]
fn token_watcher_and_presentity_together_name_a_subscription() {
    let mut scene = Scene::new();
    let others = [
        (NORA, EMIL, "a"),
        (NORA, EMIL, "b"),
        (OTTO, EMIL, "a"),
        (NORA, RUTH, "a"),
    ];
    for (from, to, token) in others {
        let granted = scene.subscribe(from, to, token, 600).granted();
        assert_eq!(granted.operation, Operation::Subscribe);
    }
    assert_eq!(scene.live(), 4);
    // Each is told for itself, and ends for itself.
    let story = scene.set(EMIL, "x").story();
    assert_eq!(story, ["nora a: x", "nora b: x", "otto a: x"]);
    assert_eq!(scene.cancel(NORA, EMIL, "a").story(), ["Cancel 0"]);
    scene.pass(5.0);
    assert_eq!(scene.set(EMIL, "y").story(), ["nora b: y", "otto a: y"]);
    assert_eq!(scene.set(RUTH, "z").story(), ["nora a: z"]);
    scene.close();
}

// SDF-14: by the comparison of pres URIs.
#[test]
fn another_spelling_of_a_uri_is_the_same_watcher_and_presentity() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 600);
    let spellings = [
        ("pres:nora@EXAMPLE.org", "PRES:emil@example.COM"),
        ("pres:%6eora@example.org", "pres:%65mil@example.com"),
        ("Pres:nor%61@example.org", "pres:emil@example.com"),
    ];
    for (from, to) in spellings {
        let outputs = scene.subscribe(from, to, "a", 600);
        assert_eq!(
            outputs.granted().operation,
            Operation::Extend,
            "{from} {to}"
        );
        assert_eq!(outputs.notification().watcher(), NORA, "as it was first");
    }
    let outputs = scene.cancel("pres:nora@Example.Org", "pres:emi%6C@example.com", "a");
    assert_eq!(outputs.granted().operation, Operation::Cancel);
    assert_eq!(scene.live(), 0);
    // The user part has capitals of its own.
    let nora = Identity::of(NORA, Assurance::Transport).unwrap();
    let request = scene.request("pres:Nora@example.org", EMIL, "a", 600);
    assert_eq!(scene.send(&request, &nora).failure(), Failure::WrongSender);
    scene.empty();
}

// SDF-14
#[test]
fn tokens_are_compared_octet_by_octet() {
    let mut scene = Scene::new();
    let tokens = [
        "a", "A", "a ", " a", "%61", "\u{e9}", "e\u{301}", "099", "99", "0099",
    ];
    for token in tokens {
        let granted = scene.subscribe(NORA, EMIL, token, 600).granted();
        assert_eq!(granted.operation, Operation::Subscribe, "{token:?}");
    }
    assert_eq!(scene.live(), tokens.len());
    for token in tokens {
        let outputs = scene.subscribe(NORA, EMIL, token, 600);
        assert_eq!(outputs.granted().operation, Operation::Extend, "{token:?}");
        assert_eq!(outputs.notification().token(), Some(token));
        assert_eq!(
            scene.cancel(NORA, EMIL, token).granted().operation,
            Operation::Cancel
        );
    }
    scene.empty();
}

// SDF-14: no part of a name runs over into the next.
#[test]
fn names_are_told_apart_wherever_one_ends() {
    let mut scene = Scene::new();
    for (to, token) in [
        ("pres:emil@example.com", "x"),
        ("pres:emil@example.co", "mx"),
    ] {
        let granted = scene.subscribe(NORA, to, token, 600).granted();
        assert_eq!(granted.operation, Operation::Subscribe);
    }
    assert_eq!(scene.live(), 2);
    scene.close();
}

// SDF-38, SEC-37: who is let in unknown has a subscription of its own, and shares it with whoever
// calls himself so, but with nobody who is known.
#[test]
fn who_is_known_and_who_only_says_so_do_not_touch_each_other() {
    let mut scene = Scene::new();
    scene.rules().nobody = viewing("guest").into();
    scene.set(EMIL, "x");
    scene.subscribe(NORA, EMIL, "a", 600);
    let request = scene.request(NORA, EMIL, "a", 600);
    let outputs = scene.send(&request, &nobody());
    assert_eq!(outputs.granted().operation, Operation::Subscribe);
    assert_eq!(outputs.shown(), ["guest: x"]);
    assert_eq!(scene.live(), 2);
    scene.pass(5.0);
    assert_eq!(
        scene.set(EMIL, "y").story(),
        ["nora a: y", "nora a: guest: y"]
    );

    // Each ends its own.
    let request = scene.request(NORA, EMIL, "a", 0);
    let outputs = scene.send(&request, &nobody());
    assert_eq!(outputs.granted().operation, Operation::Cancel);
    let request = scene.request(NORA, EMIL, "a", 0);
    assert_eq!(
        scene.send(&request, &nobody()).failure(),
        Failure::UnknownSubscription
    );
    scene.pass(5.0);
    assert_eq!(scene.set(EMIL, "z").story(), ["nora a: z"]);
    assert_eq!(scene.cancel(NORA, EMIL, "a").story(), ["Cancel 0"]);
    scene.empty();
}

// SDF-36, SDF-38: nor do their times. Else a stranger with a clock that is a little ahead could keep
// the watcher from its own subscription.
#[test]
fn the_times_of_who_only_says_so_hinder_nobody_who_is_known() {
    let mut scene = Scene::new();
    scene.rules().nobody = allowed();
    scene.subscribe(NORA, EMIL, "a", 600);
    let ahead = scene.today() + time::Duration::seconds(250);
    let request = crate::scene::written(NORA, EMIL, ahead, "a", 600);
    assert_eq!(
        scene.send(&request, &nobody()).granted().operation,
        Operation::Subscribe
    );
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert_eq!(outputs.granted().operation, Operation::Extend);
    let request = scene.request(NORA, EMIL, "a", 600);
    assert_eq!(scene.send(&request, &nobody()).failure(), Failure::Replayed);
    scene.close();
}

// SEC-38, SDF-32: the From of the request, and that it is so, are what the policy goes by.
#[test]
fn the_policy_is_asked_about_the_watcher_in_from() {
    let mut scene = Scene::new();
    let identity = known("sip:reception@example.org")
        .and(NORA, Assurance::Asserted)
        .unwrap()
        .and("sip:n.ora@example.org", Assurance::Digest)
        .unwrap();
    let request = scene.request(NORA, EMIL, "a", 600);
    let outputs = scene.send(&request, &identity);
    assert_eq!(outputs.granted().operation, Operation::Subscribe);
    let asked = scene.rules().asked.pop().unwrap();
    assert_eq!(asked.watcher.as_deref(), Some("nora@example.org"));
    assert_eq!(asked.resource, "emil@example.com");
    let claims = [
        ("nora@example.org".to_owned(), Assurance::Asserted),
        ("reception@example.org".to_owned(), Assurance::Transport),
        ("n.ora@example.org".to_owned(), Assurance::Digest),
    ];
    assert_eq!(asked.claims, claims);
    // It is hers, under whichever of her names she comes.
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert_eq!(outputs.granted().operation, Operation::Extend);
    let request = scene.request("pres:n.ora@example.org", EMIL, "a", 600);
    let outputs = scene.send(&request, &identity);
    assert_eq!(
        outputs.granted().operation,
        Operation::Subscribe,
        "another watcher"
    );
    assert_eq!(scene.live(), 2);
    scene.decide(NORA, EMIL, viewing("work"));
    scene.pass(5.0);
    let story = scene.set(EMIL, "x").story();
    assert_eq!(story, ["nora a: work: x", "n.ora a: x"]);
    scene.close();
}

// SDF-23, SDF-30: nothing that somebody else asks for in her name is done.
#[test]
fn who_is_somebody_else_is_refused_and_nothing_changes() {
    let mut scene = Scene::new();
    scene.subscribe(NORA, EMIL, "a", 600);
    let before: Vec<_> = scene
        .service
        .agent()
        .subscriptions()
        .map(|it| it.expires_at)
        .collect();
    let asked = scene.rules().asked.len();
    let remembered = scene.service.agent().bodies().remembered();
    for (token, duration) in [("a", 60), ("a", 0), ("", 0), ("b", 600)] {
        let request = scene.request(NORA, EMIL, token, duration);
        let outputs = scene.send(&request, &known(OTTO));
        assert_eq!(outputs.failure(), Failure::WrongSender);
        assert_eq!((outputs.failure().status(), outputs.all.len()), (403, 1));
    }
    assert_eq!(scene.rules().asked.len(), asked, "no policy is asked");
    assert_eq!(scene.service.agent().bodies().remembered(), remembered);
    let after: Vec<_> = scene
        .service
        .agent()
        .subscriptions()
        .map(|it| it.expires_at)
        .collect();
    assert_eq!(before, after);
    scene.close();
}

// SDF-38, SEC-37: by default nobody gets in without proof of who he is.
#[test]
fn who_is_unknown_is_asked_for_proof_when_the_policy_wants_it() {
    let mut scene = Scene::new();
    for (token, duration) in [("a", 600), ("", 0)] {
        let request = scene.request(NORA, EMIL, token, duration);
        let outputs = scene.send(&request, &nobody());
        assert_eq!(outputs.failure(), Failure::Unidentified);
        assert_eq!((outputs.failure().status(), outputs.all.len()), (401, 1));
        // The same with proof passes.
        assert!(scene.send(&request, &known(NORA)).answer().is_ok());
    }
    // While one lives, too; and it lives on.
    scene.rules().everybody = Authorization::Challenge;
    let outputs = scene.subscribe(NORA, EMIL, "a", 600);
    assert_eq!(outputs.failure(), Failure::Unidentified);
    assert_eq!(scene.live(), 1);
    scene.close();
}

// SDF-37
#[test]
fn to_is_who_is_addressed() {
    let mut scene = Scene::new();
    let nora = known(NORA);
    let addressed = [
        (EMIL, true),
        ("sip:emil@example.com", true),
        ("sip:emil@EXAMPLE.com;transport=tcp", true),
        ("pres:%65mil@example.com", true),
        (RUTH, false),
        ("sip:Emil@example.com", false),
        ("sip:example.com", false),
        ("nonsense", false),
        ("", false),
    ];
    for (uri, is_right) in addressed {
        let request = scene.request(NORA, EMIL, "a", 600);
        let context = RequestContext::new(&nora).with_addressed(uri);
        let outputs = scene.send_with(MEDIA_TYPE, request.octets(), &context);
        match outputs.answer() {
            Ok(_) => assert!(is_right, "{uri}"),
            Err(failure) => {
                assert!(!is_right, "{uri}");
                assert_eq!(
                    (failure.clone(), failure.status()),
                    (Failure::WrongTarget, 400)
                );
            }
        }
    }
    scene.close();
}

// SDF-23
#[test]
fn presentities_of_other_domains_are_not_here() {
    let mut scene = Scene::configured(|agent, _| agent.domains = vec!["example.com".into()]);
    let outputs = scene.subscribe(NORA, "pres:emil@example.net", "a", 600);
    assert_eq!(
        (outputs.failure(), outputs.failure().status()),
        (Failure::NotHere, 404)
    );
    assert_eq!(outputs.all.len(), 1);
    assert_eq!(
        scene.fetch(NORA, "pres:emil@example.net").failure(),
        Failure::NotHere
    );
    let long = format!("pres:{}@example.com", "x".repeat(1_100));
    assert_eq!(
        scene.subscribe(NORA, &long, "a", 600).failure(),
        Failure::NotHere
    );
    assert_eq!(
        scene.subscribe(&long, EMIL, "a", 600).failure(),
        Failure::NotHere
    );
    assert!(scene.subscribe(NORA, EMIL, "a", 600).answer().is_ok());
    scene.close();
}

// SDF-23
#[test]
fn policies_of_one_watcher_are_no_others() {
    let mut scene = Scene::new();
    scene.set(EMIL, "x");
    scene.rule(OTTO, Decision::PoliteBlock);
    assert_eq!(scene.subscribe(NORA, EMIL, "a", 600).shown(), ["x"]);
    assert_eq!(scene.subscribe(OTTO, EMIL, "a", 600).shown(), ["offline"]);
    scene.close();
}
