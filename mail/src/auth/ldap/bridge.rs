//! ldap3 over a connection of ours: it talks into one end of a socket pair, and the bytes are carried from the other.

use std::future::Future;
use std::os::unix::net::UnixStream as Pair;

use alb_core::Stream;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use tokio::io::copy_bidirectional;
use tokio::net::UnixStream;

/// Any URL does: the stream is given. With this scheme ldap3 takes one of a unix socket.
const URL: &str = "ldapi://%2f";

/// Runs a conversation with a directory over `stream`, which ends with it.
pub async fn run<T, F>(
    mut stream: Stream,
    talk: impl FnOnce(Ldap) -> F + Send + 'static,
) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + Send + 'static,
{
    let failed = |error: std::io::Error| error.to_string();
    let (theirs, ours) = Pair::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let mut ours = UnixStream::from_std(ours).map_err(failed)?;
    // A task of its own: what ldap3 makes of an answer that no directory gives may be a panic, which must end nothing
    // but this.
    let mut talk = tokio::spawn(converse(theirs, talk));
    let carried = tokio::select! {
        result = &mut talk => return result.unwrap_or_else(|_| Err("its answer is none of LDAP".into())),
        carried = copy_bidirectional(&mut stream, &mut ours) => carried,
    };
    // The connection has ended, but its last bytes may be on their way through the pair.
    drop(ours);
    match talk.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(reason)) => Err(carried.err().map_or(reason, |error| error.to_string())),
        Err(_) => Err("its answer is none of LDAP".into()),
    }
}

async fn converse<T, F>(theirs: Pair, talk: impl FnOnce(Ldap) -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
    let opened = LdapConnAsync::with_settings(settings, URL).await;
    let (conn, ldap) = opened.map_err(|error| error.to_string())?;
    let mut drive = std::pin::pin!(conn.drive());
    let mut talk = std::pin::pin!(talk(ldap));
    tokio::select! {
        biased;
        answer = &mut talk => answer,
        ended = &mut drive => match ended {
            Err(error) => Err(error.to_string()),
            Ok(()) => talk.await,
        },
    }
}
