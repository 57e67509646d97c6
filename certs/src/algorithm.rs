//! The key algorithms this crate makes, and the identifiers that go with them.

use crate::der;
use crate::oid::{self, Oid};

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SM2 on sm2p256v1 (GB/T 32918.5), signing with SM3.
    Sm2,
    /// ECDSA on P-256, signing with SHA-256.
    P256,
    /// RSA of 2048 bits, signing with SHA-256.
    Rsa2048,
    /// RSA of 3072 bits, signing with SHA-256.
    Rsa3072,
    /// RSA of 4096 bits, signing with SHA-256.
    Rsa4096,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [
        Self::Sm2,
        Self::P256,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    /// The name for people and for the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sm2 => "sm2",
            Self::P256 => "p256",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        }
    }

    /// The object identifier of signatures made with such a key.
    pub fn signature_oid(self) -> Oid {
        match self {
            Self::Sm2 => oid::SM2_WITH_SM3,
            Self::P256 => oid::ECDSA_WITH_SHA256,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => oid::RSA_WITH_SHA256,
        }
    }

    /// The signature AlgorithmIdentifier. SM2 and ECDSA have no parameters (GM/T 0092; RFC 5758 §3.2), RSA has NULL.
    pub fn signature_identifier(self) -> Vec<u8> {
        let oid = der::object_id(&self.signature_oid());
        match self {
            Self::Sm2 | Self::P256 => der::sequence([oid]),
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => der::sequence([oid, der::null()]),
        }
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
