//! Any bytes as signatures, ciphertexts and points of SM2.

use alb_gm::sm2::{Ciphertext, PublicKey, Signature};

/// They are refused, or mean exactly what they are written as.
pub fn sm2_encodings(bytes: &[u8]) {
    if let Ok(signature) = Signature::from_der(bytes) {
        assert_eq!(Signature::from_der(&signature.to_der()), Ok(signature));
    }
    if let Ok(ciphertext) = Ciphertext::from_der(bytes) {
        assert_eq!(Ciphertext::from_der(&ciphertext.to_der()), Ok(ciphertext));
    }
    if let Ok(ciphertext) = Ciphertext::from_c1c3c2(bytes) {
        assert_eq!(
            Ciphertext::from_c1c3c2(&ciphertext.to_c1c3c2()),
            Ok(ciphertext)
        );
    }
    if let Ok(ciphertext) = Ciphertext::from_c1c2c3(bytes) {
        assert_eq!(
            Ciphertext::from_c1c2c3(&ciphertext.to_c1c2c3()),
            Ok(ciphertext)
        );
    }
    if let Ok(key) = PublicKey::from_bytes(bytes) {
        assert_eq!(PublicKey::from_bytes(&key.to_uncompressed()), Ok(key));
        assert_eq!(PublicKey::from_bytes(&key.to_compressed()), Ok(key));
    }
}
