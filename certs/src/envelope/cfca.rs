//! CFCA's own forms: the key it returns for a request with a temporary key, and its `.sm2` file.

use openssl::hash::{Hasher, MessageDigest};
use openssl::symm::{self, Cipher};
use zeroize::Zeroizing;

use super::{Form, Opened, Sm2Cipher, key_of};
use crate::certificate::Certificate;
use crate::der::{self, Reader};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::oid;

/// Opens `SEQUENCE { 1, OCTET STRING }` with the temporary key: C1C3C2 of X ‖ Y ‖ D.
pub fn open_returned(der: &[u8], temporary_key: &Key) -> Result<Key> {
    const WHAT: &str = "a key returned by CFCA";
    let mut content = Reader::whole_sequence(der, WHAT)?;
    content.small()?;
    let plain = Sm2Cipher::decrypt_any(content.octets()?, temporary_key)?;
    content.end()?;
    if plain.len() != 96 {
        return Err(Error::malformed(
            WHAT,
            format!(
                "a content of {} bytes where X, Y and d have 96",
                plain.len()
            ),
        ));
    }
    let mut point = [4; 65];
    point[1..].copy_from_slice(&plain[..64]);
    key_of(&plain[64..], Some(&point))
}

const FILE: &str = "a CFCA .sm2 file";

/// Opens a `.sm2` file: the key under a password, and its certificate.
pub fn open_file(der: &[u8], password: &[u8]) -> Result<Opened> {
    let mut content = Reader::whole_sequence(der, FILE)?;
    content.small()?;
    let mut key_data = content.sequence()?;
    key_data.object_id()?;
    let cipher = key_data.object_id()?;
    if cipher != oid::SM4 && cipher != oid::SM4_CBC {
        return Err(key_data.wrong("another cipher than SM4"));
    }
    let encrypted = key_data.octets()?;
    let certificate = read_certificate(&mut content)?;
    let (iv, key) = password_key(password)?;
    let secret =
        symm::decrypt(Cipher::sm4_cbc(), &key[..], Some(&iv), encrypted).map(Zeroizing::new);
    let wrong = || {
        Error::Refused("the password of the .sm2 file is wrong (or the file is damaged)".to_owned())
    };
    let secret = secret.map_err(|_| wrong())?;
    // One wrong password in 256 passes the padding, and then gives another number.
    let key = key_of(&secret, None).map_err(|_| wrong())?;
    let opened = Opened {
        encrypt_certificates: vec![certificate.clone()],
        ..Opened::new(Form::CfcaFile, key)
    };
    opened.check_certificate(&certificate)?;
    Ok(opened)
}

/// The certificate of a `.sm2` file, which needs no password.
pub fn certificate_of(der: &[u8]) -> Result<Certificate> {
    let mut content = Reader::whole_sequence(der, FILE)?;
    content.small()?;
    content.sequence()?;
    read_certificate(&mut content)
}

fn read_certificate(content: &mut Reader<'_>) -> Result<Certificate> {
    let mut data = content.sequence()?;
    data.object_id()?;
    let certificate = Certificate::from_der(data.octets()?)?;
    content.end()?;
    Ok(certificate)
}

/// Writes a `.sm2` file.
pub fn seal_file(key: &Key, certificate: &Certificate, password: &[u8]) -> Result<Vec<u8>> {
    if key.public_key()? != certificate.public_key {
        return Err(Error::Refused(format!(
            "the key does not belong to the certificate of `{}`",
            certificate.subject
        )));
    }
    if !certificate.public_key.is_sm2() {
        return Err(Error::Refused(
            "a .sm2 file holds an SM2 key only".to_owned(),
        ));
    }
    let (iv, sm4_key) = password_key(password)?;
    let encrypted = symm::encrypt(
        Cipher::sm4_cbc(),
        &sm4_key[..],
        Some(&iv),
        &key.sm2_secret()?[..],
    );
    let encrypted = encrypted.map_err(Error::crypto("encrypt the private key"))?;
    Ok(der::sequence([
        der::integer(1),
        der::sequence([
            der::object_id(&oid::GM_DATA),
            der::object_id(&oid::SM4),
            der::octet_string(&encrypted),
        ]),
        der::sequence([
            der::object_id(&oid::GM_DATA),
            der::octet_string(certificate.der()),
        ]),
    ]))
}

/// IV ‖ key = KDF-SM3(password), 32 bytes (GB/T 32918.4 §5.4.3): one hash of the password and the counter 1.
fn password_key(password: &[u8]) -> Result<([u8; 16], Zeroizing<[u8; 16]>)> {
    let digest = || {
        let mut hasher = Hasher::new(MessageDigest::sm3())?;
        hasher.update(password)?;
        hasher.update(&1u32.to_be_bytes())?;
        hasher.finish()
    };
    let digest = digest().map_err(Error::crypto("derive a key from the password"))?;
    let (mut iv, mut key) = ([0; 16], Zeroizing::new([0; 16]));
    iv.copy_from_slice(&digest[..16]);
    key.copy_from_slice(&digest[16..]);
    Ok((iv, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::issue::{Ca, Leaf};

    #[test]
    fn a_file_opens_with_its_password_only() {
        let pair = Ca::root(Algorithm::Sm2, "Root")
            .unwrap()
            .issue_pair(&Leaf::server("a.test"))
            .unwrap();
        let file = seal_file(&pair.encrypt.key, &pair.encrypt.certificate, b"secret").unwrap();
        let opened = open_file(&file, b"secret").unwrap();
        assert!(opened.key.pkey().public_eq(pair.encrypt.key.pkey()));
        assert!(open_file(&file, b"Secret").is_err());
        assert!(seal_file(&pair.sign.key, &pair.encrypt.certificate, b"secret").is_err());
    }

    /// A key CFCA's SADK made, published with the temporary key and the result in gmsm's tests (cfca/pkcs10_test.go).
    #[test]
    fn a_key_returned_by_the_real_cfca_opens() {
        let returned = "00000000000000010000000000000001000000000000000000000000000000000000000000000268\
            MIHGAgEBBIHArhtKwTVT8dPEkykVRpvQNMxHv/yeqtaKZiSp2MbjcqMZtPfKW8IatiIPPitNhQtU5C7gMbsUxgf5Yo16vDSXdoWqoOOaes2pEJwmXWZI55lMMWc168WgzQ82fmMi05Vhlw9HNjGI3azE6MS5/ujSNGLZ0qAAmLnBiHlXFAXXAWRiy9MxZKwF4xKn6qMaKmkqbYmTbBbEJEhzJBmu0IJ1kNDcTFirAyapghHSw267erSUwsHjkQis9mKYpzGied0E";
        let secret = |hex: &str| {
            crate::issue::Serial::from_hex(hex)
                .unwrap()
                .bytes()
                .try_into()
                .unwrap()
        };
        let temporary = Key::from_sm2_secret(&secret(
            "cacece36cac24aab94e52bcd5c0f552c95028f2856053135a1e47510b4c307ba",
        ))
        .unwrap();
        let opened =
            super::super::open(returned.as_bytes(), &super::super::Opener::Key(&temporary))
                .unwrap();
        assert_eq!(opened.form, Form::CfcaReturned);
        assert_eq!(
            *opened.key.sm2_secret().unwrap(),
            secret("f6e02c941a0dfdac58d8b3b1bc1bd136f179741b7465ebc7b0b25bb381840a3b")
        );
    }
}
