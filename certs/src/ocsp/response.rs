//! OCSPResponse with its BasicOCSPResponse (RFC 6960 §4.2).

use super::{CertId, Request};
use crate::certificate::Certificate;
use crate::crl::Reason;
use crate::der::{self, Element, Reader, tag};
use crate::error::{Error, Result};
use crate::extension::Extensions;
use crate::key::Key;
use crate::oid;
use crate::signed::Signed;
use crate::time::Time;

const WHAT: &str = "an OCSP response";

/// What a responder says about a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked {
        /// When.
        at: Time,
        /// Why.
        reason: Reason,
    },
    /// The responder does not know it.
    Unknown,
}

/// The answer about one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Which certificate.
    pub certificate: CertId,
    /// How it stands.
    pub status: Status,
    /// When that was known to be so.
    pub this_update: Time,
    /// When newer information will be there.
    pub next_update: Option<Time>,
}

/// A response that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    signed: Signed,
    /// The answers.
    pub answers: Vec<Answer>,
    /// The nonce, as the content of its extension.
    pub nonce: Option<Vec<u8>>,
    /// Certificates that came along, for a responder that is not the issuer itself.
    pub certificates: Vec<Certificate>,
}

impl Response {
    /// A response signed by `signer`, with the answers `status` gives to each certificate asked about.
    pub fn make(
        request: &Request,
        signer: (&Certificate, &Key),
        now: Time,
        valid_for: i64,
        status: impl Fn(&CertId) -> Status,
    ) -> Result<Vec<u8>> {
        let (certificate, key) = signer;
        let single = |id: &CertId| {
            let next = der::explicit(0, now.plus(valid_for).to_generalized());
            der::sequence([
                id.der().to_vec(),
                status_der(status(id)),
                now.to_generalized(),
                next,
            ])
        };
        let mut body = vec![
            der::explicit(1, certificate.subject.to_der()),
            now.to_generalized(),
            der::sequence(request.certificates.iter().map(single)),
        ];
        if let Some(nonce) = &request.nonce {
            let extension =
                der::sequence([der::object_id(&oid::OCSP_NONCE), der::octet_string(nonce)]);
            body.push(der::explicit(1, der::sequence([extension])));
        }
        let body = der::sequence(body);
        let basic = der::sequence([
            body.clone(),
            key.algorithm().signature_identifier(),
            der::bit_string(&key.sign(&body)?),
            der::explicit(0, der::sequence([certificate.der().to_vec()])),
        ]);
        let bytes = der::sequence([der::object_id(&oid::OCSP_BASIC), der::octet_string(&basic)]);
        Ok(der::sequence([der::enumerated(0), der::explicit(0, bytes)]))
    }

    /// A response that says only that the request was malformed (1) or that this end failed (2).
    pub fn refusal(code: u8) -> Vec<u8> {
        der::sequence([der::enumerated(code)])
    }

