//! SM2 ciphertexts (GM/T 0009 §7.2) in their encodings: DER, C1C3C2 and C1C2C3.

use openssl::pkey_ctx::PkeyCtx;
use zeroize::Zeroizing;

use crate::der::{self, Reader};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::public_key::PublicKey;

/// A ciphertext: the point C1, the hash C3 and the masked text C2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sm2Cipher {
    /// X of C1.
    pub x: [u8; 32],
    /// Y of C1.
    pub y: [u8; 32],
    /// C3.
    pub hash: [u8; 32],
    /// C2, as long as the plain text.
    pub text: Vec<u8>,
}

const WHAT: &str = "an SM2 ciphertext";

impl Sm2Cipher {
    /// Encrypts a short text to a public key.
    pub fn encrypt(key: &PublicKey, plain: &[u8]) -> Result<Self> {
        let encrypt = || {
            let mut context = PkeyCtx::new(key.pkey())?;
            context.encrypt_init()?;
            let mut out = Vec::new();
            context.encrypt_to_vec(plain, &mut out)?;
            Ok(out)
        };
        Self::from_der(&encrypt().map_err(Error::crypto("encrypt to the SM2 key"))?)
    }

    /// Decrypts; fails unless the hash proves the text.
    pub fn decrypt(&self, key: &Key) -> Result<Zeroizing<Vec<u8>>> {
        let der = self.to_der();
        let decrypt = || {
            let mut context = PkeyCtx::new(key.pkey())?;
            context.decrypt_init()?;
            let mut out = Zeroizing::new(Vec::new());
            context.decrypt_to_vec(&der, &mut out)?;
            Ok::<_, openssl::error::ErrorStack>(out)
        };
        decrypt().map_err(|_| Error::Refused("this private key does not open the envelope; it is wrapped to another key, or damaged".to_owned()))
    }

    /// Reads SM2Cipher, `SEQUENCE { x INTEGER, y INTEGER, hash OCTET STRING, text OCTET STRING }`.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let mut content = Reader::whole_sequence(der, WHAT)?;
        let x = padded(content.unsigned()?)?;
        let y = padded(content.unsigned()?)?;
        let hash = content.octets()?;
        let hash = hash.try_into().map_err(|_| {
            content.wrong(format!("a hash of {} bytes where 32 belong", hash.len()))
        })?;
        let text = content.octets()?.to_vec();
        content.end()?;
        Ok(Self { x, y, hash, text })
    }

    /// Writes SM2Cipher.
    pub fn to_der(&self) -> Vec<u8> {
        der::sequence([
            der::unsigned(&self.x),
            der::unsigned(&self.y),
            der::octet_string(&self.hash),
            der::octet_string(&self.text),
        ])
    }

    /// Reads C1 ‖ C3 ‖ C2, without a leading 04.
    pub fn from_c1c3c2(bytes: &[u8]) -> Result<Self> {
        let (x, y, rest) = split_point(bytes)?;
        let (hash, text) = rest.split_first_chunk().ok_or_else(too_short)?;
        Ok(Self {
            x,
            y,
            hash: *hash,
            text: text.to_vec(),
        })
    }

    /// Reads C1 ‖ C2 ‖ C3, without a leading 04, as SADK before 3.2 wrote it.
    pub fn from_c1c2c3(bytes: &[u8]) -> Result<Self> {
        let (x, y, rest) = split_point(bytes)?;
        let (text, hash) = rest.split_last_chunk().ok_or_else(too_short)?;
        Ok(Self {
            x,
            y,
            hash: *hash,
            text: text.to_vec(),
        })
    }

    /// Decrypts bytes of unknown encoding: the hash tells which one is right.
    pub fn decrypt_any(bytes: &[u8], key: &Key) -> Result<Zeroizing<Vec<u8>>> {
        if let Ok(cipher) = Self::from_der(bytes) {
            return cipher.decrypt(key);
        }
        // A leading 04 may mark an uncompressed point, or be the first byte of X.
        let unmarked = bytes.strip_prefix(&[4]).unwrap_or(bytes);
        let mut last = None;
        for candidate in [unmarked, bytes] {
            for read in [Self::from_c1c3c2, Self::from_c1c2c3] {
                match read(candidate).and_then(|cipher| cipher.decrypt(key)) {
                    Ok(plain) => return Ok(plain),
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(last.unwrap_or_else(too_short))
    }
}

fn split_point(bytes: &[u8]) -> Result<([u8; 32], [u8; 32], &[u8])> {
    let (x, rest) = bytes.split_first_chunk().ok_or_else(too_short)?;
    let (y, rest) = rest.split_first_chunk().ok_or_else(too_short)?;
    Ok((*x, *y, rest))
}

fn too_short() -> Error {
    Error::malformed(WHAT, "fewer bytes than a point and a hash have")
}

fn padded(digits: &[u8]) -> Result<[u8; 32]> {
    let mut out = [0; 32];
    let start = 32usize
        .checked_sub(digits.len())
        .ok_or_else(|| Error::malformed(WHAT, "a coordinate above 32 bytes"))?;
    out[start..].copy_from_slice(digits);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        crate::issue::Serial::from_hex(hex)
            .unwrap()
            .bytes()
            .to_vec()
    }

    /// GB/T 32918.5 annex C: d, and the ciphertext of "encryption standard".
    fn example() -> (Key, Sm2Cipher) {
        let d = bytes("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8");
        let array = |hex: &str| -> [u8; 32] { bytes(hex).try_into().unwrap() };
        let cipher = Sm2Cipher {
            x: array("04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73"),
            y: array("E858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0"),
            hash: array("59983C18F809E262923C53AEC295D30383B54E39D609D160AFCB1908D0BD8766"),
            text: bytes("21886CA989CA9C7D58087307CA93092D651EFA"),
        };
        (
            Key::from_sm2_secret(&d.try_into().unwrap()).unwrap(),
            cipher,
        )
    }

    #[test]
    fn the_example_of_gb_t_32918_5_decrypts_in_every_encoding() {
        let (key, cipher) = example();
        let point = [cipher.x, cipher.y].concat();
        let newer = [&point, &cipher.hash[..], &cipher.text].concat();
        let older = [&point, &cipher.text[..], &cipher.hash].concat();
        let marked = [&[4], &newer[..]].concat();
        for encoded in [cipher.to_der(), newer, older, marked] {
            assert_eq!(
                *Sm2Cipher::decrypt_any(&encoded, &key).unwrap(),
                b"encryption standard"
            );
        }
        assert_eq!(*cipher.decrypt(&key).unwrap(), b"encryption standard");
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let (key, cipher) = example();
        let der = cipher.to_der();
        for at in 0..der.len() {
            let mut damaged = der.clone();
            damaged[at] ^= 1;
            let opened = Sm2Cipher::from_der(&damaged).and_then(|cipher| cipher.decrypt(&key));
            assert!(opened.is_err(), "byte {at}");
        }
    }
}
