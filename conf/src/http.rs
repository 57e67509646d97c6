//! `[[http]]`: an HTTP listener.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::listen::{listen_addresses, name_of};
use crate::range::{within, within_size, within_time};
use crate::{Prefix, Size, Spanned, Time, Tls};

/// An HTTP listener: HTTP/1.1 and HTTP/2, plain or with TLCP and TLS.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["listen"]))]
pub struct Http {
    /// Name that sites refer to; the first address serves as the name without it.
    pub name: Option<Spanned<String>>,
    /// Addresses to accept connections on, such as `"0.0.0.0:443"` and `"[::]:443"`. An IPv6 address accepts IPv6 only.
    #[serde(deserialize_with = "listen_addresses")]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub listen: Vec<Spanned<SocketAddr>>,
    /// TLCP and TLS; the listener speaks plain HTTP without it.
    pub tls: Option<Spanned<Tls>>,
    /// Time for a request's head to arrive.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub header_timeout: Time,
    /// Longest pause between two reads of a request body.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub body_timeout: Time,
    /// Longest pause between two writes of a response.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub send_timeout: Time,
    /// How long a connection without a request stays open.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub idle_timeout: Time,
    /// How long nothing may move on an upgraded connection, such as a WebSocket.
    #[serde(deserialize_with = "within_time::<1, 2_592_000, _>")]
    pub upgrade_timeout: Time,
    /// Requests after which a connection is closed.
    #[serde(deserialize_with = "within::<1, 4_294_967_295, _, _>")]
    #[schemars(range(min = 1))]
    pub keepalive_requests: u32,
    /// Largest head of a request, all header fields together, `8KiB` to `1MiB`.
    #[serde(deserialize_with = "within_size::<8_192, 1_048_576, _>")]
    pub max_header_size: Size,
    /// Most header fields of a request, 1 to 1000.
    #[serde(deserialize_with = "within::<1, 1000, _, _>")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_headers: u32,
    /// Longest request line, `1KiB` to `1MiB` and at most `max_header_size`.
    #[serde(deserialize_with = "within_size::<1_024, 1_048_576, _>")]
    pub max_request_line: Size,
    /// Largest request body; `0` is no limit.
    pub max_body: Size,
    /// HTTP/2 on this listener.
    pub http2: Http2,
    /// Most connections open at once on this listener, over all workers; no limit without it.
    #[serde(deserialize_with = "within::<1, 1_073_741_816, _, _>")]
    #[schemars(range(min = 1, max = 1_073_741_816))]
    pub max_connections: Option<u64>,
    /// Name of the access list clients must pass: at once when they connect, those of `trusted_proxies` with each request.
    pub access: Option<Spanned<String>>,
    /// Addresses of the proxies in front. From them alone a PROXY header or `X-Forwarded-For` tells who the client is.
    pub trusted_proxies: Vec<Spanned<Prefix>>,
    /// Whether every connection begins with a PROXY header, version 1 or 2. Others are refused.
    pub proxy_protocol: Spanned<bool>,
    /// Names of limits; here they count connections.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Spanned<String>>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            name: None,
            listen: Vec::new(),
            tls: None,
            header_timeout: Time::seconds(10),
            body_timeout: Time::seconds(60),
            send_timeout: Time::seconds(60),
            idle_timeout: Time::seconds(75),
            upgrade_timeout: Time::seconds(600),
            keepalive_requests: 10_000,
            max_header_size: Size::kib(32),
            max_headers: 100,
            max_request_line: Size::kib(8),
            max_body: Size::mib(1),
            http2: Http2::default(),
            max_connections: None,
            access: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: false.into(),
            limits: Vec::new(),
        }
    }
}

impl Http {
    /// The name that sites refer to: as written, or the first address.
    pub fn name(&self) -> String {
        name_of(&self.name, &self.listen)
    }
}

/// HTTP/2 on a listener.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Http2 {
    /// Requests a connection may have in flight, 1 to 65535.
    #[serde(deserialize_with = "within::<1, 65_535, _, _>")]
    #[schemars(range(min = 1, max = 65_535))]
    pub max_streams: u32,
}

impl Default for Http2 {
    fn default() -> Self {
        Self { max_streams: 128 }
    }
}
