//! The key behind an `EVP_PKEY` of this provider.

use std::sync::{Arc, OnceLock};

use crate::provider::ffi::{Failed, Outcome};
use crate::provider::params::Param;
use crate::sm2::{DEFAULT_ID, PrivateKey, PublicKey};

/// What `OSSL_KEYMGMT_SELECT_*` selects.
pub(super) const SELECT_PRIVATE: i32 = 0x01;
pub(super) const SELECT_PUBLIC: i32 = 0x02;
pub(super) const SELECT_PAIR: i32 = SELECT_PRIVATE | SELECT_PUBLIC;

/// A key as it is shared by all who use it; never changed once it is shared.
#[derive(Debug)]
pub(super) enum Key {
    /// The curve alone: a template to generate from, or a place for a peer's point.
    Parameters,
    /// A public key.
    Public(PublicKey, OnceLock<[u8; 32]>),
    /// A pair.
    Private(PrivateKey, OnceLock<[u8; 32]>),
}

/// What Tongsuo holds a pointer to.
#[derive(Debug, Clone)]
pub(super) struct KeyData(pub(super) Arc<Key>);

impl Key {
    pub(super) fn of_public(key: PublicKey) -> Self {
        Self::Public(key, OnceLock::new())
    }

    pub(super) fn of_private(key: PrivateKey) -> Self {
        Self::Private(key, OnceLock::new())
    }

    /// The public key, if there is one.
    pub(super) fn public(&self) -> Outcome<&PublicKey> {
        match self {
            Self::Parameters => Err(Failed),
            Self::Public(key, _) => Ok(key),
            Self::Private(key, _) => Ok(key.public()),
        }
    }

    /// The private key, if there is one.
    pub(super) fn private(&self) -> Outcome<&PrivateKey> {
        match self {
            Self::Private(key, _) => Ok(key),
            _ => Err(Failed),
        }
    }

    /// Z under the default identifier is computed once per key: certificates and TLCP use no other.
    pub(super) fn z(&self, id: Option<&[u8]>) -> Outcome<[u8; 32]> {
        let public = self.public()?;
        let compute = |id| public.z(id).map_err(|_| Failed);
        match (id, self) {
            (Some(id), _) if id != DEFAULT_ID => compute(id),
            (_, Self::Public(_, z) | Self::Private(_, z)) => match z.get() {
                Some(z) => Ok(*z),
                None => compute(DEFAULT_ID).map(|value| *z.get_or_init(|| value)),
            },
            (_, Self::Parameters) => Err(Failed),
        }
    }

    /// The part of the key that is selected.
    pub(super) fn restrict(&self, selection: i32) -> Self {
        match self {
            Self::Private(key, _) if selection & SELECT_PRIVATE != 0 => {
                Self::of_private(key.clone())
            }
            Self::Public(..) | Self::Private(..) if selection & SELECT_PAIR != 0 => self
                .public()
                .map_or(Self::Parameters, |key| Self::of_public(*key)),
            _ => Self::Parameters,
        }
    }
}

/// The parts of a key as parameters give them: `group`, `pub`, `priv`.
pub(super) fn from_params<'a>(
    params: impl Iterator<Item = Param<'a>>,
    selection: i32,
) -> Outcome<Key> {
    let (mut group, mut public, mut private) = (false, None, None);
    for param in params {
        match param.key() {
            b"group" => group = is_group(param.text()?),
            b"pub" => public = param.octets()?.map(PublicKey::from_bytes),
            b"priv" if selection & SELECT_PRIVATE != 0 => private = Some(param.big_number()?),
            _ => {}
        }
    }
    if !group {
        return Err(Failed);
    }
    let public = public.transpose().map_err(|_| Failed)?;
    let Some(private) = private else {
        return Ok(public.map_or(Key::Parameters, Key::of_public));
    };
    let private = PrivateKey::from_bytes(&private).map_err(|_| Failed)?;
    // A pair that is none would sign what nobody can verify.
    match public {
        Some(public) if public != *private.public() => Err(Failed),
        _ => Ok(Key::of_private(private)),
    }
}

/// Whether a group name is that of SM2's curve.
pub(super) fn is_group(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"SM2") || name == b"1.2.156.10197.1.301"
}
