//! Pairwise consistency: what a generated private key does, its public key must undo.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::{Signer, Verifier};

use super::{Named, Outcome, expect, refused};

/// The checks and their names.
pub(super) const ALL: &[Named] = &[
    ("SM2 generated pair signs and verifies", sign_and_verify),
    (
        "SM2 generated pair encrypts and decrypts",
        encrypt_and_decrypt,
    ),
];

const MESSAGE: &[u8] = b"pairwise consistency";

fn generate() -> Result<PKey<Private>, ErrorStack> {
    let mut context = PkeyCtx::new_id(Id::SM2)?;
    context.keygen_init()?;
    context.keygen()
}

fn sign_and_verify() -> Outcome {
    let check = || -> Result<bool, ErrorStack> {
        let (key, digest) = (
            generate()?,
            MessageDigest::from_nid(Nid::SM3).ok_or_else(ErrorStack::get)?,
        );
        let signature = Signer::new(digest, &key)?.sign_oneshot_to_vec(MESSAGE)?;
        Verifier::new(digest, &key)?.verify_oneshot(&signature, MESSAGE)
    };
    match check().map_err(refused)? {
        true => Ok(()),
        false => Err("the public key refuses what the private key signed".to_owned()),
    }
}

fn encrypt_and_decrypt() -> Outcome {
    let check = || -> Result<Vec<u8>, ErrorStack> {
        let key = generate()?;
        let (mut ciphertext, mut message) = (Vec::new(), Vec::new());
        let mut context = PkeyCtx::new(&key)?;
        context.encrypt_init()?;
        context.encrypt_to_vec(MESSAGE, &mut ciphertext)?;
        context.decrypt_init()?;
        context.decrypt_to_vec(&ciphertext, &mut message)?;
        Ok(message)
    };
    expect(&check().map_err(refused)?, MESSAGE)
}
