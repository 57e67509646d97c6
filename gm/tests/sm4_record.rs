//! Taking CBC records apart: padding and MAC of every length and place.

use alb_gm::sm4::record::{LONGEST_MAC, Parts, pad, split};
use proptest::prelude::*;

const SUBSTITUTE: [u8; LONGEST_MAC] = [0xEE; LONGEST_MAC];

/// Content, MAC and padding of `padding` bytes with the length byte.
fn record(content: usize, mac: &[u8], padding: usize) -> Vec<u8> {
    let mut record = vec![0xC0; content];
    record.extend_from_slice(mac);
    let used = record.len();
    record.resize(used + padding, 0);
    pad(&mut record, used);
    record
}

fn padded_mac(mac: &[u8]) -> [u8; LONGEST_MAC] {
    std::array::from_fn(|i| mac.get(i).copied().unwrap_or(0))
}

#[test]
fn every_length_of_padding_is_taken_off() {
    for mac_size in [1, 20, 32, 48, 64] {
        let mac: Vec<u8> = (1..=mac_size).collect();
        for content in [0, 1, 15, 16, 300] {
            for padding in 1..=256 {
                let parts = split(&record(content, &mac, padding), mac.len(), &SUBSTITUTE).unwrap();
                assert_eq!(parts.content, content, "MAC {mac_size}, padding {padding}");
                assert_eq!(
                    parts.mac[..mac.len()],
                    mac,
                    "MAC {mac_size}, padding {padding}"
                );
            }
        }
    }
}

#[test]
fn any_wrong_padding_byte_gives_the_substitute() {
    let mac = [7; 32];
    for padding in [2, 3, 16, 255, 256] {
        for wrong in 1..padding {
            let mut record = record(40, &mac, padding);
            let last = record.len() - 1;
            record[last - wrong] ^= 0x40;
            let parts = split(&record, mac.len(), &SUBSTITUTE).unwrap();
            assert_eq!(
                parts.mac, SUBSTITUTE,
                "padding {padding}, byte {wrong} from the end"
            );
            assert_eq!(parts.content, record.len() - mac.len());
        }
    }
}

#[test]
fn padding_longer_than_the_record_gives_the_substitute() {
    let mut record = [0x30; 33 + 7];
    record[39] = 8;
    assert_eq!(split(&record, 32, &SUBSTITUTE).unwrap().mac, SUBSTITUTE);
}

#[test]
fn a_record_without_room_for_mac_and_padding_is_refused() {
    assert_eq!(split(&[0; 32], 32, &SUBSTITUTE), None);
    assert_eq!(split(&[], 0, &SUBSTITUTE), None);
    assert_eq!(split(&[0; 200], LONGEST_MAC + 1, &SUBSTITUTE), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Against the obvious way, which is not constant-time.
    #[test]
    fn any_bytes_are_taken_apart_as_the_obvious_way_does(
        mut record in prop::collection::vec(0..4u8, 1..400),
        last: u8,
        mac_size in 0..=LONGEST_MAC,
    ) {
        if let Some(end) = record.last_mut() {
            *end = if last < 128 { last & 3 } else { last };
        }
        prop_assert_eq!(split(&record, mac_size, &SUBSTITUTE), obvious(&record, mac_size));
    }
}

fn obvious(record: &[u8], mac_size: usize) -> Option<Parts> {
    let whole = record.len().checked_sub(mac_size + 1)?;
    let padding = usize::from(*record.last()?);
    let start = record
        .len()
        .checked_sub(padding + 1)
        .filter(|start| *start >= mac_size);
    match start.filter(|start| {
        record[*start..]
            .iter()
            .all(|byte| usize::from(*byte) == padding)
    }) {
        Some(end) => {
            let mac = padded_mac(&record[end - mac_size..end]);
            Some(Parts {
                content: end - mac_size,
                mac,
            })
        }
        None => Some(Parts {
            content: whole + 1,
            mac: SUBSTITUTE,
        }),
    }
}
