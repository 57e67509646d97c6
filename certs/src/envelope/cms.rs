//! Enveloped, and signed and enveloped, data of GM/T 0010 (GB/T 35275): the shapes of PKCS#7 under other identifiers.

use openssl::symm::{self, Cipher, Mode};
use zeroize::Zeroizing;

use super::{Form, Opened, Sm2Cipher, enveloped_key::sm4_ecb, key_of};
use crate::certificate::Certificate;
use crate::der::{Element, Reader, tag};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::key_file;
use crate::oid::{self, Oid};

const WHAT: &str = "enveloped data (GM/T 0010)";
/// Recipients that are tried: more would be an attack on our time.
const MAX_RECIPIENTS: usize = 16;

/// Opens the envelope, and checks its signature if it carries one with its certificate.
pub fn open(der: &[u8], key: &Key) -> Result<Opened> {
    let mut info = Reader::whole_sequence(der, WHAT)?;
    let kind = info.object_id()?;
    let signed = kind == oid::GM_SIGNED_ENVELOPED || kind == oid::PKCS7_SIGNED_ENVELOPED;
    if !signed && kind != oid::GM_ENVELOPED && kind != oid::PKCS7_ENVELOPED {
        return Err(info.wrong(format!(
            "`{}`",
            kind.name().map_or_else(|| kind.to_string(), str::to_owned)
        )));
    }
    let mut data = info
        .expect(tag::context_constructed(0))?
        .reader(WHAT)
        .sequence()?;
    data.small()?;
    let session = open_session(data.set()?, key)?;
    if signed {
        data.set()?;
    }
    let plain = decrypt(data.sequence()?, &session)?;
    let (certificates, signer) = if signed {
        signature(data)?
    } else {
        (Vec::new(), None)
    };
    let key = private_key(&plain)?;
    let signed_by = match signer {
        Some(signer) => signer.check(&plain, &certificates)?,
        None => None,
    };
    let own = key.public_key()?;
    let encrypt_certificates = certificates
        .into_iter()
        .filter(|certificate| certificate.public_key == own)
        .collect();
    Ok(Opened {
        encrypt_certificates,
        signed_by,
        ..Opened::new(Form::Cms, key)
    })
}

/// The content key, from whichever recipient entry this key opens.
fn open_session(mut recipients: Reader<'_>, key: &Key) -> Result<Zeroizing<Vec<u8>>> {
    let mut last = None;
    for _ in 0..MAX_RECIPIENTS {
        if recipients.is_empty() {
            break;
        }
        let mut recipient = recipients.sequence()?;
        recipient.small()?;
        // issuerAndSerialNumber, or a key identifier from SADK: whoever it names, the key decides.
        recipient.any()?;
        recipient.sequence()?;
        match Sm2Cipher::decrypt_any(recipient.octets()?, key) {
            Ok(session) => return Ok(session),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| recipients.wrong("no recipient")))
}

/// EncryptedContentInfo.
fn decrypt(mut info: Reader<'_>, session: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    info.object_id()?;
    let mut algorithm = info.sequence()?;
    let kind = algorithm.object_id()?;
    let iv = algorithm.optional(tag::OCTET_STRING)?.map(|iv| iv.content);
    let encrypted = encrypted_content(&info.any()?)?;
    if session.len() != 16 {
        return Err(info.wrong(format!(
            "a session key of {} bytes where SM4's 16 belong",
            session.len()
        )));
    }
    match iv {
        // SADK says "SM4" and means CBC; an initialisation vector tells.
        Some(iv) if iv.len() == 16 && (kind == oid::SM4_CBC || kind == oid::SM4) => {
            let plain = symm::decrypt(Cipher::sm4_cbc(), session, Some(iv), encrypted);
            plain.map(Zeroizing::new).map_err(|_| {
                info.wrong("content that does not decrypt with its key; it is damaged")
            })
        }
        None if kind == oid::SM4_ECB || kind == oid::SM4 => decrypt_ecb(session, encrypted),
        _ => Err(info.wrong(format!(
            "the cipher `{}`; SM4 in CBC or ECB mode is read",
            kind.name().map_or_else(|| kind.to_string(), str::to_owned)
        ))),
    }
}

