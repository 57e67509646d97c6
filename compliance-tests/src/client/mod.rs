//! Clients to put in front of `alb`.

pub mod http;
pub mod improper;
pub mod lines;
pub mod raw;
pub mod scram;
pub mod tls;

pub use self::http::{Answer, Client, Speak};
pub use self::lines::LineClient;
pub use self::scram::Scram;
pub use self::tls::Offer;
