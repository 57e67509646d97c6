//! `[[stream]]`: a listener that carries TCP connections or UDP datagrams to an upstream.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::listen::{listen_addresses, name_of};
use crate::range::{within, within_time};
use crate::{Map, Prefix, Spanned, Time, Tls};

/// A listener that carries TCP connections or UDP datagrams to an upstream.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["listen"]))]
pub struct Stream {
    /// Name in logs and statistics; the first address serves as the name without it.
    pub name: Option<Spanned<String>>,
    /// What is carried.
    pub protocol: StreamProtocol,
    /// Addresses to listen on, such as `"0.0.0.0:5432"` and `"[::]:5432"`. An IPv6 address accepts IPv6 only.
    #[serde(deserialize_with = "listen_addresses")]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub listen: Vec<Spanned<SocketAddr>>,
    /// Name of the upstream; with `sni`, for the clients whose name is not there.
    pub upstream: Option<Spanned<String>>,
    /// TLCP and TLS towards the clients; the bytes are carried as they come without it. TCP only.
    pub tls: Option<Spanned<Tls>>,
    /// Upstreams by the host name in a TLS or TLCP hello, which is passed on untouched, not decrypted: exact names or `*.example.cn`. TCP only.
    pub sni: Map<Spanned<String>>,
    /// Time for the hello to arrive that `sni` looks at.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub hello_timeout: Time,
    /// A session in which nothing has moved for so long is ended.
    #[serde(deserialize_with = "within_time::<1, 2_592_000, _>")]
    pub idle_timeout: Time,
    /// UDP: replies to each request. A flow that has got them all is over, and one that waits for more in vain counts against the peer. `0`: none come. Without it only silence ends a flow.
    #[serde(deserialize_with = "within::<0, 65_535, _, _>")]
    #[schemars(range(max = 65_535))]
    pub responses: Option<u64>,
    /// UDP: requests of one flow; the client's next one begins another, at another peer perhaps. Without it a flow takes any number.
    #[serde(deserialize_with = "within::<1, 65_535, _, _>")]
    #[schemars(range(min = 1, max = 65_535))]
    pub requests: Option<u64>,
    /// Most connections open at once on this listener, or UDP flows, over all workers; no limit without it for TCP, 65536 for UDP.
    #[serde(deserialize_with = "within::<1, 1_073_741_816, _, _>")]
    #[schemars(range(min = 1, max = 1_073_741_816))]
    pub max_connections: Option<u64>,
    /// Name of the access list clients must pass.
    pub access: Option<Spanned<String>>,
    /// Names of limits: of the rate of sessions, of their number, and of the bandwidth of each direction.
    pub limits: Vec<Spanned<String>>,
    /// Addresses of the proxies in front. From them alone a PROXY header tells who the client is.
    pub trusted_proxies: Vec<Spanned<Prefix>>,
    /// Whether every connection begins with a PROXY header, version 1 or 2. Others are refused. TCP only.
    pub proxy_protocol: Spanned<bool>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            name: None,
            protocol: StreamProtocol::Tcp,
            listen: Vec::new(),
            upstream: None,
            tls: None,
            sni: Map::new(),
            hello_timeout: Time::seconds(30),
            idle_timeout: Time::seconds(600),
            responses: None,
            requests: None,
            max_connections: None,
            access: None,
            limits: Vec::new(),
            trusted_proxies: Vec::new(),
            proxy_protocol: false.into(),
        }
    }
}

impl Stream {
    /// The name in logs and statistics: as written, or the first address.
    pub fn name(&self) -> String {
        name_of(&self.name, &self.listen)
    }

    /// Whether datagrams are carried.
    pub fn is_udp(&self) -> bool {
        self.protocol == StreamProtocol::Udp
    }

    /// Every upstream that a session may go to.
    pub fn upstreams(&self) -> impl Iterator<Item = &Spanned<String>> {
        self.upstream.iter().chain(self.sni.values())
    }
}

/// What a stream listener carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamProtocol {
    /// Connections.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}
