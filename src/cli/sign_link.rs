//! `alb sign-link`: a link that a route with `secure_link` takes, and nginx with `secure_link_md5` too.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alb_conf::{LinkAlgorithm, LinkPart, SecureLink as Written, Spanned, Time};
use alb_http::secure_link::{SecureLink, Subject};
use clap::{Args, ValueEnum};

use super::Exit;

/// The arguments of `alb sign-link`: as in the route's `secure_link`.
#[derive(Args)]
pub struct SignLink {
    /// What to sign: a URL, or a path with or without a query
    url: String,

    /// File whose first line is the secret
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,

    /// How to sign
    #[arg(long, value_enum, default_value = "hmac-sm3")]
    algorithm: Algorithm,

    /// What to sign, in the order of the route
    #[arg(long, value_enum, value_delimiter = ',', default_value = "expires,uri")]
    sign: Vec<Part>,

    /// For md5: the text to hash, with $expires, $uri, $client_ip, $host and $secret
    #[arg(long)]
    expression: Option<String>,

    /// How long the link is good
    #[arg(
        long = "for",
        value_name = "DURATION",
        default_value = "1h",
        conflicts_with = "until"
    )]
    lasts: Time,

    /// Until when it is good, in seconds since 1970
    #[arg(long, value_name = "SECONDS")]
    until: Option<u64>,

    /// Whom it is for, if the client's address is signed
    #[arg(long, value_name = "ADDRESS")]
    client_ip: Option<IpAddr>,

    /// Name of the argument with the signature
    #[arg(long, value_name = "NAME", default_value = "signature")]
    signature_argument: String,

    /// Name of the argument with the end
    #[arg(long, value_name = "NAME", default_value = "expires")]
    expires_argument: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Algorithm {
    /// HMAC with SM3
    HmacSm3,
    /// MD5, as nginx
    Md5,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Part {
    Expires,
    Uri,
    ClientIp,
    Host,
}

/// Prints the link.
pub fn sign_link(arguments: &SignLink) -> Exit {
    match signed(arguments) {
        Ok(link) => super::generate::print(format!("{link}\n").as_bytes()),
        Err(reason) => {
            eprintln!("error: {reason}");
            Exit::Failed
        }
    }
}

fn signed(arguments: &SignLink) -> Result<String, String> {
    let written = written(arguments);
    let needs = |part| written.sign.iter().any(|signed| **signed == part);
    let mentions = |name| {
        arguments
            .expression
            .as_ref()
            .is_some_and(|text| text.contains(name))
    };
    if (needs(LinkPart::ClientIp) || mentions("$client_ip")) && arguments.client_ip.is_none() {
        return Err("the client's address is signed; help: name it with --client-ip".to_owned());
    }
    let link = SecureLink::build(&written).map_err(|problem| problem.message)?;
    let (host, target) = parts(&arguments.url);
    if (needs(LinkPart::Host) || mentions("$host")) && host.is_empty() {
        return Err("the host is signed; help: give the whole URL".to_owned());
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let uri = alb_http::route::normalise_path(path)
        .map_err(|_| format!("`{path}` is not the path of a request"))?;
    let subject = Subject {
        uri: &uri,
        host: &alb_http::route::normalise_host(host),
        client_ip: arguments.client_ip.map(|ip| ip.to_canonical()),
    };
    let end = arguments
        .until
        .unwrap_or_else(|| seconds_from_now(*arguments.lasts));
    let query = link
        .sign(subject, end)
        .ok_or("this library's policy forbids MD5")?;
    let joint = if target.contains('?') { '&' } else { '?' };
    Ok(format!("{}{joint}{query}", arguments.url))
}

fn written(arguments: &SignLink) -> Written {
    let part = |part: &Part| match part {
        Part::Expires => LinkPart::Expires,
        Part::Uri => LinkPart::Uri,
        Part::ClientIp => LinkPart::ClientIp,
        Part::Host => LinkPart::Host,
    };
    Written {
        algorithm: match arguments.algorithm {
            Algorithm::HmacSm3 => LinkAlgorithm::HmacSm3,
            Algorithm::Md5 => LinkAlgorithm::Md5,
        },
        secret: None,
        secret_file: Some(arguments.secret_file.clone().into()),
        sign: arguments.sign.iter().map(part).map(Spanned::from).collect(),
        expression: arguments.expression.clone().map(Spanned::from),
        signature_argument: arguments.signature_argument.clone().into(),
        expires_argument: arguments.expires_argument.clone().into(),
    }
}

/// Host, and path with query.
fn parts(url: &str) -> (&str, &str) {
    let Some((_, behind)) = url.split_once("://") else {
        return ("", url);
    };
    match behind.find('/') {
        Some(path) => behind.split_at(path),
        None => (behind, "/"),
    }
}

fn seconds_from_now(lasts: Duration) -> u64 {
    let end = SystemTime::now() + lasts;
    end.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
