//! SM2 ciphertexts at their edges: almost right, changed on the way, or holding no premaster secret.

use alb_gm::sm2::{Ciphertext, CiphertextError, PointError, PrivateKey, SystemRandom};

fn key() -> PrivateKey {
    PrivateKey::from_bytes(&[0x39; 32]).expect("key")
}

#[test]
fn ciphertexts_that_are_none_are_refused() {
    let good = key()
        .public()
        .encrypt(b"message", &mut SystemRandom)
        .expect("ciphertext");
    let der = good.to_der();
    assert!(
        Ciphertext::from_der(&[&der[..], &[0]].concat()).is_err(),
        "trailing byte"
    );
    assert!(
        Ciphertext::from_der(&der[..der.len() - 1]).is_err(),
        "short"
    );
    let raw = good.to_c1c3c2();
    assert_eq!(
        Ciphertext::from_c1c3c2(&raw[..96]),
        Err(CiphertextError::Short(96))
    );
    assert_eq!(
        Ciphertext::from_c1c3c2(&raw[..97]),
        Err(CiphertextError::Empty)
    );
    assert_eq!(
        Ciphertext::from_c1c2c3(&raw[..97]),
        Err(CiphertextError::Empty)
    );
    let mut off_curve = raw.clone();
    off_curve[64] ^= 1;
    assert_eq!(
        Ciphertext::from_c1c3c2(&off_curve),
        Err(CiphertextError::Point(PointError::NotOnCurve))
    );
    assert!(key().public().encrypt(b"", &mut SystemRandom).is_err());
    let other = PrivateKey::from_bytes(&[0x38; 32]).expect("key");
    assert!(other.decrypt(&good).is_err());
}

#[test]
fn a_bad_premaster_secret_is_replaced_and_a_good_one_is_not() {
    let fallback = [0x66; 48];
    let open = |message: &[u8], bit: Option<usize>| {
        let mut raw = key()
            .public()
            .encrypt(message, &mut SystemRandom)
            .expect("ciphertext")
            .to_c1c3c2();
        if let Some(bit) = bit {
            raw[bit / 8] ^= 1 << (bit % 8);
        }
        let ciphertext = Ciphertext::from_c1c3c2(&raw).expect("ciphertext");
        key()
            .decrypt_premaster(&ciphertext, [1, 1], &fallback)
            .to_vec()
    };
    let mut good = [0x11; 48];
    good[..2].copy_from_slice(&[1, 1]);
    assert_eq!(open(&good, None), good);
    assert_eq!(open(&good, Some(66 * 8)), fallback, "C3 changed");
    assert_eq!(open(&good, Some(120 * 8)), fallback, "C2 changed");
    assert_eq!(open(&[0x11; 48], None), fallback, "another version");
    assert_eq!(open(&good[..47], None), fallback, "too short");
    assert_eq!(
        open(&[&good[..], &[1]].concat(), None),
        fallback,
        "too long"
    );
}
