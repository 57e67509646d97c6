//! Cryptographic messages (GM/T 0010, PKCS#7): kind, recipients, cipher, certificates.

use super::Item;
use super::describe::name_of;
use crate::certificate::Certificate;
use crate::der::{Reader, tag};
use crate::error::Result;
use crate::oid;

const WHAT: &str = "a cryptographic message";

/// ContentInfo ::= SEQUENCE { contentType, \[0\] content }.
pub(super) fn describe(bytes: &[u8]) -> Result<Item> {
    let mut info = Reader::whole_sequence(bytes, WHAT)?;
    let kind = info.object_id()?;
    let item = Item::new(format!("cryptographic message: {}", name_of(&kind)));
    let enveloped = [
        oid::GM_ENVELOPED,
        oid::GM_SIGNED_ENVELOPED,
        oid::PKCS7_ENVELOPED,
        oid::PKCS7_SIGNED_ENVELOPED,
    ]
    .contains(&kind);
    let signed = [oid::GM_SIGNED, oid::PKCS7_SIGNED].contains(&kind);
    if !enveloped && !signed {
        return Ok(item);
    }
    let mut data = info
        .expect(tag::context_constructed(0))?
        .reader(WHAT)
        .sequence()?;
    data.small()?;
    if signed {
        data.set()?;
        data.sequence()?;
        return Ok(item.list("certificates", certificates(data)?));
    }
    let item = item.list("recipients", recipients(data.set()?)?);
    data.optional(tag::SET)?;
    let mut content = data.sequence()?;
    content.object_id()?;
    let cipher = content.sequence()?.object_id()?;
    Ok(item
        .text("cipher", name_of(&cipher))
        .list("certificates", certificates(data)?))
}

fn recipients(mut list: Reader<'_>) -> Result<Vec<String>> {
    let mut recipients = Vec::new();
    while !list.is_empty() {
        let mut recipient = list.sequence()?;
        recipient.small()?;
        let id = recipient.any()?;
        let algorithm = recipient.sequence()?.object_id()?;
        let mut name = id.reader(WHAT);
        let issuer = name
            .expect(tag::SEQUENCE)
            .and_then(|issuer| crate::name::Name::from_der(issuer.encoded));
        let serial = name.unsigned().map(crate::issue::Serial::from_bytes);
        recipients.push(match (issuer, serial) {
            (Ok(issuer), Ok(serial)) => {
                format!("serial {serial} of {issuer}, {}", name_of(&algorithm))
            }
            _ => format!("named by its key, {}", name_of(&algorithm)),
        });
    }
    Ok(recipients)
}

/// `[0] IMPLICIT SET OF Certificate`, if it is there.
fn certificates(mut data: Reader<'_>) -> Result<Vec<String>> {
    let Some(list) = data.optional(tag::context_constructed(0))? else {
        return Ok(Vec::new());
    };
    let mut list = list.reader(WHAT);
    let mut certificates = Vec::new();
    while !list.is_empty() {
        let certificate = Certificate::from_der(list.expect(tag::SEQUENCE)?.encoded)?;
        certificates.push(format!(
            "{} (serial {})",
            certificate.subject, certificate.serial
        ));
    }
    Ok(certificates)
}
