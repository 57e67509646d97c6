//! `alb probe`: looks at a server as its clients see it, protocol by protocol.

mod fetch;
mod findings;
mod scan;
mod text;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use alb_gm::tls::{Certified, Identity, Protocol, Trust};
use clap::{Args, ValueEnum};

use self::findings::{Findings, Report};
use super::generate::print;
use super::{Common, Exit};

/// The arguments of `alb probe`.
#[derive(Args)]
pub struct Probe {
    /// The server
    #[arg(value_name = "HOST:PORT")]
    server: String,

    /// Believe this authority (PEM; may be given several times) instead of those of the system
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,

    /// Ask for this name, and expect it in the certificate, instead of the host
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,

    /// Look at this protocol only (may be given several times)
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Vec<Choice>,

    /// Our signing certificate, for TLCP with client authentication
    #[arg(long, value_name = "FILE", requires_all = ["sign_key", "enc_cert", "enc_key"])]
    sign_cert: Option<PathBuf>,

    /// Its key
    #[arg(long, value_name = "FILE", requires = "sign_cert")]
    sign_key: Option<PathBuf>,

    /// Our encryption certificate
    #[arg(long, value_name = "FILE", requires = "sign_cert")]
    enc_cert: Option<PathBuf>,

    /// Its key
    #[arg(long, value_name = "FILE", requires = "sign_cert")]
    enc_key: Option<PathBuf>,

    /// Our certificate for TLS with client authentication
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,

    /// Its key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,

    /// Fetch this path with HTTP/1.1 over each protocol
    #[arg(long, value_name = "PATH")]
    get: Option<String>,

    /// Give up on a connection after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    timeout: f64,
}

/// A protocol as it is typed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Tlcp,
    #[value(name = "tls1.2")]
    Tls12,
    #[value(name = "tls1.3")]
    Tls13,
}

/// A probe that can be carried out: files read, names resolved.
struct Plan {
    /// The server as it was typed.
    server: String,
    addresses: Vec<SocketAddr>,
    server_name: String,
    protocols: Vec<Protocol>,
    trust: Trust,
    pair: Option<Arc<Identity>>,
    ordinary: Option<Arc<Identity>>,
    get: Option<String>,
    timeout: Duration,
    /// Every protocol was asked for by name, so each has to work.
    strict: bool,
}

/// Why there is nothing to probe: what is wrong, and what to do.
struct Refusal {
    message: String,
    help: String,
    exit: Exit,
}

/// `alb probe`.
pub fn probe(common: &Common, arguments: &Probe) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&Refusal::failed(format!("cannot start: {error}"), "")),
    };
    alb_gm::init(alb_gm::Acceleration::Auto);
    match runtime.block_on(Plan::make(arguments)) {
        Ok(plan) => show(common, &plan, &runtime.block_on(scan::scan(&plan))),
        Err(refusal) => refuse(&refusal),
    }
}

fn show(common: &Common, plan: &Plan, report: &Report) -> Exit {
    let text = match common.json {
        true => serde_json::to_string_pretty(report).map(|json| json + "\n"),
        false => Ok(text::render(report)),
    };
    match text.map(|text| print(text.as_bytes())) {
        Ok(Exit::Done) => verdict(plan, report),
        Ok(exit) => exit,
        Err(error) => refuse(&Refusal::failed(
            format!("cannot write the report: {error}"),
            "",
        )),
    }
}

/// The exit code: everything that was asked for works and is verified.
fn verdict(plan: &Plan, report: &Report) -> Exit {
    let spoken: Vec<&Findings> = report.protocols.iter().filter(|p| p.spoken).collect();
    let silent = if plan.strict {
        spoken.len() < report.protocols.len()
    } else {
        spoken.is_empty()
    };
    let unfetched = spoken
        .iter()
        .any(|p| p.response.as_ref().is_some_and(|r| r.is_err()));
    match (silent || unfetched, spoken.iter().all(|p| p.verified())) {
        (true, _) => Exit::Failed,
        (false, false) => Exit::Unverified,
        (false, true) => Exit::Done,
    }
}

fn refuse(refusal: &Refusal) -> Exit {
    eprintln!("error: {}", refusal.message);
    if !refusal.help.is_empty() {
        eprintln!("help: {}", refusal.help);
    }
    refusal.exit
}

