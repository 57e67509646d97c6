//! MD5 by Tongsuo, for the two mail mechanisms that are made of it: APOP (RFC 1939 § 7) and CRAM-MD5 (RFC 2195).
//!
//! MD5 protects nothing any more; beside these only the links of nginx's `secure_link` module use it.

use openssl::hash::{Hasher, MessageDigest};

/// Length of an MD5 digest in bytes.
pub const MD5_LEN: usize = 16;

/// Length of the block MD5 takes, in bytes.
const MD5_BLOCK: usize = 64;

/// MD5 of all parts, one after the other. `None` where the library's policy forbids MD5.
pub fn md5(parts: &[&[u8]]) -> Option<[u8; MD5_LEN]> {
    let mut hasher = Hasher::new(MessageDigest::md5()).ok()?;
    for part in parts {
        hasher.update(part).ok()?;
    }
    (*hasher.finish().ok()?).try_into().ok()
}

/// HMAC-MD5 (RFC 2104) of a message. `None` where the library's policy forbids MD5.
pub fn hmac_md5(key: &[u8], message: &[u8]) -> Option<[u8; MD5_LEN]> {
    let mut block = zeroize::Zeroizing::new([0; MD5_BLOCK]);
    if key.len() > MD5_BLOCK {
        block[..MD5_LEN].copy_from_slice(&md5(&[key])?);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = zeroize::Zeroizing::new(block.map(|byte| byte ^ 0x36));
    let outer = zeroize::Zeroizing::new(block.map(|byte| byte ^ 0x5c));
    let digest = md5(&[&*inner, message])?;
    md5(&[&*outer, &digest])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn md5_gives_the_digests_of_rfc_1321() {
        let digest = |text: &[u8]| hex(&md5(&[text]).expect("MD5"));
        assert_eq!(digest(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(
            digest(b"message digest"),
            "f96b697d7cb7938d525a2f31aaf161d0"
        );
    }

    #[test]
    fn md5_takes_its_message_in_parts() {
        assert_eq!(md5(&[b"mess", b"", b"age"]), md5(&[b"message"]));
    }

    #[test]
    fn hmac_gives_the_digests_of_rfc_2202() {
        let digest = |key: &[u8], text: &[u8]| hex(&hmac_md5(key, text).expect("MD5"));
        assert_eq!(
            digest(&[0x0b; 16], b"Hi There"),
            "9294727a3638bb1c13f48ef8158bfc9d"
        );
        assert_eq!(
            digest(b"Jefe", b"what do ya want for nothing?"),
            "750c783e6ab0b503eaa86e310a5db738"
        );
        assert_eq!(
            digest(
                &[0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            ),
            "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"
        );
    }
}
