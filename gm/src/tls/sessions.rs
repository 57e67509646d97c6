//! Sessions of upstreams, to be resumed on the next connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslContextBuilder, SslSession, SslSessionCacheMode, SslVersion};

use super::ffi;

/// A session is not offered for longer than this.
const LIFETIME: Duration = Duration::from_secs(3600);
/// An upstream group has few names; beyond this the memory starts afresh.
const MAX_NAMES: usize = 256;

type Names = HashMap<Arc<str>, (SslSession, Instant)>;

/// The newest session of each server name. One per context, since a session belongs to the context that made it.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Mutex<Names>>);

impl Sessions {
    /// Makes `context` hand new sessions over.
    pub(super) fn install(&self, context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
        let (names, index) = (self.clone(), index()?);
        context
            .set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        context.set_new_session_callback(move |ssl, session| {
            if let Some(name) = ssl.ex_data(index) {
                names.keep(name, session);
            }
        });
        Ok(())
    }

    /// Offers what is known of `name` on a new connection, and remembers what comes of it.
    pub(super) fn offer(&self, ssl: &mut Ssl, name: &str) -> Result<(), ErrorStack> {
        if let Some(session) = self.find(name) {
            ffi::offer_session(ssl, &session)?;
        }
        ssl.set_ex_data(index()?, Arc::from(name));
        Ok(())
    }

    fn keep(&self, name: &Arc<str>, session: SslSession) {
        let mut names = self.lock();
        if names.len() >= MAX_NAMES {
            names.clear();
        }
        names.insert(name.clone(), (session, Instant::now()));
    }

    /// RFC 8446 §C.4: a ticket of TLS 1.3 is used once, lest an observer link the connections.
    fn find(&self, name: &str) -> Option<SslSession> {
        let mut names = self.lock();
        let (session, since) = names.get(name)?;
        let (session, fresh) = (session.clone(), since.elapsed() < LIFETIME);
        if !fresh || session.protocol_version() == SslVersion::TLS1_3 {
            names.remove(name);
        }
        fresh.then_some(session)
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index() -> Result<Index<Ssl, Arc<str>>, ErrorStack> {
    static INDEX: OnceLock<Index<Ssl, Arc<str>>> = OnceLock::new();
    match INDEX.get() {
        Some(index) => Ok(*index),
        None => {
            let new = Ssl::new_ex_index()?;
            Ok(*INDEX.get_or_init(|| new))
        }
    }
}
