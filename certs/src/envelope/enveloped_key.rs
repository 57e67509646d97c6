//! SM2EnvelopedKey (GM/T 0009-2012 §7.4, the same in GB/T 35276 §7.4).

use openssl::symm::{Cipher, Crypter, Mode};
use zeroize::Zeroizing;

use super::{Sm2Cipher, key_of};
use crate::der::{self, Reader, tag};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::oid;
use crate::public_key::PublicKey;

const WHAT: &str = "an SM2EnvelopedKey";

/// Wraps an encryption key to a signing key.
pub fn seal(recipient: &PublicKey, key: &Key) -> Result<Vec<u8>> {
    let mut session = Zeroizing::new([0; 16]);
    openssl::rand::rand_priv_bytes(&mut session[..])
        .map_err(Error::crypto("make a session key"))?;
    let point = key
        .public_key()?
        .sm2_point()
        .ok_or_else(|| Error::Refused("only an SM2 key fits an SM2EnvelopedKey".to_owned()))?;
    let encrypted = sm4_ecb(Mode::Encrypt, &session[..], &key.sm2_secret()?[..])?;
    Ok(der::sequence([
        der::sequence([der::object_id(&oid::SM4_ECB)]),
        Sm2Cipher::encrypt(recipient, &session[..])?.to_der(),
        der::bit_string(&point),
        der::bit_string(&encrypted),
    ]))
}

/// Unwraps it.
pub fn open(der: &[u8], key: &Key) -> Result<Key> {
    open_content(Reader::whole_sequence(der, WHAT)?, key)
}

/// Unwraps it from its content, for an IMPLICIT tag around it.
pub fn open_content(mut content: Reader<'_>, key: &Key) -> Result<Key> {
    let algorithm = content.sequence()?.object_id()?;
    if algorithm != oid::SM4_ECB && algorithm != oid::SM4 {
        let name = algorithm
            .name()
            .map_or_else(|| algorithm.to_string(), str::to_owned);
        return Err(content.wrong(format!(
            "the cipher `{name}`; SM4 is read (SM1 needs the token's hardware)"
        )));
    }
    let cipher = Sm2Cipher::from_der(content.expect(tag::SEQUENCE)?.encoded)?;
    let point = content.bits()?;
    let encrypted = content.bits()?;
    content.end()?;
    let session = cipher.decrypt(key)?;
    // 32 bytes, or 64 from those who copied the token's field with its leading zeros.
    key_of(&sm4_ecb(Mode::Decrypt, &session, encrypted)?, Some(point))
}

/// SM4-ECB without padding over whole blocks.
pub fn sm4_ecb(mode: Mode, session_key: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if session_key.len() != 16 {
        return Err(Error::malformed(
            "an SM4 session key",
            format!("{} bytes where 16 belong", session_key.len()),
        ));
    }
    if data.is_empty() || !data.len().is_multiple_of(16) {
        return Err(Error::malformed(
            "an encrypted private key",
            format!("{} bytes, not whole SM4 blocks of 16", data.len()),
        ));
    }
    let run = || {
        let mut crypter = Crypter::new(Cipher::sm4_ecb(), mode, session_key, None)?;
        crypter.pad(false);
        let mut out = Zeroizing::new(vec![0; data.len() + 16]);
        let mut length = crypter.update(data, &mut out)?;
        length += crypter.finalize(&mut out[length..])?;
        out.truncate(length);
        Ok(out)
    };
    run().map_err(Error::crypto("run SM4 over the private key"))
}
