//! PKCS#12: a key with its certificate and chain under a password. There is no GM profile; this is the usual
//! structure with SM4-CBC and SM3, or with AES-256 and SHA-256 for software that knows neither.

use openssl::hash::MessageDigest;
use openssl::pkcs12::Pkcs12;
use openssl::stack::Stack;
use openssl::symm::Cipher;

use crate::certificate::Certificate;
use crate::error::{Error, Result};
use crate::key::Key;

/// What a file is encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// SM4-CBC, with SM3 in the MAC. The key derivation's function stays HMAC-SHA256: no writer has another.
    Gm,
    /// AES-256-CBC, with SHA-256 in the MAC.
    Ordinary,
}

/// The content of a file.
#[derive(Debug)]
pub struct Content {
    /// The private key.
    pub key: Key,
    /// Its certificate.
    pub certificate: Certificate,
    /// Further certificates.
    pub chain: Vec<Certificate>,
}

/// Rounds that are written.
const ITERATIONS: u32 = 65_536;

/// Writes a file.
pub fn seal(
    content: &Content,
    name: &str,
    password: &[u8],
    protection: Protection,
) -> Result<Vec<u8>> {
    if content.key.public_key()? != content.certificate.public_key {
        return Err(Error::Refused(format!(
            "the key does not belong to the certificate of `{}`",
            content.certificate.subject
        )));
    }
    let password = text(password)?;
    let (cipher, digest) = match protection {
        Protection::Gm => (Cipher::sm4_cbc(), MessageDigest::sm3()),
        Protection::Ordinary => (Cipher::aes_256_cbc(), MessageDigest::sha256()),
    };
    let certificate = content.certificate.to_x509()?;
    let build = || {
        let mut chain = Stack::new()?;
        for one in &content.chain {
            chain.push(openssl::x509::X509::from_der(one.der())?)?;
        }
        let mut builder = Pkcs12::builder();
        builder
            .pkey(content.key.pkey())
            .cert(&certificate)
            .ca(chain)
            .key_iter(ITERATIONS)
            .mac_iter(ITERATIONS);
        builder
            .key_algorithm(cipher.nid())
            .cert_algorithm(cipher.nid())
            .mac_md(digest);
        if !name.contains('\0') {
            builder.name(name);
        }
        builder.build2(password)?.to_der()
    };
    build().map_err(Error::crypto("write PKCS#12"))
}

/// Reads a file. A wrong password is an error that says so.
pub fn open(der: &[u8], password: &[u8]) -> Result<Content> {
    let file =
        Pkcs12::from_der(der).map_err(|_| Error::malformed("PKCS#12", "another structure"))?;
    let parsed = file.parse2(text(password)?);
    let parsed = parsed.map_err(|_| Error::Refused("the password of the PKCS#12 file is wrong (or the file is damaged, or of a cipher Tongsuo lacks)".to_owned()))?;
    let lacks = |what: &str| {
        Error::malformed(
            "PKCS#12 with a key and its certificate",
            format!("one without a {what}"),
        )
    };
    let key = Key::from_pkey(parsed.pkey.ok_or_else(|| lacks("key"))?)?;
    let read = |one: &openssl::x509::X509Ref| {
        Certificate::from_der(&one.to_der().map_err(Error::crypto("read PKCS#12"))?)
    };
    let certificate = read(&*parsed.cert.ok_or_else(|| lacks("certificate"))?)?;
    let chain = parsed
        .ca
        .iter()
        .flatten()
        .map(read)
        .collect::<Result<_>>()?;
    Ok(Content {
        key,
        certificate,
        chain,
    })
}

/// Tongsuo takes passwords as C strings.
fn text(password: &[u8]) -> Result<&str> {
    let text = std::str::from_utf8(password)
        .ok()
        .filter(|text| !text.contains('\0'));
    text.ok_or_else(|| Error::Refused("a PKCS#12 password must be UTF-8 without NUL".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::issue::{Ca, Leaf};
    use proptest::prelude::*;

    fn content() -> Content {
        let ca = Ca::root(Algorithm::Sm2, "Root")
            .unwrap()
            .intermediate("Issuing")
            .unwrap();
        let issued = ca.issue(Algorithm::Sm2, &Leaf::server("a.test")).unwrap();
        Content {
            key: issued.key,
            certificate: issued.certificate,
            chain: issued.chain,
        }
    }

    #[test]
    fn files_of_both_protections_open_with_their_password_only() {
        let content = content();
        for protection in [Protection::Gm, Protection::Ordinary] {
            let file = seal(&content, "a.test", b"secret", protection).unwrap();
            let opened = open(&file, b"secret").unwrap();
            assert_eq!(opened.certificate, content.certificate);
            assert_eq!(opened.chain, content.chain);
            assert!(opened.key.pkey().public_eq(content.key.pkey()));
            assert!(open(&file, b"wrong").is_err());
        }
    }

    #[test]
    fn a_foreign_key_and_a_password_with_nul_are_refused() {
        let mut content = content();
        assert!(seal(&content, "a", b"a\0b", Protection::Gm).is_err());
        content.key = Key::generate(Algorithm::Sm2).unwrap();
        assert!(seal(&content, "a", b"a", Protection::Gm).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(open(&bytes, b"x").is_err());
        }
    }
}
