//! Vouchers: texts that clients bring back.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clock::from_micros;
use grab::domain::voucher::{KeyRing, Refusal, Voucher};
use id::PacketId;

/// Bytes of the signature.
const TAG_LEN: usize = 32;

fn ring(text: &str) -> Option<KeyRing> {
    text.parse().ok()
}

/// - No text but one that was signed is a voucher, whatever its beginning.
/// - What is signed is read as it was, by its own user and for its own packet; with any one byte changed it is no voucher.
pub fn voucher(bytes: &[u8]) {
    let Some(keys) = ring(&format!("k:{},old:{}", "5a".repeat(32), "a5".repeat(32))) else {
        panic!("a key ring");
    };
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = ring(text);
        refuses(&keys, text);
    }
    refuses(&keys, &URL_SAFE_NO_PAD.encode(bytes));
    // With a sound beginning, so that the rest is looked at.
    let head = [&[1, 1, b'k'], bytes].concat();
    refuses(&keys, &URL_SAFE_NO_PAD.encode(head));
    if let Some(voucher) = made_of(bytes) {
        reads(&keys, &voucher, usize::from(bytes[0]));
    }
}

fn refuses(keys: &KeyRing, text: &str) {
    let (packet, user) = (PacketId::new(7, &[7; 10]), "alice".parse());
    if let Ok(user) = user {
        assert_eq!(keys.read(text, packet, &user), Err(Refusal::Forged), "{text}");
    }
}

/// A voucher of these bytes, if there are enough.
fn made_of(bytes: &[u8]) -> Option<Voucher> {
    let (unix_ms, rest) = bytes.split_first_chunk::<6>()?;
    let (random, rest) = rest.split_first_chunk::<10>()?;
    let (share_no, rest) = rest.split_first_chunk::<4>()?;
    let (lapse_us, rest) = rest.split_first_chunk::<8>()?;
    let unix_ms = unix_ms.iter().fold(0, |ms, byte| (ms << 8) | u64::from(*byte));
    let name: String = rest.iter().take(64).map(|byte| char::from(b'a' + byte % 26)).collect();
    let share_no = u32::from_be_bytes(*share_no);
    Some(Voucher {
        packet_id: PacketId::new(unix_ms, random),
        user_id: name.parse().ok()?,
        share_no: (share_no != u32::MAX).then_some(share_no),
        lapse_time: from_micros(i64::from_be_bytes(*lapse_us)),
    })
}

fn reads(keys: &KeyRing, voucher: &Voucher, change: usize) {
    let text = keys.sign(voucher);
    assert_eq!(
        keys.read(&text, voucher.packet_id, &voucher.user_id).as_ref(),
        Ok(voucher)
    );
    let Ok(mut signed) = URL_SAFE_NO_PAD.decode(&text) else {
        panic!("{text} is not base64url");
    };
    let at = change % (signed.len() - TAG_LEN);
    signed[at] ^= 1;
    let altered = URL_SAFE_NO_PAD.encode(signed);
    let refusal = keys.read(&altered, voucher.packet_id, &voucher.user_id);
    assert_eq!(refusal, Err(Refusal::Forged), "byte {at} of {text}");
}
