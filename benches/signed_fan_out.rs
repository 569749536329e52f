//! A change of state with a hundred thousand watchers who get it signed: the signature is made once,
//! and the NOTIFYs cost what they cost without.
//!
//! - `plain` and `signed`: per NOTIFY, taken and written; the signature is made before the clock runs.
//! - `a change, until its first NOTIFY`: with the key that the name tells; all but the signature is in
//!   `without signature`.
//!
//! Times are CPU time of the thread. Needs the feature `smime`.
#![allow(missing_docs, clippy::expect_used, reason = "a benchmark")]

mod common;

use std::hint::black_box;
use std::time::Duration;

use common::{Open, Population, VIA, entropy};
use cpu_time::ThreadTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use presentity::event::{Output, ProtectionJob};
use presentity::mime::smime::Credential;
use presentity::mime::{Sign, Signature, Signed, Written};
use presentity::presence::Agent;

const WATCHERS: u64 = 100_000;
const CHANGED: u64 = 0;

/// A key of the domain's with its certificate.
fn credential(key: PKey<Private>) -> Credential {
    let mut name = X509NameBuilder::new().expect("a name");
    name.append_entry_by_text("CN", "example.com")
        .expect("a name");
    let name = name.build();
    let mut builder = X509::builder().expect("a certificate");
    builder.set_version(2).expect("version 3");
    builder.set_subject_name(&name).expect("a subject");
    builder.set_issuer_name(&name).expect("an issuer");
    builder.set_pubkey(&key).expect("a key");
    let (from, until) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(30));
    builder
        .set_not_before(&from.expect("a time"))
        .expect("a time");
    builder
        .set_not_after(&until.expect("a time"))
        .expect("a time");
    let usage = KeyUsage::new()
        .digital_signature()
        .build()
        .expect("a usage");
    builder.append_extension(usage).expect("an extension");
    let names = SubjectAlternativeName::new()
        .uri("sip:example.com")
        .build(&builder.x509v3_context(None, None))
        .expect("names");
    builder.append_extension(names).expect("an extension");
    builder
        .sign(&key, MessageDigest::sha256())
        .expect("a signature");
    let certificate = builder.build().to_pem().expect("text");
    let key = key.private_key_to_pem_pkcs8().expect("text");
    Credential::from_pem(&key, &certificate).expect("a credential")
}

fn rsa() -> Credential {
    credential(PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key"))
}

fn p256() -> Credential {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).expect("a curve");
    credential(PKey::from_ec_key(EcKey::generate(&group).expect("a key")).expect("a key"))
}

/// As long as the one of a P-256 key, and made without any.
struct NoSignature;

impl Sign for NoSignature {
    fn sign(&self, _: &[u8]) -> Result<Signature, presentity::mime::SignError> {
        Ok(Signature::new("application/pkcs7-signature", "sha-256", vec![7; 900]).expect("one"))
    }
}

fn made(job: &ProtectionJob, sign: &dyn Sign) -> Written {
    let content = job.content.octets();
    let signature = sign.sign(content).expect("a signature");
    Signed::write(content, &signature, &mut entropy())
}

fn population(watchers: u64, is_signed: bool) -> Population {
    let mut population = Population::new(1, |_| ());
    let mut jobs = 0;
    let now = population.now;
    let mut sign = |agent: &mut Agent<Open>, job: ProtectionJob| {
        jobs += 1;
        let written = made(&job, &NoSignature);
        assert!(agent.complete_protection(now, job.key, Ok(written)));
    };
    for _ in 0..watchers {
        match is_signed {
            true => population.grow_signed(CHANGED, &mut sign),
            false => population.grow(CHANGED),
        }
    }
    population.rest();
    assert_eq!(jobs, u64::from(is_signed), "one signature for all of them");
    population
}

/// One change; gives the time for its NOTIFYs, the signature aside.
fn change(population: &mut Population, watchers: u64, sign: &dyn Sign) -> Duration {
    let mut buffer = Vec::with_capacity(4_096);
    let mut open = Vec::with_capacity(4_096);
    let mut elapsed = Duration::ZERO;
    let (mut sent, mut jobs) = (0, 0);
    population.change(CHANGED);
    while sent < watchers {
        let mut start = ThreadTime::now();
        while let Some(output) = population.agent.poll_output() {
            match output {
                Output::Send(request) => {
                    buffer.clear();
                    request.write_to(VIA, &mut buffer);
                    black_box(&buffer);
                    open.push(request.transaction());
                }
                Output::Protect(job) => {
                    elapsed += start.elapsed();
                    jobs += 1;
                    let written = made(&job, sign);
                    let now = population.now;
                    assert!(
                        population
                            .agent
                            .complete_protection(now, job.key, Ok(written))
                    );
                    start = ThreadTime::now();
                }
                _ => {}
            }
        }
        elapsed += start.elapsed();
        sent += open.len() as u64;
        for transaction in open.drain(..) {
            population.answer(transaction);
        }
    }
    assert_eq!(sent, watchers, "every watcher once");
    assert!(jobs <= 1, "one signature for a change");
    elapsed
}

/// One change with one watcher, until its NOTIFY is there.
fn until_first(population: &mut Population, sign: &dyn Sign) {
    population.change(CHANGED);
    let mut sent = None;
    while let Some(output) = population.agent.poll_output() {
        match output {
            Output::Send(request) => sent = Some(request.transaction()),
            Output::Protect(job) => {
                let (now, written) = (population.now, made(&job, sign));
                population
                    .agent
                    .complete_protection(now, job.key, Ok(written));
            }
            _ => {}
        }
    }
    population.answer(sent.expect("a NOTIFY"));
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("signed fan-out");
    group.sample_size(20);
    group.throughput(Throughput::Elements(1));
    for (name, is_signed) in [("plain", false), ("signed", true)] {
        let mut population = population(WATCHERS, is_signed);
        group.bench_function(format!("{name}/take and write"), |bencher| {
            bencher.iter_custom(|notifies| {
                // Whole rounds only; the time is scaled to what was asked for.
                let rounds = notifies.div_ceil(WATCHERS);
                let elapsed: Duration = (0..rounds)
                    .map(|_| change(&mut population, WATCHERS, &NoSignature))
                    .sum();
                elapsed.mul_f64(notifies as f64 / (rounds * WATCHERS) as f64)
            });
        });
    }
    let (rsa, p256) = (rsa(), p256());
    let keys: [(&str, &dyn Sign); 3] = [
        ("without signature", &NoSignature),
        ("P-256", &p256),
        ("RSA 2048", &rsa),
    ];
    let mut one = population(1, true);
    for (name, sign) in keys {
        group.bench_function(
            format!("a change, until its first NOTIFY/{name}"),
            |bencher| {
                bencher.iter(|| until_first(&mut one, sign));
            },
        );
    }
    group.finish();
}

criterion_group!(group, benches);
criterion_main!(group);
