//! Private keys under a password: PKCS#8 EncryptedPrivateKeyInfo with PBES2 (RFC 8018 §6.2).
//!
//! Tongsuo and GmSSL name HMAC-SM3 by different identifiers and cannot read each other's keys;
//! this module reads both, and writes either.

use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::symm::{self, Cipher};
use zeroize::Zeroizing;

use crate::der::{self, Reader, tag};
use crate::error::{Error, Result};
use crate::oid::{self, Oid};

/// Which identifier says HMAC-SM3 in what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// 1.2.156.10197.1.401.3.1 with NULL: Tongsuo, OpenSSL, and `alb` itself.
    #[default]
    Tongsuo,
    /// 1.2.156.10197.1.401.2 without parameters: GmSSL, gmsm.
    GmSsl,
}

/// Rounds of PBKDF2 that are written: GmSSL's figure, some 35 ms of a core.
const ITERATIONS: u64 = 65_536;
/// Rounds that are read: above it, opening a key would be an attack on our time.
const MAX_ITERATIONS: u64 = 4_000_000;
const SM4_LENGTH: usize = 16;
const WHAT: &str = "an encrypted private key (PKCS#8 with PBES2)";

/// Encrypts a PrivateKeyInfo with SM4-CBC under HMAC-SM3.
pub fn encrypt(private_key_info: &[u8], password: &[u8], dialect: Dialect) -> Result<Vec<u8>> {
    let (mut salt, mut iv) = ([0; 16], [0; SM4_LENGTH]);
    openssl::rand::rand_bytes(&mut salt).map_err(Error::crypto("make a salt"))?;
    openssl::rand::rand_bytes(&mut iv).map_err(Error::crypto("make an initialisation vector"))?;
    let key = derive(
        password,
        &salt,
        ITERATIONS,
        MessageDigest::sm3(),
        SM4_LENGTH,
    )?;
    let encrypted = symm::encrypt(Cipher::sm4_cbc(), &key, Some(&iv), private_key_info)
        .map_err(Error::crypto("encrypt the private key"))?;
    let prf = match dialect {
        Dialect::Tongsuo => der::sequence([der::object_id(&oid::HMAC_SM3), der::null()]),
        Dialect::GmSsl => der::sequence([der::object_id(&oid::SM3_KEYED)]),
    };
    let derivation = der::sequence([
        der::octet_string(&salt),
        der::integer(ITERATIONS),
        der::integer(SM4_LENGTH as u64),
        prf,
    ]);
    let scheme = der::sequence([
        der::sequence([der::object_id(&oid::PBKDF2), derivation]),
        der::sequence([der::object_id(&oid::SM4_CBC), der::octet_string(&iv)]),
    ]);
    Ok(der::sequence([
        der::sequence([der::object_id(&oid::PBES2), scheme]),
        der::octet_string(&encrypted),
    ]))
}

/// Decrypts to a PrivateKeyInfo. A wrong password is an error that says so.
pub fn decrypt(encrypted_private_key_info: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let mut content = Reader::whole_sequence(encrypted_private_key_info, WHAT)?;
    let mut scheme = content.sequence()?;
    let ciphertext = content.octets()?;
    content.end()?;
    let kind = scheme.object_id()?;
    if kind != oid::PBES2 && kind != oid::GM_PBES2 {
        return Err(scheme.wrong(format!(
            "the scheme `{}`, where PBES2 is read",
            named(&kind)
        )));
    }
    let mut parameters = scheme.sequence()?;
    let derivation = Derivation::parse(parameters.sequence()?)?;
    let (cipher, iv) = parse_cipher(parameters.sequence()?)?;
    if derivation
        .key_length
        .is_some_and(|length| length != cipher.key_len() as u64)
    {
        return Err(parameters.wrong("a key length that is not the cipher's"));
    }
    let key = derive(
        password,
        derivation.salt,
        derivation.iterations,
        derivation.digest,
        cipher.key_len(),
    )?;
    let plain = symm::decrypt(cipher, &key, Some(iv), ciphertext).map(Zeroizing::new);
    let wrong =
        || Error::Refused("the password is wrong (or the encrypted key is damaged)".to_owned());
    let plain = plain.map_err(|_| wrong())?;
    // One wrong password in 256 gives valid padding; what comes out then is no PrivateKeyInfo.
    Reader::whole_sequence(&plain, "a private key").map_err(|_| wrong())?;
    Ok(plain)
}

/// Whether these bytes look like an EncryptedPrivateKeyInfo: `SEQUENCE { SEQUENCE { PBES…`.
pub fn is_encrypted(bytes: &[u8]) -> bool {
    let kind = || {
        let mut content = Reader::whole_sequence(bytes, WHAT)?;
        let kind = content.sequence()?.object_id()?;
        content.octets()?;
        Ok::<_, Error>(kind)
    };
    kind().is_ok()
}

/// How a key is encrypted, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The cipher.
    pub cipher: String,
    /// The function that makes a key of the password, and its rounds.
    pub derivation: String,
}

