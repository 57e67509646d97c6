//! Writes extensions, each as a DER `Extension`.

use std::net::IpAddr;

use super::{AltName, KeyUsage};
use crate::der::{self, tag};
use crate::oid::{self, Oid};

/// Key usage, critical.
pub fn key_usage(usage: KeyUsage) -> Vec<u8> {
    extension(&oid::KEY_USAGE, true, der::named_bits(usage.0))
}

/// Extended key usage, not critical.
pub fn extended_key_usage(purposes: &[Oid]) -> Vec<u8> {
    extension(
        &oid::EXTENDED_KEY_USAGE,
        false,
        der::sequence(purposes.iter().map(der::object_id)),
    )
}

/// Basic constraints of an authority, critical; `path_length` bounds the intermediates below it.
///
/// End entities get none at all: GmSSL stumbles over an explicit empty one.
pub fn authority(path_length: Option<u8>) -> Vec<u8> {
    let mut parts = vec![der::boolean(true)];
    parts.extend(path_length.map(|length| der::integer(length.into())));
    extension(&oid::BASIC_CONSTRAINTS, true, der::sequence(parts))
}

/// Subject alternative names; those of [`AltName::Other`] are left out.
pub fn alt_names(names: &[AltName]) -> Vec<u8> {
    let names = names.iter().filter_map(|name| match name {
        AltName::Other(_) => None,
        AltName::Dns(name) => Some(der::element(tag::context(2), name.as_bytes())),
        AltName::Ip(IpAddr::V4(address)) => Some(der::element(tag::context(7), &address.octets())),
        AltName::Ip(IpAddr::V6(address)) => Some(der::element(tag::context(7), &address.octets())),
    });
    extension(&oid::SUBJECT_ALT_NAME, false, der::sequence(names))
}

/// Subject key identifier.
pub fn subject_key_id(id: &[u8]) -> Vec<u8> {
    extension(&oid::SUBJECT_KEY_ID, false, der::octet_string(id))
}

/// Authority key identifier, by key.
pub fn authority_key_id(id: &[u8]) -> Vec<u8> {
    extension(
        &oid::AUTHORITY_KEY_ID,
        false,
        der::sequence([der::element(tag::context(0), id)]),
    )
}

/// Where the list of revoked certificates is fetched.
pub fn crl_distribution(url: &str) -> Vec<u8> {
    let name = der::element(tag::context(6), url.as_bytes());
    let full_name = der::explicit(0, der::element(tag::context_constructed(0), &name));
    extension(
        &oid::CRL_DISTRIBUTION,
        false,
        der::sequence([der::sequence([full_name])]),
    )
}

/// Where the OCSP responder is.
pub fn ocsp_access(url: &str) -> Vec<u8> {
    let access = der::sequence([
        der::object_id(&oid::OCSP),
        der::element(tag::context(6), url.as_bytes()),
    ]);
    extension(&oid::AUTHORITY_INFO, false, der::sequence([access]))
}

/// Number of a revocation list.
pub fn crl_number(number: u64) -> Vec<u8> {
    extension(&oid::CRL_NUMBER, false, der::integer(number))
}

/// Why a certificate was revoked.
pub fn crl_reason(code: u8) -> Vec<u8> {
    extension(&oid::CRL_REASON, false, der::enumerated(code))
}

fn extension(oid: &Oid, critical: bool, value: Vec<u8>) -> Vec<u8> {
    let mut parts = vec![der::object_id(oid)];
    if critical {
        parts.push(der::boolean(true));
    }
    parts.push(der::octet_string(&value));
    der::sequence(parts)
}
