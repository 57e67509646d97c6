//! SM2 certificates: keys, requests, certificate authorities, the TLCP pair, revocation lists, envelopes, inspection.
//!
//! The DER structures are written and read here; the arithmetic is Tongsuo's. Nothing here opens a
//! socket, and nothing but [`files`] and the [`authority`] on top of it touch the file system.

pub mod algorithm;
pub mod authority;
pub mod certificate;
pub mod crl;
pub mod der;
pub mod envelope;
pub mod error;
pub mod extension;
pub mod files;
pub mod finding;
pub mod inspect;
pub mod issue;
pub mod key;
pub mod key_file;
pub mod lint;
pub mod name;
pub mod ocsp;
pub mod oid;
pub mod pem;
pub mod pkcs12;
pub mod pkcs8;
pub mod public_key;
pub mod request;
mod signed;
pub mod time;
pub mod verify;

pub use algorithm::Algorithm;
pub use certificate::Certificate;
pub use error::{Error, Result};
pub use key::Key;
pub use public_key::PublicKey;
