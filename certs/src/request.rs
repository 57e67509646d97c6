//! Certificate requests (PKCS#10, RFC 2986; GM/T 0092 for SM2), and CFCA's variant with a temporary key.

use crate::der::{self, Reader, tag};
use crate::error::{Error, Result};
use crate::extension::{self, AltName, Extensions};
use crate::key::Key;
use crate::name::Name;
use crate::oid::{self, Oid};
use crate::pem;
use crate::public_key::PublicKey;
use crate::signed::Signed;

/// What CFCA wants in addition: the key to which it will wrap the encryption key, and a password agreed with it.
pub struct CfcaExtras<'a> {
    /// The temporary SM2 key, kept until the answer comes.
    pub temporary_key: &'a Key,
    /// The challenge password; CFCA's tools use `111111`.
    pub challenge: &'a str,
}

/// A request that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    signed: Signed,
    /// Who asks.
    pub subject: Name,
    /// The key to certify.
    pub public_key: PublicKey,
    /// The extensions asked for.
    pub extensions: Extensions,
    /// The attributes present, by identifier.
    pub attributes: Vec<Oid>,
}

const WHAT: &str = "a certificate request";

impl Request {
    /// Makes a request, signed with the key to be certified.
    pub fn make(
        key: &Key,
        subject: &Name,
        names: &[AltName],
        cfca: Option<&CfcaExtras<'_>>,
    ) -> Result<Self> {
        const VERSION_1: u64 = 0;
        let mut attributes = Vec::new();
        if !names.is_empty() {
            let extensions = der::sequence([extension::alt_names(names)]);
            attributes.push(der::sequence([
                der::object_id(&oid::EXTENSION_REQUEST),
                der::set_of([extensions]),
            ]));
        }
        if let Some(cfca) = cfca {
            attributes.push(temporary_key_attribute(cfca.temporary_key)?);
            attributes.push(challenge_attribute(cfca.challenge)?);
        }
        let body = der::sequence([
            der::integer(VERSION_1),
            subject.to_der(),
            key.public_key_info()?,
            der::constructed(tag::context_constructed(0), attributes),
        ]);
        Self::from_der(&Signed::make(body, key)?)
    }

    /// Reads DER; the signature is not checked yet.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let signed = Signed::parse(der, WHAT)?;
        let mut body = signed.body(WHAT)?;
        body.small()?;
        let subject = Name::from_der(body.expect(tag::SEQUENCE)?.encoded)?;
        let public_key = PublicKey::from_info(body.expect(tag::SEQUENCE)?.encoded)?;
        let (mut attributes, mut extensions) = (Vec::new(), Extensions::default());
        if let Some(list) = body.optional(tag::context_constructed(0))? {
            let mut list = list.reader(WHAT);
            while !list.is_empty() {
                let mut attribute = list.sequence()?;
                let kind = attribute.object_id()?;
                if kind == oid::EXTENSION_REQUEST {
                    extensions = Extensions::parse(attribute.set()?.sequence()?)?;
                }
                attributes.push(kind);
            }
        }
        body.end()?;
        Ok(Self {
            signed,
            subject,
            public_key,
            extensions,
            attributes,
        })
    }

    /// Reads a PEM text or DER.
    pub fn from_pem_or_der(bytes: &[u8]) -> Result<Self> {
        let is_wanted = |label: &str| label.ends_with("CERTIFICATE REQUEST");
        Self::from_der(&pem::unwrap(bytes, WHAT, is_wanted)?)
    }

    /// The PEM encoding.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE REQUEST", self.signed.der())
    }

    /// The DER encoding.
    pub fn der(&self) -> &[u8] {
        self.signed.der()
    }

    /// The algorithm of its signature.
    pub fn signature_algorithm(&self) -> &Oid {
        &self.signed.algorithm
    }

    /// Fails unless the asker holds the private key.
    pub fn verify(&self) -> Result<()> {
        if self.signed.verify(&self.public_key)? {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "the request for `{}` is not signed by the key it contains; it was damaged or forged",
            self.subject
        )))
    }

    /// CFCA's temporary public key as a point `04 ‖ X ‖ Y`, if there is one.
    pub fn cfca_temporary_key(&self) -> Result<Option<[u8; 65]>> {
        let mut body = self.signed.body(WHAT)?;
        body.any()?;
        body.any()?;
        body.any()?;
        let Some(list) = body.optional(tag::context_constructed(0))? else {
            return Ok(None);
        };
        let mut list = list.reader(WHAT);
        while !list.is_empty() {
            let mut attribute = list.sequence()?;
            if attribute.object_id()? == oid::CFCA_TEMP_PUBLIC_KEY {
                return read_temporary_key(attribute.octets()?).map(Some);
            }
        }
        Ok(None)
    }
}

