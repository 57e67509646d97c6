//! Content that only its readers can look into, by its first bytes: envelopes of S/MIME (RFC 8551) and of SM2
//! (GB/T 35275). No I/O.

/// Contents of PKCS #7 and CMS that are encrypted: enveloped, signed and enveloped, encrypted, authenticated and enveloped.
const ENVELOPES: [&[u8]; 4] = [
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x04",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17",
];

/// 1.2.156.10197.6.1.4.2, under which 3 is enveloped, 4 signed and enveloped, and 5 encrypted data.
const SM2_CONTENTS: &[u8] = b"\x2a\x81\x1c\xcf\x55\x06\x01\x04\x02";

/// Whether content begins as an envelope, in DER or BER.
pub fn is_envelope(content: &[u8]) -> bool {
    let Some(oid) = first_oid(content) else {
        return false;
    };
    let of_sm2 = oid.strip_prefix(SM2_CONTENTS);
    ENVELOPES.contains(&oid) || matches!(of_sm2, Some([3..=5]))
}

/// The object identifier that a sequence begins with.
fn first_oid(content: &[u8]) -> Option<&[u8]> {
    let rest = content.strip_prefix(&[0x30])?;
    let (length, rest) = rest.split_first()?;
    let behind = match length {
        0..=0x80 => rest,
        long => rest.get(usize::from(long & 0x7f)..)?,
    };
    let (size, oid) = behind.strip_prefix(&[0x06])?.split_first()?;
    oid.get(..usize::from(*size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A ContentInfo with this type.
    fn info(length: &[u8], oid: &[u8]) -> Vec<u8> {
        let size = u8::try_from(oid.len()).expect("a short identifier");
        [&[0x30], length, &[0x06, size], oid, &[0xa0, 0x80]].concat()
    }

    #[test]
    fn envelopes_are_told_from_signatures() {
        let sm2 = |last| [SM2_CONTENTS, &[last]].concat();
        for (length, oid, envelope) in [
            (&[0x82, 0x01, 0x00][..], ENVELOPES[0].to_vec(), true),
            (&[0x80], ENVELOPES[3].to_vec(), true),
            (&[0x20], sm2(3), true),
            (&[0x81, 0xff], sm2(4), true),
            (&[0x20], sm2(2), false),
            (
                &[0x20],
                b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02".to_vec(),
                false,
            ),
        ] {
            assert_eq!(is_envelope(&info(length, &oid)), envelope, "{oid:x?}");
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_it_panic(content in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = is_envelope(&content);
            let _ = is_envelope(&[&[0x30, 0x84], content.as_slice()].concat());
        }
    }
}
