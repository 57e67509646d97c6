//! `alb probe` against our own acceptor, and against the `openssl` of the system.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, Issued, Leaf, Pair};
use alb_gm::tls::{
    Acceptor, AcceptorPolicy, Certified, ClientAuth, ClientAuthMode, Identity, Trust,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NAME: &str = "gateway.test";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Test: yes\r\n\r\nhello\n";

/// Authorities and files for one test.
struct World {
    directory: tempfile::TempDir,
    ca: Ca,
}

impl World {
    /// The servers of this process use Tongsuo's own arithmetic, the probe ours: the one checks the other.
    fn new() -> World {
        alb_gm::init(alb_gm::Acceleration::Off);
        let world = World {
            directory: tempfile::tempdir().unwrap(),
            ca: Ca::root(Algorithm::Sm2, "Probe Root").unwrap(),
        };
        world.write("ca.pem", world.ca.certificate().to_pem());
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn put(&self, name: &str, issued: &Issued) -> [PathBuf; 2] {
        let key = issued.key.to_pem().unwrap();
        [
            self.write(&format!("{name}.pem"), issued.chain_pem()),
            self.write(&format!("{name}.key"), key.as_bytes()),
        ]
    }

    /// A server that answers every request over every protocol, in a thread of its own.
    fn serve(&self, client_auth: ClientAuthMode) -> SocketAddr {
        let pair = self.ca.issue_pair(&Leaf::server(NAME)).unwrap();
        let single = self.ca.issue(Algorithm::P256, &Leaf::server(NAME)).unwrap();
        let identities = vec![
            paired(&pair),
            Arc::new(Identity::ordinary(certified(&single)).unwrap()),
        ];
        let trust = Trust::load(&[self.path("ca.pem")], &[]).unwrap();
        let client_auth = ClientAuth {
            mode: client_auth,
            trust,
            depth: 3,
        };
        let alpn = vec!["http/1.1".to_owned()];
        let policy = AcceptorPolicy {
            identities,
            client_auth,
            alpn,
            ..AcceptorPolicy::default()
        };
        let acceptor = Acceptor::new(&policy).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || answer_for_ever(listener, &acceptor));
        address
    }

    fn probe(&self, server: &str, arguments: &[&str]) -> Output {
        let ca = self.path("ca.pem");
        let mut command = Command::new(env!("CARGO_BIN_EXE_alb"));
        command
            .args(["probe", server, "--server-name", NAME, "--ca"])
            .arg(ca)
            .args(arguments);
        command.output().unwrap()
    }

    fn probe_json(&self, server: &str, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.probe(server, &[arguments, &["--json"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let report = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (output.status.code(), report)
    }
}

fn answer_for_ever(listener: std::net::TcpListener, acceptor: &Acceptor) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 1024];
            if matches!(stream.read(&mut request).await, Ok(1..)) {
                let _ = stream.write_all(ANSWER).await;
                let _ = stream.shutdown().await;
            }
        }
    });
}

fn certified(issued: &Issued) -> Certified {
    let key = issued.key.to_pem().unwrap();
    Certified::from_pem(issued.chain_pem().as_bytes(), key.as_bytes()).unwrap()
}

