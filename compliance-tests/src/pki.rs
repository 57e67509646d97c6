//! The certificates of a test: made anew for each, in a directory of its own.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, CrlPlan, Leaf, Revoked, Role, write_public};
use tempfile::TempDir;

/// A directory of certificates, each `NAME.pem` with its `NAME.key`:
///
/// | files | what |
/// |---|---|
/// | `gm-ca` | the SM2 root; every SM2 certificate but the stranger's is issued by it |
/// | `ca` | the P-256 root of `server` and `client` |
/// | `other-ca` | an SM2 root that issued only `stranger` |
/// | `server-sign`, `server-enc` | SM2 pair for `localhost`, `gm.test`, 127.0.0.1 and ::1; it may be a client too |
/// | `server` | P-256 for `localhost`, `tls.test`, 127.0.0.1 and ::1; it may be a client too |
/// | `client-sign`, `client-enc` | SM2 pair of the client `alice` |
/// | `client` | P-256 of the client `bob` |
/// | `stranger-sign`, `stranger-enc` | SM2 pair of the client `mallory`, issued by `other-ca` |
#[derive(Debug)]
pub struct Pki {
    directory: TempDir,
    /// The SM2 root, to issue more.
    pub gm_ca: Ca,
    /// The P-256 root, to issue more.
    pub ca: Ca,
}

impl Pki {
    /// Makes all of them.
    #[expect(
        clippy::new_without_default,
        reason = "it writes files: nothing to come about by default"
    )]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = |algorithm, name| Ca::root(algorithm, name).expect("a root");
        let gm_ca = root(Algorithm::Sm2, "Test SM2 Root");
        let ca = root(Algorithm::P256, "Test Root");
        let other = root(Algorithm::Sm2, "Another SM2 Root");
        let pki = Self {
            directory,
            gm_ca,
            ca,
        };
        for (name, ca) in [("gm-ca", &pki.gm_ca), ("ca", &pki.ca), ("other-ca", &other)] {
            let path = pki.path().join(format!("{name}.pem"));
            write_public(&path, ca.certificate().to_pem().as_bytes()).expect("a file of ours");
        }
        pki.pair(&pki.gm_ca, "server", &server("gm.test"));
        pki.pair(&pki.gm_ca, "client", &Leaf::client("alice"));
        pki.pair(&other, "stranger", &Leaf::client("mallory"));
        pki.ordinary("server", &server("tls.test"));
        pki.ordinary("client", &Leaf::client("bob"));
        pki
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The content of one file.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Issues one more SM2 pair into `NAME-sign` and `NAME-enc`.
    pub fn pair(&self, ca: &Ca, name: &str, leaf: &Leaf) {
        let pair = ca.issue_pair(leaf).expect("a pair");
        pair.write(self.path(), name).expect("files of ours");
    }

    /// Issues one more SM2 pair of `gm-ca`, and `gm-ca.crl` with both its halves in it.
    pub fn revoke_pair(&self, name: &str) {
        let pair = self.gm_ca.issue_pair(&Leaf::client(name)).expect("a pair");
        pair.write(self.path(), name).expect("files of ours");
        let revoked = [&pair.sign, &pair.encrypt].map(|half| Revoked::now(&half.serial));
        let crl = self
            .gm_ca
            .crl(&CrlPlan::weekly(1), &revoked)
            .expect("a list");
        write_public(&self.path().join("gm-ca.crl"), crl.to_pem().as_bytes())
            .expect("a file of ours");
    }

    /// Issues one more P-256 certificate into `NAME`.
    pub fn ordinary(&self, name: &str, leaf: &Leaf) {
        let issued = self.ca.issue(Algorithm::P256, leaf).expect("a certificate");
        issued.write(self.path(), name).expect("files of ours");
    }
}

/// The directory, as a TOML string may hold it.
impl fmt::Display for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().display().fmt(f)
    }
}

/// The identities `gm` (the pair `server`) and `tls` (the ordinary `server`) for `$pki` in a configuration.
pub const IDENTITIES: &str = r#"
[identity.gm]
sign = { certificate = "$pki/server-sign.pem", key = "$pki/server-sign.key" }
encrypt = { certificate = "$pki/server-enc.pem", key = "$pki/server-enc.key" }
[identity.tls]
certificate = "$pki/server.pem"
key = "$pki/server.key"
"#;

fn server(name: &str) -> Leaf {
    Leaf::server(name)
        .dns("localhost")
        .ip(Ipv4Addr::LOCALHOST.into())
        .ip(Ipv6Addr::LOCALHOST.into())
        .role(Role::Both)
}