impl Plan {
    async fn make(arguments: &Probe) -> Result<Plan, Refusal> {
        let (host, port) = split(&arguments.server)?;
        let resolved = tokio::net::lookup_host((host, port)).await;
        let addresses: Vec<_> = resolved
            .map_err(|e| Refusal::failed(format!("cannot resolve `{host}`: {e}"), ""))?
            .collect();
        let timeout = Duration::try_from_secs_f64(arguments.timeout)
            .ok()
            .filter(|t| !t.is_zero());
        let timeout = timeout
            .ok_or_else(|| Refusal::usage("`--timeout` wants a positive number of seconds", ""))?;
        Ok(Plan {
            server: arguments.server.clone(),
            addresses,
            server_name: arguments
                .server_name
                .clone()
                .unwrap_or_else(|| host.to_owned()),
            protocols: arguments.protocols(),
            trust: arguments.trust()?,
            pair: arguments.pair()?,
            ordinary: arguments.ordinary()?,
            get: arguments.get.clone(),
            timeout,
            strict: !arguments.protocol.is_empty(),
        })
    }

    /// What we show in a protocol.
    fn identity(&self, protocol: Protocol) -> Option<Arc<Identity>> {
        match protocol {
            Protocol::Tlcp => self.pair.clone(),
            Protocol::Tls12 | Protocol::Tls13 => {
                self.ordinary.clone().or_else(|| self.pair.clone())
            }
        }
    }
}

impl Probe {
    fn protocols(&self) -> Vec<Protocol> {
        let chosen = |protocol: &Protocol| {
            self.protocol.is_empty() || self.protocol.iter().any(|c| c.protocol() == *protocol)
        };
        Protocol::ALL.into_iter().filter(chosen).collect()
    }

    fn trust(&self) -> Result<Trust, Refusal> {
        let trust = if self.ca.is_empty() {
            Trust::system()
        } else {
            Trust::load(&self.ca, &[])
        };
        trust.map_err(|e| Refusal::config(e.message, &e.help))
    }

    fn pair(&self) -> Result<Option<Arc<Identity>>, Refusal> {
        let (Some(sign), Some(encrypt)) = (
            both(&self.sign_cert, &self.sign_key),
            both(&self.enc_cert, &self.enc_key),
        ) else {
            return Ok(None);
        };
        let halves = Certified::load(sign.0, sign.1, None)
            .and_then(|s| Ok((s, Certified::load(encrypt.0, encrypt.1, None)?)));
        let pair = halves.and_then(|(sign, encrypt)| Identity::pair(sign, encrypt));
        pair.map(|pair| Some(Arc::new(pair)))
            .map_err(|e| Refusal::config(e.message, &e.help))
    }

    fn ordinary(&self) -> Result<Option<Arc<Identity>>, Refusal> {
        let Some((certificate, key)) = both(&self.cert, &self.key) else {
            return Ok(None);
        };
        let ordinary = Certified::load(certificate, key, None).and_then(Identity::ordinary);
        ordinary
            .map(|ordinary| Some(Arc::new(ordinary)))
            .map_err(|e| Refusal::config(e.message, &e.help))
    }
}

impl Choice {
    fn protocol(self) -> Protocol {
        match self {
            Choice::Tlcp => Protocol::Tlcp,
            Choice::Tls12 => Protocol::Tls12,
            Choice::Tls13 => Protocol::Tls13,
        }
    }
}

impl Refusal {
    fn failed(message: String, help: &str) -> Self {
        Refusal {
            message,
            help: help.to_owned(),
            exit: Exit::Failed,
        }
    }

    fn usage(message: &str, help: &str) -> Self {
        Refusal {
            message: message.to_owned(),
            help: help.to_owned(),
            exit: Exit::Usage,
        }
    }

    fn config(message: String, help: &str) -> Self {
        Refusal {
            message,
            help: help.to_owned(),
            exit: Exit::Config,
        }
    }
}

/// `host:port` or `[address]:port`.
fn split(server: &str) -> Result<(&str, u16), Refusal> {
    let parts = server
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let wrong = || {
        Refusal::usage(
            &format!("`{server}` is not HOST:PORT"),
            "for example `localhost:8443` or `[::1]:8443`",
        )
    };
    let (host, port) = parts
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    match bare {
        None if host.contains(':') => Err(wrong()),
        _ => Ok((bare.unwrap_or(host), port)),
    }
}

fn both<'a>(
    one: &'a Option<PathBuf>,
    other: &'a Option<PathBuf>,
) -> Option<(&'a PathBuf, &'a PathBuf)> {
    one.as_ref().zip(other.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        let ok = |s| split(s).ok();
        assert_eq!(ok("localhost:8443"), Some(("localhost", 8443)));
        assert_eq!(ok("[::1]:443"), Some(("::1", 443)));
        for wrong in ["localhost", ":443", "::1", "host:port", "host:70000", ""] {
            assert_eq!(ok(wrong), None, "{wrong}");
        }
    }
}
