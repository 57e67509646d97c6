//! How long a session in which a client showed a certificate may be resumed.
//!
//! Tongsuo looks at a certificate in a full handshake only, and each ticket of TLS 1.3 starts the session's time anew: a
//! chain of resumptions would outlive the certificate. So the end is written into the session itself: as its timeout,
//! for those kept here, and inside of the ticket, for those the client keeps.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_long, c_uchar, c_void};
use std::ptr;

use foreign_types::ForeignTypeRef;
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl_sys as sys;

use super::super::time::now;

/// `SSL_TICKET_SUCCESS`, `SSL_TICKET_SUCCESS_RENEW` (ssl.h): the ticket is one of ours.
const OPENED: c_int = 5;
const OPENED_RENEW: c_int = 6;
/// `SSL_TICKET_RETURN_IGNORE_RENEW`, `…_USE`, `…_USE_RENEW` (ssl.h).
const IGNORE_RENEW: c_int = 2;
const USE: c_int = 3;
const USE_RENEW: c_int = 4;
/// When a session began that is over, seconds since 1970.
const LONG_AGO: c_long = 1;

type Opened = unsafe extern "C" fn(
    *mut sys::SSL,
    *mut sys::SSL_SESSION,
    *const c_uchar,
    usize,
    c_int,
    *mut c_void,
) -> c_int;
type Sealing = unsafe extern "C" fn(*mut sys::SSL, *mut c_void) -> c_int;

unsafe extern "C" {
    fn SSL_CTX_set_session_ticket_cb(
        ctx: *mut sys::SSL_CTX,
        sealing: Option<Sealing>,
        opened: Option<Opened>,
        arg: *mut c_void,
    ) -> c_int;
    fn SSL_SESSION_get0_ticket_appdata(
        session: *mut sys::SSL_SESSION,
        data: *mut *mut c_void,
        length: *mut usize,
    ) -> c_int;
    fn SSL_SESSION_set1_ticket_appdata(
        session: *mut sys::SSL_SESSION,
        data: *const c_void,
        length: usize,
    ) -> c_int;
    fn SSL_SESSION_get0_peer(session: *mut sys::SSL_SESSION) -> *mut sys::X509;
    fn SSL_SESSION_get_timeout(session: *const sys::SSL_SESSION) -> c_long;
    fn SSL_SESSION_set_time(session: *mut sys::SSL_SESSION, since: c_long) -> c_long;
    fn SSL_SESSION_set_timeout(session: *mut sys::SSL_SESSION, seconds: c_long) -> c_long;
}

/// Makes a context heed the ends of sessions that come back in tickets.
pub(in crate::tls) fn heed_ends(context: &mut SslContextBuilder) {
    // SAFETY: the builder owns a live SSL_CTX that nobody else uses yet; the callback needs no argument.
    unsafe { SSL_CTX_set_session_ticket_cb(context.as_ptr(), None, Some(opened), ptr::null_mut()) };
}

/// The session being made may be resumed until `end`, seconds since 1970, or the end it has if that is earlier.
pub(in crate::tls) fn end_session(ssl: &SslRef, end: i64) {
    // SAFETY: the connection is live and in its handshake, which no other thread takes part in: its session has not been
    // shared yet. The session copies the bytes.
    unsafe {
        let session = sys::SSL_get_session(ssl.as_ptr());
        if session.is_null() {
            return;
        }
        let end = end_of(session).map_or(end, |earlier| earlier.min(end));
        let left = c_long::try_from(end.saturating_sub(now())).unwrap_or(c_long::MAX);
        let most = SSL_SESSION_get_timeout(session);
        // Not zero: the library would read that back from a ticket as three seconds, and trip over it.
        SSL_SESSION_set_timeout(session, left.clamp(1, most.max(1)));
        if left < 1 {
            SSL_SESSION_set_time(session, LONG_AGO);
        }
        let bytes = end.to_be_bytes();
        // Without an end, should this fail, the ticket is not taken back.
        SSL_SESSION_set1_ticket_appdata(session, bytes.as_ptr().cast(), bytes.len());
    }
}

/// The session being made is never resumed: TLS 1.3 gives out no ticket, and one of TLS 1.2 is not taken back.
pub(in crate::tls) fn forbid_resumption(ssl: &SslRef) {
    end_session(ssl, 0);
    // SAFETY: the connection is live, and its handshake is no other thread's business.
    unsafe { sys::SSL_set_num_tickets(ssl.as_ptr(), 0) };
}

/// Takes the session of a finished handshake out of the cache.
pub(in crate::tls) fn forget_session(ssl: &SslRef) {
    // SAFETY: the connection, its context and its session are live; the cache has a lock of its own.
    unsafe {
        let session = sys::SSL_get_session(ssl.as_ptr());
        if !session.is_null() {
            sys::SSL_CTX_remove_session(sys::SSL_get_SSL_CTX(ssl.as_ptr()), session);
        }
    }
}

/// Whether the session of a ticket is to be resumed. It does not panic: it computes with integers.
unsafe extern "C" fn opened(
    _: *mut sys::SSL,
    session: *mut sys::SSL_SESSION,
    _: *const c_uchar,
    _: usize,
    status: c_int,
    _: *mut c_void,
) -> c_int {
    // SAFETY: with these states the library hands over the session it has just read, which nobody else knows.
    match status {
        OPENED | OPENED_RENEW if !unsafe { may_be_resumed(session) } => IGNORE_RENEW,
        OPENED => USE,
        OPENED_RENEW => USE_RENEW,
        // Not a ticket of ours, or an empty one: a full handshake, and a new one.
        _ => IGNORE_RENEW,
    }
}

/// # Safety
///
/// `session` is live and not shared.
unsafe fn may_be_resumed(session: *mut sys::SSL_SESSION) -> bool {
    // SAFETY: see above.
    let (end, shown) = unsafe { (end_of(session), !SSL_SESSION_get0_peer(session).is_null()) };
    match end {
        Some(end) => now() < end,
        None => !shown,
    }
}

/// # Safety
///
/// `session` is live and not shared.
unsafe fn end_of(session: *mut sys::SSL_SESSION) -> Option<i64> {
    let (mut data, mut length) = (ptr::null_mut(), 0);
    // SAFETY: both pointers are to our own variables.
    let done = unsafe { SSL_SESSION_get0_ticket_appdata(session, &raw mut data, &raw mut length) };
    if done != 1 || data.is_null() || length != size_of::<i64>() {
        return None;
    }
    let mut bytes = [0; size_of::<i64>()];
    // SAFETY: the session owns `length` readable bytes at `data`, as many as `bytes` has.
    unsafe { ptr::copy_nonoverlapping(data.cast::<u8>(), bytes.as_mut_ptr(), bytes.len()) };
    Some(i64::from_be_bytes(bytes))
}
