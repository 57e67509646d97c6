//! What is this file? Certificates, chains, keys, requests, lists, messages, envelopes, PKCS#12: described, unopened.

mod describe;
mod item;
mod message;

pub use item::{Item, Value};

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::der::{Reader, tag};
use crate::envelope::{self, Form};
use crate::error::{Error, Result};
use crate::pem::{self, Block};
use crate::request::Request;
use crate::{key_file, oid, pkcs8};

/// Describes every object of a file, PEM or DER, base64 or hexadecimal.
pub fn inspect(file: &[u8]) -> Result<Vec<Item>> {
    let text = std::str::from_utf8(file)
        .ok()
        .filter(|text| text.contains("-----BEGIN"));
    let Some(text) = text else {
        let bytes = envelope::unpack(file).unwrap_or(file.into());
        return inspect_der(&bytes).map(|item| vec![item]);
    };
    let blocks = pem::decode_all(text)?;
    if blocks.is_empty() {
        return Err(Error::malformed("PEM", "a BEGIN line without a block"));
    }
    blocks.iter().map(inspect_block).collect()
}

fn inspect_block(block: &Block) -> Result<Item> {
    let content = &block.content;
    match block.label.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
            Ok(describe::certificate(&Certificate::from_der(content)?))
        }
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => {
            describe::request(&Request::from_der(content)?)
        }
        "X509 CRL" | "CRL" => Ok(describe::crl(&Crl::from_der(content)?)),
        "ENCRYPTED PRIVATE KEY" => describe::encrypted_key(content),
        "PUBLIC KEY" => describe::public_key(content),
        "EC PARAMETERS" => Ok(Item::new("EC parameters (not needed beside a key)")),
        label if label.ends_with("PRIVATE KEY") => {
            describe::private_key(&key_file::read(content, no_password)?)
        }
        _ => inspect_der(content),
    }
}

/// Describes one binary object by its structure.
pub fn inspect_der(bytes: &[u8]) -> Result<Item> {
    if let Ok(form) = envelope::detect(bytes)
        && form != Form::Cms
    {
        return Ok(describe::envelope(form, bytes));
    }
    if pkcs8::is_encrypted(bytes) {
        return describe::encrypted_key(bytes);
    }
    if let Ok(key) = key_file::read(bytes, no_password) {
        return describe::private_key(&key);
    }
    let mut content = Reader::whole_sequence(bytes, "a file this tool knows")?;
    match (content.peek(), content.any()?, content.peek()) {
        (Some(tag::OBJECT_ID), ..) => message::describe(bytes),
        (Some(tag::INTEGER), _, Some(tag::SEQUENCE)) if is_pkcs12(content.clone()) => {
            Ok(describe::pkcs12(bytes))
        }
        (Some(tag::SEQUENCE), _, Some(tag::BIT_STRING)) => describe::public_key(bytes),
        (Some(tag::SEQUENCE), ..) => signed(bytes),
        _ => Err(content.wrong("a structure that is none of them")),
    }
}

/// Certificate, request or list: the one that can be read; if none can, what a certificate lacks.
fn signed(bytes: &[u8]) -> Result<Item> {
    if let Ok(request) = Request::from_der(bytes) {
        return describe::request(&request);
    }
    if let Ok(crl) = Crl::from_der(bytes) {
        return Ok(describe::crl(&crl));
    }
    Certificate::from_der(bytes).map(|certificate| describe::certificate(&certificate))
}

/// PFX ::= SEQUENCE { version, authSafe ContentInfo, macData }, whose ContentInfo begins with PKCS#7 data.
fn is_pkcs12(mut content: Reader<'_>) -> bool {
    let kind = content.sequence().and_then(|mut safe| safe.object_id());
    kind.is_ok_and(|kind| kind == oid::PKCS7_DATA || kind == oid::PKCS7_SIGNED)
}

fn no_password() -> Result<zeroize::Zeroizing<Vec<u8>>> {
    Err(Error::malformed("a plain private key", "an encrypted one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use crate::issue::{Ca, CrlPlan, Leaf, Revoked};
    use crate::name::Name;
    use crate::pkcs8::Dialect;
    use proptest::prelude::*;

    fn kind(file: &[u8]) -> String {
        inspect(file).unwrap().remove(0).kind
    }

    #[test]
    fn every_kind_of_file_is_told_in_pem_and_der() {
        let ca = Ca::root(Algorithm::Sm2, "Root").unwrap();
        let pair = ca.issue_pair(&Leaf::server("a.test")).unwrap();
        let key = &pair.encrypt.key;
        let certificate = &pair.encrypt.certificate;
        let request = Request::make(key, &Name::common("a"), &[], None).unwrap();
        let crl = ca
            .crl(&CrlPlan::weekly(1), &[Revoked::now(&pair.sign.serial)])
            .unwrap();
        let encrypted = key.to_encrypted_pem(b"x", Dialect::GmSsl).unwrap();
        let der_of = |pem: &str| pem::decode_all(pem).unwrap().remove(0).content;
        for (expected, pem) in [
            ("certificate", certificate.to_pem()),
            ("certificate request", request.to_pem()),
            ("revocation list", crl.to_pem()),
            ("private key", key.to_pem().unwrap().to_string()),
            ("encrypted private key", encrypted),
            (
                "public key",
                pem::encode("PUBLIC KEY", &key.public_key_info().unwrap()),
            ),
        ] {
            assert_eq!(kind(pem.as_bytes()), expected);
            assert_eq!(kind(&der_of(&pem)), expected);
        }
        let wrapped = envelope::seal_enveloped_key(&pair.sign.certificate.public_key, key).unwrap();
        assert!(kind(&wrapped).contains("SM2EnvelopedKey"));
        let file = envelope::seal_cfca_file(key, certificate, b"x").unwrap();
        assert!(kind(openssl::base64::encode_block(&file).as_bytes()).contains(".sm2"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_described_or_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = inspect(&bytes);
        }

        #[test]
        fn damaged_certificates_are_described_or_refused_without_panic(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let ca = Ca::root_named(crate::Key::from_sm2_secret(&[3; 32]).unwrap(), Name::common("Root"), crate::issue::Validity::days(1)).unwrap();
            let mut der = ca.certificate().der().to_vec();
            let at = at.index(der.len());
            der[at] ^= 1 << bit;
            let _ = inspect(&der);
        }
    }
}
