//! Checks a peer's certificates, and remembers which one failed and why.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextBuilder, SslRef, SslVerifyMode};
use openssl::x509::{X509StoreContext, X509StoreContextRef, X509VerifyResult};
use openssl_sys as sys;

use super::certificate::{Certificate, unix};
use super::ffi::sessions;
use super::time::now;

/// What verification has seen so far on one connection.
#[derive(Default)]
pub(super) struct Verification {
    /// The peer's own certificates, in the order Tongsuo verifies them: for TLCP encryption, then signing.
    pub(super) leaves: Vec<Certificate>,
    /// The first failure.
    pub(super) failure: Option<Failure>,
}

/// A certificate that was refused.
pub(super) struct Failure {
    pub(super) result: X509VerifyResult,
    pub(super) certificate: Option<Certificate>,
    /// Distance from the peer's own certificate.
    pub(super) depth: u32,
}

type Record = Mutex<Verification>;

/// What else is done where clients are verified.
#[derive(Clone, Copy)]
pub(super) struct Clients {
    /// One that is refused gets through the handshake all the same, to be told in its protocol.
    pub(super) told: bool,
    /// When a revocation list will be out of date, seconds since 1970.
    pub(super) lists_end: Option<i64>,
    /// How long a session may be resumed.
    pub(super) lifetime: Duration,
}

/// Makes `context` verify peers and keep notes.
pub(super) fn install(
    context: &mut SslContextBuilder,
    mode: SslVerifyMode,
    clients: Option<Clients>,
) -> Result<(), ErrorStack> {
    let index = index()?;
    let ssl_index = X509StoreContext::ssl_idx()?;
    context.set_verify_callback(mode, move |ok, chain| {
        let pardoned = !ok && is_missing_list_of_an_authority(chain);
        if pardoned {
            chain.set_error(X509VerifyResult::OK);
        }
        let verdict = ok || pardoned;
        let Some(ssl) = chain.ex_data(ssl_index) else {
            return verdict;
        };
        if let Some(clients) = &clients {
            clients.judged(verdict, ssl, chain);
        }
        let Some(record) = ssl.ex_data(index) else {
            return verdict;
        };
        note(record, verdict, chain);
        // The note is what keeps a refused certificate from being anybody's.
        verdict || clients.is_some_and(|clients| clients.told)
    });
    Ok(())
}

impl Clients {
    /// Settles how long the session may be resumed: while a full handshake would end the same way.
    fn judged(&self, good: bool, ssl: &SslRef, chain: &X509StoreContextRef) {
        if !good {
            return sessions::forbid_resumption(ssl);
        }
        if chain.error_depth() > 0 {
            return;
        }
        let certificates = chain.chain().into_iter().flatten();
        let ends = certificates.map(|certificate| unix(certificate.not_after()));
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let most = now().saturating_add(lifetime);
        sessions::end_session(ssl, ends.chain(self.lists_end).fold(most, i64::min));
    }
}

/// Prepares a connection for the notes of [`install`].
pub(super) fn attach(ssl: &mut Ssl) -> Result<(), ErrorStack> {
    ssl.set_ex_data(index()?, Record::default());
    Ok(())
}

/// The notes of a connection.
pub(super) fn take(ssl: &SslRef) -> Verification {
    let record = index().ok().and_then(|index| ssl.ex_data(index));
    record
        .map(|r| std::mem::take(&mut *r.lock().unwrap_or_else(PoisonError::into_inner)))
        .unwrap_or_default()
}

/// The peer's own certificate needs a revocation list when lists are configured; an intermediate authority is looked
/// up where its issuer's list is at hand. A root revokes itself by leaving the configuration.
fn is_missing_list_of_an_authority(chain: &X509StoreContextRef) -> bool {
    chain.error().as_raw() == sys::X509_V_ERR_UNABLE_TO_GET_CRL && chain.error_depth() > 0
}

fn note(record: &Record, verdict: bool, chain: &X509StoreContextRef) {
    let mut notes = record.lock().unwrap_or_else(PoisonError::into_inner);
    let depth = chain.error_depth();
    let certificate = chain.current_cert().map(Certificate::new);
    if !verdict {
        notes.failure.get_or_insert(Failure {
            result: chain.error(),
            certificate,
            depth,
        });
    } else if depth == 0 && notes.leaves.len() < 2 {
        notes.leaves.extend(certificate);
    }
}

fn index() -> Result<Index<Ssl, Record>, ErrorStack> {
    static INDEX: OnceLock<Index<Ssl, Record>> = OnceLock::new();
    match INDEX.get() {
        Some(index) => Ok(*index),
        None => {
            let new = Ssl::new_ex_index()?;
            Ok(*INDEX.get_or_init(|| new))
        }
    }
}
