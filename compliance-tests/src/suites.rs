//! The cipher suites a gateway has to speak, each with the server and the client it goes with.

use alb_gm::tls::Protocol;

use crate::client::Offer;
use crate::pki::Pki;

/// A suite of the handshake matrix.
#[derive(Debug, Clone, Copy)]
pub struct Suite {
    /// Its standard name.
    pub name: &'static str,
    /// The protocol it belongs to.
    pub protocol: Protocol,
    /// Name of the server whose certificate goes with it: `gm.test` (SM2) or `tls.test` (P-256).
    pub server_name: &'static str,
    /// The key exchange uses the client's encryption certificate.
    pub needs_client_pair: bool,
}

/// Every suite of TLCP, of RFC 8998, and of TLS 1.2 and 1.3 with a P-256 certificate.
pub const ALL: [Suite; 11] = [
    sm2("ECC_SM4_GCM_SM3", Protocol::Tlcp, false),
    sm2("ECC_SM4_CBC_SM3", Protocol::Tlcp, false),
    sm2("ECDHE_SM4_GCM_SM3", Protocol::Tlcp, true),
    sm2("ECDHE_SM4_CBC_SM3", Protocol::Tlcp, true),
    sm2("TLS_SM4_GCM_SM3", Protocol::Tls13, false),
    sm2("TLS_SM4_CCM_SM3", Protocol::Tls13, false),
    p256("TLS_AES_128_GCM_SHA256", Protocol::Tls13),
    p256("TLS_AES_256_GCM_SHA384", Protocol::Tls13),
    p256("TLS_CHACHA20_POLY1305_SHA256", Protocol::Tls13),
    p256("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", Protocol::Tls12),
    p256("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", Protocol::Tls12),
];

/// Whether only the server, or both sides, show certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Only the server.
    OneWay,
    /// Both sides.
    Mutual,
}

impl Suite {
    /// The ways this suite can be used: one-way and mutual, or mutual only.
    pub fn auths(self) -> &'static [Auth] {
        if self.needs_client_pair {
            &[Auth::Mutual]
        } else {
            &[Auth::OneWay, Auth::Mutual]
        }
    }

    /// A client that offers nothing but this suite.
    pub fn offer(self, pki: &Pki, auth: Auth) -> Offer {
        let offer = Offer::new(pki, &[self.protocol])
            .suite(self.name)
            .server_name(self.server_name);
        match (auth, self.is_sm2()) {
            (Auth::OneWay, _) => offer,
            (Auth::Mutual, true) => offer.pair(pki, "client"),
            (Auth::Mutual, false) => offer.certificate(pki, "client"),
        }
    }

    /// The common name of that client when it shows a certificate.
    pub fn client_name(self) -> &'static str {
        if self.is_sm2() { "alice" } else { "bob" }
    }

    /// Whether the server shows an SM2 certificate.
    pub fn is_sm2(self) -> bool {
        self.server_name == "gm.test"
    }

    /// The protocol as the configuration names it.
    pub fn protocol_name(self) -> &'static str {
        match self.protocol {
            Protocol::Tlcp => "tlcp",
            Protocol::Tls12 => "tls1.2",
            Protocol::Tls13 => "tls1.3",
        }
    }
}

impl Auth {
    /// Its name in the placeholders of the matrix.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one_way",
            Self::Mutual => "mutual",
        }
    }
}

const fn sm2(name: &'static str, protocol: Protocol, needs_client_pair: bool) -> Suite {
    Suite {
        name,
        protocol,
        server_name: "gm.test",
        needs_client_pair,
    }
}

const fn p256(name: &'static str, protocol: Protocol) -> Suite {
    Suite {
        name,
        protocol,
        server_name: "tls.test",
        needs_client_pair: false,
    }
}
