//! CSRResponse (GM/T 0092-2020 §8): both certificates and the wrapped encryption key in one file.

use super::{Form, Opened, enveloped_key};
use crate::certificate::Certificate;
use crate::der::{self, Element, Reader, tag};
use crate::error::{Error, Result};
use crate::key::Key;

const WHAT: &str = "a CSRResponse";

/// Makes a response: the tags are IMPLICIT, as the standard's module has it.
pub fn seal(sign: &Certificate, encrypt: &Certificate, key: &Key) -> Result<Vec<u8>> {
    let enveloped = enveloped_key::seal(&sign.public_key, key)?;
    let content = Reader::new(&enveloped, WHAT).any()?.content;
    Ok(der::sequence([
        der::constructed(tag::SET, [sign.der().to_vec()]),
        der::element(tag::context_constructed(0), content),
        der::element(tag::context_constructed(1), encrypt.der()),
    ]))
}

/// Opens a response; gmsm tags `[0]` EXPLICIT, so both are taken.
pub fn open(der: &[u8], key: &Key) -> Result<Opened> {
    let mut content = Reader::whole_sequence(der, WHAT)?;
    let sign_certificates = certificates(content.set()?)?;
    let Some(wrapped) = content.optional(tag::context_constructed(0))? else {
        let message = "the CSRResponse holds no encryption key: the authority issued a signing certificate only (see `alb cert show`)";
        return Err(Error::Refused(message.to_owned()));
    };
    let encrypt_certificates = match content.optional(tag::context_constructed(1))? {
        Some(list) if list.content.first() == Some(&tag::SET) => {
            certificates(list.reader(WHAT).set()?)?
        }
        Some(list) => certificates(list.reader(WHAT))?,
        None => Vec::new(),
    };
    content.end()?;
    let key = open_wrapped(&wrapped, key)?;
    let opened = Opened {
        sign_certificates,
        encrypt_certificates,
        ..Opened::new(Form::CsrResponse, key)
    };
    if let Some(certificate) = opened.encrypt_certificates.first() {
        opened.check_certificate(certificate)?;
    }
    Ok(opened)
}

/// Both lists of certificates, without opening the key.
pub fn certificates_of(der: &[u8]) -> Result<Vec<Certificate>> {
    let mut content = Reader::whole_sequence(der, WHAT)?;
    let mut all = certificates(content.set()?)?;
    content.optional(tag::context_constructed(0))?;
    all.extend(encrypt_certificates(&mut content)?);
    Ok(all)
}

fn encrypt_certificates(content: &mut Reader<'_>) -> Result<Vec<Certificate>> {
    match content.optional(tag::context_constructed(1))? {
        Some(list) if list.content.first() == Some(&tag::SET) => {
            certificates(list.reader(WHAT).set()?)
        }
        Some(list) => certificates(list.reader(WHAT)),
        None => Ok(Vec::new()),
    }
}

/// EXPLICIT: one SEQUENCE fills the tag. IMPLICIT: the fields of SM2EnvelopedKey do.
fn open_wrapped(wrapped: &Element<'_>, key: &Key) -> Result<Key> {
    let mut probe = wrapped.reader(WHAT);
    let first = probe.any()?;
    if probe.is_empty() {
        enveloped_key::open(first.encoded, key)
    } else {
        enveloped_key::open_content(wrapped.reader(WHAT), key)
    }
}

fn certificates(mut list: Reader<'_>) -> Result<Vec<Certificate>> {
    let mut certificates = Vec::new();
    while !list.is_empty() {
        certificates.push(Certificate::from_der(list.expect(tag::SEQUENCE)?.encoded)?);
    }
    Ok(certificates)
}
