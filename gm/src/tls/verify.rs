//! Checks a peer's certificates, and remembers which one failed and why.

use std::sync::{Mutex, OnceLock, PoisonError};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextBuilder, SslRef, SslVerifyMode};
use openssl::x509::{X509StoreContext, X509StoreContextRef, X509VerifyResult};
use openssl_sys as sys;

use super::certificate::Certificate;

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

/// Makes `context` verify peers and keep notes.
pub(super) fn install(
    context: &mut SslContextBuilder,
    mode: SslVerifyMode,
) -> Result<(), ErrorStack> {
    let index = index()?;
    let ssl_index = X509StoreContext::ssl_idx()?;
    context.set_verify_callback(mode, move |ok, chain| {
        let pardoned = !ok && is_missing_list_of_an_authority(chain);
        if pardoned {
            chain.set_error(X509VerifyResult::OK);
        }
        let verdict = ok || pardoned;
        if let Some(record) = chain.ex_data(ssl_index).and_then(|ssl| ssl.ex_data(index)) {
            note(record, verdict, chain);
        }
        verdict
    });
    Ok(())
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
