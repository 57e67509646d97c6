//! The key exchange of TLCP's ECDHE suites, which Tongsuo calls SM2DH. The key given at the start is the ephemeral one; the
//! static ones come as parameters.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use openssl_sys::{EVP_PKEY, OSSL_PARAM};

use super::key::{Key, KeyData, SELECT_PAIR, from_params};
use crate::provider::ffi::{Dispatch, Failed, Outcome, answer, context, guard};
use crate::provider::lifecycle::{self, Parameters, apply};
use crate::provider::params::{DESCRIBE_END, Description, Kind, Param, describe, each};
use crate::sm2::{DEFAULT_ID, Own, Peer, Role, agree};

/// The numbers are `OSSL_FUNC_KEYEXCH_*` (core_dispatch.h).
pub(super) const FUNCTIONS: &[Dispatch] = &[
    Dispatch::new(1, lifecycle::new::<Exchange> as *const c_void),
    Dispatch::new(2, init as *const c_void),
    Dispatch::new(3, derive as *const c_void),
    Dispatch::new(4, set_peer as *const c_void),
    Dispatch::new(5, lifecycle::free::<Exchange> as *const c_void),
    Dispatch::new(6, lifecycle::duplicate::<Exchange> as *const c_void),
    Dispatch::new(7, lifecycle::set_params::<Exchange> as *const c_void),
    Dispatch::new(8, lifecycle::settable_params::<Exchange> as *const c_void),
    Dispatch::END,
];

unsafe extern "C" {
    fn EVP_PKEY_todata(
        key: *const EVP_PKEY,
        selection: c_int,
        params: *mut *mut OSSL_PARAM,
    ) -> c_int;
    fn OSSL_PARAM_free(params: *mut OSSL_PARAM);
}

/// An exchange in progress.
#[derive(Clone, Default)]
struct Exchange {
    initiator: bool,
    ephemeral: Option<Arc<Key>>,
    peer_ephemeral: Option<Arc<Key>>,
    key: Option<Arc<Key>>,
    peer_key: Option<Arc<Key>>,
    id: Option<Vec<u8>>,
    peer_id: Option<Vec<u8>>,
    length: usize,
}

impl Exchange {
    fn derive(&self, out: &mut [u8]) -> Outcome {
        let private = |key: &Option<Arc<Key>>| key.clone().ok_or(Failed);
        let (key, ephemeral) = (private(&self.key)?, private(&self.ephemeral)?);
        let (peer_key, peer_ephemeral) = (private(&self.peer_key)?, private(&self.peer_ephemeral)?);
        let role = if self.initiator {
            Role::Initiator
        } else {
            Role::Responder
        };
        let own = Own {
            key: key.private()?,
            ephemeral: ephemeral.private()?,
            id: self.id.as_deref().unwrap_or(DEFAULT_ID),
        };
        let peer = Peer {
            key: peer_key.public()?,
            ephemeral: peer_ephemeral.public()?,
            id: self.peer_id.as_deref().unwrap_or(DEFAULT_ID),
        };
        // TLCP uses no confirmation values: Finished confirms.
        agree(role, &own, &peer, out)
            .map(|_| ())
            .map_err(|_| Failed)
    }
}

/// The key of an `EVP_PKEY` of any provider, which the parameter points to.
///
/// # Safety
/// The parameter points to a live `EVP_PKEY`.
unsafe fn foreign_key(param: &Param<'_>) -> Outcome<Key> {
    /// Private, public, curve, and the rest.
    const EVERYTHING: c_int = 0x87;
    let key: *const EVP_PKEY = param.pointer()?.cast();
    let mut params = std::ptr::null_mut();
    // SAFETY: promised by the caller; the place is ours.
    if unsafe { EVP_PKEY_todata(key, EVERYTHING, &mut params) } != 1 {
        return Err(Failed);
    }
    // SAFETY: the array is ours and ends; it is freed after its last use, and Tongsuo wipes what is secret in it.
    unsafe {
        let key = from_params(each(params), SELECT_PAIR);
        OSSL_PARAM_free(params);
        key
    }
}

impl Parameters for Exchange {
    const GETTABLE: &'static [Description] = &[DESCRIBE_END];

    const SETTABLE: &'static [Description] = &[
        describe(c"sm2-initiator", Kind::Integer),
        describe(c"self-id", Kind::Octets),
        describe(c"peer-id", Kind::Octets),
        describe(c"self-enc-key", Kind::OctetPointer),
        describe(c"peer-enc-key", Kind::OctetPointer),
        describe(c"digest", Kind::Text),
        describe(c"outlen", Kind::Unsigned),
        DESCRIBE_END,
    ];

    fn set(&mut self, param: &Param) -> Outcome {
        match param.key() {
            b"sm2-initiator" => self.initiator = param.int()? != 0,
            b"self-id" => self.id = param.octets()?.map(<[u8]>::to_vec),
            b"peer-id" => self.peer_id = param.octets()?.map(<[u8]>::to_vec),
            // SAFETY: the core passes keys that live.
            b"self-enc-key" => self.key = Some(Arc::new(unsafe { foreign_key(param) }?)),
            // SAFETY: as above.
            b"peer-enc-key" => self.peer_key = Some(Arc::new(unsafe { foreign_key(param) }?)),
            b"digest" if !param.text()?.eq_ignore_ascii_case(b"SM3") => return Err(Failed),
            b"outlen" => self.length = param.size()?,
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, _param: &mut Param) -> Outcome {
        Ok(())
    }
}

unsafe extern "C" fn init(
    exchange: *mut c_void,
    key: *const c_void,
    params: *const OSSL_PARAM,
) -> c_int {
    guard(|| {
        // SAFETY: the exchange came from `new` or `duplicate`; the core gives a key of this provider; the array ends.
        unsafe {
            let exchange = context::<Exchange>(exchange)?;
            exchange.ephemeral = Some(KeyData::behind(key)?.0.clone());
            apply(exchange, params)
        }
    })
}

unsafe extern "C" fn set_peer(exchange: *mut c_void, key: *const c_void) -> c_int {
    guard(|| {
        // SAFETY: as for `init`.
        unsafe {
            context::<Exchange>(exchange)?.peer_ephemeral = Some(KeyData::behind(key)?.0.clone());
        }
        Ok(())
    })
}

unsafe extern "C" fn derive(
    exchange: *mut c_void,
    out: *mut u8,
    length: *mut usize,
    room: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the exchange came from `new` or `duplicate`.
        let exchange = unsafe { context::<Exchange>(exchange) }?;
        if !out.is_null() {
            if room < exchange.length {
                return Err(Failed);
            }
            // SAFETY: the core gives `room` bytes; the length was checked.
            exchange.derive(unsafe { std::slice::from_raw_parts_mut(out, exchange.length) })?;
        }
        // SAFETY: the core gives a place for the length.
        unsafe { answer(length, exchange.length) };
        Ok(())
    })
}
