//! The facts of each kind of object.

use alb_gm::tls::{Pin, PinDigest};
use openssl::hash::MessageDigest;

use super::Item;
use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::envelope::{self, Form};
use crate::error::Result;
use crate::key::Key;
use crate::oid::Oid;
use crate::pkcs8;
use crate::public_key::PublicKey;
use crate::request::Request;
use crate::time::{DAY, Time};

pub(super) fn certificate(certificate: &Certificate) -> Item {
    let extensions = &certificate.extensions;
    let known = |oid: &Oid| name_of(oid);
    let unknown = extensions
        .all
        .iter()
        .filter(|extension| extension.oid.name().is_none());
    Item::new("certificate")
        .text("subject", &certificate.subject)
        .text("issuer", &certificate.issuer)
        .list("names", &extensions.names)
        .text("serial", &certificate.serial)
        .text("not before", certificate.validity.not_before)
        .text(
            "not after",
            format!(
                "{}{}",
                certificate.validity.not_after,
                remaining(certificate.validity.not_after)
            ),
        )
        .text("key", certificate.public_key.describe())
        .text("signature", name_of(certificate.signature_algorithm()))
        .maybe("usage", extensions.key_usage)
        .list("purposes", extensions.purposes.iter().map(known))
        .maybe(
            "authority",
            extensions
                .authority
                .map(|yes| authority_word(yes, extensions.path_length)),
        )
        .maybe("key id", extensions.subject_key_id.as_deref().map(hex))
        .maybe(
            "issuer key id",
            extensions.authority_key_id.as_deref().map(hex),
        )
        .list("crl", &extensions.crl_urls)
        .list("ocsp", &extensions.ocsp_urls)
        .list(
            "other extensions",
            unknown.map(|extension| {
                format!(
                    "{}{}",
                    extension.oid,
                    if extension.critical {
                        " (critical)"
                    } else {
                        ""
                    }
                )
            }),
        )
        .maybe("sm3", fingerprint(certificate.der(), MessageDigest::sm3()))
        .maybe(
            "sha256",
            fingerprint(certificate.der(), MessageDigest::sha256()),
        )
        .list("pins", pins(certificate))
}

pub(super) fn request(request: &Request) -> Result<Item> {
    let signature = match request.verify() {
        Ok(()) => "holds",
        Err(_) => "DOES NOT HOLD",
    };
    let item = Item::new("certificate request")
        .text("subject", &request.subject)
        .list("names", &request.extensions.names)
        .text("key", request.public_key.describe())
        .text(
            "signature",
            format!("{}, {signature}", name_of(request.signature_algorithm())),
        )
        .list("attributes", request.attributes.iter().map(name_of));
    Ok(item.maybe(
        "cfca temporary key",
        request.cfca_temporary_key()?.map(|point| hex(&point)),
    ))
}

pub(super) fn crl(crl: &Crl) -> Item {
    const SHOWN: usize = 50;
    let entries = crl
        .revoked
        .iter()
        .take(SHOWN)
        .map(|entry| format!("{}  {}  {}", entry.serial, entry.at, entry.reason.name()));
    let more = crl.revoked.len().saturating_sub(SHOWN);
    Item::new("revocation list")
        .text("issuer", &crl.issuer)
        .maybe("number", crl.extensions.crl_number)
        .text("this update", crl.this_update)
        .maybe(
            "next update",
            crl.next_update
                .map(|time| format!("{time}{}", remaining(time))),
        )
        .text("signature", name_of(crl.signature_algorithm()))
        .text("entries", crl.revoked.len())
        .list("revoked", entries)
        .maybe("and", (more > 0).then(|| format!("{more} more")))
}

pub(super) fn private_key(key: &Key) -> Result<Item> {
    let public = key.public_key()?;
    Ok(Item::new("private key")
        .text("key", public.describe())
        .text("protection", "none: whoever reads the file has the key")
        .text("public key", public_hex(&public)))
}

pub(super) fn encrypted_key(bytes: &[u8]) -> Result<Item> {
    let facts = pkcs8::describe(bytes)?;
    Ok(Item::new("encrypted private key")
        .text("cipher", facts.cipher)
        .text("derivation", facts.derivation))
}

pub(super) fn public_key(bytes: &[u8]) -> Result<Item> {
    let key = PublicKey::from_info(bytes)?;
    Ok(Item::new("public key")
        .text("key", key.describe())
        .text("public key", public_hex(&key)))
}

pub(super) fn envelope(form: Form, bytes: &[u8]) -> Item {
    let with = if form.needs_password() {
        "its password"
    } else {
        "the private key it is wrapped to"
    };
    let item = Item::new(format!("wrapped key: {}", form.name()))
        .text("opens with", format!("{with}; see `alb cert import-enc`"));
    item.list(
        "certificates",
        envelope::certificates(form, bytes)
            .unwrap_or_default()
            .iter()
            .map(|one| format!("{} (serial {})", one.subject, one.serial)),
    )
}

pub(super) fn pkcs12(bytes: &[u8]) -> Item {
    Item::new("PKCS#12")
        .text("size", format!("{} bytes", bytes.len()))
        .text("opens with", "its password; see `alb cert convert`")
}

/// The name of an identifier, or its digits.
pub(super) fn name_of(oid: &Oid) -> String {
    oid.name().map_or_else(|| oid.to_string(), str::to_owned)
}

fn authority_word(authority: bool, path_length: Option<u64>) -> String {
    match (authority, path_length) {
        (false, _) => "no (stated explicitly)".to_owned(),
        (true, None) => "yes".to_owned(),
        (true, Some(0)) => "yes, of end entities only".to_owned(),
        (true, Some(length)) => format!("yes, {length} intermediates deep"),
    }
}

fn remaining(until: Time) -> String {
    let left = until.unix() - Time::now().unix();
    match left.div_euclid(DAY) {
        _ if left < 0 => " (EXPIRED)".to_owned(),
        0 => " (today)".to_owned(),
        days => format!(" ({days} days left)"),
    }
}

fn public_hex(key: &PublicKey) -> String {
    key.sm2_point().map_or_else(
        || fingerprint(key.info(), MessageDigest::sha256()).unwrap_or_default(),
        |point| hex(&point),
    )
}

/// What `pins` of an upstream's `tls` are made of.
fn pins(certificate: &Certificate) -> Vec<Pin> {
    let Ok(x509) = certificate.to_x509() else {
        return Vec::new();
    };
    [PinDigest::Sha256, PinDigest::Sm3]
        .into_iter()
        .filter_map(|digest| Pin::of(&x509, digest).ok())
        .collect()
}

fn fingerprint(bytes: &[u8], digest: MessageDigest) -> Option<String> {
    openssl::hash::hash(digest, bytes)
        .ok()
        .map(|digest| hex(&digest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
