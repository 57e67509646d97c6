//! The provider's SM4 and SM3 through Tongsuo's own interfaces, against Tongsuo's own.

#![allow(unsafe_code)] // The record layer's controls have no safe wrapper.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use alb_gm::sm4::Backend;
use alb_gm::{Acceleration, accelerated, init};
use foreign_types::ForeignType;
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::md_ctx::MdCtx;
use openssl_sys as sys;
use proptest::prelude::*;

/// Ours where this processor has the instructions for it (else Tongsuo's, which then compares with itself), and Tongsuo's.
const PROVIDERS: [&str; 2] = ["?provider=alb", "provider=default"];
const NAMES: [&str; 5] = ["SM4-GCM", "SM4-CCM", "SM4-CBC", "SM4-CTR", "SM4-ECB"];
const KEY: [u8; 16] = *b"a key for tests.";

unsafe extern "C" {
    fn EVP_CIPHER_get0_provider(cipher: *const sys::EVP_CIPHER) -> *const c_void;
    fn OSSL_PROVIDER_get0_name(provider: *const c_void) -> *const c_char;
    fn EVP_CIPHER_CTX_set_params(
        context: *mut sys::EVP_CIPHER_CTX,
        params: *const sys::OSSL_PARAM,
    ) -> c_int;
    fn EVP_CIPHER_CTX_get_params(
        context: *mut sys::EVP_CIPHER_CTX,
        params: *mut sys::OSSL_PARAM,
    ) -> c_int;
}

fn fetch(name: &str, properties: Option<&str>) -> Cipher {
    init(Acceleration::Auto);
    assert!(accelerated());
    Cipher::fetch(None, name, properties).unwrap()
}

fn bytes(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|i| (i as u8).wrapping_mul(151).wrapping_add(seed))
        .collect()
}

#[test]
fn ciphers_are_ours_where_the_processor_helps() {
    let ours = Backend::best() != Backend::Portable;
    for name in NAMES {
        let cipher = fetch(name, None);
        // SAFETY: the cipher is alive, its provider is never unloaded.
        let provider = unsafe {
            CStr::from_ptr(OSSL_PROVIDER_get0_name(EVP_CIPHER_get0_provider(
                cipher.as_ptr(),
            )))
        };
        assert_eq!(provider.to_str() == Ok("alb"), ours, "{name}");
    }
}

#[test]
fn both_describe_their_ciphers_alike() {
    for name in NAMES {
        let [ours, theirs] = PROVIDERS.map(|provider| {
            let cipher = fetch(name, Some(provider));
            (
                cipher.iv_length(),
                cipher.key_length(),
                cipher.block_size(),
                cipher.nid(),
            )
        });
        assert_eq!(ours, theirs, "{name}");
    }
}

/// A message through a context, in pieces; an AEAD's tag is behind the text.
fn message(
    name: &str,
    provider: &str,
    encrypt: bool,
    iv: &[u8],
    data: &[u8],
    cuts: &[usize],
    padding: bool,
) -> Result<Vec<u8>, ErrorStack> {
    let cipher = fetch(name, Some(provider));
    let aead = name.ends_with("CM");
    let (data, tag) = data.split_at(if aead && !encrypt {
        data.len() - 16
    } else {
        data.len()
    });
    let mut context = CipherCtx::new()?;
    let mut start = |cipher, key, iv| match encrypt {
        true => context.encrypt_init(cipher, key, iv),
        false => context.decrypt_init(cipher, key, iv),
    };
    start(Some(&*cipher), None, None)?;
    if aead {
        context.set_iv_length(iv.len())?;
        match (encrypt, name) {
            (false, _) => context.set_tag(tag)?,
            (true, "SM4-CCM") => context.set_tag_length(16)?,
            _ => {}
        }
    }
    let iv = (cipher.iv_length() > 0).then_some(iv);
    match encrypt {
        true => context.encrypt_init(None, Some(&KEY), iv)?,
        false => context.decrypt_init(None, Some(&KEY), iv)?,
    }
    context.set_padding(padding);
    if name == "SM4-CCM" {
        context.set_data_len(data.len())?;
    }
    if aead {
        context.cipher_update(b"additional data", None)?;
    }
    let mut out = vec![0; data.len() + 48];
    let mut written = 0;
    let cuts = if name == "SM4-CCM" { &[] } else { cuts };
    for piece in cut(data, cuts) {
        written += context.cipher_update(piece, Some(&mut out[written..]))?;
    }
    written += context.cipher_final(&mut out[written..])?;
    out.truncate(written);
    if aead && encrypt {
        let mut tag = [0; 16];
        context.tag(&mut tag)?;
        out.extend_from_slice(&tag);
    }
    Ok(out)
}

