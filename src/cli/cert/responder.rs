//! `alb cert ca ocsp`: an OCSP responder for an authority's directory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::SystemTime;

use alb_certs::authority::{Directory, Register, Status as Standing};
use alb_certs::issue::Serial;
use alb_certs::ocsp::{CertId, Request, Response, Status};
use alb_certs::time::Time;
use alb_certs::{Certificate, Error, Key, Result};
use clap::Args;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::super::Exit;
use super::input;
use super::password::PasswordSource;

/// The arguments of `alb cert ca ocsp`.
#[derive(Args)]
pub struct OcspArguments {
    /// The authority's directory
    directory: PathBuf,

    /// Where to listen; OCSP is plain HTTP, its answers are signed
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,

    /// Sign with this certificate, issued by the authority with `--profile ocsp` [default: the authority itself]
    #[arg(long, value_name = "FILE", requires = "signer_key")]
    signer: Option<PathBuf>,

    /// The signer's key
    #[arg(long, value_name = "FILE", requires = "signer")]
    signer_key: Option<PathBuf>,

    /// How long an answer holds, in seconds
    #[arg(long, default_value_t = 3600)]
    valid_for: u32,

    #[command(flatten)]
    password: PasswordSource,
}

/// Requests are small: a certificate's name is some hundred bytes.
const REQUEST_LIMIT: usize = 64 << 10;

/// Answers until a signal.
pub fn serve(arguments: &OcspArguments) -> super::Done {
    let responder = Rc::new(Responder::open(arguments)?);
    let failed = |error: std::io::Error| {
        Error::Refused(format!("cannot listen on {}: {error}", arguments.listen))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::bind(arguments.listen)
            .await
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        eprintln!(
            "answering for {} on http://{address}",
            responder.issuer.subject
        );
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    tokio::task::spawn_local(connection(stream, Rc::clone(&responder)));
                },
                _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
            }
        }
    })
}

async fn connection(stream: tokio::net::TcpStream, responder: Rc<Responder>) {
    let service = service_fn(|request| {
        let responder = Rc::clone(&responder);
        async move { Ok::<_, Infallible>(answer(request, &responder).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(std::time::Duration::from_secs(10));
    // A client that breaks off has no answer to miss.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// POST carries the request as its body, GET as base64 in its path (RFC 6960 appendix A.1).
async fn answer(
    request: hyper::Request<Incoming>,
    responder: &Responder,
) -> hyper::Response<Full<Bytes>> {
    let bytes = match *request.method() {
        Method::POST => match Limited::new(request.into_body(), REQUEST_LIMIT)
            .collect()
            .await
        {
            Ok(body) => body.to_bytes().to_vec(),
            Err(_) => return reply(StatusCode::PAYLOAD_TOO_LARGE, Vec::new()),
        },
        Method::GET => from_path(request.uri().path()).unwrap_or_default(),
        _ => return reply(StatusCode::METHOD_NOT_ALLOWED, Vec::new()),
    };
    reply(StatusCode::OK, responder.respond(&bytes))
}

fn reply(status: StatusCode, body: Vec<u8>) -> hyper::Response<Full<Bytes>> {
    let response = hyper::Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/ocsp-response");
    response.body(Full::from(body)).unwrap_or_default()
}

fn from_path(path: &str) -> Option<Vec<u8>> {
    let encoded = path.rsplit_once('/').map_or(path, |(_, last)| last);
    let base64 = encoded
        .replace("%2B", "+")
        .replace("%2b", "+")
        .replace("%2F", "/")
        .replace("%2f", "/")
        .replace("%3D", "=")
        .replace("%3d", "=");
    alb_certs::envelope::unpack(base64.as_bytes())
        .ok()
        .map(|bytes| bytes.into_owned())
}

/// The authority's records, and whoever signs for it.
struct Responder {
    issuer: Certificate,
    signer: Certificate,
    key: Key,
    register: Register,
    valid_for: i64,
    known: RefCell<Known>,
}

/// The records as last read.
#[derive(Default)]
struct Known {
    changed: Option<SystemTime>,
    standings: BTreeMap<Serial, Standing>,
}

impl Responder {
    fn open(arguments: &OcspArguments) -> Result<Self> {
        let issuer = Directory::certificate(&arguments.directory)?;
        let (signer, key) = match (&arguments.signer, &arguments.signer_key) {
            (Some(signer), Some(key)) => (
                input::certificate(signer)?,
                input::key(key, &arguments.password)?,
            ),
            _ => {
                let path = arguments.directory.join("ca.key");
                (issuer.clone(), input::key(&path, &arguments.password)?)
            }
        };
        if key.public_key()? != signer.public_key {
            return Err(Error::Refused(format!(
                "the signer's key does not belong to the certificate of {}",
                signer.subject
            )));
        }
        if signer != issuer
            && !signer
                .extensions
                .purposes
                .contains(&alb_certs::oid::OCSP_SIGNING)
        {
            return Err(Error::Refused(format!(
                "{} is not certified for OCSP; issue one with `--profile ocsp`",
                signer.subject
            )));
        }
        let register = Register::of(&arguments.directory);
        Ok(Self {
            issuer,
            signer,
            key,
            register,
            valid_for: arguments.valid_for.into(),
            known: RefCell::default(),
        })
    }

    fn respond(&self, request: &[u8]) -> Vec<u8> {
        const MALFORMED: u8 = 1;
        const INTERNAL: u8 = 2;
        let Ok(request) = Request::parse(request) else {
            return Response::refusal(MALFORMED);
        };
        let signed = self.refresh().and_then(|()| {
            Response::make(
                &request,
                (&self.signer, &self.key),
                Time::now(),
                self.valid_for,
                |id| self.status(id),
            )
        });
        signed.unwrap_or_else(|error| {
            eprintln!("error: {error}");
            Response::refusal(INTERNAL)
        })
    }

    /// Reads the records again if they have changed.
    fn refresh(&self) -> Result<()> {
        let changed = self.register.changed()?;
        let mut known = self.known.borrow_mut();
        if known.changed != Some(changed) {
            let entries = self.register.entries(Time::now())?;
            known.standings = entries
                .into_iter()
                .map(|(serial, entry)| (serial, entry.status))
                .collect();
            known.changed = Some(changed);
        }
        Ok(())
    }

    /// A certificate of another authority, or one that was never issued, is unknown (RFC 6960 §2.2).
    fn status(&self, id: &CertId) -> Status {
        if !id.names_issuer(&self.issuer).unwrap_or(false) {
            return Status::Unknown;
        }
        match self.known.borrow().standings.get(&id.serial) {
            Some(Standing::Valid | Standing::Expired) => Status::Good,
            Some(Standing::Revoked { at, reason }) => Status::Revoked {
                at: *at,
                reason: *reason,
            },
            None => Status::Unknown,
        }
    }
}
