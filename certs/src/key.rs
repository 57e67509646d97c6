//! Private keys: made, signed with, written as PKCS#8.
//!
//! The arithmetic is Tongsuo's. The SM2 digest with its identity is computed here, so the
//! identity never depends on a library's default.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::{Hasher, MessageDigest};
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::pem;
use crate::pkcs8::{self, Dialect};
use crate::public_key::PublicKey;

/// The identity that every SM2 signature of a certificate, request or list is bound to (GM/T 0009 §10).
pub const SM2_DEFAULT_ID: &[u8] = b"1234567812345678";

/// A private key with its algorithm.
#[derive(Clone)]
pub struct Key {
    algorithm: Algorithm,
    pkey: PKey<Private>,
}

impl Key {
    /// Makes a new key from the system's random generator.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        let pkey = match algorithm {
            Algorithm::Sm2 => generate_ec(Nid::SM2),
            Algorithm::P256 => generate_ec(Nid::X9_62_PRIME256V1),
            Algorithm::Rsa2048 => Rsa::generate(2048).and_then(PKey::from_rsa),
            Algorithm::Rsa3072 => Rsa::generate(3072).and_then(PKey::from_rsa),
            Algorithm::Rsa4096 => Rsa::generate(4096).and_then(PKey::from_rsa),
        };
        Ok(Self {
            algorithm,
            pkey: pkey.map_err(Error::crypto("generate a key"))?,
        })
    }

    /// Takes over a key of Tongsuo's, if its algorithm is one of [`Algorithm`] and its halves belong together.
    pub fn from_pkey(pkey: PKey<Private>) -> Result<Self> {
        let algorithm = algorithm_of(&pkey)?;
        if matches!(algorithm, Algorithm::Sm2 | Algorithm::P256) {
            let checked = pkey.ec_key().and_then(|key| key.check_key());
            checked.map_err(|_| {
                Error::malformed(
                    "a sound private key",
                    "a number that does not belong to its public point",
                )
            })?;
        }
        Ok(Self { algorithm, pkey })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as Tongsuo holds it, for handing to a TLS context.
    pub fn pkey(&self) -> &PKeyRef<Private> {
        &self.pkey
    }

    /// The SM2 key of a secret number, big-endian, 32 bytes: d, from which the point d·G is computed.
    pub fn from_sm2_secret(secret: &[u8; 32]) -> Result<Self> {
        let build = || {
            let group = EcGroup::from_curve_name(Nid::SM2)?;
            let d = BigNum::from_slice(secret)?;
            let mut point = EcPoint::new(&group)?;
            let mut context = BigNumContext::new()?;
            point.mul_generator2(&group, &d, &mut context)?;
            PKey::from_ec_key(EcKey::from_private_components(&group, &d, &point)?)
        };
        Self::from_pkey(build().map_err(Error::crypto("rebuild the SM2 key"))?)
    }

    /// An SM2 key's secret number d, big-endian.
    pub fn sm2_secret(&self) -> Result<Zeroizing<[u8; 32]>> {
        let read = || {
            self.pkey
                .ec_key()?
                .private_key()
                .to_vec_padded(32)
                .map(Zeroizing::new)
        };
        let bytes = read().map_err(Error::crypto("read the SM2 key"))?;
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(&bytes);
        Ok(secret)
    }

    /// The public half.
    pub fn public_key(&self) -> Result<PublicKey> {
        PublicKey::from_info(&self.public_key_info()?)
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn public_key_info(&self) -> Result<Vec<u8>> {
        self.pkey
            .public_key_to_der()
            .map_err(Error::crypto("encode the public key"))
    }

    /// Signs a message with the key's own algorithm: DER `SEQUENCE { r, s }` for SM2 and ECDSA, PKCS#1 v1.5 for RSA.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signed = match self.algorithm {
            Algorithm::Sm2 => return sign_sm2(&self.pkey, message),
            _ => Signer::new(MessageDigest::sha256(), &self.pkey)
                .and_then(|mut signer| signer.sign_oneshot_to_vec(message)),
        };
        signed.map_err(Error::crypto("sign"))
    }

    /// PKCS#8 PrivateKeyInfo, unprotected.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        self.pkey
            .private_key_to_pkcs8()
            .map(Zeroizing::new)
            .map_err(Error::crypto("encode the private key"))
    }

    /// PKCS#8 in PEM, unprotected: for files of mode 0600 only.
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        Ok(Zeroizing::new(pem::encode(
            "PRIVATE KEY",
            &self.to_pkcs8()?,
        )))
    }

    /// PKCS#8 in PEM, encrypted with SM4-CBC under a password (PBES2, HMAC-SM3).
    pub fn to_encrypted_pem(&self, password: &[u8], dialect: Dialect) -> Result<String> {
        let der = pkcs8::encrypt(&self.to_pkcs8()?, password, dialect)?;
        Ok(pem::encode("ENCRYPTED PRIVATE KEY", &der))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.algorithm)
    }
}

/// The SM2 digest e = SM3(Z ‖ message) under the default identity (GM/T 0009 §8.1, §8.2).
pub fn sm2_digest<T: HasPublic>(key: &PKeyRef<T>, message: &[u8]) -> Result<[u8; 32]> {
    let digest = || -> std::result::Result<[u8; 32], openssl::error::ErrorStack> {
        let mut hasher = Hasher::new(MessageDigest::sm3())?;
        hasher.update(&sm2_z(&key.ec_key()?)?)?;
        hasher.update(message)?;
        Ok(hasher.finish()?.as_ref().try_into().unwrap_or([0; 32]))
    };
    digest().map_err(Error::crypto("compute the SM2 digest"))
}

/// Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ xG ‖ yG ‖ xA ‖ yA), ENTL the length of ID in bits (GM/T 0009 §8.1).
fn sm2_z<T: HasPublic>(
    key: &EcKey<T>,
) -> std::result::Result<[u8; 32], openssl::error::ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::SM2)?;
    let mut context = BigNumContext::new()?;
    let (mut p, mut a, mut b) = (BigNum::new()?, BigNum::new()?, BigNum::new()?);
    group.components_gfp(&mut p, &mut a, &mut b, &mut context)?;
    let mut hasher = Hasher::new(MessageDigest::sm3())?;
    hasher.update(&(SM2_DEFAULT_ID.len() as u16 * 8).to_be_bytes())?;
    hasher.update(SM2_DEFAULT_ID)?;
    hasher.update(&a.to_vec_padded(32)?)?;
    hasher.update(&b.to_vec_padded(32)?)?;
    // The named curve has a generator; were it missing, the signature would simply not verify.
    for point in group.generator_opt().into_iter().chain([key.public_key()]) {
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        point.affine_coordinates(&group, &mut x, &mut y, &mut context)?;
        hasher.update(&x.to_vec_padded(32)?)?;
        hasher.update(&y.to_vec_padded(32)?)?;
    }
    Ok(hasher.finish()?.as_ref().try_into().unwrap_or([0; 32]))
}

fn sign_sm2(key: &PKeyRef<Private>, message: &[u8]) -> Result<Vec<u8>> {
    let digest = sm2_digest(key, message)?;
    let sign = || {
        let mut context = PkeyCtx::new(key)?;
        context.sign_init()?;
        let mut signature = Vec::new();
        context.sign_to_vec(&digest, &mut signature)?;
        Ok(signature)
    };
    sign().map_err(Error::crypto("sign"))
}

fn generate_ec(curve: Nid) -> std::result::Result<PKey<Private>, openssl::error::ErrorStack> {
    let mut group = EcGroup::from_curve_name(curve)?;
    group.set_asn1_flag(openssl::ec::Asn1Flag::NAMED_CURVE);
    EcKey::generate(&group).and_then(PKey::from_ec_key)
}

fn algorithm_of(pkey: &PKeyRef<Private>) -> Result<Algorithm> {
    match (pkey.id(), pkey.bits()) {
        (Id::SM2, _) => Ok(Algorithm::Sm2),
        (Id::EC, _) => match pkey.ec_key().ok().and_then(|key| key.group().curve_name()) {
            Some(Nid::SM2) => Ok(Algorithm::Sm2),
            Some(Nid::X9_62_PRIME256V1) => Ok(Algorithm::P256),
            _ => Err(Error::malformed(
                "a key this tool handles",
                "an elliptic curve other than SM2 and P-256",
            )),
        },
        (Id::RSA, 2048) => Ok(Algorithm::Rsa2048),
        (Id::RSA, 3072) => Ok(Algorithm::Rsa3072),
        (Id::RSA, 4096) => Ok(Algorithm::Rsa4096),
        (Id::RSA, bits) => Err(Error::malformed(
            "a key this tool handles",
            format!("RSA of {bits} bits; 2048, 3072 and 4096 are"),
        )),
        _ => Err(Error::malformed(
            "a key this tool handles",
            "neither SM2, P-256 nor RSA",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example key of GB/T 32918.5 A.2.
    fn example_key() -> PKey<Private> {
        let d = BigNum::from_hex_str(
            "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8",
        )
        .unwrap();
        Key::from_sm2_secret(&d.to_vec().try_into().unwrap())
            .unwrap()
            .pkey
    }

    fn to_hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    #[test]
    fn z_and_digest_are_those_of_gb_t_32918_5() {
        let key = example_key();
        let z = sm2_z(&key.ec_key().unwrap()).unwrap();
        assert_eq!(
            to_hex(&z),
            "B2E14C5C79C6DF5B85F4FE7ED8DB7A262B9DA7E07CCB0EA9F4747B8CCDA8A4F3"
        );
        let e = sm2_digest(&key, b"message digest").unwrap();
        assert_eq!(
            to_hex(&e),
            "F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640"
        );
    }

    #[test]
    fn every_algorithm_is_recognised_again() {
        for algorithm in [Algorithm::Sm2, Algorithm::P256, Algorithm::Rsa2048] {
            let key = Key::generate(algorithm).unwrap();
            let read = PKey::private_key_from_pem(key.to_pem().unwrap().as_bytes()).unwrap();
            assert_eq!(Key::from_pkey(read).unwrap().algorithm(), algorithm);
        }
    }

    #[test]
    fn tongsuo_opens_an_encrypted_key_with_its_password_only() {
        let key = Key::generate(Algorithm::Sm2).unwrap();
        let pem = key.to_encrypted_pem(b"secret", Dialect::Tongsuo).unwrap();
        let open =
            |password: &[u8]| PKey::private_key_from_pem_passphrase(pem.as_bytes(), password);
        assert!(open(b"secret").unwrap().public_eq(key.pkey()));
        assert!(open(b"wrong").is_err());
    }
}
