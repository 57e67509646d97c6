//! Who we are towards a peer: an SM2 signing pair and encryption pair, or one ordinary certificate.

mod certified;
mod error;

use std::time::SystemTime;

use openssl::x509::X509;

pub use certified::Certified;
pub use error::{IdentityError, Warning};

use super::certificate::KeyKind;

/// An identity of the gateway.
#[derive(Clone)]
pub struct Identity {
    kind: Kind,
    names: Vec<String>,
    warnings: Vec<Warning>,
}

/// The two shapes of an identity.
#[derive(Clone)]
pub(super) enum Kind {
    /// TLCP, and TLS 1.3 with the signing certificate (RFC 8998).
    Pair { sign: Certified, encrypt: Certified },
    /// TLS; with an SM2 certificate only TLS 1.3.
    Ordinary(Certified),
}

impl Identity {
    /// An SM2 signing pair and encryption pair. GB/T 38636 §6.4.5.3: the one has to be allowed to sign, the other to
    /// receive keys; both belong to one subject (gm.md 3.2, which every implementation in the field accepts).
    pub fn pair(sign: Certified, encrypt: Certified) -> Result<Identity, IdentityError> {
        for (half, role) in [(&sign, "signing"), (&encrypt, "encryption")] {
            if half.facts().key_kind() != KeyKind::Sm2 {
                return Err(IdentityError::wrong_algorithm(half, role));
            }
        }
        check_usages(&sign, &encrypt)?;
        let (ours, theirs) = (sign.facts().subject(), encrypt.facts().subject());
        if ours != theirs {
            return Err(IdentityError::different_subjects(&encrypt, &ours, &theirs));
        }
        let names = sign.facts().names();
        let warnings = sign
            .warnings()
            .iter()
            .chain(encrypt.warnings())
            .cloned()
            .collect();
        Ok(Identity {
            kind: Kind::Pair { sign, encrypt },
            names,
            warnings,
        })
    }

    /// An ordinary certificate with its key: RSA, ECDSA, or SM2 for TLS 1.3 only.
    pub fn ordinary(certified: Certified) -> Result<Identity, IdentityError> {
        if certified.facts().key_kind() == KeyKind::Other {
            return Err(IdentityError::wrong_algorithm(&certified, "server"));
        }
        let (names, warnings) = (certified.facts().names(), certified.warnings().to_vec());
        Ok(Identity {
            kind: Kind::Ordinary(certified),
            names,
            warnings,
        })
    }

    /// The names it answers to, in lower case; `*.` in front for a wildcard.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What is wrong with it but does not stop it from being used.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// It can be used for TLCP.
    pub fn is_pair(&self) -> bool {
        matches!(self.kind, Kind::Pair { .. })
    }

    /// The earliest end of validity among its certificates, seconds since 1970.
    pub fn not_after(&self) -> i64 {
        match &self.kind {
            Kind::Pair { sign, encrypt } => {
                sign.facts().not_after().min(encrypt.facts().not_after())
            }
            Kind::Ordinary(one) => one.facts().not_after(),
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The certificate for TLS, which for a pair is the signing one.
    pub(super) fn for_tls(&self) -> &Certified {
        match &self.kind {
            Kind::Pair { sign, .. } => sign,
            Kind::Ordinary(one) => one,
        }
    }

    /// The certificates it shows, its own first.
    pub fn certificates(&self) -> Vec<&X509> {
        match &self.kind {
            Kind::Pair { sign, encrypt } => [sign.certificate(), encrypt.certificate()].into(),
            Kind::Ordinary(one) => [one.certificate()].into(),
        }
    }
}

/// Tells a swapped pair from a pair of which only one half is unfit.
fn check_usages(sign: &Certified, encrypt: &Certified) -> Result<(), IdentityError> {
    let (signs, encrypts) = (sign.facts().may_sign(), encrypt.facts().may_encrypt());
    match (signs, encrypts) {
        (true, true) => Ok(()),
        (false, false) if sign.facts().may_encrypt() && encrypt.facts().may_sign() => {
            Err(IdentityError::swapped(sign, encrypt))
        }
        (false, _) => Err(IdentityError::wrong_usage(
            sign,
            "signing",
            "digitalSignature",
        )),
        (true, false) => Err(IdentityError::wrong_usage(
            encrypt,
            "encryption",
            "keyEncipherment",
        )),
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs().cast_signed())
}
