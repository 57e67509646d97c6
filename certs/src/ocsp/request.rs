//! OCSPRequest (RFC 6960 §4.1).

use super::CertId;
use crate::der::{self, Reader, tag};
use crate::error::Result;
use crate::extension::Extensions;
use crate::oid;

/// A request, as a responder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The certificates asked about, at most `MAX_CERTIFICATES`.
    pub certificates: Vec<CertId>,
    /// The nonce, as the content of its extension.
    pub nonce: Option<Vec<u8>>,
}

/// Certificates one request may ask about: a signature covers them all, so more would cost us too little per byte sent.
pub const MAX_CERTIFICATES: usize = 64;
/// The longest nonce that is returned (RFC 8954 §2.1).
const MAX_NONCE: usize = 34;
const WHAT: &str = "an OCSP request";

impl Request {
    /// A request about one certificate.
    pub fn make(certificate: &CertId, nonce: Option<&[u8]>) -> Vec<u8> {
        let mut parts = vec![der::sequence([der::sequence([certificate.der().to_vec()])])];
        if let Some(nonce) = nonce {
            let extension = der::sequence([
                der::object_id(&oid::OCSP_NONCE),
                der::octet_string(&der::octet_string(nonce)),
            ]);
            parts.push(der::explicit(2, der::sequence([extension])));
        }
        der::sequence([der::sequence(parts)])
    }

    /// Reads DER. A signature around it is not looked at: nobody is refused an answer.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let mut body = Reader::whole_sequence(der, WHAT)?.sequence()?;
        body.optional(tag::context_constructed(0))?;
        body.optional(tag::context_constructed(1))?;
        let mut list = body.sequence()?;
        let mut certificates = Vec::new();
        while !list.is_empty() {
            if certificates.len() == MAX_CERTIFICATES {
                return Err(list.wrong(format!("more than {MAX_CERTIFICATES} certificates")));
            }
            certificates.push(CertId::parse(
                list.sequence()?.expect(tag::SEQUENCE)?.encoded,
            )?);
        }
        let mut nonce = None;
        if let Some(extensions) = body.optional(tag::context_constructed(2))? {
            let extensions = Extensions::parse(extensions.reader(WHAT).sequence()?)?;
            nonce = extensions
                .all
                .into_iter()
                .find(|extension| extension.oid == oid::OCSP_NONCE)
                .map(|extension| extension.value);
        }
        body.end()?;
        Ok(Self {
            certificates,
            nonce: nonce.filter(|nonce| nonce.len() <= MAX_NONCE),
        })
    }
}
