//! Whom a signer is certified by.

use openssl::hash::MessageDigest;
use presentity::mime::smime::TrustError;

use super::authority::{Kind, Profile, ana, bob, p256, profile, root, rsa};
use super::*;

const ANA: &[&str] = &["sip:ana@example.com"];

fn chain_of(trust: &Trust, credential: &Credential) -> Chain {
    let signers = verified(trust, signature_by(credential)).unwrap();
    signers[0].chain().clone()
}

fn ana_with(change: impl FnOnce(&mut Profile)) -> Holder {
    let mut profile = profile(ANA);
    change(&mut profile);
    root(Kind::P256).certify(&profile, Kind::P256)
}

/// By the authority that is trusted.
fn judged(change: impl FnOnce(&mut Profile)) -> Chain {
    chain_of(&root(Kind::P256).trust(), &ana_with(change).credential())
}

#[test]
fn what_is_not_valid_now_is_not_trusted() {
    assert_eq!(judged(|_| ()), Chain::Trusted);
    assert_eq!(
        why(&judged(|p| p.validity = (-300, -1))),
        "certificate has expired"
    );
    assert_eq!(
        why(&judged(|p| p.validity = (1, 300))),
        "certificate is not yet valid"
    );
    let old = Holder::signing_itself(
        &Profile {
            validity: (-300, -1),
            ..Profile::authority("Old")
        },
        p256(),
    );
    let by_old = old.certify(&profile(ANA), Kind::P256).credential();
    assert_eq!(
        why(&chain_of(&old.trust(), &by_old)),
        "certificate has expired"
    );
}

#[test]
fn a_key_counts_for_what_it_is_certified_for() {
    for (usage, extended, trusted) in [
        (None, None, true),
        (Some(vec!["sign"]), None, true),
        (Some(vec!["encipher"]), None, false),
        (Some(vec!["agree"]), None, false),
        (None, Some(vec!["emailProtection"]), true),
        (None, Some(vec!["serverAuth", "emailProtection"]), true),
        (Some(vec!["sign"]), Some(vec!["anyExtendedKeyUsage"]), true),
        // id-kp-sipDomain
        (Some(vec!["sign"]), Some(vec!["1.3.6.1.5.5.7.3.20"]), true),
        (None, Some(vec!["serverAuth", "1.3.6.1.5.5.7.3.20"]), true),
        (
            Some(vec!["encipher"]),
            Some(vec!["1.3.6.1.5.5.7.3.20"]),
            false,
        ),
        (None, Some(vec!["serverAuth"]), false),
        (
            Some(vec!["sign"]),
            Some(vec!["serverAuth", "clientAuth"]),
            false,
        ),
        (None, Some(vec!["1.3.6.1.5.5.7.3.21"]), false),
    ] {
        let ana = ana_with(|profile| {
            profile.usage.clone_from(&usage);
            profile.extended.clone_from(&extended);
        });
        let trust = root(Kind::P256).trust();
        let signers = verified(&trust, raw(&ana, CMSOptions::empty())).unwrap();
        let chain = signers[0].chain();

        assert_eq!(
            *chain == Chain::Trusted,
            trusted,
            "{usage:?} {extended:?}: {chain:?}"
        );
    }
}

#[test]
fn an_authority_that_may_not_certify_for_bodies_does_not() {
    for (extended, leaf, trusted) in [
        (None, None, true),
        (Some("serverAuth"), None, false),
        (Some("serverAuth"), Some("1.3.6.1.5.5.7.3.20"), false),
        (Some("1.3.6.1.5.5.7.3.20"), Some("1.3.6.1.5.5.7.3.20"), true),
        (Some("emailProtection"), Some("emailProtection"), true),
    ] {
        let mut between = Profile::authority("Between");
        between.extended = extended.map(|one| vec![one]);
        let between = root(Kind::P256).certify(&between, Kind::P256);
        let mut profile = profile(ANA);
        profile.extended = leaf.map(|one| vec![one]);
        let ana = between.certify(&profile, Kind::P256);
        let chain = chain_of(&root(Kind::P256).trust(), &ana.credential_with(&[&between]));
        assert_eq!(
            chain == Chain::Trusted,
            trusted,
            "{extended:?} {leaf:?}: {chain:?}"
        );
    }
}

