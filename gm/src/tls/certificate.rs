//! The facts of one certificate, in words for logs, headers and people.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::pkey::Id;
use openssl::x509::{X509, X509KeyUsage, X509NameRef, X509Ref};
use std::net::IpAddr;

/// A certificate. Facts are worked out when asked for, so carrying one costs a reference count.
#[derive(Clone)]
pub struct Certificate(X509);

/// What kind of key a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// SM2 on the curve sm2p256v1.
    Sm2,
    /// ECDSA on a NIST curve.
    Ecdsa,
    /// RSA.
    Rsa,
    /// Anything else, such as Ed25519.
    Other,
}

impl Certificate {
    /// Wraps a certificate of the library.
    pub fn new(certificate: &X509Ref) -> Self {
        Certificate(certificate.to_owned())
    }

    /// The certificate as the library knows it.
    pub fn x509(&self) -> &X509Ref {
        &self.0
    }

    /// Subject in the form of RFC 4514, most specific part first: `CN=a.example,O=Example,C=CN`.
    pub fn subject(&self) -> String {
        distinguished_name(self.0.subject_name())
    }

    /// Issuer in the form of RFC 4514.
    pub fn issuer(&self) -> String {
        distinguished_name(self.0.issuer_name())
    }

    /// Serial number in upper-case hexadecimal, without leading zeros.
    pub fn serial(&self) -> String {
        let hex = self.0.serial_number().to_bn().and_then(|n| n.to_hex_str());
        hex.map(|h| h.trim_start_matches('0').to_owned())
            .unwrap_or_default()
    }

    /// Start of validity, seconds since 1970.
    pub fn not_before(&self) -> i64 {
        unix(self.0.not_before())
    }

    /// End of validity, seconds since 1970.
    pub fn not_after(&self) -> i64 {
        unix(self.0.not_after())
    }

    /// SHA-256 of the DER encoding, lower-case hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.digest(MessageDigest::sha256())
    }

    /// SHA-1 of the DER encoding, lower-case hexadecimal: what nginx calls the fingerprint.
    pub fn fingerprint_sha1(&self) -> String {
        self.digest(MessageDigest::sha1())
    }

    /// SM3 of the DER encoding, lower-case hexadecimal.
    pub fn fingerprint_sm3(&self) -> String {
        self.digest(MessageDigest::sm3())
    }

    /// The PEM encoding.
    pub fn to_pem(&self) -> Vec<u8> {
        self.0.to_pem().unwrap_or_default()
    }

    /// The DER encoding.
    pub fn to_der(&self) -> Vec<u8> {
        self.0.to_der().unwrap_or_default()
    }

    /// The DNS names and addresses it is for, in lower case; the common name if it has no alternative names.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for name in self.0.subject_alt_names().iter().flatten() {
            names.extend(name.dnsname().map(str::to_ascii_lowercase));
            names.extend(name.ipaddress().and_then(address).map(|a| a.to_string()));
        }
        if names.is_empty() {
            names.extend(common_name(self.0.subject_name()).map(|n| n.to_ascii_lowercase()));
        }
        names
    }

    /// The mail addresses among its alternative names (rfc822Name, RFC 5280 § 4.2.1.6).
    pub fn emails(&self) -> Vec<String> {
        let names = self.0.subject_alt_names();
        let emails = names.iter().flatten().filter_map(|name| name.email());
        emails.map(str::to_owned).collect()
    }

    /// The values of an attribute of the subject, by its object identifier in dotted form: `2.5.4.3` is the common
    /// name.
    pub fn subject_values(&self, oid: &str) -> Vec<String> {
        let entries = self.0.subject_name().entries();
        let wanted = entries.filter(|entry| dotted(entry.object()).as_deref() == Some(oid));
        let texts = wanted.filter_map(|entry| entry.data().to_string().ok());
        texts.collect()
    }

    /// The kind of its public key.
    pub fn key_kind(&self) -> KeyKind {
        self.0
            .public_key()
            .map_or(KeyKind::Other, |key| KeyKind::of(&key))
    }

    /// Words for its public key: `SM2`, `ECDSA P-256`, `RSA 2048 bits`.
    pub fn key_words(&self) -> String {
        self.0
            .public_key()
            .map_or_else(|_| "an unreadable key".into(), |key| key_words(&key))
    }

    /// Signature algorithm, by the library's name: `SM2-SM3`, `sha256WithRSAEncryption`.
    pub fn signature_algorithm(&self) -> String {
        let object = self.0.signature_algorithm().object();
        object
            .nid()
            .long_name()
            .map_or_else(|_| object.to_string(), str::to_owned)
    }

    /// The uses its KeyUsage extension names, by their names in RFC 5280 §4.2.1.3; `None` without the extension.
    pub fn usages(&self) -> Option<Vec<&'static str>> {
        self.0.key_usage().map(|usage| {
            KEY_USAGES
                .iter()
                .filter(|(bit, _)| usage.contains(*bit))
                .map(|(_, n)| *n)
                .collect()
        })
    }

    /// May sign a handshake: digitalSignature or nonRepudiation (GB/T 38636 §6.4.5.3 with GB/T 20518).
    pub fn may_sign(&self) -> bool {
        self.has_usage(X509KeyUsage::DIGITAL_SIGNATURE | X509KeyUsage::NON_REPUDIATION)
    }

    /// May receive keys: keyEncipherment, dataEncipherment or keyAgreement.
    pub fn may_encrypt(&self) -> bool {
        self.has_usage(
            X509KeyUsage::KEY_ENCIPHERMENT
                | X509KeyUsage::DATA_ENCIPHERMENT
                | X509KeyUsage::KEY_AGREEMENT,
        )
    }

    fn has_usage(&self, any: X509KeyUsage) -> bool {
        self.0
            .key_usage()
            .is_some_and(|usage| usage.intersects(any))
    }

    fn digest(&self, digest: MessageDigest) -> String {
        self.0.digest(digest).map(|d| hex(&d)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Certificate({} serial {})",
            self.subject(),
            self.serial()
        )
    }
}

