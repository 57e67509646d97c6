//! The edges of SM2, in the manner of Wycheproof: values out of range, encodings that are almost right, points that are none.

mod oracle;

use alb_gm::sm2::{
    Ciphertext, DEFAULT_ID, Own, Peer, PointError, PrivateKey, PublicKey, Role, Signature,
    SystemRandom, TLS13_ID, VerifyError, agree,
};
use oracle::{hex, hex_array, once};
use proptest::prelude::*;

const N: &str = "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123";
const P: &str = "FFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF";

/// n plus a small number.
fn n_plus(offset: i8) -> [u8; 32] {
    let mut bytes: [u8; 32] = hex_array(N);
    bytes[31] = bytes[31].checked_add_signed(offset).expect("no carry");
    bytes
}

fn small(value: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[31] = value;
    bytes
}

fn key() -> PrivateKey {
    PrivateKey::from_bytes(&[0x39; 32]).expect("key")
}

#[test]
fn private_keys_are_between_one_and_n_minus_two() {
    for refused in [small(0), n_plus(-1), n_plus(0), n_plus(1), [0xff; 32]] {
        assert!(PrivateKey::from_bytes(&refused).is_err(), "{refused:02x?}");
    }
    for accepted in [small(1), small(2), n_plus(-2), n_plus(-3)] {
        assert!(PrivateKey::from_bytes(&accepted).is_ok(), "{accepted:02x?}");
    }
}

/// The multiples at both ends of the scalars: exceptional cases of the addition formulas, and k·G = −(n − k)·G.
#[test]
fn edge_scalars_give_the_points_of_the_reference() {
    use sm2::elliptic_curve::sec1::ToSec1Point;
    // 30·2^252 − n and its negative: the last addition of the fixed-base table is a doubling.
    let doubling = [
        "E00000010000000000000000000000008DFC2094DE39FAD4AC440BF6C62ABEDD",
        "1FFFFFFDFFFFFFFFFFFFFFFFFFFFFFFEE407BED6438C0A56A777E81273AA8246",
    ];
    let scalars = (1..=70).map(small).chain((-70..=-2).map(|i| {
        let mut bytes = n_plus(0);
        let (low, borrow) = bytes[31].overflowing_sub((-i) as u8);
        bytes[31] = low;
        bytes[30] -= u8::from(borrow);
        bytes
    }));
    for d in scalars.chain(doubling.map(hex_array)) {
        let ours = PrivateKey::from_bytes(&d).expect("key");
        let theirs = sm2::SecretKey::from_slice(&d).expect("key").public_key();
        assert_eq!(
            theirs.to_sec1_point(false).as_bytes(),
            ours.public().to_uncompressed(),
            "{d:02x?}"
        );
        // The same scalar on a variable point.
        let message = b"m";
        let ciphertext = ours
            .public()
            .encrypt(message, &mut SystemRandom)
            .expect("ciphertext");
        assert_eq!(
            ours.decrypt(&ciphertext).expect("message").as_slice(),
            message
        );
        let reader = sm2::pke::DecryptingKey::new(sm2::SecretKey::from_slice(&d).expect("key"));
        assert_eq!(
            reader.decrypt(&ciphertext.to_c1c3c2()).expect("message"),
            message
        );
    }
}

/// The nonces at the edges: the multiplication of the receiver's point meets them too.
#[test]
fn edge_nonces_encrypt_what_others_decrypt() {
    let reader =
        sm2::pke::DecryptingKey::new(sm2::SecretKey::from_slice(&[0x39; 32]).expect("key"));
    for nonce in (1..40).map(small).chain((-35..0).map(n_plus)) {
        let ciphertext = key()
            .public()
            .encrypt(b"edge", &mut once(nonce))
            .expect("ciphertext");
        assert_eq!(
            reader.decrypt(&ciphertext.to_c1c3c2()).expect("message"),
            b"edge",
            "{nonce:02x?}"
        );
    }
}

#[test]
fn nonces_out_of_range_are_drawn_again() {
    for nonce in [small(0), n_plus(0), n_plus(1), [0xff; 32]] {
        assert!(
            key().sign_digest(&[1; 32], &mut once(nonce)).is_err(),
            "{nonce:02x?}"
        );
    }
}

