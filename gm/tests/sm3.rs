//! SM3 against the standard and against the others, at every length around a block.

mod oracle;

use alb_gm::sm3::{HmacSm3, Sm3, pbkdf2};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use oracle::hex;
use proptest::prelude::*;
use sm3::Digest;

fn tongsuo() -> MessageDigest {
    MessageDigest::from_nid(Nid::SM3).expect("SM3")
}

/// GB/T 32905-2016, A.1 and A.2.
#[test]
fn the_digests_are_those_of_the_standard() {
    let expected = "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0";
    assert_eq!(Sm3::digest(b"abc").to_vec(), hex(expected));
    let expected = "DEBE9FF92275B8A138604889C18E5A4D6FDB70E5387E5765293DCBA39C0C5732";
    assert_eq!(Sm3::digest(&b"abcd".repeat(16)).to_vec(), hex(expected));
}

/// RFC 2104 over SM3; recomputed with GmSSL, gmsm and Tongsuo.
#[test]
fn hmac_is_that_of_three_other_implementations() {
    let expected = "2E87F1D16862E6D964B50A5200BF2B10B764FAA9680A296A2405F24BEC39F882";
    assert_eq!(
        HmacSm3::mac(b"Jefe", b"what do ya want for nothing?").to_vec(),
        hex(expected)
    );
    let expected = "C0BA18C68B90C88BC07DE794BFC7D2C8D19EC31ED8773BC2B390C9604E0BE11E";
    assert_eq!(
        HmacSm3::mac(&[0x0b; 32], b"Hi There").to_vec(),
        hex(expected)
    );
}

/// RFC 8018 over HMAC-SM3; recomputed with GmSSL and Tongsuo.
#[test]
fn pbkdf2_is_that_of_two_other_implementations() {
    let mut out = [0; 32];
    pbkdf2(b"password", b"salt", 1000, &mut out);
    assert_eq!(
        out.to_vec(),
        hex("E8B635A41DFE5AAAB7CF828CFF6F3608E22CAC59BA16EDD70E000B293D00BC91")
    );
}

#[test]
fn every_length_around_a_block_agrees_with_tongsuo_and_rustcrypto() {
    let data: Vec<u8> = (0..400u32).map(|i| (i * 31) as u8).collect();
    for length in 0..data.len() {
        let ours = Sm3::digest(&data[..length]);
        assert_eq!(
            ours[..],
            openssl::hash::hash(tongsuo(), &data[..length]).expect("digest")[..],
            "{length} bytes"
        );
        assert_eq!(
            ours[..],
            sm3::Sm3::digest(&data[..length])[..],
            "{length} bytes"
        );
    }
}

proptest! {
    #[test]
    fn pieces_and_forks_give_the_digest_of_the_whole(pieces: Vec<Vec<u8>>, tail: Vec<u8>) {
        let mut hash = Sm3::new();
        pieces.iter().for_each(|piece| hash.update(piece));
        let mut fork = hash.clone();
        let whole = pieces.concat();
        prop_assert_eq!(hash.finish(), Sm3::digest(&whole));
        fork.update(&tail);
        prop_assert_eq!(fork.finish(), Sm3::digest(&[whole, tail].concat()));
    }

    #[test]
    fn hmac_agrees_with_tongsuo_for_any_key(key in prop::collection::vec(any::<u8>(), 1..200), message: Vec<u8>) {
        let pkey = PKey::hmac(&key).expect("key");
        let theirs = Signer::new(tongsuo(), &pkey).expect("signer").sign_oneshot_to_vec(&message).expect("code");
        prop_assert_eq!(HmacSm3::mac(&key, &message).to_vec(), theirs);
    }
}