fn cut<'a>(mut data: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for at in cuts {
        let (piece, rest) = data.split_at(at % (data.len() + 1));
        pieces.push(piece);
        data = rest;
    }
    pieces.push(data);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_pass_between_both_in_any_pieces(
        which in 0..NAMES.len(),
        iv in prop::array::uniform16(any::<u8>()),
        data in prop::collection::vec(any::<u8>(), 1..1200),
        cuts in prop::collection::vec(0..400usize, 0..6),
        padding: bool,
    ) {
        let name = NAMES[which];
        let iv = if name.ends_with("CM") { &iv[..12] } else { &iv };
        let [ours, theirs] = PROVIDERS.map(|provider| message(name, provider, true, iv, &data, &cuts, padding));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}", name);
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return Ok(()) };
        prop_assert_eq!(&ours, &theirs, "{}", name);
        let back = message(name, PROVIDERS[0], false, iv, &ours, &cuts, padding);
        prop_assert_eq!(back.ok(), Some(data), "{}", name);
    }

    #[test]
    fn corrupted_messages_are_answered_alike(
        which in 0..NAMES.len(),
        data in prop::collection::vec(any::<u8>(), 16..200),
        cuts in prop::collection::vec(0..100usize, 0..3),
    ) {
        let name = NAMES[which];
        let iv = if name.ends_with("CM") { &[3; 12][..] } else { &[3; 16] };
        let [ours, theirs] = PROVIDERS.map(|provider| message(name, provider, false, iv, &data, &cuts, true).ok());
        prop_assert_eq!(ours, theirs, "{}", name);
    }

    #[test]
    fn digests_are_the_same_in_any_pieces(
        data in prop::collection::vec(any::<u8>(), 0..500),
        cuts in prop::collection::vec(0..200usize, 0..5),
    ) {
        init(Acceleration::Auto);
        let [ours, theirs] = PROVIDERS.map(|provider| {
            let md = Md::fetch(None, "SM3", Some(provider)).unwrap();
            let mut context = MdCtx::new().unwrap();
            context.digest_init(&md).unwrap();
            for piece in cut(&data, &cuts) {
                context.digest_update(piece).unwrap();
            }
            let mut digest = [0; 32];
            context.digest_final(&mut digest).unwrap();
            digest
        });
        prop_assert_eq!(ours, theirs);
    }
}

/// `EVP_CTRL_GCM_SET_IV_FIXED` and `EVP_CTRL_AEAD_TLS1_AAD`.
const SET_IV_FIXED: c_int = 0x12;
const TLS1_AAD: c_int = 0x16;
const TLCP: u16 = 0x0101;

/// A context as the record layer of TLCP and TLS 1.2 makes one for an AEAD.
fn record_context(name: &str, provider: &str, encrypt: bool) -> CipherCtx {
    let cipher = fetch(name, Some(provider));
    let mut context = CipherCtx::new().unwrap();
    let mut start = |cipher, key| match encrypt {
        true => context.encrypt_init(cipher, key, None).unwrap(),
        false => context.decrypt_init(cipher, key, None).unwrap(),
    };
    start(Some(&*cipher), None);
    if name == "SM4-CCM" {
        context.set_iv_length(12).unwrap();
        context.set_tag_length(16).unwrap();
    }
    match encrypt {
        true => context.encrypt_init(None, Some(&KEY), None).unwrap(),
        false => context.decrypt_init(None, Some(&KEY), None).unwrap(),
    }
    let mut fixed = *b"ivec";
    // SAFETY: the context is alive; the control reads four bytes.
    let done = unsafe {
        sys::EVP_CIPHER_CTX_ctrl(context.as_ptr(), SET_IV_FIXED, 4, fixed.as_mut_ptr().cast())
    };
    assert_eq!(done, 1);
    context
}

/// One record through it, in place: `passed` is what lies between header and end.
fn aead_record(
    context: &mut CipherCtx,
    sequence: u64,
    record: &mut [u8],
    encrypt: bool,
) -> Option<usize> {
    let announced = (record.len() - if encrypt { 16 } else { 0 }) as u16;
    let mut aad = sequence.to_be_bytes().to_vec();
    aad.push(23);
    aad.extend([TLCP, announced].map(u16::to_be_bytes).as_flattened());
    // SAFETY: the context is alive; the control reads 13 bytes.
    let pad = unsafe {
        sys::EVP_CIPHER_CTX_ctrl(context.as_ptr(), TLS1_AAD, 13, aad.as_mut_ptr().cast())
    };
    assert_eq!(pad, 16);
    update_in_place(context, record, record.len())
}

fn update_in_place(context: &mut CipherCtx, buffer: &mut [u8], length: usize) -> Option<usize> {
    let mut written = 0;
    // SAFETY: the buffer has room for the record and its padding.
    let done = unsafe {
        let at = buffer.as_mut_ptr();
        sys::EVP_CipherUpdate(context.as_ptr(), at, &mut written, at, length as c_int)
    };
    (done == 1).then_some(written as usize)
}