/// r = e + x1 = 0 and r + k = n must lead to another nonce (GB/T 32918.2, A5 and A6); the source fails at the second draw.
#[test]
fn signatures_that_would_give_the_key_away_are_not_made() {
    use sm2::elliptic_curve::sec1::ToSec1Point;
    let nonce = small(7);
    let point = sm2::SecretKey::from_slice(&nonce)
        .expect("key")
        .public_key()
        .to_sec1_point(false);
    let x1: [u8; 32] = point.as_bytes()[1..33].try_into().expect("length");
    let n = num(&hex_array(N));
    // e = −x1, then e = −k − x1.
    for subtracted in [0u8, 7] {
        let e = sub(&n, &sub_mod_sum(&num(&x1), subtracted, &n));
        assert!(key().sign_digest(&bytes(&e), &mut once(nonce)).is_err());
    }
}

/// A big integer as its bytes, for the few sums above.
type Num = Vec<u8>;

fn num(bytes: &[u8; 32]) -> Num {
    bytes.to_vec()
}

fn bytes(number: &Num) -> [u8; 32] {
    number.as_slice().try_into().expect("length")
}

fn sub(a: &Num, b: &Num) -> Num {
    let mut out = a.clone();
    let mut borrow = 0i16;
    for i in (0..32).rev() {
        let digit = i16::from(a[i]) - i16::from(b[i]) - borrow;
        borrow = i16::from(digit < 0);
        out[i] = digit.rem_euclid(256) as u8;
    }
    out
}

/// (a + small) mod n.
fn sub_mod_sum(a: &Num, small: u8, n: &Num) -> Num {
    let mut carry = u16::from(small);
    let mut out = a.clone();
    for digit in out.iter_mut().rev() {
        carry += u16::from(*digit);
        *digit = carry as u8;
        carry >>= 8;
    }
    if out >= *n { sub(&out, n) } else { out }
}

#[test]
fn r_and_s_out_of_range_and_r_plus_s_equal_to_n_are_refused() {
    let good = key()
        .sign_digest(&[1; 32], &mut SystemRandom)
        .expect("signature");
    let complement = bytes(&sub(&num(&hex_array(N)), &num(&good.r)));
    for (r, s) in [
        (small(0), good.s),
        (good.r, small(0)),
        (n_plus(0), good.s),
        (good.r, n_plus(0)),
        (n_plus(1), good.s),
        ([0xff; 32], good.s),
        (good.r, [0xff; 32]),
        (good.r, complement),
        (small(0), small(0)),
    ] {
        let verdict = key().public().verify_digest(&[1; 32], &Signature { r, s });
        assert_eq!(verdict, Err(VerifyError::Range));
    }
    let verdict = key().public().verify_digest(
        &[1; 32],
        &Signature {
            r: good.s,
            s: good.r,
        },
    );
    assert_eq!(verdict, Err(VerifyError::Mismatch));
}

#[test]
fn a_signature_under_another_identifier_is_refused() {
    let signature = key()
        .sign(DEFAULT_ID, b"m", &mut SystemRandom)
        .expect("signature");
    assert_eq!(
        key().public().verify(TLS13_ID, b"m", &signature),
        Err(VerifyError::Mismatch)
    );
    assert_eq!(
        key().public().verify(b"", b"m", &signature),
        Err(VerifyError::Mismatch)
    );
    assert!(key().sign(&[0; 8192], b"m", &mut SystemRandom).is_err());
    let longest = [7; 8191];
    let signature = key()
        .sign(&longest, b"m", &mut SystemRandom)
        .expect("signature");
    assert_eq!(key().public().verify(&longest, b"m", &signature), Ok(()));
}

#[test]
fn signatures_in_almost_der_are_refused() {
    let refused = [
        "",
        "30",
        "3000",
        "30060201010201",
        "3006020101020101ff",
        "300702010102010100",
        "3081060201010201 01",
        "308006020101020101 0000",
        "3106020101020101",
        "3006020101030101",
        "30050200020101",
        "3003020101",
        "3009020101020101020101",
        "30840000000602010102 0101",
        "3026022101000000000000000000000000000000000000000000000000000000000000000002 0101",
    ];
    for text in refused {
        assert!(Signature::from_der(&hex(text)).is_err(), "{text}");
    }
    let one = Signature {
        r: small(1),
        s: small(1),
    };
    assert_eq!(Signature::from_der(&hex("3006020101020101")), Ok(one));
    // More zeros than needed leave no doubt about the value (products in the field write them).
    assert_eq!(Signature::from_der(&hex("300802020001 02020001")), Ok(one));
}

