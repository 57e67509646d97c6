//! SM2's key exchange through Tongsuo, called as its TLCP stack calls it (ssl/statem_ntls, `ntls_sm2_derive`).

#![expect(
    unsafe_code,
    reason = "the parameters of SM2DH have no safe wrapper; each block says why it is sound"
)]

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{null, null_mut};

use foreign_types::ForeignType;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl_sys::{EVP_PKEY, EVP_PKEY_CTX, OSSL_PARAM};

/// The keys of both sides: of the peer only the public halves are used.
pub(super) struct Parties {
    pub(super) own: PKey<Private>,
    pub(super) own_ephemeral: PKey<Private>,
    pub(super) peer: PKey<Private>,
    pub(super) peer_ephemeral: PKey<Private>,
}

unsafe extern "C" {
    fn EVP_PKEY_derive_init_ex(context: *mut EVP_PKEY_CTX, params: *const OSSL_PARAM) -> c_int;
    fn EVP_PKEY_derive_set_peer(context: *mut EVP_PKEY_CTX, peer: *mut EVP_PKEY) -> c_int;
    fn EVP_PKEY_derive(context: *mut EVP_PKEY_CTX, out: *mut u8, length: *mut usize) -> c_int;
}

/// A key pair from the private key.
pub(super) fn pair(d: &[u8; 32]) -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::SM2)?;
    let d = BigNum::from_slice(d)?;
    let mut point = EcPoint::new(&group)?;
    point.mul_generator2(&group, &d, &mut *BigNumContext::new()?)?;
    let key = EcKey::from_private_components(&group, &d, &point)?;
    // By way of a file, since only a decoded key is carried to the provider in use.
    PKey::private_key_from_der(&PKey::from_ec_key(key)?.private_key_to_der()?)
}

/// What the initiator agrees on, under the default identifiers.
pub(super) fn agree<const LENGTH: usize>(parties: &Parties) -> Result<[u8; LENGTH], ErrorStack> {
    let (mut initiator, mut length): (c_int, usize) = (1, LENGTH);
    let (mut own, mut peer) = (parties.own.as_ptr(), parties.peer.as_ptr());
    let mut id = *b"1234567812345678";
    let mut digest = *b"SM3\0";
    let params = [
        parameter(Some(c"sm2-initiator"), 1, (&raw mut initiator).cast(), 4),
        parameter(Some(c"self-id"), 5, id.as_mut_ptr().cast(), id.len()),
        parameter(Some(c"peer-id"), 5, id.as_mut_ptr().cast(), id.len()),
        parameter(Some(c"self-enc-key"), 7, (&raw mut own).cast(), 8),
        parameter(Some(c"peer-enc-key"), 7, (&raw mut peer).cast(), 8),
        parameter(Some(c"digest"), 4, digest.as_mut_ptr().cast(), 3),
        parameter(
            Some(c"outlen"),
            2,
            (&raw mut length).cast(),
            size_of::<usize>(),
        ),
        parameter(None, 0, null_mut(), 0),
    ];
    let context = PkeyCtx::new(&parties.own_ephemeral)?;
    let (mut out, mut written) = ([0; LENGTH], LENGTH);
    // SAFETY: the array ends with a null key; it, what it points to and the keys live for all three calls, and `out` has as
    // many bytes as `written` says.
    let done = unsafe {
        EVP_PKEY_derive_init_ex(context.as_ptr(), params.as_ptr()) > 0
            && EVP_PKEY_derive_set_peer(context.as_ptr(), parties.peer_ephemeral.as_ptr()) > 0
            && EVP_PKEY_derive(context.as_ptr(), out.as_mut_ptr(), &mut written) > 0
    };
    if done {
        Ok(out)
    } else {
        Err(ErrorStack::get())
    }
}

fn parameter(
    key: Option<&'static CStr>,
    kind: u32,
    data: *mut c_void,
    data_size: usize,
) -> OSSL_PARAM {
    OSSL_PARAM {
        key: key.map_or(null(), CStr::as_ptr),
        data_type: kind,
        data,
        data_size,
        return_size: 0,
    }
}