#[test]
fn aead_records_pass_between_both() {
    for name in ["SM4-GCM", "SM4-CCM"] {
        for (sender, receiver) in [(0, 1), (1, 0), (0, 0)] {
            let mut out = record_context(name, PROVIDERS[sender], true);
            let mut into = record_context(name, PROVIDERS[receiver], false);
            let mut nonces = Vec::new();
            for (sequence, length) in [0, 1, 15, 16, 17, 239, 240, 256, 1000, 4096, 16384]
                .into_iter()
                .enumerate()
            {
                let content = bytes(length, 7);
                let mut record = [&[0; 8], &content[..], &[0; 16]].concat();
                let sequence = sequence as u64;
                assert_eq!(
                    aead_record(&mut out, sequence, &mut record, true),
                    Some(record.len()),
                    "{name}"
                );
                nonces.push(record[..8].to_vec());
                let mut changed = record.clone();
                changed[8 + length / 2] ^= 1;
                assert_eq!(
                    aead_record(&mut into, sequence, &mut changed, false),
                    None,
                    "{name} {length}"
                );
                assert_eq!(
                    aead_record(&mut into, sequence, &mut record, false),
                    Some(length),
                    "{name} {length}"
                );
                assert_eq!(record[8..8 + length], content, "{name} {length}");
            }
            nonces.sort();
            nonces.dedup();
            assert_eq!(nonces.len(), 11, "{name}: a nonce was used twice");
        }
    }
}

fn parameter(key: &'static CStr, kind: u32, data: *mut c_void, size: usize) -> sys::OSSL_PARAM {
    sys::OSSL_PARAM {
        key: key.as_ptr(),
        data_type: kind,
        data,
        data_size: size,
        return_size: usize::MAX,
    }
}

fn end() -> sys::OSSL_PARAM {
    sys::OSSL_PARAM {
        key: std::ptr::null(),
        data_type: 0,
        data: null_mut(),
        data_size: 0,
        return_size: 0,
    }
}

/// A context as the record layer of TLCP makes one for CBC with a MAC inside.
fn cbc_context(provider: &str, encrypt: bool, version: u16) -> CipherCtx {
    let cipher = fetch("SM4-CBC", Some(provider));
    let mut context = CipherCtx::new().unwrap();
    match encrypt {
        true => context
            .encrypt_init(Some(&cipher), Some(&KEY), Some(&[0; 16]))
            .unwrap(),
        false => context
            .decrypt_init(Some(&cipher), Some(&KEY), Some(&[0; 16]))
            .unwrap(),
    }
    let (mut version, mut mac_size) = (c_int::from(version as i16), 32usize);
    let params = [
        parameter(c"tls-version", 1, (&raw mut version).cast(), 4),
        parameter(c"tls-mac-size", 2, (&raw mut mac_size).cast(), 8),
        end(),
    ];
    // SAFETY: the array ends and lives for the call.
    assert_eq!(
        unsafe { EVP_CIPHER_CTX_set_params(context.as_ptr(), params.as_ptr()) },
        1
    );
    context
}

fn mac_of(context: &mut CipherCtx) -> Vec<u8> {
    let mut mac: *mut c_void = null_mut();
    let mut params = [parameter(c"tls-mac", 7, (&raw mut mac).cast(), 32), end()];
    // SAFETY: the array ends; the pointer given lives until the next call on the context.
    unsafe {
        assert_eq!(
            EVP_CIPHER_CTX_get_params(context.as_ptr(), params.as_mut_ptr()),
            1
        );
        std::slice::from_raw_parts(mac.cast::<u8>(), 32).to_vec()
    }
}

#[test]
fn cbc_records_pass_between_both_and_wrong_padding_shows_only_in_the_mac() {
    for version in [TLCP, 0x0303] {
        for (sender, receiver) in [(0, 1), (1, 0), (0, 0)] {
            let mut out = cbc_context(PROVIDERS[sender], true, version);
            let mut into = cbc_context(PROVIDERS[receiver], false, version);
            for length in (0..70).chain([255, 256, 1000, 16384]) {
                let (iv, content, mac) = (bytes(16, 1), bytes(length, 2), bytes(32, length as u8));
                let mut record = [&iv[..], &content, &mac, &[0; 16]].concat();
                let used = record.len() - 16;
                let sent = update_in_place(&mut out, &mut record, used).unwrap();
                assert_eq!(sent, used / 16 * 16 + 16);
                record.truncate(sent);
                let mut changed = record.clone();
                // The last byte but one of the ciphertext block before the last: the padding of the last block.
                changed[sent - 18] ^= 0x80;
                assert_eq!(
                    update_in_place(&mut into, &mut record, sent),
                    Some(length),
                    "{length}"
                );
                assert_eq!(record[16..16 + length], content, "{length}");
                assert_eq!(mac_of(&mut into), mac, "{length}");
                if used % 16 != 15 {
                    assert_eq!(
                        update_in_place(&mut into, &mut changed, sent),
                        Some(sent - 16 - 32),
                        "{length}"
                    );
                    assert_ne!(mac_of(&mut into), mac, "{length}");
                }
            }
        }
    }
}
