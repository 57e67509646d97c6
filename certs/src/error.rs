//! What can go wrong with keys and certificates, in sentences for the person at the terminal.

use std::path::{Path, PathBuf};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure: what was seen, what was expected, what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was being done, as a verb: "read", "write".
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Tongsuo refused an operation.
    #[error("cannot {doing}: {source}")]
    Crypto {
        /// What was being done, as a verb: "sign", "generate a key".
        doing: &'static str,
        /// Tongsuo's reasons.
        source: openssl::error::ErrorStack,
    },
    /// Bytes that are not the structure they were taken for.
    #[error("not {expected}: {found}")]
    Malformed {
        /// The structure that was expected, with its article: "a certificate request".
        expected: &'static str,
        /// What was met instead.
        found: String,
    },
    /// A failure about the content of a file.
    #[error("`{}`{}{source}", path.display(), if matches!(**source, Error::Malformed { .. }) { " is " } else { ": " })]
    InFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Error>,
    },
    /// A request that contradicts itself or a rule; the sentence says what to change.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    /// Names the file this failure is about, unless it does already.
    pub fn in_file(self, path: &Path) -> Self {
        match self {
            Self::Io { .. } | Self::InFile { .. } => self,
            source => Self::InFile {
                path: path.to_path_buf(),
                source: Box::new(source),
            },
        }
    }

    /// A [`Error::Malformed`].
    pub fn malformed(expected: &'static str, found: impl Into<String>) -> Self {
        Self::Malformed {
            expected,
            found: found.into(),
        }
    }

    /// An adapter for `map_err` on Tongsuo's results.
    pub fn crypto(doing: &'static str) -> impl FnOnce(openssl::error::ErrorStack) -> Self {
        move |source| Self::Crypto { doing, source }
    }

    /// An adapter for `map_err` on file operations.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
