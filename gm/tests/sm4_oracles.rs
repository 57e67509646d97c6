//! SM4 against four other implementations: Tongsuo's own, RustCrypto's, libsm and sm-crypto.

use alb_gm::ghash;
use alb_gm::sm4::{Backend, Block, Error, Key, cbc, ccm, ctr, gcm};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use proptest::prelude::*;
use sm4::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// Lengths around the edges of blocks, vectors, batches and stored key stream.
const EDGES: [usize; 9] = [0, 16, 128, 240, 256, 512, 1024, 4096, 8192];

fn lengths() -> impl Iterator<Item = usize> {
    EDGES
        .into_iter()
        .flat_map(|edge| edge.saturating_sub(17)..=edge + 17)
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|i| (i as u8).wrapping_mul(167).wrapping_add(seed) ^ (i >> 8) as u8)
        .collect()
}

/// A buffer whose data begins one byte past an allocation: no vector load finds it aligned.
struct Unaligned(Vec<u8>);

impl Unaligned {
    fn new(data: &[u8]) -> Self {
        Self([&[0], data].concat())
    }

    fn data(&mut self) -> &mut [u8] {
        &mut self.0[1..]
    }
}

fn keys(key: &[u8; 16]) -> Vec<Key> {
    Backend::available()
        .map(|backend| Key::with_backend(key, backend).unwrap())
        .collect()
}

/// What Tongsuo's default provider makes of a message; an AEAD's tag behind it.
fn tongsuo(name: &str, key: &[u8], iv: &[u8], additional: &[u8], data: &[u8]) -> Vec<u8> {
    let cipher = Cipher::fetch(None, name, Some("provider=default")).unwrap();
    let mut context = CipherCtx::new().unwrap();
    context.encrypt_init(Some(&cipher), None, None).unwrap();
    if name.ends_with("CM") {
        context.set_iv_length(iv.len()).unwrap();
    }
    if name == "SM4-CCM" {
        context.set_tag_length(16).unwrap();
    }
    let iv = (!iv.is_empty()).then_some(iv);
    context.encrypt_init(None, Some(key), iv).unwrap();
    context.set_padding(false);
    if name == "SM4-CCM" {
        context.set_data_len(data.len()).unwrap();
    }
    if !additional.is_empty() {
        context.cipher_update(additional, None).unwrap();
    }
    let mut out = Vec::new();
    // The buffer must be there even for nothing: without one, input would be additional data.
    if !data.is_empty() || name == "SM4-CCM" {
        out.resize(data.len() + 16, 0);
        let length = context.cipher_update(data, Some(&mut out)).unwrap();
        out.truncate(length);
    }
    context.cipher_final(&mut [0; 16]).unwrap();
    if name.ends_with("CM") {
        let mut tag = [0; 16];
        context.tag(&mut tag).unwrap();
        out.extend_from_slice(&tag);
    }
    out
}

#[test]
fn blocks_are_those_of_rustcrypto_and_sm_crypto_at_every_count() {
    let key = *b"0123456789abcdef";
    let other = sm4::Sm4::new(&key.into());
    let third = sm_crypto::sm4::CryptSM4ECB::new(&key);
    for ours in keys(&key) {
        for count in (0..70).chain([127, 128, 129, 200]) {
            let plain = bytes(16 * count, 3);
            let mut data = Unaligned::new(&plain);
            ours.encrypt_blocks(data.data().as_chunks_mut().0);
            let mut expected = plain.clone();
            for block in expected.as_chunks_mut::<16>().0 {
                other.encrypt_block(block.into());
            }
            assert_eq!(data.data(), expected, "{ours:?}, {count} blocks");
            // sm-crypto pads: one block more.
            assert_eq!(third.encrypt_ecb(&plain)[..expected.len()], expected);
            ours.decrypt_blocks(data.data().as_chunks_mut().0);
            assert_eq!(data.data(), plain, "{ours:?}, {count} blocks back");
            for block in expected.as_chunks_mut::<16>().0 {
                other.decrypt_block(block.into());
            }
            assert_eq!(expected, plain);
        }
    }
}

#[test]
fn cbc_is_tongsuos_and_libsms_at_every_count_and_in_any_pieces() {
    let (key, iv) = (*b"fedcba9876543210", *b"initial vector..");
    let libsm = libsm::sm4::Cipher::new(&key, libsm::sm4::Mode::Cbc).unwrap();
    for count in (1..40).chain([63, 64, 65, 127, 128, 129, 200]) {
        let plain = bytes(16 * count, 5);
        let expected = tongsuo("SM4-CBC", &key, &iv, &[], &plain);
        assert_eq!(
            libsm.encrypt(&[], &plain, &iv).unwrap()[..expected.len()],
            expected
        );
        for ours in keys(&key) {
            let mut data = Unaligned::new(&plain);
            let mut chain = iv;
            let (first, rest) = data.data().split_at_mut(16 * (count / 3));
            cbc::encrypt(&ours, &mut chain, first.as_chunks_mut().0);
            cbc::encrypt(&ours, &mut chain, rest.as_chunks_mut().0);
            assert_eq!(data.data(), expected, "{ours:?}, {count} blocks");
            let mut chain = iv;
            let (first, rest) = data.data().split_at_mut(16 * (count / 2));
            cbc::decrypt(&ours, &mut chain, first.as_chunks_mut().0);
            cbc::decrypt(&ours, &mut chain, rest.as_chunks_mut().0);
            assert_eq!(data.data(), plain, "{ours:?}, {count} blocks back");
        }
    }
}

