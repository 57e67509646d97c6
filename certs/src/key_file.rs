//! Reads a private key from whatever a file holds: PKCS#8 plain or encrypted, SEC1, PKCS#1; PEM or DER.

use openssl::pkey::PKey;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::key::Key;
use crate::pem::{self, Block};
use crate::pkcs8;

/// What a key file was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Anybody who can read the file has the key.
    None,
    /// A password is needed.
    Password,
}

/// Whether a file holds a key that needs a password.
pub fn protection(bytes: &[u8]) -> Result<Protection> {
    let (_, encrypted) = find(bytes)?;
    Ok(if encrypted {
        Protection::Password
    } else {
        Protection::None
    })
}

/// Reads a key; `password` is asked for only if the file is encrypted.
pub fn read(bytes: &[u8], password: impl FnOnce() -> Result<Zeroizing<Vec<u8>>>) -> Result<Key> {
    let (content, encrypted) = find(bytes)?;
    let plain = if encrypted {
        pkcs8::decrypt(&content, &password()?)?
    } else {
        content
    };
    let pkey = PKey::private_key_from_der(&plain).map_err(|_| {
        Error::malformed(
            "a private key",
            "a structure Tongsuo does not read as PKCS#8, SEC1 or PKCS#1",
        )
    })?;
    Key::from_pkey(pkey)
}

/// The DER of the key in a file, and whether it is encrypted.
fn find(bytes: &[u8]) -> Result<(Zeroizing<Vec<u8>>, bool)> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.contains("-----BEGIN"));
    let Some(text) = text else {
        return Ok((Zeroizing::new(bytes.to_vec()), pkcs8::is_encrypted(bytes)));
    };
    let blocks = pem::decode_all(text)?;
    let labels: Vec<_> = blocks.iter().map(|block| block.label.clone()).collect();
    let is_key =
        |block: &Block| block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY");
    // A leading EC PARAMETERS block, as `openssl ecparam -genkey` writes it, is skipped like any other.
    match blocks.into_iter().find(is_key) {
        Some(block) => Ok((
            Zeroizing::new(block.content),
            block.label == "ENCRYPTED PRIVATE KEY",
        )),
        None => Err(Error::malformed(
            "a private key",
            format!("PEM with {}", pem::describe(&labels)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::pkcs8::Dialect;

    fn no_password() -> Result<Zeroizing<Vec<u8>>> {
        panic!("no password is needed")
    }

    #[test]
    fn every_form_tongsuo_writes_is_read() {
        for algorithm in [Algorithm::Sm2, Algorithm::P256, Algorithm::Rsa2048] {
            let key = Key::generate(algorithm).unwrap();
            let same = |bytes: &[u8]| {
                read(bytes, no_password)
                    .unwrap()
                    .pkey()
                    .public_eq(key.pkey())
            };
            assert!(same(key.to_pem().unwrap().as_bytes()));
            assert!(same(&key.to_pkcs8().unwrap()));
            let traditional = match key.pkey().ec_key() {
                Ok(ec) => ec.private_key_to_pem().unwrap(),
                Err(_) => key.pkey().rsa().unwrap().private_key_to_pem().unwrap(),
            };
            assert!(same(&traditional), "{algorithm}");
        }
    }

    #[test]
    fn keys_encrypted_by_tongsuo_and_for_gmssl_are_read() {
        let key = Key::generate(Algorithm::Sm2).unwrap();
        let password = || Ok(Zeroizing::new(b"secret".to_vec()));
        let by_tongsuo = key
            .pkey()
            .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::sm4_cbc(), b"secret")
            .unwrap();
        let for_gmssl = key.to_encrypted_pem(b"secret", Dialect::GmSsl).unwrap();
        for file in [by_tongsuo.as_slice(), for_gmssl.as_bytes()] {
            assert_eq!(protection(file).unwrap(), Protection::Password);
            assert!(read(file, password).unwrap().pkey().public_eq(key.pkey()));
        }
    }

    #[test]
    fn a_file_of_certificates_is_named_as_what_it_is() {
        let error = read(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            no_password,
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a private key: PEM with `CERTIFICATE`"
        );
    }
}
