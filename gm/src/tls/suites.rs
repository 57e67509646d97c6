//! The cipher suites: one table with every name they go by.

use super::Protocol;

/// A cipher suite this gateway can negotiate.
#[derive(Debug, PartialEq, Eq)]
pub struct Suite {
    /// Name in the standard: GB/T 38636-2020 table 2, RFC 8998, or IANA.
    pub name: &'static str,
    /// Code point on the wire.
    pub code: u16,
    /// Name in Tongsuo's cipher strings.
    pub library: &'static str,
    /// The protocol it belongs to.
    pub protocol: Protocol,
    /// The key exchange uses the client's encryption certificate, so both sides need an SM2 pair.
    pub needs_client_pair: bool,
    /// Uses SM4 and SM3 only.
    pub gm: bool,
}

/// Every suite, the preferred one of each protocol first.
pub static ALL: &[Suite] = &[
    tlcp("ECC_SM4_GCM_SM3", 0xE053, "ECC-SM2-SM4-GCM-SM3", false),
    tlcp("ECC_SM4_CBC_SM3", 0xE013, "ECC-SM2-SM4-CBC-SM3", false),
    tlcp("ECDHE_SM4_GCM_SM3", 0xE051, "ECDHE-SM2-SM4-GCM-SM3", true),
    tlcp("ECDHE_SM4_CBC_SM3", 0xE011, "ECDHE-SM2-SM4-CBC-SM3", true),
    tls13("TLS_AES_128_GCM_SHA256", 0x1301),
    tls13("TLS_AES_256_GCM_SHA384", 0x1302),
    tls13("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    tls13("TLS_SM4_GCM_SM3", 0x00C6),
    tls13("TLS_SM4_CCM_SM3", 0x00C7),
    tls12(
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        0xC02B,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    tls12(
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        0xC02F,
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    tls12(
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        0xC02C,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    tls12(
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        0xC030,
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    tls12(
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        0xCCA9,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
    tls12(
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        0xCCA8,
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
];

/// Finds a suite by its standard name or by Tongsuo's, in any case; a TLCP suite also with a `TLS_` or `TLCP_` prefix,
/// as GmSSL and Kona write it.
pub fn find(name: &str) -> Option<&'static Suite> {
    let upper = name.to_ascii_uppercase();
    let bare = upper
        .strip_prefix("TLCP_")
        .or_else(|| upper.strip_prefix("TLS_"))
        .unwrap_or(&upper);
    ALL.iter().find(|s| {
        upper == s.name || upper == s.library || (s.protocol == Protocol::Tlcp && bare == s.name)
    })
}

/// Finds a suite by its code point.
pub fn by_code(code: u16) -> Option<&'static Suite> {
    ALL.iter().find(|s| s.code == code)
}

/// Words for a code point seen on the wire: the standard name, or the number.
pub fn name_of(code: u16) -> String {
    by_code(code).map_or_else(|| format!("0x{code:04X}"), |s| s.name.to_owned())
}

/// RFC 8701 reserves values of the form 0x?A?A for clients to grease with; they mean nothing.
pub fn is_grease(code: u16) -> bool {
    code & 0x0F0F == 0x0A0A && code >> 8 == code & 0xFF
}

/// Tongsuo's cipher string of the suites of one protocol.
pub(super) fn cipher_string<'a>(
    suites: impl IntoIterator<Item = &'a Suite>,
    protocol: Protocol,
) -> String {
    let names: Vec<_> = suites
        .into_iter()
        .filter(|s| s.protocol == protocol)
        .map(|s| s.library)
        .collect();
    names.join(":")
}

const fn tlcp(
    name: &'static str,
    code: u16,
    library: &'static str,
    needs_client_pair: bool,
) -> Suite {
    Suite {
        name,
        code,
        library,
        protocol: Protocol::Tlcp,
        needs_client_pair,
        gm: true,
    }
}

const fn tls12(name: &'static str, code: u16, library: &'static str) -> Suite {
    Suite {
        name,
        code,
        library,
        protocol: Protocol::Tls12,
        needs_client_pair: false,
        gm: false,
    }
}

const fn tls13(name: &'static str, code: u16) -> Suite {
    let gm = matches!(code, 0x00C6 | 0x00C7);
    Suite {
        name,
        code,
        library: name,
        protocol: Protocol::Tls13,
        needs_client_pair: false,
        gm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_found_under_each_of_its_names() {
        for name in [
            "ECC_SM4_CBC_SM3",
            "ecc_sm4_cbc_sm3",
            "TLCP_ECC_SM4_CBC_SM3",
            "TLS_ECC_SM4_CBC_SM3",
            "ECC-SM2-SM4-CBC-SM3",
        ] {
            assert_eq!(find(name).map(|s| s.code), Some(0xE013), "{name}");
        }
        assert_eq!(find("TLS_SM4_GCM_SM3").map(|s| s.code), Some(0x00C6));
        assert_eq!(find("SM4_GCM_SM3"), None);
    }

    #[test]
    fn grease_is_recognised() {
        assert!(is_grease(0x0A0A) && is_grease(0xFAFA));
        assert!(!is_grease(0x1A2A) && !is_grease(0xE053) && !is_grease(0x1301));
    }
}
