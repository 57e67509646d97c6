//! Asks an OCSP responder over plain HTTP, as OCSP is: the answer is signed.

use std::time::Duration;

use alb_certs::finding::Finding;
use alb_certs::issue::Serial;
use alb_certs::ocsp::{CertId, Request, Response, Status};
use alb_certs::time::Time;
use alb_certs::{Certificate, Error, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;

const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: usize = 1 << 20;

/// What the responder says about a certificate; `url` empty means the one in the certificate.
pub fn ask(certificate: &Certificate, issuer: &Certificate, url: &str) -> Result<Finding> {
    let named = certificate.extensions.ocsp_urls.first();
    let url = match (url, named) {
        ("", Some(named)) => named,
        ("", None) => {
            return Err(Error::Refused(
                "the certificate names no OCSP responder; give one with `--ocsp URL`".to_owned(),
            ));
        }
        (url, _) => url,
    };
    // SHA-1 names the issuer here: every responder knows it, and nothing rests on it.
    let id = CertId::of(certificate, issuer, false)?;
    let nonce = Serial::random()?;
    let bytes = fetch(url, Request::make(&id, Some(nonce.bytes())))?;
    let response = Response::parse(&bytes)?;
    let now = Time::now();
    response.verify(issuer, now)?;
    if !response.echoes(nonce.bytes()) {
        return Err(Error::Refused(format!(
            "the OCSP responder {url} answers an old request (its nonce is another)"
        )));
    }
    let subject = &certificate.subject;
    Ok(match response.answer(&id, now)? {
        Status::Good => Finding::note(format!(
            "the OCSP responder {url} says that `{subject}` is good"
        )),
        Status::Unknown => Finding::error(format!(
            "the OCSP responder {url} does not know `{subject}`"
        )),
        Status::Revoked { at, reason } => Finding::error(format!(
            "the OCSP responder {url} says that `{subject}` was revoked on {at} ({})",
            reason.name()
        )),
    })
}

fn fetch(url: &str, body: Vec<u8>) -> Result<Bytes> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let failed =
        |why: String| Error::Refused(format!("cannot ask the OCSP responder {url}: {why}"));
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    let asked = runtime.block_on(async { tokio::time::timeout(PATIENCE, post(url, body)).await });
    match asked {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(why)) => Err(failed(why)),
        Err(_) => Err(failed(format!(
            "no answer within {} seconds",
            PATIENCE.as_secs()
        ))),
    }
}

async fn post(url: &str, body: Vec<u8>) -> std::result::Result<Bytes, String> {
    let uri: hyper::Uri = url.parse().map_err(|error| format!("{error}"))?;
    let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err("only http:// is spoken".to_owned());
    };
    let stream = tokio::net::TcpStream::connect((
        host.trim_matches(['[', ']']),
        uri.port_u16().unwrap_or(80),
    ))
    .await;
    let stream = stream.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    let request = hyper::Request::post(path)
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/ocsp-request");
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        if response.status() != hyper::StatusCode::OK {
            return Err(format!("it answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), ANSWER_LIMIT)
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok(body.to_bytes())
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => Err(ended.map_or_else(|error| error.to_string(), |()| "it closed the connection".to_owned())),
    }
}
