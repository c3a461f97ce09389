//! The test vectors of `docs/split.md`, read from the document and recomputed.
//!
//! A change that alters any of them would change packets that are already committed to: it needs
//! new domain tags and another version of the document, not other vectors.

use std::{collections::BTreeMap, fs, str::FromStr};

use sha2::{Digest, Sha256};

use super::*;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/split.md");

/// The names that `let` lines give to byte strings.
type Named = BTreeMap<String, Vec<u8>>;

#[test]
fn vectors_are_what_the_document_says() {
    let document = fs::read_to_string(DOCUMENT).expect("the document is there");
    let (_, rest) = document.split_once("```vectors\n").expect("a block of vectors");
    let (documented, _) = rest.split_once("```").expect("the block ends");

    let mut named = Named::new();
    let mut recomputed = Vec::new();
    for line in documented.lines() {
        let (inputs, output) = line.split_once(" = ").expect("inputs = output");
        let words: Vec<&str> = inputs.split(' ').collect();
        let output = if let ["let", name] = words[..] {
            named.insert(name.to_owned(), hex::decode(output).expect("hex"));
            output.to_owned()
        } else {
            recompute(&words, &named)
        };
        recomputed.push(format!("{inputs} = {output}"));
    }
    assert!(recomputed.len() > 60, "vectors are missing");
    assert_eq!(recomputed, documented.lines().collect::<Vec<_>>());
}

fn recompute(words: &[&str], named: &Named) -> String {
    match words {
        ["seed", name] => hex::encode(seed(name, named).as_bytes()),
        ["word", name, count] => {
            let mut stream = Stream::new(&seed(name, named));
            join((0..number(count)).map(|_| stream.word()))
        }
        ["below", name, bounds @ ..] => {
            let mut stream = Stream::new(&seed(name, named));
            join(bounds.iter().map(|bound| stream.below(number(bound))))
        }
        ["split", kind, total_fen, share_count, cap_fen, name] => {
            let shares = split(
                Kind::from_name(kind).expect("a kind"),
                &seed(name, named),
                number(total_fen),
                number(share_count),
                cap(cap_fen),
            )
            .expect("valid terms");
            if shares.len() <= 20 {
                return join(shares);
            }
            let bytes: Vec<u8> = shares.into_iter().flat_map(i64::to_be_bytes).collect();
            format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
        }
        ["commitment", packet, kind, total_fen, share_count, cap_fen, name] => hex::encode(commitment(
            named[*packet].as_slice().try_into().expect("16 bytes"),
            Kind::from_name(kind).expect("a kind"),
            number(total_fen),
            number(share_count),
            cap(cap_fen),
            &seed(name, named),
        )),
        _ => panic!("no such vector: {words:?}"),
    }
}

/// `name` is that of a server's seed, or `seed+nonce`.
fn seed(name: &str, named: &Named) -> Seed {
    let bytes = |name: &str| named[name].as_slice();
    let server = |name| Seed::from_bytes(bytes(name).try_into().expect("32 bytes"));
    match name.split_once('+') {
        Some((name, nonce)) => server(name).mix_nonce(bytes(nonce)),
        None => server(name),
    }
}

fn cap(word: &str) -> Option<i64> {
    (word != "-").then(|| number(word))
}

fn number<N: FromStr>(word: &str) -> N {
    word.parse().ok().expect("a number")
}

fn join(numbers: impl IntoIterator<Item: ToString>) -> String {
    let words: Vec<String> = numbers.into_iter().map(|number| number.to_string()).collect();
    words.join(" ")
}