#[test]
fn who_certifies_himself_is_trusted_if_he_is_given() {
    let ana = Holder::signing_itself(&profile(ANA), p256());
    let credential = ana.credential();
    assert_eq!(
        why(&chain_of(&root(Kind::P256).trust(), &credential)),
        "self-signed certificate"
    );
    assert_eq!(chain_of(&ana.trust(), &credential), Chain::Trusted);
    // That makes him no authority.
    let eve = ana
        .certify(&profile(ANA), Kind::P256)
        .credential_with(&[&ana]);
    assert_ne!(chain_of(&ana.trust(), &eve), Chain::Trusted);
}

#[test]
fn intermediate_authorities_are_found_where_they_come_along() {
    for kind in [Kind::Rsa, Kind::P256] {
        let first = root(kind).certify(&Profile::authority("First"), kind);
        let second = first.certify(&Profile::authority("Second"), Kind::P256);
        let ana = second.certify(&profile(ANA), kind);
        let trust = root(kind).trust();
        for chain in [[&first, &second], [&second, &first]] {
            assert_eq!(
                chain_of(&trust, &ana.credential_with(&chain)),
                Chain::Trusted
            );
        }
        for chain in [&[][..], &[&first], &[&second]] {
            let chain = chain_of(&trust, &ana.credential_with(chain));
            assert_eq!(why(&chain), "unable to get local issuer certificate");
        }
        // An authority between may be what is trusted.
        let chain = chain_of(&second.trust(), &ana.credential());
        assert_eq!(chain, Chain::Trusted);
        let trust = trust.with_max_depth(1);
        assert_ne!(
            chain_of(&trust, &ana.credential_with(&[&first, &second])),
            Chain::Trusted
        );
    }
}

#[test]
fn who_is_certified_certifies_nobody() {
    let eve = ana(Kind::P256).certify(&profile(&["sip:bob@example.com"]), Kind::P256);
    let chain = eve.credential_with(&[ana(Kind::P256)]);
    assert_ne!(chain_of(&root(Kind::P256).trust(), &chain), Chain::Trusted);
}

#[test]
fn an_authority_of_the_same_name_is_another() {
    let name = "Example P256 Authority";
    let impostor = Holder::root(name, Kind::P256);
    let ana = impostor.certify(&profile(ANA), Kind::P256);
    for credential in [ana.credential(), ana.credential_with(&[&impostor])] {
        assert_ne!(
            chain_of(&root(Kind::P256).trust(), &credential),
            Chain::Trusted
        );
    }
}

#[test]
fn long_chains_end_somewhere() {
    let mut authorities = vec![root(Kind::P256).clone()];
    for number in 0..40 {
        let profile = Profile::authority(&format!("Authority {number}"));
        let next = authorities.last().unwrap().certify(&profile, Kind::P256);
        authorities.push(next);
    }
    let ana_after = |count: usize| {
        let ana = authorities[count].certify(&profile(ANA), Kind::P256);
        let between: Vec<&Holder> = authorities[1..=count].iter().collect();
        ana.credential_with(&between)
    };
    let trust = root(Kind::P256).trust();
    assert_eq!(chain_of(&trust, &ana_after(8)), Chain::Trusted);
    assert_ne!(chain_of(&trust, &ana_after(9)), Chain::Trusted);
    assert_ne!(chain_of(&trust, &ana_after(40)), Chain::Trusted);
    let trust = trust.with_max_depth(40);
    assert_eq!(chain_of(&trust, &ana_after(40)), Chain::Trusted);
}

