//! The handshakes of a probe: once with everything, once for each suite and group, once verified.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use alb_gm::tls::{
    Connector, ConnectorPolicy, HandshakeError, PeerCertificates, PolicyError, Protocol, Reason,
    TlsInfo, TlsStream, suites,
};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::findings::{Chosen, Findings, Refused, Report, Shown};
use super::{Plan, fetch};

/// Groups worth asking about, in TLS 1.3.
const GROUPS: [&str; 5] = ["X25519MLKEM768", "X25519", "P-256", "P-384", "curveSM2"];

/// A TLS 1.3 server refuses a client's certificate after the handshake is over on our side; it needs a moment.
const AFTERTHOUGHT: Duration = Duration::from_millis(300);

/// Why a connection came to nothing.
enum Failure {
    Network(io::Error),
    Handshake(HandshakeError),
    Policy(PolicyError),
}

/// Looks at every protocol of the plan.
pub async fn scan(plan: &Plan) -> Report {
    let mut report = Report {
        server: plan.server.clone(),
        address: None,
        server_name: plan.server_name.clone(),
        protocols: Vec::new(),
    };
    for &protocol in &plan.protocols {
        report
            .protocols
            .push(look(plan, protocol, &mut report.address).await);
    }
    report
}

async fn look(plan: &Plan, protocol: Protocol, address: &mut Option<String>) -> Findings {
    let mut findings = Findings::new(protocol);
    let policy = ConnectorPolicy {
        verify: false,
        ..offer(plan, protocol)
    };
    let mut stream = match connect(plan, &policy).await {
        Ok(stream) => stream,
        Err(failure) => {
            findings.refused = Some(failure.into());
            return findings;
        }
    };
    *address = stream
        .get_ref()
        .peer_addr()
        .ok()
        .map(|a: SocketAddr| a.to_string());
    if let Err(refusal) = afterthought(&mut stream, protocol).await {
        findings.refused = Some(refusal);
        return findings;
    }
    findings.spoken = true;
    describe(&mut findings, stream.info());
    drop(stream);
    findings.unverified = verify(plan, protocol).await.err().map(Refused::from);
    findings.suites = answers(plan, protocol, suite_names(protocol), |policy, suite| {
        policy.suites = vec![suite]
    })
    .await;
    if protocol == Protocol::Tls13 {
        findings.groups = answers(plan, protocol, GROUPS.to_vec(), |policy, group| {
            policy.groups = vec![group]
        })
        .await;
    }
    if let Some(path) = &plan.get {
        findings.response = Some(get(plan, protocol, path).await);
    }
    if let Some(chosen) = &mut findings.chosen {
        chosen.resumes = resumes(plan, &policy).await;
    }
    findings
}

/// What a client of this protocol offers.
fn offer(plan: &Plan, protocol: Protocol) -> ConnectorPolicy {
    ConnectorPolicy {
        protocols: vec![protocol],
        identity: plan.identity(protocol),
        trust: Some(plan.trust.clone()),
        alpn: vec!["h2".into(), "http/1.1".into()],
        groups: if protocol == Protocol::Tlcp {
            Vec::new()
        } else {
            GROUPS.map(String::from).to_vec()
        },
        handshake_timeout: plan.timeout,
        ..ConnectorPolicy::default()
    }
}

async fn connect(plan: &Plan, policy: &ConnectorPolicy) -> Result<TlsStream<TcpStream>, Failure> {
    let connector = Connector::new(policy).map_err(Failure::Policy)?;
    connect_with(plan, &connector).await
}

async fn connect_with(plan: &Plan, connector: &Connector) -> Result<TlsStream<TcpStream>, Failure> {
    let opened = timeout(plan.timeout, TcpStream::connect(plan.addresses.as_slice())).await;
    let stream = opened
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(Failure::Network)?;
    connector
        .connect(stream, &plan.server_name)
        .await
        .map_err(Failure::Handshake)
}

/// Waits for a refusal that comes late.
async fn afterthought(
    stream: &mut TlsStream<TcpStream>,
    protocol: Protocol,
) -> Result<(), Refused> {
    if protocol != Protocol::Tls13 {
        return Ok(());
    }
    match timeout(AFTERTHOUGHT, stream.read_u8()).await {
        Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Err(Refused {
            reason: Reason::PeerAlert.as_str(),
            message: format!("the server refused after the handshake: {error}"),
            help: "it may want another client certificate: see --cert, --sign-cert".into(),
        }),
        _ => Ok(()),
    }
}

fn describe(findings: &mut Findings, info: &TlsInfo) {
    findings.chosen = Some(Chosen {
        suite: info.suite,
        group: info.group,
        alpn: info.alpn.clone(),
        resumes: false,
    });
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs().cast_signed());
    if let Some(PeerCertificates { sign, encrypt }) = info.peer.shown() {
        let role = if encrypt.is_some() {
            "signing"
        } else {
            "server"
        };
        findings.certificates.push(Shown::new(role, sign, now));
        findings
            .certificates
            .extend(encrypt.iter().map(|e| Shown::new("encryption", e, now)));
    }
}

async fn verify(plan: &Plan, protocol: Protocol) -> Result<(), Failure> {
    connect(plan, &offer(plan, protocol)).await.map(drop)
}

fn suite_names(protocol: Protocol) -> Vec<&'static str> {
    suites::ALL
        .iter()
        .filter(|s| s.protocol == protocol)
        .map(|s| s.name)
        .collect()
}

/// Those of `candidates` with which a handshake succeeds.
async fn answers(
    plan: &Plan,
    protocol: Protocol,
    candidates: Vec<&'static str>,
    restrict: impl Fn(&mut ConnectorPolicy, String),
) -> Vec<&'static str> {
    let mut found = Vec::new();
    for candidate in candidates {
        let mut policy = ConnectorPolicy {
            verify: false,
            ..offer(plan, protocol)
        };
        restrict(&mut policy, candidate.to_owned());
        if connect(plan, &policy).await.is_ok() {
            found.push(candidate);
        }
    }
    found
}

async fn get(
    plan: &Plan,
    protocol: Protocol,
    path: &str,
) -> Result<super::findings::Response, String> {
    let policy = ConnectorPolicy {
        verify: false,
        alpn: vec!["http/1.1".into()],
        ..offer(plan, protocol)
    };
    let stream = connect(plan, &policy)
        .await
        .map_err(|failure| Refused::from(failure).message)?;
    let fetched = timeout(plan.timeout, fetch::get(stream, &plan.server, path)).await;
    fetched.unwrap_or_else(|_| {
        Err(format!(
            "no response within {} s",
            plan.timeout.as_secs_f32()
        ))
    })
}

/// Whether a second connection resumes the first. The first is read from, since TLS 1.3 sends its tickets late.
async fn resumes(plan: &Plan, policy: &ConnectorPolicy) -> bool {
    let Ok(connector) = Connector::new(policy) else {
        return false;
    };
    let Ok(mut first) = connect_with(plan, &connector).await else {
        return false;
    };
    if first.info().protocol == Protocol::Tls13 {
        let _ = timeout(AFTERTHOUGHT, first.read_u8()).await;
    }
    drop(first);
    connect_with(plan, &connector)
        .await
        .is_ok_and(|second| second.info().resumed)
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Handshake(error) => Refused::from(&error),
            Failure::Policy(error) => Refused {
                reason: "policy",
                message: error.message,
                help: error.help,
            },
            Failure::Network(error) => Refused {
                reason: Reason::Io.as_str(),
                message: format!("no connection: {error}"),
                help: "check the host, the port and the firewall".into(),
            },
        }
    }
}