fn paired(pair: &Pair) -> Arc<Identity> {
    Arc::new(Identity::pair(certified(&pair.sign), certified(&pair.encrypt)).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect()
}

#[test]
fn a_probe_tells_protocols_suites_and_certificates() {
    let world = World::new();
    let address = world.serve(ClientAuthMode::Off).to_string();
    let (code, report) = world.probe_json(&address, &["--get", "/"]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["address"], address);
    let [tlcp, tls12, tls13] = report["protocols"].as_array().unwrap().as_slice() else {
        panic!("{report:#}")
    };
    assert_eq!(
        strings(&tlcp["suites"]),
        ["ECC_SM4_GCM_SM3", "ECC_SM4_CBC_SM3"]
    );
    assert_eq!(tlcp["certificates"].as_array().unwrap().len(), 2);
    assert_eq!(tlcp["certificates"][1]["role"], "encryption");
    assert_eq!(strings(&tls12["suites"]).len(), 3, "the ECDSA ones");
    assert!(strings(&tls13["suites"]).contains(&"TLS_SM4_GCM_SM3"));
    assert!(strings(&tls13["groups"]).contains(&"curveSM2"));
    for protocol in [tlcp, tls12, tls13] {
        assert_eq!(protocol["spoken"], true);
        assert_eq!(protocol["unverified"], Value::Null, "{protocol:#}");
        assert_eq!(protocol["chosen"]["alpn"], "http/1.1");
        assert_eq!(protocol["chosen"]["resumes"], true, "{protocol:#}");
        assert_eq!(strings(&protocol["certificates"][0]["names"]), [NAME]);
        assert_eq!(protocol["response"]["Ok"]["status"], 200);
        assert_eq!(protocol["response"]["Ok"]["body"], "hello\n");
    }
}

#[test]
fn a_certificate_of_an_unknown_authority_has_an_exit_code_of_its_own() {
    let (world, other) = (World::new(), World::new());
    let address = world.serve(ClientAuthMode::Off).to_string();
    let output = other.probe(&address, &["--protocol", "tlcp"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(
        shown.contains("verified     NO: the server's certificate `CN=gateway.test"),
        "{shown}"
    );
    assert!(
        shown.contains("CN=Probe Root") && shown.contains("TLCPv1.1: spoken"),
        "{shown}"
    );
}

#[test]
fn a_server_that_wants_certificates_gets_them() {
    let world = World::new();
    let address = world.serve(ClientAuthMode::Required).to_string();
    let (code, report) = world.probe_json(&address, &[]);
    assert_eq!(code, Some(1), "{report:#}");
    assert!(
        report["protocols"]
            .as_array()
            .unwrap()
            .iter()
            .all(|p| p["spoken"] == false),
        "{report:#}"
    );
    let pair = world.ca.issue_pair(&Leaf::client("alice")).unwrap();
    let ([sign, sign_key], [encrypt, encrypt_key]) = (
        world.put("sign", &pair.sign),
        world.put("encrypt", &pair.encrypt),
    );
    let [certificate, key] = world.put(
        "single",
        &world
            .ca
            .issue(Algorithm::P256, &Leaf::client("alice"))
            .unwrap(),
    );
    let (code, report) = world.probe_json(
        &address,
        &[
            "--sign-cert",
            text(&sign),
            "--sign-key",
            text(&sign_key),
            "--enc-cert",
            text(&encrypt),
            "--enc-key",
            text(&encrypt_key),
            "--cert",
            text(&certificate),
            "--key",
            text(&key),
        ],
    );
    assert_eq!(code, Some(0), "{report:#}");
    let suites = strings(&report["protocols"][0]["suites"]);
    assert_eq!(
        suites,
        [
            "ECC_SM4_GCM_SM3",
            "ECC_SM4_CBC_SM3",
            "ECDHE_SM4_GCM_SM3",
            "ECDHE_SM4_CBC_SM3"
        ]
    );
}

#[test]
fn an_openssl_server_is_understood() {
    let world = World::new();
    let [certificate, key] = world.put(
        "server",
        &world
            .ca
            .issue(Algorithm::Rsa2048, &Leaf::server(NAME))
            .unwrap(),
    );
    let mut server = Command::new("openssl")
        .args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-www",
            "-cert",
            text(&certificate),
            "-key",
            text(&key),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.as_mut().unwrap())
        .lines()
        .map_while(Result::ok);
    let address = lines
        .find_map(|l| l.strip_prefix("ACCEPT ").map(str::to_owned))
        .unwrap();
    let (code, report) = world.probe_json(&address, &["--get", "/"]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(code, Some(0), "{report:#}");
    let protocols = report["protocols"].as_array().unwrap();
    assert_eq!(protocols[0]["spoken"], false);
    assert_eq!(protocols[1]["response"]["Ok"]["status"], 200);
    assert_eq!(protocols[2]["certificates"][0]["key"], "RSA 2048 bits");
}

#[test]
fn what_cannot_be_probed_is_said_so() {
    let world = World::new();
    let output = world.probe("nowhere", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not HOST:PORT"));
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let (code, report) = world.probe_json(&free, &["--protocol", "tlcp"]);
    assert_eq!(code, Some(1));
    assert!(
        report["protocols"][0]["refused"]["message"]
            .as_str()
            .unwrap()
            .contains("refused"),
        "{report:#}"
    );
    let missing = world.path("missing.pem");
    let output = world.probe(
        "127.0.0.1:1",
        &["--cert", text(&missing), "--key", text(&missing)],
    );
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing.pem"));
}
