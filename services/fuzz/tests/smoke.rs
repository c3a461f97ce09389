//! A short turn of every target: what is kept in `corpus/`, and variations of it that follow from a seed.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop at once, in its helpers too"
)]

use std::{collections::BTreeSet, fs, path::Path};

use fastrand::Rng;
use fuzz::TARGETS;
use prost::Message;
use prost_types::FileDescriptorSet;

/// Any number, as long as it stays.
const SEED: u64 = 20_261_121;
/// Where limits are, in the bytes of a varint and elsewhere.
const TELLING: [u8; 8] = [0, 1, 0x0a, 0x22, 0x5c, 0x7f, 0x80, 0xff];

/// What is kept for a target, in the order of its names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The requests that a target tries, in the order of its first byte.
fn requests(target: &str) -> Vec<&'static str> {
    let parsers = match target {
        "account" => fuzz::account::PARSERS,
        "grab" => fuzz::grab::PARSERS,
        "packet" => fuzz::packet::PARSERS,
        "transfer" => fuzz::transfer::PARSERS,
        "gateway" => return fuzz::gateway::REQUESTS.to_vec(),
        _ => &[],
    };
    parsers.iter().map(|(name, _)| *name).collect()
}

/// A sound request of every kind, or several where it has parts that exclude each other.
fn samples(target: &str) -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    for (which, request) in (0..).zip(requests(target)) {
        for first in 0..3 {
            samples.push([&[which], fuzz::samples::of(request, first).as_slice()].concat());
        }
    }
    samples
}

/// Samples are there to be understood: a variation of what is refused at once tries little.
#[test]
fn samples_are_sound() {
    let parsers = [
        fuzz::account::PARSERS,
        fuzz::grab::PARSERS,
        fuzz::packet::PARSERS,
        fuzz::transfer::PARSERS,
    ];
    for (name, parse) in parsers.into_iter().flatten() {
        let outcomes = (0..3).map(|first| parse(name, &fuzz::samples::of(name, first)));
        let refusals: Vec<_> = outcomes.filter_map(Result::err).collect();
        assert!(refusals.len() < 3, "{name}: {refusals:?}");
    }
}

/// One of the inputs, changed in a few places.
fn vary(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = rng.choice(corpus).cloned().unwrap_or_default();
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(0..6) {
            0 => bytes.insert(at, rng.u8(..)),
            1 => bytes.insert(at, *rng.choice(&TELLING).unwrap()),
            2 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
            3 if at < bytes.len() => bytes[at] = *rng.choice(&TELLING).unwrap(),
            4 => drop(bytes.drain(at..(at + rng.usize(0..4)).min(bytes.len()))),
            _ => {
                let other = rng.choice(corpus).cloned().unwrap_or_default();
                bytes.splice(at.., other.into_iter().skip(at));
            }
        }
    }
    bytes
}

fn run(name: &str, variations: usize) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let mut corpus = corpus(name);
    assert!(!corpus.is_empty(), "nothing is kept for {name}");
    corpus.extend(samples(name));
    for bytes in &corpus {
        target(bytes);
    }
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..variations {
        let bytes = vary(&mut rng, &corpus);
        // What is shown of a failure.
        println!("{}", bytes.escape_ascii());
        target(&bytes);
    }
}

macro_rules! smoke {
    ($($name:ident $variations:literal)+) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), $variations);
            }
        )+

        #[test]
        fn every_target_has_its_turn() {
            assert_eq!(TARGETS.map(|(name, _)| name).as_slice(), [$(stringify!($name)),+]);
            let kept = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/fuzz_targets")).unwrap();
            let kept: BTreeSet<_> = kept.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            assert!(kept.iter().eq([$(concat!(stringify!($name), ".rs")),+]), "{kept:?}");
        }
    };
}

// So many variations of each as take a second or two in a debug build.
smoke! {
    account 10_000
    config 200
    gateway 10_000
    grab 10_000
    packet 10_000
    replies 3_000
    transfer 10_000
    voucher 10_000
}

/// A service that gets another RPC gets another parser here.
#[test]
fn every_request_of_every_service_is_tried() {
    let tried: BTreeSet<&str> = TARGETS.iter().flat_map(|(target, _)| requests(target)).collect();
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    let ours = files.file.iter().filter(|file| file.package().starts_with("hongbao."));
    let there: BTreeSet<&str> = ours
        .flat_map(|file| &file.service)
        .flat_map(|service| &service.method)
        .map(|method| method.input_type().trim_start_matches('.'))
        .collect();
    assert_eq!(tried, there);
}
