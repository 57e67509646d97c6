//! What a probe finds out, in the shape of its JSON.

use alb_gm::tls::{Certificate, HandshakeError, Protocol, rfc3339};
use serde::Serialize;

/// All of it.
#[derive(Serialize)]
pub struct Report {
    /// The server as it was named.
    pub server: String,
    /// The address that answered.
    pub address: Option<String>,
    /// The name asked for and checked.
    pub server_name: String,
    /// One entry for each protocol looked at.
    pub protocols: Vec<Findings>,
}

/// What was found out about one protocol.
#[derive(Serialize)]
pub struct Findings {
    /// Name of the protocol.
    #[serde(serialize_with = "as_text")]
    pub protocol: Protocol,
    /// A handshake succeeded.
    pub spoken: bool,
    /// Why it did not.
    pub refused: Option<Refused>,
    /// The suites that can be negotiated, in our order; the first is the server's choice.
    pub suites: Vec<&'static str>,
    /// The key exchange groups that can be negotiated.
    pub groups: Vec<&'static str>,
    /// What was chosen when everything was offered.
    pub chosen: Option<Chosen>,
    /// The certificates shown: one, or for TLCP the one that signs and the one that receives keys.
    pub certificates: Vec<Shown>,
    /// Why the certificates are not to be believed; absent if they are.
    pub unverified: Option<Refused>,
    /// The answer to `--get`.
    pub response: Option<Result<Response, String>>,
}

/// What the server chose.
#[derive(Serialize)]
pub struct Chosen {
    /// Cipher suite.
    pub suite: &'static str,
    /// Key exchange group.
    pub group: Option<&'static str>,
    /// Application protocol.
    pub alpn: Option<String>,
    /// A second connection resumed the session of the first.
    pub resumes: bool,
}

/// A failure with its remedy.
#[derive(Serialize)]
pub struct Refused {
    /// One of a closed set.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// A certificate of the server.
#[derive(Serialize)]
pub struct Shown {
    /// What it is for in the handshake: `signing`, `encryption`, or `server`.
    pub role: &'static str,
    /// Subject.
    pub subject: String,
    /// Issuer.
    pub issuer: String,
    /// Names and addresses.
    pub names: Vec<String>,
    /// Start of validity.
    pub not_before: String,
    /// End of validity.
    pub not_after: String,
    /// Whole days until then; negative afterwards.
    pub days_left: i64,
    /// Kind of key.
    pub key: String,
    /// Algorithm of the issuer's signature.
    pub signature: String,
    /// Key usages; absent without the extension.
    pub usages: Option<Vec<&'static str>>,
    /// Serial number.
    pub serial: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
}

/// An HTTP response.
#[derive(Serialize)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Length of the body.
    pub length: usize,
    /// The body, up to 64 KiB of it.
    pub body: String,
}

impl Findings {
    /// Nothing yet.
    pub fn new(protocol: Protocol) -> Self {
        Findings {
            protocol,
            spoken: false,
            refused: None,
            suites: Vec::new(),
            groups: Vec::new(),
            chosen: None,
            certificates: Vec::new(),
            unverified: None,
            response: None,
        }
    }

    /// The server's certificates are to be believed.
    pub fn verified(&self) -> bool {
        self.spoken && self.unverified.is_none()
    }
}

impl From<&HandshakeError> for Refused {
    fn from(error: &HandshakeError) -> Self {
        Refused {
            reason: error.reason.as_str(),
            message: error.message.clone(),
            help: error.help.clone(),
        }
    }
}

impl Shown {
    /// The facts of a certificate at a moment, seconds since 1970.
    pub fn new(role: &'static str, certificate: &Certificate, now: i64) -> Self {
        Shown {
            role,
            subject: certificate.subject(),
            issuer: certificate.issuer(),
            names: certificate.names(),
            not_before: rfc3339(certificate.not_before()),
            not_after: rfc3339(certificate.not_after()),
            days_left: (certificate.not_after() - now).div_euclid(86_400),
            key: certificate.key_words(),
            signature: certificate.signature_algorithm(),
            usages: certificate.usages(),
            serial: certificate.serial(),
            fingerprint: certificate.fingerprint(),
        }
    }
}

fn as_text<S: serde::Serializer>(protocol: &Protocol, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(protocol.as_str())
}
