//! Wrapped keys as C structures: SKF ENVELOPEDKEYBLOB (GM/T 0016 §6.4.10) and SDF EnvelopedKeyBlob (GM/T 0018).
//!
//! Little-endian and packed. `ULONG` has 4 bytes in tokens; `unsigned long` has 4 or 8 in cards' libraries.
//! Coordinates stand right-aligned in fields of 64 bytes.

use openssl::symm::Mode;

use super::{Form, Sm2Cipher, enveloped_key::sm4_ecb, key_of};
use crate::error::{Error, Result};
use crate::key::Key;

const FIELD: usize = 64;
const PUBLIC_KEY: usize = 4 + 2 * FIELD;
/// x, y, hash and length, before the encrypted session key.
const CIPHER_HEAD: usize = 2 * FIELD + 32 + 4;
const SGD_SM1_ECB: u64 = 0x101;
const SGD_SM4_ECB: u64 = 0x401;

/// Tells a blob by its version 1, its algorithm and its size.
pub fn detect(bytes: &[u8]) -> Option<Form> {
    // A blob is larger than its fixed parts, and begins with a small number no DER begins with.
    if bytes.len() < 12 + FIELD + PUBLIC_KEY + CIPHER_HEAD || bytes.first() != Some(&1) {
        return None;
    }
    let width = header_width(bytes)?;
    match number(bytes, 2 * width, width) {
        Some(256) => Some(Form::Skf),
        // In an SDF blob the ciphertext follows, whose X has 32 leading zeros.
        Some(0) => Some(Form::Sdf),
        _ => None,
    }
}

/// Opens ENVELOPEDKEYBLOB { version, algorithm, bits, key\[64\], public key, ciphertext }.
pub fn open_skf(bytes: &[u8], key: &Key) -> Result<Key> {
    const WHAT: &str = "an SKF ENVELOPEDKEYBLOB";
    let width = header_width(bytes)
        .ok_or_else(|| Error::malformed(WHAT, "another version or algorithm"))?;
    let encrypted = slice(bytes, 3 * width, FIELD, WHAT)?;
    let public_key = slice(bytes, 3 * width + FIELD, PUBLIC_KEY, WHAT)?;
    let cipher = cipher(&bytes[3 * width + FIELD + PUBLIC_KEY..], WHAT)?;
    unwrap(bytes, width, encrypted, public_key, &cipher, key)
}

/// Opens EnvelopedKeyBlob { version, algorithm, ciphertext, public key, key\[64\] }; the ciphertext's room varies.
pub fn open_sdf(bytes: &[u8], key: &Key) -> Result<Key> {
    const WHAT: &str = "an SDF EnvelopedKeyBlob";
    let width = header_width(bytes)
        .ok_or_else(|| Error::malformed(WHAT, "another version or algorithm"))?;
    let from_end = |size: usize| {
        bytes
            .len()
            .checked_sub(size)
            .ok_or_else(|| Error::malformed(WHAT, "too few bytes"))
    };
    let (key_at, public_key_at) = (from_end(FIELD)?, from_end(FIELD + PUBLIC_KEY)?);
    let cipher_bytes = bytes
        .get(2 * width..public_key_at)
        .ok_or_else(|| Error::malformed(WHAT, "too few bytes"))?;
    let cipher = cipher(cipher_bytes, WHAT)?;
    unwrap(
        bytes,
        width,
        &bytes[key_at..],
        &bytes[public_key_at..key_at],
        &cipher,
        key,
    )
}

fn unwrap(
    bytes: &[u8],
    width: usize,
    encrypted: &[u8],
    public_key: &[u8],
    cipher: &Sm2Cipher,
    key: &Key,
) -> Result<Key> {
    if number(bytes, width, width) == Some(SGD_SM1_ECB) {
        let message = "the key is encrypted with SM1, which only the token or card can decrypt; import it there, or ask for SM4";
        return Err(Error::Refused(message.to_owned()));
    }
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&public_key[4 + 32..4 + FIELD]);
    point[33..].copy_from_slice(&public_key[4 + FIELD + 32..]);
    let session = cipher.decrypt(key)?;
    // The 32 bytes of the key stand encrypted in 64: as a whole field, right-aligned or left-aligned. The point tells.
    let (left, right) = encrypted.split_at(32);
    let mut last = None;
    for candidate in [encrypted, right, left] {
        match sm4_ecb(Mode::Decrypt, &session, candidate)
            .and_then(|secret| key_of(&secret, Some(&point)))
        {
            Ok(key) => return Ok(key),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::malformed("a wrapped key", "nothing")))
}

fn cipher(bytes: &[u8], what: &'static str) -> Result<Sm2Cipher> {
    let coordinate = |at: usize| -> Result<[u8; 32]> {
        let field = slice(bytes, at, FIELD, what)?;
        field[32..]
            .try_into()
            .map_err(|_| Error::malformed(what, "a short coordinate"))
    };
    let hash = slice(bytes, 2 * FIELD, 32, what)?;
    let length = number(bytes, 2 * FIELD + 32, 4).unwrap_or(0);
    if length != 16 {
        return Err(Error::malformed(
            what,
            format!("an encrypted session key of {length} bytes where 16 belong"),
        ));
    }
    Ok(Sm2Cipher {
        x: coordinate(0)?,
        y: coordinate(FIELD)?,
        hash: hash
            .try_into()
            .map_err(|_| Error::malformed(what, "a short hash"))?,
        text: slice(bytes, CIPHER_HEAD, 16, what)?.to_vec(),
    })
}

/// 4 or 8: with which width version and algorithm make sense.
fn header_width(bytes: &[u8]) -> Option<usize> {
    [4, 8].into_iter().find(|&width| {
        number(bytes, 0, width) == Some(1)
            && matches!(number(bytes, width, width), Some(SGD_SM1_ECB | SGD_SM4_ECB))
    })
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let digits = bytes.get(at..at + width)?;
    Some(
        digits
            .iter()
            .rev()
            .fold(0, |value, &digit| value << 8 | u64::from(digit)),
    )
}

fn slice<'a>(bytes: &'a [u8], at: usize, length: usize, what: &'static str) -> Result<&'a [u8]> {
    let wrong = || {
        Error::malformed(
            what,
            format!(
                "{} bytes where at least {} belong",
                bytes.len(),
                at + length
            ),
        )
    };
    bytes.get(at..at + length).ok_or_else(wrong)
}
