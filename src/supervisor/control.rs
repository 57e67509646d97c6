//! The control socket beside the pid file: how `alb reload` and `alb stop` speak to the daemon and hear the outcome.
//!
//! One line asks, one line of JSON answers. Only the daemon's user and root may connect (mode 0600).

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::privileges::Account;

/// Nobody may hold up the daemon by connecting and saying nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest line that makes sense.
const LONGEST: u64 = 64;

/// The daemon's end.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

/// What may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read the configuration again.
    Reload,
    /// Leave; `now`: without finishing what is under way.
    Stop {
        /// Without finishing what is under way.
        now: bool,
    },
}

/// An order, and whom to answer.
pub struct Call {
    /// What is asked.
    pub order: Order,
    stream: UnixStream,
}

/// What came of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// The configuration is to blame.
    pub configuration: bool,
    /// One sentence.
    pub message: String,
    /// What changed.
    pub changes: Vec<String>,
    /// Warnings, or why it was not done; several lines, as people read them.
    pub report: String,
}

impl Control {
    /// Where the socket of a pid file is.
    pub fn path_for(pid_file: &Path) -> PathBuf {
        pid_file.with_extension("control")
    }

    /// Listens beside the pid file, which must be held: then whatever is there is a leftover.
    pub fn bind(pid_file: &Path, owner: Option<&Account>) -> io::Result<Self> {
        let path = Self::path_for(pid_file);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        if let Some(owner) = owner {
            std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid()))?;
        }
        Ok(Control { listener, path })
    }

    /// The next order; never resolves without a socket.
    pub async fn next(control: &mut Option<Self>) -> Call {
        let Some(control) = control else {
            return std::future::pending().await;
        };
        loop {
            match control.listener.accept().await {
                Ok((stream, _)) => {
                    let order = tokio::time::timeout(PATIENCE, read_order(stream));
                    if let Ok(Some(call)) = order.await {
                        return call;
                    }
                }
                Err(error) => {
                    tracing::error!("the control socket fails: {error}");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // The directory may not let us; the next daemon removes it.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Order {
    /// The line that asks for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Reload => "reload",
            Order::Stop { now: false } => "stop",
            Order::Stop { now: true } => "stop now",
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let all = [
            Order::Reload,
            Order::Stop { now: false },
            Order::Stop { now: true },
        ];
        all.into_iter().find(|order| order.as_str() == line)
    }
}

impl Call {
    /// Answers; the connection stays open for as long as the call is kept.
    pub async fn answer(&mut self, answer: &Answer) {
        let Ok(mut line) = serde_json::to_vec(answer) else {
            return;
        };
        line.push(b'\n');
        // Whoever asked may have lost interest.
        let _ = tokio::time::timeout(PATIENCE, self.stream.write_all(&line)).await;
    }
}

impl Answer {
    /// It was done.
    pub fn done(message: impl Into<String>) -> Self {
        Answer {
            done: true,
            message: message.into(),
            ..Answer::default()
        }
    }

    /// It was not done.
    pub fn refused(message: impl Into<String>, report: impl Into<String>) -> Self {
        Answer {
            message: message.into(),
            report: report.into(),
            ..Answer::default()
        }
    }
}

async fn read_order(stream: UnixStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    (&mut reader)
        .take(LONGEST)
        .read_line(&mut line)
        .await
        .ok()?;
    let order = Order::parse(line.trim_end())?;
    let stream = reader.into_inner();
    Some(Call { order, stream })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(path: &Path, line: &str) -> UnixStream {
        let mut stream = UnixStream::connect(path).await.expect("connected");
        stream.write_all(line.as_bytes()).await.expect("written");
        stream
    }

    #[tokio::test]
    async fn an_order_is_answered_and_nonsense_passed_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let pid_file = dir.path().join("alb.pid");
        let mut control = Some(Control::bind(&pid_file, None).expect("bound"));
        let path = Control::path_for(&pid_file);
        let _nonsense = ask(&path, "dance\n").await;
        let mut client = ask(&path, "stop now\n").await;
        let mut call = Control::next(&mut control).await;
        assert_eq!(call.order, Order::Stop { now: true });
        call.answer(&Answer::done("leaving")).await;
        drop(call);
        let mut text = String::new();
        client.read_to_string(&mut text).await.expect("read");
        let answer: Answer = serde_json::from_str(&text).expect("JSON");
        assert_eq!(answer, Answer::done("leaving"));
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced() {
        let dir = tempfile::tempdir().expect("a directory");
        let pid_file = dir.path().join("alb.pid");
        std::fs::write(Control::path_for(&pid_file), "").expect("written");
        Control::bind(&pid_file, None).expect("bound");
    }
}
