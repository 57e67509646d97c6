//! OCSP (RFC 6960) with SM2: requests and responses, made and read. The transport is the caller's.

mod cert_id;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub use cert_id::CertId;
pub use request::Request;
pub use response::{Answer, Response, Status};
