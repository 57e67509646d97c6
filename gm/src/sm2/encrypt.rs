//! Encryption and decryption (GB/T 32918.4-2016, 6 and 7).

use zeroize::{Zeroize, Zeroizing};

use super::arith::{Arith, with_arith};
use super::ciphertext::Ciphertext;
use super::encoding::encode_coordinates;
use super::key::{PrivateKey, PublicKey, random_scalar};
use super::limbs::Mask;
use super::multiply::{multiply_base, multiply_point};
use super::point::Affine;
use super::random::{Random, RandomError};
use super::scalar::Scalar;
use crate::sm3::{DIGEST_LEN, Sm3, x963_blocks};

impl PublicKey {
    /// Encrypts `message`, which has at least one byte.
    pub fn encrypt(
        &self,
        message: &[u8],
        random: &mut impl Random,
    ) -> Result<Ciphertext, EncryptError> {
        if message.is_empty() {
            return Err(EncryptError::Empty);
        }
        with_arith!(A => encrypt::<A>(self, message, random))
    }
}

impl PrivateKey {
    /// Decrypts, and checks C3. The message is handed out only if that holds.
    pub fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        with_arith!(A => decrypt::<A>(self, ciphertext))
    }
}

/// Length of a TLCP premaster secret in bytes.
pub const PREMASTER_LEN: usize = 48;

impl PrivateKey {
    /// Decrypts a premaster secret that must begin with `version`, or gives `fallback` where anything is wrong with it.
    /// Which of the two it was does not show in the time (implicit rejection; GB/T 38636-2020, 6.4.5.8 checks the version).
    pub fn decrypt_premaster(
        &self,
        ciphertext: &Ciphertext,
        version: [u8; 2],
        fallback: &[u8; PREMASTER_LEN],
    ) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(fallback.to_vec());
        if ciphertext.message_len() == PREMASTER_LEN {
            let (message, valid) = with_arith!(A => open::<A>(self, ciphertext));
            let version_differs = (message[0] ^ version[0]) | (message[1] ^ version[1]);
            let good = valid.and(Mask::is_zero(u64::from(version_differs))).word() as u8;
            for (out, byte) in out.iter_mut().zip(message.iter()) {
                *out ^= good & (*out ^ byte);
            }
        }
        out
    }
}

fn encrypt<A: Arith>(
    key: &PublicKey,
    message: &[u8],
    random: &mut impl Random,
) -> Result<Ciphertext, EncryptError> {
    loop {
        let k = random_scalar(random)?;
        let secret = Shared::new::<A>(key.point(), &k);
        let mut c2 = message.to_vec();
        if secret.mask(&mut c2).reveal() {
            continue; // step A5: a mask of zeros would show the message; try another k
        }
        let c1 = PublicKey::from_point(multiply_base::<A>(&k).to_affine::<A>());
        return Ok(Ciphertext {
            c1,
            c3: secret.digest(message),
            c2,
        });
    }
}

fn decrypt<A: Arith>(
    key: &PrivateKey,
    ciphertext: &Ciphertext,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let (message, valid) = open::<A>(key, ciphertext);
    if valid.reveal() {
        Ok(message)
    } else {
        Err(DecryptError)
    }
}

/// What is inside, and whether C3 says that it is what was put there.
fn open<A: Arith>(key: &PrivateKey, ciphertext: &Ciphertext) -> (Zeroizing<Vec<u8>>, Mask) {
    let secret = Shared::new::<A>(ciphertext.c1.point(), key.d());
    let mut message = Zeroizing::new(ciphertext.c2.clone());
    let zeros = secret.mask(&mut message);
    let digest = secret.digest(&message);
    let difference = digest
        .iter()
        .zip(&ciphertext.c3)
        .fold(0, |acc, (a, b)| acc | (a ^ b));
    (
        message,
        Mask::is_zero(u64::from(difference)).and(zeros.not()),
    )
}

/// The point (x2, y2) both sides know, as bytes.
struct Shared([u8; 64]);

impl Shared {
    /// scalar·point. Neither is infinity or zero, so neither is the product: the group has prime order.
    fn new<A: Arith>(point: &Affine, scalar: &Scalar) -> Self {
        let mut product = multiply_point::<A>(point, scalar);
        let mut affine = product.to_affine::<A>();
        let out = Self(encode_coordinates(&affine));
        product.zeroize();
        affine.zeroize();
        out
    }

    /// Adds the key stream KDF(x2 ‖ y2) to `data`, and tells whether the stream was all zeros.
    fn mask(&self, data: &mut [u8]) -> Mask {
        let mut prefix = Sm3::new();
        prefix.update(&self.0);
        let mut any = 0;
        for (chunk, block) in data.chunks_mut(DIGEST_LEN).zip(x963_blocks(&prefix)) {
            let block = Zeroizing::new(block);
            for (byte, mask) in chunk.iter_mut().zip(block.iter()) {
                *byte ^= mask;
                any |= mask;
            }
        }
        Mask::is_zero(u64::from(any))
    }

    /// C3 = SM3(x2 ‖ message ‖ y2).
    fn digest(&self, message: &[u8]) -> [u8; 32] {
        let mut hash = Sm3::new();
        hash.update(&self.0[..32]);
        hash.update(message);
        hash.update(&self.0[32..]);
        hash.finish()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Why nothing was encrypted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    /// SM2 has no encryption of nothing (GB/T 32918.4-2016, 5.4.3: the key stream has a length above zero).
    #[error("an empty message cannot be encrypted with SM2")]
    Empty,
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The ciphertext was not made for this key, or was changed on the way. It does not say which, nor where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext does not decrypt with this key")]
pub struct DecryptError;
