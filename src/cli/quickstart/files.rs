//! The directory of a quickstart: certificates, configuration, and the text that explains them.

use std::fmt::Write;
use std::fs::{self, DirBuilder};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, Leaf, write_public};

use super::Error;

/// Where things listen.
pub struct Addresses {
    /// TLCP and TLS.
    pub tls: SocketAddr,
    /// Plain HTTP.
    pub plain: SocketAddr,
    /// The demo upstream.
    pub demo: SocketAddr,
}

/// The directory, removed at the end unless it was asked for by name.
pub struct Directory {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
    addresses: Option<Addresses>,
}

/// The first line of the configuration, by which a later run knows that it may replace it.
const MARK: &str = "# Written by `alb quickstart`, and again at every start: copy it before you change it for good.\n";

impl Directory {
    /// The named directory, or a new private one.
    pub fn open(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else {
            let temporary = tempfile::Builder::new().prefix("alb-quickstart-").tempdir();
            let temporary =
                temporary.map_err(|error| Error::Directory(std::env::temp_dir(), error))?;
            return Ok(Self {
                path: temporary.path().to_owned(),
                temporary: Some(temporary),
                addresses: None,
            });
        };
        let failed = |error| Error::Directory(path.to_owned(), error);
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(path)
            .map_err(failed)?;
        Ok(Self {
            path: path.canonicalize().map_err(failed)?,
            temporary: None,
            addresses: None,
        })
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path.join("alb.toml")
    }

    /// Makes two authorities and the identities below them, unless they are there already.
    pub fn write_identities(&self) -> Result<(), Error> {
        if self.path.join("server-enc.pem").exists() {
            return Ok(());
        }
        let sm2 = Ca::root(Algorithm::Sm2, "alb quickstart SM2 CA")?;
        let ordinary = Ca::root(Algorithm::P256, "alb quickstart CA")?;
        let server = Leaf::server("localhost")
            .ip(IpAddr::V4(Ipv4Addr::LOCALHOST))
            .ip(IpAddr::V6(Ipv6Addr::LOCALHOST));
        write_public(
            &self.path.join("ca-sm2.pem"),
            sm2.certificate().to_pem().as_bytes(),
        )?;
        write_public(
            &self.path.join("ca.pem"),
            ordinary.certificate().to_pem().as_bytes(),
        )?;
        ordinary
            .issue(Algorithm::P256, &server)?
            .write(&self.path, "server")?;
        sm2.issue_pair(&server)?.write(&self.path, "server")?;
        Ok(())
    }

    /// Writes the configuration for these addresses.
    pub fn with_config(mut self, addresses: Addresses) -> Result<Self, Error> {
        let path = self.config();
        let foreign = fs::read_to_string(&path).is_ok_and(|text| !text.starts_with(MARK));
        if foreign {
            return Err(Error::ForeignConfig(path));
        }
        write_public(&path, config(&addresses).as_bytes())?;
        self.addresses = Some(addresses);
        Ok(self)
    }

    /// What is running, and what to try.
    pub fn welcome(&self) -> String {
        let Some(Addresses { tls, plain, .. }) = &self.addresses else {
            return String::new();
        };
        let alb = shell_word(&std::env::current_exe().unwrap_or_else(|_| PathBuf::from("alb")));
        let file = |name: &str| shell_word(&self.path.join(name));
        let mut text = format!(
            "\nalb is starting with test certificates from {}\n\n",
            self.path.display()
        );
        let _ = writeln!(text, "  TLCP and TLS   https://{tls}");
        let _ = writeln!(text, "  plain HTTP     http://{plain}");
        let _ = writeln!(text, "  configuration  {}\n", self.config().display());
        let commands = [
            (
                "TLS with an ordinary certificate:",
                format!("curl --cacert {} https://{tls}/hello", file("ca.pem")),
            ),
            (
                "TLCP with an SM2 pair:",
                format!(
                    "{alb} probe {tls} --ca {} --ca {} --get /hello",
                    file("ca-sm2.pem"),
                    file("ca.pem")
                ),
            ),
            ("No encryption:", format!("curl http://{plain}/hello")),
            (
                "Look at a certificate:",
                format!("{alb} cert show {}", file("server-enc.pem")),
            ),
            (
                "Change the configuration, then:",
                format!("{alb} reload -c {}", file("alb.toml")),
            ),
        ];
        for (what, command) in commands {
            let _ = writeln!(text, "  {what}\n    {command}\n");
        }
        let after = if self.temporary.is_some() {
            "leaves and removes the directory"
        } else {
            "leaves"
        };
        let _ = write!(text, "Ctrl-C {after}.");
        text
    }
}

/// The configuration, as a user would write it.
fn config(addresses: &Addresses) -> String {
    let Addresses { tls, plain, demo } = addresses;
    format!(
        r#"{MARK}
[daemon]
workers = 1
pid_file = "alb.pid"

[identity.sm2]                     # an SM2 pair: TLCP, and TLS 1.3 with SM suites
sign    = {{ certificate = "server-sign.pem", key = "server-sign.key" }}
encrypt = {{ certificate = "server-enc.pem", key = "server-enc.key" }}

[identity.ordinary]                # P-256: TLS 1.2 and 1.3
certificate = "server.pem"
key = "server.key"

[[http]]
name = "secure"
listen = ["{tls}"]
[http.tls]
identities = ["sm2", "ordinary"]

[[http]]
name = "plain"
listen = ["{plain}"]

[[site]]

[[site.route]]
path = "/"
proxy = "demo"
tls_headers = {{ X-TLS-Protocol = "protocol", X-TLS-Suite = "suite", X-TLS-SNI = "sni", X-TLS-Resumed = "session_reused" }}

[upstream.demo]
peers = ["{demo}"]
"#
    )
}

/// A path as one word of a shell command.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Addresses {
            tls: address(1),
            plain: address(2),
            demo: address(3),
        }
    }

    #[test]
    fn the_configuration_is_accepted_by_its_own_language() {
        let keep = tempfile::tempdir().unwrap();
        let directory = Directory::open(Some(keep.path())).unwrap();
        directory.write_identities().unwrap();
        let directory = directory.with_config(addresses()).unwrap();
        let loaded = alb_conf::load(&directory.config()).unwrap();
        assert_eq!(loaded.config.http.len(), 2);
    }

    #[test]
    fn a_second_start_keeps_the_certificates() {
        let keep = tempfile::tempdir().unwrap();
        let read = || fs::read(keep.path().join("ca-sm2.pem")).unwrap();
        Directory::open(Some(keep.path()))
            .unwrap()
            .write_identities()
            .unwrap();
        let first = read();
        Directory::open(Some(keep.path()))
            .unwrap()
            .write_identities()
            .unwrap();
        assert_eq!(read(), first);
    }

    #[test]
    fn a_configuration_of_somebody_else_is_left_alone() {
        let keep = tempfile::tempdir().unwrap();
        fs::write(keep.path().join("alb.toml"), "[daemon]\n").unwrap();
        let directory = Directory::open(Some(keep.path())).unwrap();
        assert!(matches!(
            directory.with_config(addresses()),
            Err(Error::ForeignConfig(_))
        ));
    }

    #[test]
    fn paths_with_spaces_are_quoted_for_the_shell() {
        assert_eq!(shell_word(Path::new("/tmp/a b's")), r"'/tmp/a b'\''s'");
        assert_eq!(shell_word(Path::new("/tmp/alb-1")), "/tmp/alb-1");
    }
}