#[test]
fn ctr_is_tongsuos_across_the_wraps_of_the_counter() {
    let key = *b"fedcba9876543210";
    let counters: [Block; 3] = [
        [7; 16],
        // The low 32 bits wrap after five blocks, all 128 after three.
        (u128::from(u32::MAX) - 4).to_be_bytes(),
        (u128::MAX - 2).to_be_bytes(),
    ];
    for counter in counters {
        for length in lengths() {
            let plain = bytes(length, 9);
            let expected = tongsuo("SM4-CTR", &key, &counter, &[], &plain);
            for ours in keys(&key) {
                let mut data = Unaligned::new(&plain);
                ctr::Stream::new(counter).apply(&ours, data.data());
                assert_eq!(data.data(), expected, "{ours:?}, {length} bytes");
            }
        }
    }
}

#[test]
fn gcm_is_tongsuos_at_every_length_of_text_additional_data_and_iv() {
    let key = *b"gcm key of tests";
    let check = |iv: &[u8], additional: &[u8], plain: &[u8]| {
        let expected = tongsuo("SM4-GCM", &key, iv, additional, plain);
        for backend in Backend::available() {
            let ours = gcm::GcmKey::with_backend(&key, backend).unwrap();
            let mut data = Unaligned::new(plain);
            let tag = ours.seal(iv, additional, data.data()).unwrap();
            let lengths = (iv.len(), additional.len(), plain.len());
            assert_eq!(
                [&*data.data(), &tag].concat(),
                expected,
                "{backend:?} {lengths:?}"
            );
            ours.open(iv, additional, data.data(), &tag).unwrap();
            assert_eq!(data.data(), plain, "{backend:?} {lengths:?}");
        }
    };
    for length in lengths() {
        check(&bytes(12, 1), &bytes(13, 2), &bytes(length, 3));
    }
    for length in 0..70 {
        check(&bytes(12, 1), &bytes(length, 2), &bytes(33, 3));
    }
    for length in (1..40).chain([60, 64, 128]) {
        check(&bytes(length, 1), &bytes(5, 2), &bytes(300, 3));
    }
}

#[test]
fn the_counter_of_gcm_wraps_without_carrying() {
    let key = *b"gcm key of tests";
    let iv = iv_before_the_wrap(&key);
    let plain = bytes(5000 * 16, 1);
    let expected = tongsuo("SM4-GCM", &key, &iv, &[], &plain);
    for backend in Backend::available() {
        let ours = gcm::GcmKey::with_backend(&key, backend).unwrap();
        let mut data = plain.clone();
        let tag = ours.seal(&iv, &[], &mut data).unwrap();
        assert!([&data[..], &tag].concat() == expected, "{backend:?}");
    }
}

/// A 16-byte IV whose hash, the first counter, is less than 4096 blocks before the wrap of its 32 bits.
fn iv_before_the_wrap(key: &[u8; 16]) -> [u8; 16] {
    let mut h = [[0; 16]];
    Key::new(key).encrypt_blocks(&mut h);
    let h = ghash::Key::new(&h[0]);
    let first_counter = |iv: &[u8]| {
        let mut hash = ghash::Ghash::new();
        hash.update(&h, iv);
        u128::from_be_bytes(hash.finish(&h, 0, 16)) as u32
    };
    let mut ivs = (0u128..).map(u128::to_be_bytes);
    ivs.find(|iv| first_counter(iv) > u32::MAX - 4096).unwrap()
}

#[test]
fn ccm_is_tongsuos_at_every_length() {
    let key = *b"ccm key of tests";
    for (length, additional) in lengths()
        .map(|length| (length, 5))
        .chain((0..40).map(|additional| (33, additional)))
        .chain([(20, 0xFEFF), (20, 0xFF00), (20, 0x1_0001)])
    {
        let (nonce, additional, plain) = (bytes(12, 1), bytes(additional, 2), bytes(length, 3));
        let expected = tongsuo("SM4-CCM", &key, &nonce, &additional, &plain);
        let parameters = ccm::Parameters::new(16, 12).unwrap();
        for ours in keys(&key) {
            let mut data = Unaligned::new(&plain);
            let mut tag = [0; 16];
            ccm::seal(
                &ours,
                parameters,
                &nonce,
                &additional,
                data.data(),
                &mut tag,
            )
            .unwrap();
            assert_eq!(
                [&*data.data(), &tag].concat(),
                expected,
                "{ours:?}, {length} bytes"
            );
            ccm::open(&ours, parameters, &nonce, &additional, data.data(), &tag).unwrap();
            assert_eq!(data.data(), plain, "{ours:?}, {length} bytes");
        }
    }
}