#[test]
fn weak_keys_and_digests_are_not_trusted() {
    assert_ne!(judged(|p| p.digest = MessageDigest::sha1()), Chain::Trusted);
    let short = root(Kind::P256).certify_key(&profile(ANA), rsa(1024));
    let chain = chain_of(&root(Kind::P256).trust(), &short.credential());
    assert_eq!(why(&chain), "EE certificate key too weak");
}

#[test]
fn who_is_revoked_is_not_trusted() {
    for kind in [Kind::Rsa, Kind::P256] {
        let root = root(kind);
        let [ana, bob] = [ana(kind), bob(kind)];
        let with = |list: Vec<u8>| root.trust().with_revocation_list(&list).unwrap();
        let trust = with(root.revokes(&[ana], (-1, 30)));
        assert_eq!(why(&chain_of(&trust, &ana.credential())), "it is revoked");
        assert_eq!(chain_of(&trust, &bob.credential()), Chain::Trusted);
        // Out of date it still says who is revoked, and no more who is not.
        for validity in [(-30, -1), (1, 30)] {
            let trust = with(root.revokes(&[ana], validity));
            assert_eq!(why(&chain_of(&trust, &ana.credential())), "it is revoked");
            let chain = chain_of(&trust, &bob.credential());
            assert_eq!(why(&chain), "a revocation list is out of date");
            let trust = trust
                .with_revocation_list(&root.revokes(&[], (-1, 30)))
                .unwrap();
            assert_eq!(chain_of(&trust, &bob.credential()), Chain::Trusted);
            assert_eq!(why(&chain_of(&trust, &ana.credential())), "it is revoked");
        }
    }
}

#[test]
fn only_the_issuer_revokes() {
    let root = root(Kind::P256);
    let ana = ana(Kind::P256);
    let impostor = Holder::root("Example P256 Authority", Kind::P256);
    for (other, lists) in [
        (Holder::root("Another", Kind::P256), "of another name"),
        (impostor, "with another key"),
    ] {
        let list = other.revokes(&[ana], (-1, 30));
        let trust = root.trust().with_revocation_list(&list).unwrap();
        let trust = trust.with_authority(&other.der()).unwrap();
        assert_eq!(
            chain_of(&trust, &ana.credential()),
            Chain::Trusted,
            "{lists}"
        );
    }
    // Nor does somebody whose key may not.
    let mut profile_of = Profile::authority("Certifier");
    profile_of.usage = Some(vec!["certify"]);
    let certifier = Holder::signing_itself(&profile_of, p256());
    let ana = certifier.certify(&profile(ANA), Kind::P256);
    let list = certifier.revokes(&[&ana], (-1, 30));
    let trust = certifier.trust().with_revocation_list(&list).unwrap();
    assert_eq!(chain_of(&trust, &ana.credential()), Chain::Trusted);
}

#[test]
fn an_authority_between_may_be_revoked() {
    let between = root(Kind::P256).certify(&Profile::authority("Between"), Kind::P256);
    let ana = between.certify(&profile(ANA), Kind::P256);
    let list = root(Kind::P256).revokes(&[&between], (-1, 30));
    let trust = root(Kind::P256)
        .trust()
        .with_revocation_list(&list)
        .unwrap();
    let chain = chain_of(&trust, &ana.credential_with(&[&between]));
    assert_eq!(why(&chain), "an authority is revoked");
}

#[test]
fn a_list_that_cannot_be_used_is_refused() {
    let list = root(Kind::P256).revokes(&[ana(Kind::P256)], (-1, 30));
    let longer = [&list[..], b"\0"].concat();
    for list in [
        &list[..list.len() - 1],
        &longer,
        &ana(Kind::P256).der(),
        b"",
    ] {
        let refused = Trust::new().with_revocation_list(list);
        assert!(matches!(refused, Err(TrustError::RevocationList(_))));
    }
}