/// ECB with PKCS#7 padding, or of whole blocks without.
fn decrypt_ecb(session: &[u8], encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    match symm::decrypt(Cipher::sm4_ecb(), session, None, encrypted) {
        Ok(plain) => Ok(Zeroizing::new(plain)),
        Err(_) => sm4_ecb(Mode::Decrypt, session, encrypted),
    }
}

/// `[0] IMPLICIT OCTET STRING`; gmsm and some BER writers have it constructed.
fn encrypted_content<'a>(element: &Element<'a>) -> Result<&'a [u8]> {
    match element.tag {
        0x80 => Ok(element.content),
        0xa0 => element.reader(WHAT).octets(),
        other => Err(Error::malformed(
            WHAT,
            format!("tag {other:#04x} where the encrypted content belongs"),
        )),
    }
}

/// Keys are seen bare, as an INTEGER, as SEC1 and as PKCS#8.
fn private_key(plain: &[u8]) -> Result<Key> {
    if plain.len() == 32 || plain.len() == 64 {
        return key_of(plain, None);
    }
    if plain.first() == Some(&tag::INTEGER) {
        let digits = Reader::new(plain, "an SM2 private key").unsigned()?;
        let mut padded = Zeroizing::new(vec![0; 32usize.saturating_sub(digits.len())]);
        padded.extend_from_slice(digits);
        return key_of(&padded, None);
    }
    key_file::read(plain, || {
        Err(Error::malformed(
            "a private key",
            "one encrypted once more inside the envelope",
        ))
    })
}

/// The signature of signed and enveloped data.
struct Signer<'a> {
    issuer_and_serial: Element<'a>,
    algorithm: Oid,
    signature: &'a [u8],
}

fn signature(mut data: Reader<'_>) -> Result<(Vec<Certificate>, Option<Signer<'_>>)> {
    let mut certificates = Vec::new();
    if let Some(list) = data.optional(tag::context_constructed(0))? {
        let mut list = list.reader(WHAT);
        while !list.is_empty() {
            certificates.push(Certificate::from_der(list.expect(tag::SEQUENCE)?.encoded)?);
        }
    }
    data.optional(tag::context_constructed(1))?;
    let mut signers = data.set()?;
    if signers.is_empty() {
        return Ok((certificates, None));
    }
    let mut signer = signers.sequence()?;
    signer.small()?;
    let issuer_and_serial = signer.any()?;
    signer.sequence()?;
    signer.optional(tag::context_constructed(0))?;
    let algorithm = signer.sequence()?.object_id()?;
    Ok((
        certificates,
        Some(Signer {
            issuer_and_serial,
            algorithm,
            signature: signer.octets()?,
        }),
    ))
}

impl Signer<'_> {
    /// The signer's certificate, if it is in the message; without it there is nothing to check with.
    ///
    /// # Errors
    ///
    /// The signature over the content is not the signer's: then somebody changed the message.
    fn check(&self, plain: &[u8], certificates: &[Certificate]) -> Result<Option<Certificate>> {
        let mut name = self.issuer_and_serial.reader(WHAT);
        name.any()?;
        let Ok(serial) = name.unsigned() else {
            return Ok(None);
        };
        let Some(certificate) = certificates
            .iter()
            .find(|certificate| certificate.serial.bytes() == serial)
        else {
            return Ok(None);
        };
        // GM/T 0010 names the signature algorithm .301.1; the certificate's own name for it is SM2-with-SM3.
        let algorithm = if self.algorithm == oid::SM2_SIGN {
            oid::SM2_WITH_SM3
        } else {
            self.algorithm.clone()
        };
        let verified = certificate
            .public_key
            .verify(&algorithm, plain, self.signature)
            .unwrap_or(false);
        if !verified {
            return Err(Error::Refused(format!(
                "the signature of `{}` over the enveloped key is wrong: the message was changed on its way, or \
                 somebody else signed it; have the authority send it again",
                certificate.subject
            )));
        }
        Ok(Some(certificate.clone()))
    }
}