#[test]
fn what_was_changed_is_refused() {
    let key = *b"an honest key...";
    let parameters = ccm::Parameters::new(16, 12).unwrap();
    for backend in Backend::available() {
        let gcm = gcm::GcmKey::with_backend(&key, backend).unwrap();
        let ccm = Key::with_backend(&key, backend).unwrap();
        for length in [0, 1, 16, 100, 1000] {
            let sealed = |additional: &[u8]| {
                let (mut by_gcm, mut by_ccm, mut tag) =
                    (bytes(length, 1), bytes(length, 1), [0; 16]);
                let gcm_tag = gcm.seal(&[1; 12], additional, &mut by_gcm).unwrap();
                ccm::seal(
                    &ccm,
                    parameters,
                    &[1; 12],
                    additional,
                    &mut by_ccm,
                    &mut tag,
                )
                .unwrap();
                (
                    [by_gcm, gcm_tag.to_vec()].concat(),
                    [by_ccm, tag.to_vec()].concat(),
                )
            };
            let (by_gcm, by_ccm) = sealed(b"additional");
            for bit in (0..8 * by_gcm.len()).step_by(1 + length / 4) {
                let (mut g, mut c) = (by_gcm.clone(), by_ccm.clone());
                g[bit / 8] ^= 1 << (bit % 8);
                c[bit / 8] ^= 1 << (bit % 8);
                let (data, tag) = g.split_at_mut(length);
                assert_eq!(
                    gcm.open(&[1; 12], b"additional", data, tag),
                    Err(Error::Refused),
                    "{backend:?} bit {bit}"
                );
                let (data, tag) = c.split_at_mut(length);
                let opened = ccm::open(&ccm, parameters, &[1; 12], b"additional", data, tag);
                assert_eq!(opened, Err(Error::Refused), "{backend:?} bit {bit}");
                assert!(
                    data.iter().all(|byte| *byte == 0),
                    "refused text is not given away"
                );
            }
            let (mut g, _) = sealed(b"additional");
            let (data, tag) = g.split_at_mut(length);
            assert_eq!(
                gcm.open(&[1; 12], b"Additional", data, tag),
                Err(Error::Refused)
            );
            let (mut g, _) = sealed(b"additional");
            let (data, tag) = g.split_at_mut(length);
            assert_eq!(
                gcm.open(&[2; 12], b"additional", data, tag),
                Err(Error::Refused)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn gcm_in_any_pieces_is_gcm_at_once(
        key: [u8; 16],
        iv in prop::collection::vec(any::<u8>(), 1..40),
        additional in prop::collection::vec(any::<u8>(), 0..100),
        text in prop::collection::vec(any::<u8>(), 0..6000),
        cuts in prop::collection::vec(0..6000usize, 0..12),
    ) {
        for backend in Backend::available() {
            let key = gcm::GcmKey::with_backend(&key, backend).unwrap();
            let mut whole = text.clone();
            let tag = key.seal(&iv, &additional, &mut whole).unwrap();

            let mut pieces = text.clone();
            let mut message = gcm::Message::start(&key, &iv);
            additional.chunks(7).for_each(|part| message.additional(&key, part));
            let mut opening = message.clone();
            for piece in cut(&mut pieces, &cuts) {
                message.encrypt(&key, piece).unwrap();
            }
            prop_assert_eq!(&pieces, &whole);
            prop_assert_eq!(message.tag(&key), tag);

            for piece in cut(&mut pieces, &cuts) {
                opening.decrypt(&key, piece).unwrap();
            }
            prop_assert_eq!(&pieces, &text);
            prop_assert_eq!(opening.verify(&key, &tag[..12]), Ok(()));
        }
    }

    #[test]
    fn every_implementation_agrees_on_random_keys(key: [u8; 16], blocks in prop::collection::vec(any::<[u8; 16]>(), 1..80)) {
        let other = sm4::Sm4::new(&key.into());
        let mut expected = blocks.clone();
        expected.iter_mut().for_each(|block| other.encrypt_block(block.into()));
        for ours in keys(&key) {
            let mut data = blocks.clone();
            ours.encrypt_blocks(&mut data);
            prop_assert_eq!(&data, &expected);
        }
    }
}

/// The buffer, cut at these places.
fn cut<'a>(mut data: &'a mut [u8], cuts: &[usize]) -> Vec<&'a mut [u8]> {
    let mut pieces = Vec::new();
    for at in cuts {
        let (piece, rest) = data.split_at_mut(at % (data.len() + 1));
        pieces.push(piece);
        data = rest;
    }
    pieces.push(data);
    pieces
}
