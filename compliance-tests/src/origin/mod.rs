//! Servers to put behind `alb`: real ones, and small ones that say exactly what they saw.

pub mod dialogue;
pub mod dns;
pub mod dovecot;
pub mod echo;
pub mod grpc;
pub mod kerberos;
pub mod line_server;
pub mod nginx;
pub mod postfix;
pub mod script;
pub mod websocket;

pub use dialogue::Dialogue;
pub use dns::Dns;
pub use dovecot::Dovecot;
pub use echo::{Echo, Version};
pub use grpc::GrpcServer;
pub use kerberos::Kerberos;
pub use line_server::LineServer;
pub use nginx::Nginx;
pub use postfix::Postfix;
pub use script::Script;
pub use websocket::websocket_echo;
