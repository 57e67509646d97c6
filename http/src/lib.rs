//! HTTP: from an accepted, decrypted connection to the last byte of the response.
//!
//! [`connection::serve`] is the way in; `handler` is a request's path in wire order. Owns HTTP/1 on the wire, what
//! HTTP/2 is given, routes, the proxy with its pools, static files, the answers of the gateway itself and the access
//! log's lines. It must not accept, shake hands, choose peers or open log files: `core` does.

mod access;
mod access_log;
mod affinity;
mod body;
mod clock;
pub mod connection;
mod context;
mod cookie;
mod deadline;
mod exchange;
mod facts;
pub mod h1;
mod h2;
mod handler;
mod headers;
pub mod health;
mod limits;
mod links;
mod pace;
mod pool;
mod prefixed;
mod proxy;
mod referer;
mod remote;
mod response;
pub mod route;
pub mod secure_link;
mod static_files;
mod unanswered;
mod upgrade;
mod worker;

pub use route::Tables;
pub use worker::Worker;
