//! A real Postfix with a queue of its own: submission by the users of a [`Dovecot`], and mail from other servers.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::address::Reserved;
use crate::origin::Dovecot;
use crate::pki::Pki;
use crate::process::Process;
use crate::stopwatch::within;

/// A running Postfix; dropping it kills it and its children. Mail for `gov.example` goes to one mailbox.
#[derive(Debug)]
pub struct Postfix {
    process: Process,
    directory: TempDir,
    submission: Reserved,
    proxied: Reserved,
    mx: Reserved,
    smtps: Reserved,
}

impl Postfix {
    /// Starts it; needs root, as the real one does.
    pub async fn start(pki: &Pki, users: &Dovecot) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a directory of ours");
        queue(path);
        let ports = [(); 4].map(|()| Reserved::v4());
        let fill = |text: &str| {
            // Paths come last: the name of a temporary directory may have `MX` in it.
            ["SUBMISSION", "PROXIED", "MX", "SMTPS"]
                .iter()
                .zip(&ports)
                .fold(text.to_owned(), |text, (name, port)| {
                    text.replace(name, &port.address().to_string())
                })
                .replace("DIR", &path.display().to_string())
                .replace("PKI", &pki.path().display().to_string())
                .replace("AUTH", &users.auth_socket().display().to_string())
        };
        fs::write(path.join("etc/main.cf"), fill(MAIN)).expect("a file in ours");
        fs::write(path.join("etc/master.cf"), fill(MASTER)).expect("a file in ours");
        // As `postfix start-fg` does it, without the second that its shell scripts take to look at the queue. It makes
        // itself the leader of its processes.
        let mut command = Command::new("/usr/lib/postfix/sbin/master");
        command.arg("-s").arg("-c").arg(path.join("etc"));
        let process = Process::start("postfix", &mut command).with_children();
        process.wait_for("daemon started").await;
        let [submission, proxied, mx, smtps] = ports;
        Self {
            process,
            directory,
            submission,
            proxied,
            mx,
            smtps,
        }
    }

    /// Takes mail of who has logged in, and XCLIENT of who comes from 127.0.0.1.
    pub fn submission(&self) -> SocketAddr {
        self.submission.address()
    }

    /// The same within TLS.
    pub fn smtps(&self) -> SocketAddr {
        self.smtps.address()
    }

    /// The same behind a PROXY header; each connection has a process of its own.
    pub fn proxied(&self) -> SocketAddr {
        self.proxied.address()
    }

    /// Takes mail of anybody for `gov.example`.
    pub fn mx(&self) -> SocketAddr {
        self.mx.address()
    }

    /// The messages, when so many have been delivered.
    pub async fn delivered(&self, count: usize) -> Vec<Vec<u8>> {
        let what = format!(
            "{count} messages to be delivered:\n{}",
            self.process.output().text()
        );
        let sent = self.process.output().wait_for_many(count, "status=sent");
        within(&what, sent).await;
        self.messages()
    }

    /// The messages that have been delivered.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let directory: PathBuf = self.directory.path().join("mail/inbox/new");
        let entries = fs::read_dir(directory).into_iter().flatten();
        entries
            .map(|entry| fs::read(entry.expect("an entry").path()).expect("a message"))
            .collect()
    }

    /// Adds to the configuration and has it read again. Who serves SMTP already goes on as before for a
    /// while, but for [`proxied`](Self::proxied).
    pub async fn amend(&self, settings: &str) {
        let path = self.directory.path().join("etc/main.cf");
        let text = fs::read_to_string(&path).expect("a file of ours");
        fs::write(path, format!("{text}\n{settings}\n")).expect("a file of ours");
        self.process.signal(Signal::SIGHUP);
        self.process.wait_for("reload -- ").await;
    }

    /// The process, for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

/// The directories of a queue, with the owners that Postfix wants them to have.
fn queue(path: &Path) {
    let id = |name: &str| {
        let user = nix::unistd::User::from_name(name).expect("users can be read");
        user.unwrap_or_else(|| panic!("no user {name}"))
            .uid
            .as_raw()
    };
    let group = nix::unistd::Group::from_name("postdrop").expect("groups can be read");
    let postdrop = group.expect("a group `postdrop`").gid.as_raw();
    for name in ["etc", "spool", "spool/pid"] {
        fs::create_dir(path.join(name)).expect("a directory in ours");
    }
    let owned = |name: &str, owner, group, mode| {
        let path = path.join(name);
        fs::create_dir(&path).expect("a directory in ours");
        chown(&path, Some(owner), group).expect("root may");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a directory of ours");
    };
    owned("mail", id("mail"), None, 0o755);
    owned("data", id("postfix"), None, 0o755);
    owned("spool/public", id("postfix"), Some(postdrop), 0o710);
    owned("spool/maildrop", id("postfix"), Some(postdrop), 0o730);
    for name in QUEUES {
        owned(&format!("spool/{name}"), id("postfix"), None, 0o700);
    }
}

const QUEUES: [&str; 11] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
    "saved", "trace",
];

const MAIN: &str = "
compatibility_level = 3.6
queue_directory = DIR/spool
data_directory = DIR/data
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
myhostname = postfix.test
mydestination =
mynetworks =
inet_protocols = all
alias_maps =
alias_database =
virtual_mailbox_domains = gov.example, other.example
virtual_mailbox_base = DIR/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_minimum_uid = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = AUTH
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_tls_cert_file = PKI/server.pem
smtpd_tls_key_file = PKI/server.key
smtpd_tls_security_level = may
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
message_size_limit = 60000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_error_sleep_time = 0
";

const MASTER: &str = "
SUBMISSION inet n - n - - smtpd
SMTPS inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
PROXIED inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy -o max_use=1
MX inet n - n - - smtpd -o smtpd_recipient_restrictions=permit -o smtpd_relay_restrictions=permit_auth_destination,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
";
