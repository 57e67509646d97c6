//! A real Kerberos realm: a KDC with a user and the services of mail on this machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::address::Reserved;
use crate::process::Process;

/// The realm's name.
pub const REALM: &str = "GOV.EXAMPLE";

/// A running realm, in which `alice` has a ticket; dropping it ends it.
#[derive(Debug)]
pub struct Kerberos {
    _kdc: Process,
    directory: TempDir,
}

impl Kerberos {
    /// Starts it.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        share(path, 0o755);
        let port = Reserved::v4();
        let place = |text: &str| {
            text.replace("DIR", &path.display().to_string())
                .replace("PORT", &port.address().port().to_string())
                .replace("REALM", REALM)
        };
        fs::write(path.join("krb5.conf"), place(KRB5)).expect("a file in ours");
        fs::write(path.join("kdc.conf"), place(KDC)).expect("a file in ours");
        run(
            path,
            "kdb5_util",
            &["-r", REALM, "-P", "master", "create", "-s"],
        );
        let keytab = path.join("services.keytab");
        for query in [
            "addprinc -pw secret alice".to_owned(),
            format!(
                "ktadd -norandkey -k {} alice",
                path.join("alice.keytab").display()
            ),
            "addprinc -randkey imap/localhost".to_owned(),
            "addprinc -randkey pop/localhost".to_owned(),
            format!("ktadd -k {} imap/localhost pop/localhost", keytab.display()),
        ] {
            run(path, "kadmin.local", &["-r", REALM, "-q", &query]);
        }
        // Dovecot reads it as a user of its own.
        share(&keytab, 0o644);
        let mut kdc = Command::new("krb5kdc");
        kdc.args(["-n", "-r", REALM]);
        let kdc = Process::start("krb5kdc", at(path, &mut kdc));
        kdc.wait_for("commencing operation").await;
        let realm = Self {
            _kdc: kdc,
            directory,
        };
        let alice = realm.file("alice.keytab");
        run(
            realm.directory.path(),
            "kinit",
            &["-k", "-t", &alice.display().to_string(), "alice"],
        );
        realm
    }

    /// The keys of the services, for servers.
    pub fn keytab(&self) -> PathBuf {
        self.file("services.keytab")
    }

    /// Where the realm is described: `KRB5_CONFIG`.
    pub fn config(&self) -> PathBuf {
        self.file("krb5.conf")
    }

    /// Has a program use alice's ticket.
    pub fn with_ticket<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        at(self.directory.path(), command)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn at<'c>(directory: &Path, command: &'c mut Command) -> &'c mut Command {
    command
        .env("KRB5_CONFIG", directory.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", directory.join("kdc.conf"))
        .env(
            "KRB5CCNAME",
            format!("FILE:{}", directory.join("ticket").display()),
        )
}

fn share(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of ours");
}

fn run(directory: &Path, program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    let output = at(directory, command.args(arguments)).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
}

const KRB5: &str = "[libdefaults]
default_realm = REALM
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
[realms]
REALM = {
  kdc = 127.0.0.1:PORT
}
[logging]
kdc = STDERR
";

const KDC: &str = "[kdcdefaults]
kdc_listen = 127.0.0.1:PORT
kdc_tcp_listen = 127.0.0.1:PORT
[realms]
REALM = {
  database_name = DIR/principal
  key_stash_file = DIR/stash
  acl_file = DIR/kadm5.acl
}
[logging]
kdc = STDERR
";
