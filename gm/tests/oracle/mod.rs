//! Shared by the tests of the primitives: hex, and Tongsuo's own SM2 as an oracle.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::{Signer, Verifier};

/// Bytes of hexadecimal digits; blanks and line ends are skipped.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("hex digit"))
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// As [`hex`], for a value of known length.
pub fn hex_array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().expect("length")
}

/// A source that gives these bytes once, and then fails: it fixes a nonce, and shows that only one was drawn.
pub fn once(bytes: [u8; 32]) -> impl FnMut(&mut [u8]) -> Result<(), alb_gm::sm2::RandomError> {
    let mut bytes = Some(bytes);
    move |out| match bytes.take() {
        Some(bytes) => {
            out.copy_from_slice(&bytes);
            Ok(())
        }
        None => Err(alb_gm::sm2::RandomError("drawn twice".into())),
    }
}

/// Tongsuo's own SM2 under one key.
pub struct Tongsuo(PKey<Private>);

impl Tongsuo {
    pub fn new(d: &[u8; 32]) -> Self {
        let group = EcGroup::from_curve_name(Nid::SM2).expect("curve");
        let d = BigNum::from_slice(d).expect("number");
        let mut context = openssl::bn::BigNumContext::new().expect("context");
        let mut point = EcPoint::new(&group).expect("point");
        point
            .mul_generator2(&group, &d, &mut context)
            .expect("multiplication");
        let key = EcKey::from_private_components(&group, &d, &point).expect("key");
        Self(PKey::from_ec_key(key).expect("key"))
    }

    /// A DER signature under the default identifier.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = MessageDigest::from_nid(Nid::SM3).expect("SM3");
        let mut signer = Signer::new(digest, &self.0).expect("signer");
        signer.sign_oneshot_to_vec(message).expect("signature")
    }

    /// Whether a DER signature under the default identifier holds.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let digest = MessageDigest::from_nid(Nid::SM3).expect("SM3");
        let mut verifier = Verifier::new(digest, &self.0).expect("verifier");
        verifier.verify_oneshot(signature, message).unwrap_or(false)
    }

    /// A DER ciphertext.
    pub fn encrypt(&self, message: &[u8]) -> Vec<u8> {
        let mut context = PkeyCtx::new(&self.0).expect("context");
        context.encrypt_init().expect("init");
        let mut out = Vec::new();
        context
            .encrypt_to_vec(message, &mut out)
            .expect("encryption");
        out
    }

    /// The message of a DER ciphertext.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        let mut context = PkeyCtx::new(&self.0).expect("context");
        context.decrypt_init().expect("init");
        let mut out = Vec::new();
        context.decrypt_to_vec(ciphertext, &mut out).ok()?;
        Some(out)
    }
}
