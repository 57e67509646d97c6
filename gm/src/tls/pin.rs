//! Public keys of servers that are known beforehand, by their digests.

use std::fmt;
use std::str::FromStr;

use openssl::base64;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::x509::X509Ref;

use super::ffi;

/// Bytes of a digest, SHA-256 or SM3.
const LENGTH: usize = 32;
/// What a pin looks like, for the words about one that does not.
const FORM: &str = "`sha256/` or `sm3/` and 44 characters of base64, as `alb cert show` prints it";

/// The digest of a certificate's SubjectPublicKeyInfo (RFC 7469 §2.4; with SM3 for houses that use nothing else), written
/// `sha256/BASE64` or `sm3/BASE64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    digest: PinDigest,
    value: [u8; LENGTH],
}

/// The digest of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinDigest {
    /// SHA-256.
    Sha256,
    /// SM3 (GB/T 32905).
    Sm3,
}

impl PinDigest {
    /// All of them.
    const ALL: [PinDigest; 2] = [PinDigest::Sha256, PinDigest::Sm3];

    fn as_str(self) -> &'static str {
        match self {
            PinDigest::Sha256 => "sha256",
            PinDigest::Sm3 => "sm3",
        }
    }
}

impl Pin {
    /// The pin of a certificate's key.
    pub fn of(certificate: &X509Ref, digest: PinDigest) -> Result<Pin, ErrorStack> {
        let algorithm = match digest {
            PinDigest::Sha256 => MessageDigest::sha256(),
            PinDigest::Sm3 => MessageDigest::sm3(),
        };
        let hash = openssl::hash::hash(algorithm, &ffi::public_key_info(certificate)?)?;
        let value = <[u8; LENGTH]>::try_from(&*hash).map_err(|_| ErrorStack::get())?;
        Ok(Pin { digest, value })
    }

    /// The key of `certificate` by the digests that `pins` are made with, when none of them is its.
    pub(super) fn mismatch(
        pins: &[Pin],
        certificate: &X509Ref,
    ) -> Result<Option<Vec<Pin>>, ErrorStack> {
        let mut seen = Vec::new();
        for digest in PinDigest::ALL {
            if pins.iter().any(|pin| pin.digest == digest) {
                seen.push(Pin::of(certificate, digest)?);
            }
        }
        let known = seen.iter().any(|pin| pins.contains(pin));
        Ok((!known).then_some(seen))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = base64::encode_block(&self.value);
        write!(f, "{}/{value}", self.digest.as_str())
    }
}

impl FromStr for Pin {
    type Err = String;

    /// Fails with a sentence that says what is wrong.
    fn from_str(text: &str) -> Result<Pin, String> {
        let (name, value) = text
            .split_once('/')
            .ok_or_else(|| format!("it should be {FORM}"))?;
        let digest = PinDigest::ALL
            .into_iter()
            .find(|digest| digest.as_str() == name)
            .ok_or_else(|| format!("there is no digest `{name}` for pins; it should be {FORM}"))?;
        let bytes = base64::decode_block(value)
            .map_err(|_| format!("what follows `{name}/` is not base64; it should be {FORM}"))?;
        let length = bytes.len();
        let value = <[u8; LENGTH]>::try_from(bytes)
            .map_err(|_| format!("its digest has {length} bytes, not {LENGTH}"))?;
        let pin = Pin { digest, value };
        // The library passes over spaces, and over bits that mean nothing.
        match pin.to_string() == text {
            true => Ok(pin),
            false => Err(format!("it should be written `{pin}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_written() {
        for text in [
            "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "sm3/Kysrq6srKysrKysrKysrKysrKysrKysrKysrKysrKys=",
        ] {
            assert_eq!(text.parse::<Pin>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pin_is_told_what_one_is() {
        for (text, says) in [
            ("", "44 characters"),
            (
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "44 characters",
            ),
            ("sha1/AAAA", "no digest `sha1`"),
            ("SHA256/AAAA", "no digest `SHA256`"),
            ("sha256/AAAA", "3 bytes"),
            ("sm3/", "0 bytes"),
            ("sha256/not base64", "not base64"),
            ("sha256/\u{4e2d}", "not base64"),
            (
                "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
                "written `sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=`",
            ),
            (
                "sha256/ AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "written `sha256/AAAA",
            ),
        ] {
            let wrong = text.parse::<Pin>().unwrap_err();
            assert!(wrong.contains(says), "{text}: {wrong}");
        }
    }
}