/// An SM2 public key in the 136 bytes of CFCA's toolkit: a header, then X and Y in 64-byte fields, left-aligned.
const CFCA_KEY_LENGTH: usize = 136;
const CFCA_KEY_HEADER: [u8; 8] = [0x00, 0xb4, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00];

fn temporary_key_attribute(key: &Key) -> Result<Vec<u8>> {
    let point = key.public_key()?.sm2_point();
    let point = point
        .ok_or_else(|| Error::Refused("CFCA's temporary key must be an SM2 key".to_owned()))?;
    let mut fields = [0; CFCA_KEY_LENGTH];
    fields[..8].copy_from_slice(&CFCA_KEY_HEADER);
    fields[8..40].copy_from_slice(&point[1..33]);
    fields[72..104].copy_from_slice(&point[33..65]);
    let value = der::sequence([der::integer(1), der::octet_string(&fields)]);
    Ok(der::sequence([
        der::object_id(&oid::CFCA_TEMP_PUBLIC_KEY),
        der::octet_string(&value),
    ]))
}

/// Older writers put the 136 bytes into the OCTET STRING directly, newer ones wrap them in a SEQUENCE.
fn read_temporary_key(value: &[u8]) -> Result<[u8; 65]> {
    let fields = if value.len() == CFCA_KEY_LENGTH {
        value
    } else {
        let mut content = Reader::whole_sequence(value, "CFCA's temporary key")?;
        content.small()?;
        content.octets()?
    };
    if fields.len() != CFCA_KEY_LENGTH {
        return Err(Error::malformed(
            "CFCA's temporary key",
            format!("{} bytes where {CFCA_KEY_LENGTH} belong", fields.len()),
        ));
    }
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&fields[8..40]);
    point[33..].copy_from_slice(&fields[72..104]);
    Ok(point)
}

/// CFCA takes the challenge without the SET that PKCS#10 has around every value.
fn challenge_attribute(challenge: &str) -> Result<Vec<u8>> {
    let printable = |b: u8| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b);
    if challenge.is_empty() || !challenge.bytes().all(printable) {
        let message = "CFCA's challenge password must be letters, digits and ` '()+,-./:=?`; its own tools use 111111";
        return Err(Error::Refused(message.to_owned()));
    }
    let value = der::element(tag::PRINTABLE_STRING, challenge.as_bytes());
    Ok(der::sequence([
        der::object_id(&oid::CHALLENGE_PASSWORD),
        value,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::Algorithm;
    use openssl::x509::X509Req;
    use proptest::prelude::*;

    fn names() -> Vec<AltName> {
        vec![
            AltName::Dns("portal.test".into()),
            AltName::Ip("127.0.0.1".parse().unwrap()),
        ]
    }

    #[test]
    fn tongsuo_verifies_requests_of_every_algorithm() {
        for algorithm in [Algorithm::Sm2, Algorithm::P256, Algorithm::Rsa2048] {
            let key = Key::generate(algorithm).unwrap();
            let request =
                Request::make(&key, &Name::common("portal.test"), &names(), None).unwrap();
            request.verify().unwrap();
            assert_eq!(request.extensions.names, names());
            let theirs = X509Req::from_pem(request.to_pem().as_bytes()).unwrap();
            assert!(theirs.verify(key.pkey()).unwrap(), "{algorithm}");
        }
    }

    #[test]
    fn a_request_signed_by_another_key_is_refused() {
        let key = Key::generate(Algorithm::Sm2).unwrap();
        let request = Request::make(&key, &Name::common("portal.test"), &[], None).unwrap();
        let mut der = request.der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        assert!(Request::from_der(&der).unwrap().verify().is_err());
    }

    #[test]
    fn the_cfca_variant_carries_its_temporary_key() {
        let (key, temporary) = (
            Key::generate(Algorithm::Sm2).unwrap(),
            Key::generate(Algorithm::Sm2).unwrap(),
        );
        let cfca = CfcaExtras {
            temporary_key: &temporary,
            challenge: "111111",
        };
        let request = Request::make(&key, &Name::common("portal.test"), &[], Some(&cfca)).unwrap();
        request.verify().unwrap();
        assert_eq!(
            request.cfca_temporary_key().unwrap(),
            temporary.public_key().unwrap().sm2_point()
        );
        assert_eq!(
            request.attributes,
            [oid::CFCA_TEMP_PUBLIC_KEY, oid::CHALLENGE_PASSWORD]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damaged_requests_never_panic_nor_verify(at in 0usize..200, bit in 0u8..8) {
            let key = Key::from_sm2_secret(&[7; 32]).unwrap();
            let mut der = Request::make(&key, &Name::common("portal.test"), &names(), None).unwrap().der().to_vec();
            der[at] ^= 1 << bit;
            if let Ok(request) = Request::from_der(&der) {
                prop_assert!(request.verify().is_err());
                let _ = request.cfca_temporary_key();
            }
        }
    }
}
