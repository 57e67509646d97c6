//! How the content of a part is encoded (RFC 2045 § 6), and its beginning decoded. No I/O.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// An encoding of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// None.
    #[default]
    Identity,
    /// base64
    Base64,
    /// quoted-printable
    Quoted,
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Encoding {
    /// Reads the value of `Content-Transfer-Encoding`. One that nobody knows encodes nothing.
    pub fn read(value: &[u8]) -> Self {
        let word = value
            .trim_ascii()
            .split(|b| matches!(b, b' ' | b'\t' | b';' | b'('))
            .next();
        match word.unwrap_or_default().to_ascii_lowercase().as_slice() {
            b"base64" => Encoding::Base64,
            b"quoted-printable" => Encoding::Quoted,
            _ => Encoding::Identity,
        }
    }

    /// How many of these bytes count for the size.
    pub fn counted(self, bytes: &[u8]) -> u64 {
        let count = match self {
            Encoding::Base64 => bytes.iter().filter(|b| is_digit(**b)).count(),
            Encoding::Identity | Encoding::Quoted => bytes.len(),
        };
        count as u64
    }

    /// Adds the beginning of the content to what is kept of it, `most` bytes in all: nothing that decodes to nothing, by which
    /// the beginning could be pushed out of sight.
    pub fn keep(self, bytes: &[u8], kept: &mut Vec<u8>, most: usize) {
        match self {
            Encoding::Base64 => {
                let room = most.saturating_sub(kept.len());
                kept.extend(bytes.iter().filter(|b| is_digit(**b)).take(room));
            }
            Encoding::Identity => {
                let room = most.saturating_sub(kept.len());
                kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Encoding::Quoted => {
                for byte in bytes {
                    // Half a soft line break is no content yet.
                    if kept.len() >= most && !kept.ends_with(b"=") && !kept.ends_with(b"=\r") {
                        return;
                    }
                    kept.push(*byte);
                    if kept.ends_with(b"=\r\n") {
                        kept.truncate(kept.len() - 3);
                    }
                }
            }
        }
    }

    /// The size of the content, of what has been [counted](Self::counted). What is quoted may be smaller.
    pub fn decoded_size(self, counted: u64) -> u64 {
        match self {
            Encoding::Base64 => counted / 4 * 3 + (counted % 4 * 3) / 4,
            Encoding::Identity | Encoding::Quoted => counted,
        }
    }

    /// The beginning of the content, as far as it can be decoded.
    pub fn decode(self, head: &[u8]) -> Vec<u8> {
        match self {
            Encoding::Identity => head.to_vec(),
            Encoding::Quoted => unquote(head),
            Encoding::Base64 => {
                let mut digits: Vec<u8> = head.iter().copied().filter(|b| is_digit(*b)).collect();
                digits.truncate(digits.len() / 4 * 4);
                LENIENT.decode(&digits).unwrap_or_default()
            }
        }
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

fn unquote(head: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::with_capacity(head.len()), 0);
    while let Some(&byte) = head.get(at) {
        let rest = &head[at + 1..];
        let (decoded, used) = match (byte, rest) {
            (b'=', [b'\r', b'\n', ..]) => (None, 3),
            (b'=', [high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (Some(high << 4 | low), 3),
                _ => (Some(byte), 1),
            },
            _ => (Some(byte), 1),
        };
        out.extend(decoded);
        at += used;
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn beginnings_are_decoded() {
        assert_eq!(Encoding::read(b" Base64 \r\n"), Encoding::Base64);
        assert_eq!(Encoding::Base64.decode(b"TVqQ\r\nAAM"), b"MZ\x90");
        assert_eq!(Encoding::Quoted.decode(b"=4D=\r\n=5a=9"), b"MZ=9");
        assert_eq!(
            Encoding::Base64.decoded_size(Encoding::Base64.counted(b"TVqQ\r\nAA==")),
            4
        );
    }

    #[test]
    fn what_decodes_to_nothing_pushes_nothing_out_of_sight() {
        for (encoding, padding, content) in [
            (Encoding::Base64, "\r\n", "TVqQ"),
            (Encoding::Quoted, "=\r\n", "MZ=90"),
        ] {
            let mut kept = Vec::new();
            for piece in [padding.repeat(1000).as_bytes(), content.as_bytes()] {
                encoding.keep(piece, &mut kept, 16);
            }
            assert_eq!(encoding.decode(&kept), b"MZ\x90", "{encoding:?}");
            encoding.keep(&[b'A'; 100], &mut kept, 16);
            assert_eq!(kept.len(), 16, "{encoding:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(head in prop::collection::vec(any::<u8>(), 0..80)) {
            for encoding in [Encoding::Identity, Encoding::Base64, Encoding::Quoted] {
                prop_assert!(encoding.decode(&head).len() <= head.len());
            }
        }
    }
}
