//! What is inside a decrypted CBC record of TLCP or TLS: content ‖ MAC ‖ padding ‖ padding length (GB/T 38636 §6.3).
//!
//! The padding is as secret as the content until the MAC is checked: neither time nor addresses may depend on it
//! (the Lucky Thirteen and padding oracle attacks). Only the length of the record is public.

use super::constant_time::Mask;

/// The longest MAC this module splits off, in bytes.
pub const LONGEST_MAC: usize = 64;

/// Every padding byte and the length byte itself: at most 256.
const LONGEST_PADDING: usize = 256;

/// A decrypted record, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Bytes of content, at the start of the record. A secret until the MAC is compared.
    pub content: usize,
    /// The MAC received, in the first bytes; `substitute` where the padding is wrong.
    pub mac: [u8; LONGEST_MAC],
}

/// Takes a decrypted record (without its IV) apart, in constant time.
///
/// Where the padding is wrong the answer is as if there were none and `substitute` were the MAC received: give random
/// bytes, and the comparison of the MAC fails like any other. `mac_size` is at most [`LONGEST_MAC`]. Nothing, when the
/// record is too short for a MAC and a padding length, which is public.
pub fn split(record: &[u8], mac_size: usize, substitute: &[u8; LONGEST_MAC]) -> Option<Parts> {
    if mac_size > LONGEST_MAC || record.len() < mac_size + 1 {
        return None;
    }
    let (good, padding) = check_padding(record, mac_size);
    let content = record.len() - mac_size - good.keep(padding);
    let received = extract(record, content, mac_size);
    let mac = std::array::from_fn(|i| good.choose(received[i], substitute[i]));
    Some(Parts { content, mac })
}

/// Fills up `record`, whose first `used` bytes are content and MAC, with padding bytes of the least length.
/// The rest must be 1 to 256 bytes.
pub fn pad(record: &mut [u8], used: usize) {
    let padding = record.len() - used;
    debug_assert!((1..=LONGEST_PADDING).contains(&padding));
    record[used..].fill((padding - 1) as u8);
}

/// Whether the padding is right, and its length with the length byte.
fn check_padding(record: &[u8], mac_size: usize) -> (Mask, usize) {
    let length = usize::from(record[record.len() - 1]);
    let fits = Mask::at_least(record.len(), mac_size + 1 + length);
    let mut wrong = 0;
    for (i, byte) in record.iter().rev().take(LONGEST_PADDING).enumerate() {
        let is_padding = Mask::at_least(length, i);
        wrong |= is_padding.keep(length ^ usize::from(*byte));
    }
    (fits.and(Mask::equal(wrong, 0)), length + 1)
}

/// The MAC that begins at the secret position `start`: every place it can be is read.
fn extract(record: &[u8], start: usize, mac_size: usize) -> [u8; LONGEST_MAC] {
    let mut ring = [0; LONGEST_MAC];
    if mac_size == 0 {
        return ring;
    }
    let first = record.len().saturating_sub(mac_size + LONGEST_PADDING);
    let (mut slot, mut turned) = (0, 0);
    for (i, byte) in record.iter().enumerate().skip(first) {
        let inside = Mask::at_least(i, start).and(Mask::less(i, start + mac_size));
        ring[slot] |= inside.choose(*byte, 0);
        turned |= Mask::equal(i, start).keep(slot);
        slot = if slot + 1 == mac_size { 0 } else { slot + 1 };
    }
    rotate_left(&mut ring, mac_size, turned);
    ring
}

/// Rotates the first `size` bytes by a secret amount, one bit of it after the other.
fn rotate_left(ring: &mut [u8; LONGEST_MAC], size: usize, amount: usize) {
    for bit in 0..LONGEST_MAC.ilog2() {
        let chosen = Mask::equal(amount >> bit & 1, 1);
        let before = *ring;
        for i in 0..size {
            ring[i] = chosen.choose(before[(i + (1 << bit)) % size], before[i]);
        }
    }
}