/// Says how a key is encrypted, without opening it.
pub fn describe(encrypted_private_key_info: &[u8]) -> Result<Facts> {
    let mut scheme = Reader::whole_sequence(encrypted_private_key_info, WHAT)?.sequence()?;
    let kind = scheme.object_id()?;
    if kind != oid::PBES2 && kind != oid::GM_PBES2 {
        return Ok(Facts {
            cipher: named(&kind),
            derivation: "part of the scheme".to_owned(),
        });
    }
    let mut parameters = scheme.sequence()?;
    let mut derivation = parameters.sequence()?;
    let function = derivation.object_id()?;
    let mut details = derivation.sequence()?;
    details.octets()?;
    let rounds = details.small()?;
    details.optional(tag::INTEGER)?;
    let prf = details
        .optional(tag::SEQUENCE)?
        .map(|prf| prf.reader(WHAT).object_id())
        .transpose()?
        .unwrap_or(oid::HMAC_SHA1);
    let cipher = parameters.sequence()?.object_id()?;
    Ok(Facts {
        cipher: named(&cipher),
        derivation: format!("{}, {}, {rounds} rounds", named(&function), named(&prf)),
    })
}

/// The parameters of PBKDF2.
struct Derivation<'a> {
    salt: &'a [u8],
    iterations: u64,
    key_length: Option<u64>,
    digest: MessageDigest,
}

impl<'a> Derivation<'a> {
    fn parse(mut algorithm: Reader<'a>) -> Result<Self> {
        let kind = algorithm.object_id()?;
        if kind != oid::PBKDF2 && kind != oid::GM_PBKDF2 {
            return Err(algorithm.wrong(format!(
                "the key derivation `{}`, where PBKDF2 is read",
                named(&kind)
            )));
        }
        let mut parameters = algorithm.sequence()?;
        let salt = parameters.octets()?;
        let iterations = parameters.small()?;
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return Err(parameters.wrong(format!(
                "{iterations} rounds of PBKDF2; 1 to {MAX_ITERATIONS} are read"
            )));
        }
        let key_length = if parameters.peek() == Some(tag::INTEGER) {
            Some(parameters.small()?)
        } else {
            None
        };
        let digest = match parameters.optional(tag::SEQUENCE)? {
            Some(prf) => digest_of(&prf.reader(WHAT).object_id()?)?,
            // RFC 8018 appendix A.2: the default.
            None => MessageDigest::sha1(),
        };
        Ok(Self {
            salt,
            iterations,
            key_length,
            digest,
        })
    }
}

fn digest_of(prf: &Oid) -> Result<MessageDigest> {
    if *prf == oid::HMAC_SM3 || *prf == oid::SM3_KEYED || *prf == oid::SM3 {
        Ok(MessageDigest::sm3())
    } else if *prf == oid::HMAC_SHA256 {
        Ok(MessageDigest::sha256())
    } else if *prf == oid::HMAC_SHA1 {
        Ok(MessageDigest::sha1())
    } else {
        Err(Error::malformed(
            WHAT,
            format!(
                "the function `{}`, where HMAC-SM3, -SHA256 or -SHA1 is read",
                named(prf)
            ),
        ))
    }
}

fn parse_cipher<'a>(mut algorithm: Reader<'a>) -> Result<(Cipher, &'a [u8])> {
    let kind = algorithm.object_id()?;
    let iv = algorithm.octets()?;
    let cipher = if kind == oid::SM4_CBC || kind == oid::SM4 {
        Cipher::sm4_cbc()
    } else if kind == oid::AES128_CBC {
        Cipher::aes_128_cbc()
    } else if kind == oid::AES256_CBC {
        Cipher::aes_256_cbc()
    } else {
        return Err(algorithm.wrong(format!(
            "the cipher `{}`, where SM4-CBC or AES-CBC is read",
            named(&kind)
        )));
    };
    if iv.len() != 16 {
        return Err(algorithm.wrong(format!(
            "an initialisation vector of {} bytes where 16 belong",
            iv.len()
        )));
    }
    Ok((cipher, iv))
}

fn derive(
    password: &[u8],
    salt: &[u8],
    iterations: u64,
    digest: MessageDigest,
    length: usize,
) -> Result<Zeroizing<Vec<u8>>> {
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2_hmac(password, salt, iterations as usize, digest, &mut key)
        .map_err(Error::crypto("derive a key from the password"))?;
    Ok(key)
}

fn named(oid: &Oid) -> String {
    oid.name().map_or_else(|| oid.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &[u8] = &[0x30, 3, 2, 1, 5];

    #[test]
    fn both_dialects_open_with_their_password_only() {
        for dialect in [Dialect::Tongsuo, Dialect::GmSsl] {
            let encrypted = encrypt(PLAIN, b"secret", dialect).unwrap();
            assert!(is_encrypted(&encrypted));
            assert_eq!(*decrypt(&encrypted, b"secret").unwrap(), PLAIN);
            let error = decrypt(&encrypted, b"Secret").unwrap_err();
            assert!(error.to_string().contains("password is wrong"), "{error}");
        }
    }

    #[test]
    fn rounds_beyond_the_bound_are_refused_before_they_are_counted() {
        let mut encrypted = encrypt(PLAIN, b"secret", Dialect::Tongsuo).unwrap();
        let at = encrypted
            .windows(5)
            .position(|bytes| bytes == [2, 3, 1, 0, 0])
            .unwrap();
        encrypted[at + 2] = 0x7f;
        let error = decrypt(&encrypted, b"secret").unwrap_err().to_string();
        assert!(error.contains("rounds"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damaged_keys_are_refused_without_panic(at in 0usize..70, bit in 0u8..8) {
            // The header only: damage in the ciphertext costs a full derivation.
            let mut encrypted = encrypt(PLAIN, b"secret", Dialect::GmSsl).unwrap();
            encrypted[at] ^= 1 << bit;
            let _ = decrypt(&encrypted, b"secret");
        }
    }
}