impl KeyKind {
    /// The kind of a key.
    pub(super) fn of<T>(key: &openssl::pkey::PKeyRef<T>) -> KeyKind {
        match key.id() {
            Id::SM2 => KeyKind::Sm2,
            Id::EC => KeyKind::Ecdsa,
            Id::RSA | Id::RSA_PSS => KeyKind::Rsa,
            _ => KeyKind::Other,
        }
    }
}

const KEY_USAGES: [(X509KeyUsage, &str); 9] = [
    (X509KeyUsage::DIGITAL_SIGNATURE, "digitalSignature"),
    (X509KeyUsage::NON_REPUDIATION, "nonRepudiation"),
    (X509KeyUsage::KEY_ENCIPHERMENT, "keyEncipherment"),
    (X509KeyUsage::DATA_ENCIPHERMENT, "dataEncipherment"),
    (X509KeyUsage::KEY_AGREEMENT, "keyAgreement"),
    (X509KeyUsage::KEY_CERT_SIGN, "keyCertSign"),
    (X509KeyUsage::CRL_SIGN, "cRLSign"),
    (X509KeyUsage::ENCIPHER_ONLY, "encipherOnly"),
    (X509KeyUsage::DECIPHER_ONLY, "decipherOnly"),
];

pub(super) fn key_words<T: openssl::pkey::HasPublic>(key: &openssl::pkey::PKeyRef<T>) -> String {
    match KeyKind::of(key) {
        KeyKind::Sm2 => "SM2".into(),
        KeyKind::Rsa => format!("RSA {} bits", key.bits()),
        KeyKind::Ecdsa => {
            let curve = key.ec_key().ok().and_then(|k| k.group().curve_name());
            let name = curve
                .and_then(|n| n.long_name().ok())
                .unwrap_or("an unnamed curve");
            format!(
                "ECDSA {}",
                if name == "prime256v1" { "P-256" } else { name }
            )
        }
        KeyKind::Other => format!("key type {} with {} bits", key.id().as_raw(), key.bits()),
    }
}

fn distinguished_name(name: &X509NameRef) -> String {
    let mut parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let object = entry.object();
            let kind = object
                .nid()
                .short_name()
                .map_or_else(|_| object.to_string(), str::to_owned);
            let value = entry
                .data()
                .to_string()
                .unwrap_or_else(|_| hex(entry.data().as_slice()));
            format!("{kind}={}", escaped(&value))
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

/// RFC 4514 §2.4; control characters too, since the result goes into logs and headers.
fn escaped(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (i, c) in value.char_indices() {
        let at_the_edge = (i == 0 && (c == ' ' || c == '#')) || (i == last && c == ' ');
        if c.is_control() {
            out.extend(
                c.encode_utf8(&mut [0; 4])
                    .bytes()
                    .map(|b| format!("\\{b:02X}")),
            );
        } else {
            if at_the_edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// An object identifier in dotted form, whether or not the library has a name for it.
fn dotted(object: &openssl::asn1::Asn1ObjectRef) -> Option<String> {
    let mut arcs = Vec::new();
    let mut value = 0u64;
    for byte in object.to_owned().as_slice() {
        value = value.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            arcs.push(std::mem::take(&mut value));
        }
    }
    // X.690 § 8.19.4: the first two arcs share a subidentifier.
    let first = *arcs.first()?;
    let root = (first / 40).min(2);
    let mut text = format!("{root}.{}", first - root * 40);
    for arc in &arcs[1..] {
        text.push_str(&format!(".{arc}"));
    }
    Some(text)
}

fn common_name(name: &X509NameRef) -> Option<String> {
    name.entries_by_nid(openssl::nid::Nid::COMMONNAME)
        .last()
        .and_then(|e| e.data().to_string().ok())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// Seconds since 1970.
pub(super) fn unix(time: &Asn1TimeRef) -> i64 {
    let epoch = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(time));
    epoch.map_or(0, |d| i64::from(d.days) * 86_400 + i64::from(d.secs))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_are_written_with_dots() {
        for text in [
            "2.5.4.3",
            "1.2.156.10197.1.301",
            "2.999.3",
            "0.9.2342.19200300.100.1.1",
        ] {
            let object = openssl::asn1::Asn1Object::from_str(text).expect("an identifier");
            assert_eq!(dotted(&object).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_name_cannot_break_out_of_its_field() {
        assert_eq!(escaped("a,CN=b"), "a\\,CN=b");
        assert_eq!(escaped(" x\r\ny "), "\\ x\\0D\\0Ay\\ ");
        assert_eq!(escaped("北京"), "北京");
    }
}
