//! Public keys as certificates and requests carry them, and the signatures they verify.

use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, PKeyRef, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::Verifier;

use crate::der::Reader;
use crate::error::{Error, Result};
use crate::key::sm2_digest;
use crate::oid::{self, Oid};

/// A public key: its SubjectPublicKeyInfo, with Tongsuo's view of it.
#[derive(Clone)]
pub struct PublicKey {
    info: Vec<u8>,
    pkey: PKey<Public>,
    is_sm2: bool,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER; Tongsuo checks that a point is on its curve.
    pub fn from_info(info: &[u8]) -> Result<Self> {
        let mut content = Reader::whole_sequence(info, "a public key")?;
        let mut algorithm = content.sequence()?;
        let kind = algorithm.object_id()?;
        let is_sm2 = kind == oid::EC_PUBLIC_KEY
            && algorithm
                .object_id()
                .is_ok_and(|curve| curve == oid::SM2_CURVE);
        content.bits()?;
        content.end()?;
        let pkey = PKey::public_key_from_der(info).map_err(|_| {
            Error::malformed(
                "a usable public key",
                "a key Tongsuo refuses (unknown algorithm, or a point off its curve)",
            )
        })?;
        Ok(Self {
            info: info.to_vec(),
            pkey,
            is_sm2,
        })
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// The key as Tongsuo holds it.
    pub fn pkey(&self) -> &PKeyRef<Public> {
        &self.pkey
    }

    /// Whether this is a key on the SM2 curve.
    pub fn is_sm2(&self) -> bool {
        self.is_sm2
    }

    /// An SM2 key's point as `04 ‖ X ‖ Y`.
    pub fn sm2_point(&self) -> Option<[u8; 65]> {
        let mut content = Reader::whole_sequence(&self.info, "a public key").ok()?;
        content.sequence().ok()?;
        let point = content.bits().ok()?;
        if self.is_sm2 {
            point.try_into().ok()
        } else {
            None
        }
    }

    /// The kind of key for people, as in `SM2 (256 bits)`.
    pub fn describe(&self) -> String {
        let kind = match self.pkey.id() {
            _ if self.is_sm2 => "SM2",
            Id::EC => match self
                .pkey
                .ec_key()
                .ok()
                .and_then(|key| key.group().curve_name())
            {
                Some(openssl::nid::Nid::X9_62_PRIME256V1) => "P-256",
                Some(openssl::nid::Nid::SECP384R1) => "P-384",
                Some(openssl::nid::Nid::SECP521R1) => "P-521",
                _ => "EC on another curve",
            },
            Id::RSA => "RSA",
            Id::RSA_PSS => "RSA-PSS",
            Id::ED25519 => "Ed25519",
            _ => "another kind",
        };
        format!("{kind} ({} bits)", self.pkey.bits())
    }

    /// Whether `signature` is this key's over `message`, made with the algorithm `oid`.
    ///
    /// Unknown algorithms, and SHA-1 and MD5 ones, are an error that names them.
    pub fn verify(&self, algorithm: &Oid, message: &[u8], signature: &[u8]) -> Result<bool> {
        if *algorithm == oid::SM2_WITH_SM3 {
            return self.verify_sm2(message, signature);
        }
        let digest = message_digest(algorithm)?;
        let verified = Verifier::new(digest, &self.pkey)
            .and_then(|mut verifier| verifier.verify_oneshot(signature, message));
        // Tongsuo reports a malformed signature as an error; to the caller both mean "not signed by this key".
        Ok(verified.unwrap_or(false))
    }

    fn verify_sm2(&self, message: &[u8], signature: &[u8]) -> Result<bool> {
        if !self.is_sm2 {
            return Err(Error::malformed(
                "an SM2 key",
                format!("{} with an SM2-with-SM3 signature", self.describe()),
            ));
        }
        let digest = sm2_digest(&self.pkey, message)?;
        let mut context = PkeyCtx::new(&self.pkey).map_err(Error::crypto("verify"))?;
        context.verify_init().map_err(Error::crypto("verify"))?;
        Ok(context.verify(&digest, signature).unwrap_or(false))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.info == other.info || self.pkey.public_eq(&other.pkey)
    }
}

impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", self.describe())
    }
}

fn message_digest(algorithm: &Oid) -> Result<MessageDigest> {
    let table = [
        (oid::RSA_WITH_SHA256, MessageDigest::sha256()),
        (oid::RSA_WITH_SHA384, MessageDigest::sha384()),
        (oid::RSA_WITH_SHA512, MessageDigest::sha512()),
        (oid::RSA_WITH_SM3, MessageDigest::sm3()),
        (oid::ECDSA_WITH_SHA256, MessageDigest::sha256()),
        (oid::ECDSA_WITH_SHA384, MessageDigest::sha384()),
        (oid::ECDSA_WITH_SHA512, MessageDigest::sha512()),
    ];
    table
        .into_iter()
        .find(|(oid, _)| oid == algorithm)
        .map(|(_, digest)| digest)
        .ok_or_else(|| {
            let name = algorithm
                .name()
                .map_or_else(|| algorithm.to_string(), str::to_owned);
            Error::malformed(
                "a signature this tool verifies",
                format!("the algorithm `{name}`"),
            )
        })
}