    /// Reads DER; the signature is not checked yet. A refusal is an error that gives its meaning.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let mut content = Reader::whole_sequence(der, WHAT)?;
        let code = content
            .expect(tag::ENUMERATED)?
            .content
            .first()
            .copied()
            .unwrap_or(0xff);
        if code != 0 {
            return Err(Error::Refused(format!(
                "the OCSP responder refuses to answer: {}",
                refusal_word(code)
            )));
        }
        let mut bytes = content
            .expect(tag::context_constructed(0))?
            .reader(WHAT)
            .sequence()?;
        let kind = bytes.object_id()?;
        if kind != oid::OCSP_BASIC {
            return Err(bytes.wrong(format!("the kind `{kind}`, where the basic one is read")));
        }
        Self::parse_basic(bytes.octets()?)
    }

    fn parse_basic(der: &[u8]) -> Result<Self> {
        let mut basic = Reader::whole_sequence(der, WHAT)?;
        let (body, algorithm, signature) = (
            basic.expect(tag::SEQUENCE)?,
            basic.expect(tag::SEQUENCE)?,
            basic.expect(tag::BIT_STRING)?,
        );
        let certificates = match basic.optional(tag::context_constructed(0))? {
            Some(list) => read_certificates(list.reader(WHAT).sequence()?)?,
            None => Vec::new(),
        };
        let frame = der::sequence([body, algorithm, signature].map(|part| part.encoded.to_vec()));
        let signed = Signed::parse(&frame, WHAT)?;
        let mut body = body.reader(WHAT);
        body.optional(tag::context_constructed(0))?;
        body.any()?;
        body.expect(tag::GENERALIZED_TIME)?;
        let mut list = body.sequence()?;
        let mut answers = Vec::new();
        while !list.is_empty() {
            answers.push(read_answer(list.sequence()?)?);
        }
        let mut nonce = None;
        if let Some(extensions) = body.optional(tag::context_constructed(1))? {
            let extensions = Extensions::parse(extensions.reader(WHAT).sequence()?)?;
            nonce = extensions
                .all
                .into_iter()
                .find(|extension| extension.oid == oid::OCSP_NONCE)
                .map(|extension| extension.value);
        }
        Ok(Self {
            signed,
            answers,
            nonce,
            certificates,
        })
    }

    /// Fails unless the issuer signed it, or a responder the issuer certified for OCSP (RFC 6960 §4.2.2.2).
    pub fn verify(&self, issuer: &Certificate, now: Time) -> Result<()> {
        if self.signed.verify(&issuer.public_key)? {
            return Ok(());
        }
        for responder in &self.certificates {
            let delegated = responder.extensions.purposes.contains(&oid::OCSP_SIGNING)
                && responder.holds_at(now)
                && responder.is_signed_by(&issuer.public_key)?;
            if delegated && self.signed.verify(&responder.public_key)? {
                return Ok(());
            }
        }
        Err(Error::Refused(format!(
            "the OCSP response is signed neither by `{}` nor by a responder it certified",
            issuer.subject
        )))
    }

    /// Whether this answers the request with this nonce; a responder may leave nonces out (RFC 6960 §4.4.1).
    pub fn echoes(&self, nonce: &[u8]) -> bool {
        self.nonce
            .as_ref()
            .is_none_or(|echoed| *echoed == der::octet_string(nonce))
    }

    /// The answer about a certificate, if it is current.
    pub fn answer(&self, certificate: &CertId, now: Time) -> Result<Status> {
        const CLOCK_SKEW: i64 = 300;
        let answer = self
            .answers
            .iter()
            .find(|answer| answer.certificate == *certificate);
        let answer = answer.ok_or_else(|| {
            Error::Refused("the OCSP response does not answer for this certificate".to_owned())
        })?;
        let too_old = answer
            .next_update
            .is_some_and(|next| next.plus(CLOCK_SKEW) < now);
        if too_old || answer.this_update > now.plus(CLOCK_SKEW) {
            return Err(Error::Refused(format!(
                "the OCSP answer is of {}, and not current",
                answer.this_update
            )));
        }
        Ok(answer.status)
    }
}

fn status_der(status: Status) -> Vec<u8> {
    match status {
        Status::Good => der::element(tag::context(0), &[]),
        Status::Unknown => der::element(tag::context(2), &[]),
        Status::Revoked { at, reason } => {
            let mut content = at.to_generalized();
            if reason != Reason::Unspecified {
                content.extend(der::explicit(0, der::enumerated(reason.code())));
            }
            der::element(tag::context_constructed(1), &content)
        }
    }
}

fn read_answer(mut single: Reader<'_>) -> Result<Answer> {
    let certificate = CertId::parse(single.expect(tag::SEQUENCE)?.encoded)?;
    let status = read_status(&single.any()?)?;
    let this_update = Time::from_der(&single.expect(tag::GENERALIZED_TIME)?)?;
    let next_update = match single.optional(tag::context_constructed(0))? {
        Some(time) => Some(Time::from_der(&time.reader(WHAT).any()?)?),
        None => None,
    };
    Ok(Answer {
        certificate,
        status,
        this_update,
        next_update,
    })
}

fn read_status(element: &Element<'_>) -> Result<Status> {
    match element.tag {
        0x80 => Ok(Status::Good),
        0x82 => Ok(Status::Unknown),
        0xa1 => {
            let mut content = element.reader(WHAT);
            let at = Time::from_der(&content.expect(tag::GENERALIZED_TIME)?)?;
            let mut reason = Reason::Unspecified;
            if let Some(wrapped) = content.optional(tag::context_constructed(0))? {
                let code = wrapped
                    .reader(WHAT)
                    .expect(tag::ENUMERATED)?
                    .content
                    .first()
                    .copied();
                reason = code.map_or(reason, Reason::from_code);
            }
            Ok(Status::Revoked { at, reason })
        }
        other => Err(Error::malformed(
            WHAT,
            format!("tag {other:#04x} where a status belongs"),
        )),
    }
}

fn read_certificates(mut list: Reader<'_>) -> Result<Vec<Certificate>> {
    let mut certificates = Vec::new();
    while !list.is_empty() {
        certificates.push(Certificate::from_der(list.expect(tag::SEQUENCE)?.encoded)?);
    }
    Ok(certificates)
}

fn refusal_word(code: u8) -> String {
    match code {
        1 => "it finds the request malformed".to_owned(),
        2 => "it has an internal error".to_owned(),
        3 => "it asks to try later".to_owned(),
        5 => "it wants signed requests".to_owned(),
        6 => "it does not answer to us".to_owned(),
        other => format!("code {other}"),
    }
}