#[test]
fn points_that_are_none_are_refused() {
    let good = key().public().to_uncompressed();
    let (x, y) = good[1..].split_at(32);
    let with =
        |form: u8, parts: &[&[u8]]| PublicKey::from_bytes(&[&[form], &parts.concat()[..]].concat());
    assert_eq!(PublicKey::from_bytes(&[]), Err(PointError::Length(0)));
    assert_eq!(PublicKey::from_bytes(&[0]), Err(PointError::Form(0)));
    assert_eq!(with(4, &[x]), Err(PointError::Length(33)));
    assert_eq!(with(4, &[x, y, &[0]]), Err(PointError::Length(66)));
    assert_eq!(with(2, &[x, y]), Err(PointError::Length(65)));
    for hybrid in [6, 7] {
        assert_eq!(with(hybrid, &[x, y]), Err(PointError::Form(hybrid)));
    }
    assert_eq!(with(4, &[y, x]), Err(PointError::NotOnCurve));
    assert_eq!(with(4, &[&[0; 64]]), Err(PointError::NotOnCurve));
    for out_of_range in [hex(P), vec![0xff; 32]] {
        assert_eq!(with(4, &[&out_of_range, y]), Err(PointError::Range));
        assert_eq!(with(2, &[&out_of_range]), Err(PointError::Range));
    }
}

#[test]
fn small_x_decompresses_as_in_the_reference() {
    use sm2::elliptic_curve::sec1::{FromSec1Point, Sec1Point, ToSec1Point};
    for (x, form) in (0..60).flat_map(|x| [(x, 2), (x, 3)]) {
        let compressed = [&[form], &small(x)[..]].concat();
        let theirs = Sec1Point::<sm2::Sm2>::from_bytes(&compressed).expect("encoding");
        let theirs = Option::<sm2::AffinePoint>::from(sm2::AffinePoint::from_sec1_point(&theirs));
        let ours = PublicKey::from_bytes(&compressed).ok();
        assert_eq!(ours.is_some(), theirs.is_some(), "x = {x}");
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            assert_eq!(
                theirs.to_sec1_point(false).as_bytes(),
                ours.to_uncompressed()
            );
        }
    }
}

/// P + x̄·R is infinity where the peer chooses P = −x̄·R: no key may come of it.
#[test]
fn a_peer_whose_keys_cancel_gets_no_key() {
    let ephemeral = PrivateKey::from_bytes(&small(5)).expect("key");
    let point = ephemeral.public().to_uncompressed();
    let mut x: [u8; 32] = point[1..33].try_into().expect("length");
    x[..16].fill(0);
    x[16] |= 0x80;
    let n = num(&hex_array(N));
    let mut product = vec![0; 32];
    for _ in 0..5 {
        product = bytes_sum(&product, &x.to_vec());
    }
    let cancelling = PrivateKey::from_bytes(&bytes(&sub(&n, &product))).expect("key");
    let (own, own_ephemeral) = (key(), PrivateKey::from_bytes(&small(9)).expect("key"));
    let own = Own {
        key: &own,
        ephemeral: &own_ephemeral,
        id: DEFAULT_ID,
    };
    let peer = Peer {
        key: cancelling.public(),
        ephemeral: ephemeral.public(),
        id: DEFAULT_ID,
    };
    assert!(agree(Role::Responder, &own, &peer, &mut [0; 16]).is_err());
}

fn bytes_sum(a: &Num, b: &Num) -> Num {
    let mut carry = 0u16;
    let mut out = a.clone();
    for i in (0..32).rev() {
        carry += u16::from(a[i]) + u16::from(b[i]);
        out[i] = carry as u8;
        carry >>= 8;
    }
    out
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Ok(signature) = Signature::from_der(&bytes) {
            prop_assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
        }
        if let Ok(ciphertext) = Ciphertext::from_der(&bytes) {
            prop_assert_eq!(Ciphertext::from_der(&ciphertext.to_der()), Ok(ciphertext));
        }
        let _ = PublicKey::from_bytes(&bytes);
    }

    #[test]
    fn lengths_of_ciphertexts_stay_below_what_is_said(message in prop::collection::vec(any::<u8>(), 1..400)) {
        let ciphertext = key().public().encrypt(&message, &mut SystemRandom).expect("ciphertext");
        prop_assert!(ciphertext.to_der().len() <= Ciphertext::max_der_len(message.len()));
    }
}
