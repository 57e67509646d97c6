//! Object identifiers: the table of GB/T 33560 and of PKIX, and names for people.

use std::borrow::Cow;
use std::fmt;

/// An object identifier, kept as the content bytes of its DER encoding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Cow<'static, [u8]>);

impl Oid {
    /// An identifier from its encoded content, unchecked: any bytes compare and print.
    pub fn from_content(content: &[u8]) -> Self {
        Self(Cow::Owned(content.to_vec()))
    }

    /// The content bytes of the DER encoding.
    pub fn content(&self) -> &[u8] {
        &self.0
    }

    /// The name people use for it, if this crate knows it.
    pub fn name(&self) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(oid, _)| oid == self)
            .map(|(_, name)| *name)
    }

    const fn known(content: &'static [u8]) -> Self {
        Self(Cow::Borrowed(content))
    }
}

impl fmt::Display for Oid {
    /// Dotted decimal; arcs beyond 64 bits print as `…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arc: u64 = 0;
        let mut first = true;
        let mut overflow = false;
        for byte in self.0.iter() {
            overflow |= arc > u64::MAX >> 7;
            arc = (arc << 7) | u64::from(byte & 0x7f);
            if byte & 0x80 != 0 {
                continue;
            }
            match (first, overflow) {
                (_, true) => f.write_str(if first { "…" } else { ".…" })?,
                (true, false) => {
                    let root = (arc / 40).min(2);
                    write!(f, "{root}.{}", arc - root * 40)?;
                }
                (false, false) => write!(f, ".{arc}")?,
            }
            (arc, first, overflow) = (0, false, false);
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

/// Declares the constants and the table of names; the bytes are checked against the dotted form by a test.
macro_rules! oids {
    ($($constant:ident = $dotted:literal $content:expr, $name:literal;)*) => {
        $(#[doc = concat!($name, ", ", $dotted, ".")] pub const $constant: Oid = Oid::known(&$content);)*
        const NAMES: &[(Oid, &str)] = &[$(($constant, $name)),*];
        #[cfg(test)]
        const DOTTED: &[(Oid, &str)] = &[$(($constant, $dotted)),*];
    };
}

oids! {
    // GB/T 33560
    SM2_CURVE = "1.2.156.10197.1.301" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d], "SM2";
    SM2_SIGN = "1.2.156.10197.1.301.1" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d, 0x01], "SM2 signature";
    SM2_ENCRYPT = "1.2.156.10197.1.301.3" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d, 0x03], "SM2 encryption";
    SM2_WITH_SM3 = "1.2.156.10197.1.501" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75], "SM2-with-SM3";
    RSA_WITH_SM3 = "1.2.156.10197.1.504" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x78], "RSA-with-SM3";
    SM3 = "1.2.156.10197.1.401" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11], "SM3";
    SM4 = "1.2.156.10197.1.104" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68], "SM4";
    SM4_ECB = "1.2.156.10197.1.104.1" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68, 0x01], "SM4-ECB";
    SM4_CBC = "1.2.156.10197.1.104.2" [0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x68, 0x02], "SM4-CBC";
    // Keys and signatures
    EC_PUBLIC_KEY = "1.2.840.10045.2.1" [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], "EC public key";
    P256 = "1.2.840.10045.3.1.7" [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], "P-256";
    ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2" [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], "ECDSA-with-SHA256";
    RSA = "1.2.840.113549.1.1.1" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01], "RSA";
    RSA_WITH_SHA256 = "1.2.840.113549.1.1.11" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b], "RSA-with-SHA256";
    // Names
    COMMON_NAME = "2.5.4.3" [0x55, 0x04, 0x03], "CN";
    SERIAL_NUMBER = "2.5.4.5" [0x55, 0x04, 0x05], "serialNumber";
    COUNTRY = "2.5.4.6" [0x55, 0x04, 0x06], "C";
    LOCALITY = "2.5.4.7" [0x55, 0x04, 0x07], "L";
    STATE = "2.5.4.8" [0x55, 0x04, 0x08], "ST";
    ORGANIZATION = "2.5.4.10" [0x55, 0x04, 0x0a], "O";
    ORGANIZATIONAL_UNIT = "2.5.4.11" [0x55, 0x04, 0x0b], "OU";
    EMAIL = "1.2.840.113549.1.9.1" [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01], "emailAddress";
    // Extensions, RFC 5280 §4.2 and §5.2
    SUBJECT_KEY_ID = "2.5.29.14" [0x55, 0x1d, 0x0e], "subject key identifier";
    KEY_USAGE = "2.5.29.15" [0x55, 0x1d, 0x0f], "key usage";
    SUBJECT_ALT_NAME = "2.5.29.17" [0x55, 0x1d, 0x11], "subject alternative name";
    BASIC_CONSTRAINTS = "2.5.29.19" [0x55, 0x1d, 0x13], "basic constraints";
    CRL_NUMBER = "2.5.29.20" [0x55, 0x1d, 0x14], "CRL number";
    CRL_REASON = "2.5.29.21" [0x55, 0x1d, 0x15], "CRL reason";
    CRL_DISTRIBUTION = "2.5.29.31" [0x55, 0x1d, 0x1f], "CRL distribution points";
    AUTHORITY_KEY_ID = "2.5.29.35" [0x55, 0x1d, 0x23], "authority key identifier";
    EXTENDED_KEY_USAGE = "2.5.29.37" [0x55, 0x1d, 0x25], "extended key usage";
    AUTHORITY_INFO = "1.3.6.1.5.5.7.1.1" [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01], "authority information access";
    OCSP = "1.3.6.1.5.5.7.48.1" [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01], "OCSP";
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1" [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01], "server authentication";
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2" [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02], "client authentication";
    OCSP_SIGNING = "1.3.6.1.5.5.7.3.9" [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09], "OCSP signing";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_encode_what_they_say() {
        for (oid, dotted) in DOTTED {
            assert_eq!(oid.to_string(), *dotted);
        }
    }

    #[test]
    fn oversized_arcs_print_without_panic() {
        let oid = Oid::from_content(&[
            0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ]);
        assert_eq!(oid.to_string(), "1.2.…");
    }
}
