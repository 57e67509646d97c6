//! The key exchange (GB/T 32918.3-2016, 6), both roles, with the optional confirmation values.

use zeroize::{Zeroize, Zeroizing};

use super::arith::{Arith, with_arith};
use super::encoding::encode_coordinates;
use super::identity::IdentityTooLong;
use super::key::{PrivateKey, PublicKey};
use super::limbs::{self, Limbs};
use super::multiply::{multiply_point, multiply_vartime};
use super::point::Affine;
use super::scalar::Scalar;
use crate::sm3::{Sm3, x963_kdf};

/// Who began. In TLCP's ECDHE suites that is the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A of the standard.
    Initiator,
    /// B of the standard.
    Responder,
}

/// What this side brings.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The static key.
    pub key: &'a PrivateKey,
    /// The key of this exchange only.
    pub ephemeral: &'a PrivateKey,
    /// The identifier.
    pub id: &'a [u8],
}

/// What the other side brought.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The static key.
    pub key: &'a PublicKey,
    /// The key of this exchange only.
    pub ephemeral: &'a PublicKey,
    /// The identifier.
    pub id: &'a [u8],
}

/// The optional proof that both sides have the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    /// What to send: SB of the responder, SA of the initiator.
    pub own: [u8; 32],
    /// What the peer must send. Compare in constant time.
    pub expected: [u8; 32],
}

/// Why no key was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// An identifier is too long.
    #[error(transparent)]
    Identity(#[from] IdentityTooLong),
    /// The shared point is at infinity: the peer's keys cancel each other.
    #[error("the keys of the peer give no shared point")]
    Infinity,
}

/// Agrees on `out.len()` bytes of key. For an output on one role there is the same output on the other.
pub fn agree(
    role: Role,
    own: &Own<'_>,
    peer: &Peer<'_>,
    out: &mut [u8],
) -> Result<Confirmation, ExchangeError> {
    let own_z = own.key.public().z(own.id)?;
    let peer_z = peer.key.z(peer.id)?;
    let shared = with_arith!(A => shared_point::<A>(own, peer)).ok_or(ExchangeError::Infinity)?;
    let transcript = Transcript::new(
        role,
        (&own_z, own.ephemeral.public()),
        (&peer_z, peer.ephemeral),
    );
    let mut prefix = Sm3::new();
    prefix.update(shared.as_ref());
    prefix.update(&transcript.identities);
    x963_kdf(&prefix, out);
    Ok(transcript.confirm(role, &shared))
}

/// V = t·(P + x̄·R) with t = d + x̄·r (steps A5 to A7; the cofactor is 1). Only t is secret.
fn shared_point<A: Arith>(own: &Own<'_>, peer: &Peer<'_>) -> Option<Zeroizing<[u8; 64]>> {
    let t = own
        .key
        .d()
        .add(&Scalar::reduce(&truncate(own.ephemeral.public())).mul(own.ephemeral.d()));
    let mut base = multiply_vartime::<A>(peer.ephemeral.point(), &truncate(peer.ephemeral));
    base.add_affine_vartime::<A>(peer.key.point());
    if base.is_infinity().or(t.is_zero()).reveal() {
        return None;
    }
    let base: Affine = base.to_affine::<A>();
    let mut product = multiply_point::<A>(&base, &t);
    let mut affine = product.to_affine::<A>();
    let shared = Zeroizing::new(encode_coordinates(&affine));
    product.zeroize();
    affine.zeroize();
    Some(shared)
}

/// x̄ = 2^127 + (x mod 2^127), step A4.
fn truncate(ephemeral: &PublicKey) -> Limbs {
    let coordinates = ephemeral.to_uncompressed();
    let mut x = [0; 32];
    x.copy_from_slice(&coordinates[1..33]);
    let low = limbs::from_be_bytes(&x);
    [low[0], low[1] | 1 << 63, 0, 0]
}

/// What both sides saw, in the order initiator, responder.
struct Transcript {
    /// ZA ‖ ZB.
    identities: [u8; 64],
    /// x1 ‖ y1 ‖ x2 ‖ y2.
    ephemerals: [u8; 128],
}

impl Transcript {
    fn new(role: Role, own: (&[u8; 32], &PublicKey), peer: (&[u8; 32], &PublicKey)) -> Self {
        let (a, b) = match role {
            Role::Initiator => (own, peer),
            Role::Responder => (peer, own),
        };
        let (mut identities, mut ephemerals) = ([0; 64], [0; 128]);
        identities[..32].copy_from_slice(a.0);
        identities[32..].copy_from_slice(b.0);
        ephemerals[..64].copy_from_slice(&a.1.to_uncompressed()[1..]);
        ephemerals[64..].copy_from_slice(&b.1.to_uncompressed()[1..]);
        Self {
            identities,
            ephemerals,
        }
    }

    /// S = SM3(tag ‖ y ‖ SM3(x ‖ ZA ‖ ZB ‖ x1 ‖ y1 ‖ x2 ‖ y2)), tag 2 from the responder, 3 from the initiator.
    fn confirm(&self, role: Role, shared: &[u8; 64]) -> Confirmation {
        let mut inner = Sm3::new();
        inner.update(&shared[..32]);
        inner.update(&self.identities);
        inner.update(&self.ephemerals);
        let inner = Zeroizing::new(inner.finish());
        let tagged = |tag: u8| {
            let mut outer = Sm3::new();
            outer.update(&[tag]);
            outer.update(&shared[32..]);
            outer.update(inner.as_ref());
            outer.finish()
        };
        match role {
            Role::Initiator => Confirmation {
                own: tagged(3),
                expected: tagged(2),
            },
            Role::Responder => Confirmation {
                own: tagged(2),
                expected: tagged(3),
            },
        }
    }
}
