//! The calls variant-ssl does not wrap. All `unsafe` of `tls` is here and in `sessions`, each block with its reason.
#![allow(unsafe_code)]

pub(super) mod sessions;

use std::ffi::{CStr, c_char, c_int, c_long, c_uchar, c_void};
use std::io::{Read, Write};
use std::ptr;
use std::time::Duration;

use foreign_types::ForeignTypeRef;
use openssl::error::ErrorStack;
use openssl::ssl::{self, Ssl, SslContextBuilder, SslRef, SslSessionRef, SslStream};
use openssl::x509::store::X509StoreBuilderRef;
use openssl::x509::{X509CrlRef, X509Ref};
use openssl_sys as sys;
use tokio::io::ReadBuf;

/// Larg of `SSL_CTRL_CHAIN_CERT` (ssl.h): take a reference of one's own (`SSL_CTX_add1_chain_cert`).
const ADD1: c_long = 1;

unsafe extern "C" {
    fn SSL_CTX_set_timeout(ctx: *mut sys::SSL_CTX, seconds: c_long) -> c_long;
    fn SSL_get0_group_name(ssl: *mut sys::SSL) -> *const c_char;
    fn i2d_X509_PUBKEY(key: *const sys::X509_PUBKEY, out: *mut *mut c_uchar) -> c_int;
    fn X509_STORE_add_crl(store: *mut sys::X509_STORE, crl: *mut sys::X509_CRL) -> c_int;
}

/// Sets how long a session may be resumed.
pub(super) fn set_session_lifetime(context: &mut SslContextBuilder, lifetime: Duration) {
    let seconds = c_long::try_from(lifetime.as_secs()).unwrap_or(c_long::MAX);
    // SAFETY: the builder owns a live SSL_CTX that nobody else uses yet.
    unsafe { SSL_CTX_set_timeout(context.as_ptr(), seconds) };
}

/// Adds a certificate to the chain of the certificate set last, where `add_extra_chain_cert` would share one chain
/// between an SM2, an ECDSA and an RSA certificate.
pub(super) fn add_chain_certificate(
    context: &mut SslContextBuilder,
    certificate: &X509Ref,
) -> Result<(), ErrorStack> {
    // SAFETY: both pointers are live; with ADD1 Tongsuo takes its own reference to the certificate.
    let done = unsafe {
        sys::SSL_CTX_ctrl(
            context.as_ptr(),
            sys::SSL_CTRL_CHAIN_CERT,
            ADD1,
            certificate.as_ptr().cast::<c_void>(),
        )
    };
    checked(done > 0)
}

/// Adds a revocation list to a store.
pub(super) fn add_crl(store: &mut X509StoreBuilderRef, crl: &X509CrlRef) -> Result<(), ErrorStack> {
    // SAFETY: both pointers are live; the store takes its own reference to the list.
    checked(unsafe { X509_STORE_add_crl(store.as_ptr(), crl.as_ptr()) } > 0)
}

/// The library's name of the group keys were agreed in.
pub(super) fn negotiated_group(ssl: &SslRef) -> Option<&str> {
    // SAFETY: the connection is live and only read; the name belongs to its context, which it keeps alive, and so the
    // borrow of `ssl` bounds it.
    unsafe {
        let name = SSL_get0_group_name(ssl.as_ptr());
        if name.is_null() {
            None
        } else {
            CStr::from_ptr(name).to_str().ok()
        }
    }
}

/// The SubjectPublicKeyInfo of a certificate (RFC 5280 §4.1.2.7), DER as it stands there: a key that were encoded again
/// might be written otherwise.
pub(super) fn public_key_info(certificate: &X509Ref) -> Result<Vec<u8>, ErrorStack> {
    let mut out = ptr::null_mut();
    // SAFETY: the certificate is live and keeps its key, which is only read; the library allocates `out` for us.
    let length = unsafe {
        let key = sys::X509_get_X509_PUBKEY(certificate.as_ptr());
        i2d_X509_PUBKEY(key, &raw mut out)
    };
    let length = usize::try_from(length).map_err(|_| ErrorStack::get())?;
    checked(!out.is_null())?;
    // SAFETY: the library has written `length` bytes at `out`, which are ours: they are copied, then freed, once.
    unsafe {
        let bytes = std::slice::from_raw_parts(out, length).to_vec();
        sys::OPENSSL_free(out.cast());
        Ok(bytes)
    }
}

/// Offers a session for resumption.
pub(super) fn offer_session(ssl: &mut Ssl, session: &SslSessionRef) -> Result<(), ErrorStack> {
    // SAFETY: the caller keeps sessions with the context that made them, and that is the context of `ssl`.
    unsafe { ssl.set_session(session) }
}

/// Marks a connection as closed in both directions.
pub(super) fn forgive_missing_close<S>(stream: &SslStream<S>) {
    // SAFETY: the connection is live; variant-ssl has this call only for streams that can be read, which a destructor
    // cannot ask for.
    unsafe {
        sys::SSL_set_shutdown(
            stream.ssl().as_ptr(),
            sys::SSL_SENT_SHUTDOWN | sys::SSL_RECEIVED_SHUTDOWN,
        )
    };
}

/// Reads decrypted bytes straight into the caller's buffer, without zeroing it first.
pub(super) fn read<S: Read + Write>(
    stream: &mut SslStream<S>,
    buf: &mut ReadBuf<'_>,
) -> Result<usize, ssl::Error> {
    // SAFETY: `ssl_read_uninit` de-initialises nothing and has written the `n` bytes it reports.
    unsafe {
        let n = stream.ssl_read_uninit(buf.unfilled_mut())?;
        buf.assume_init(n);
        buf.advance(n);
        Ok(n)
    }
}

fn checked(done: bool) -> Result<(), ErrorStack> {
    if done { Ok(()) } else { Err(ErrorStack::get()) }
}
