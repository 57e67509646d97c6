//! OpenLDAP behind `ldap`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::*;

/// A running slapd with two users, on a unix socket; it ends with this value.
struct Slapd {
    directory: tempfile::TempDir,
    process: Child,
}

const ENTRIES: &str = "\
dn: dc=x\nobjectClass: domain\ndc: x\n\n\
dn: cn=gateway,dc=x\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: gateway\nuserPassword: gw pw\n\n\
dn: cn=zhang,dc=x\nobjectClass: inetOrgPerson\ncn: zhang\nsn: zhang\nmail: zhang@example.cn\nuserPassword: geheim\ndepartmentNumber: archive\n\n\
dn: cn=li,dc=x\nobjectClass: inetOrgPerson\ncn: li\nsn: li\nmail: li@example.cn\nuserPassword: pw\ndepartmentNumber: nowhere\n\n\
dn: cn=twin1,dc=x\nobjectClass: inetOrgPerson\ncn: twin1\nsn: t\nmail: twin@example.cn\nuserPassword: pw\n\n\
dn: cn=twin2,dc=x\nobjectClass: inetOrgPerson\ncn: twin2\nsn: t\nmail: twin@example.cn\nuserPassword: pw\n";

impl Slapd {
    async fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("db")).expect("a directory");
        let configuration = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
             include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
             pidfile {}\ndatabase mdb\nsuffix dc=x\ndirectory {}\nrootdn cn=root,dc=x\n\
             access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n",
            at("pid").display(),
            at("db").display(),
        );
        std::fs::write(at("slapd.conf"), configuration).expect("written");
        std::fs::write(at("entries"), ENTRIES).expect("written");
        let added = Command::new("/usr/sbin/slapadd")
            .arg("-f")
            .arg(at("slapd.conf"))
            .arg("-l")
            .arg(at("entries"))
            .output()
            .expect("slapadd");
        assert!(
            added.status.success(),
            "{}",
            String::from_utf8_lossy(&added.stderr)
        );
        let url = at("socket").display().to_string().replace('/', "%2F");
        let process = Command::new("/usr/sbin/slapd")
            .args(["-d", "0", "-h", &format!("ldapi://{url}"), "-f"])
            .arg(at("slapd.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("slapd");
        let slapd = Slapd { directory, process };
        slapd.wait().await;
        slapd
    }

    async fn wait(&self) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while tokio::net::UnixStream::connect(self.socket())
            .await
            .is_err()
        {
            assert!(std::time::Instant::now() < deadline, "slapd does not start");
            tokio::task::yield_now().await;
        }
    }

    fn socket(&self) -> impl AsRef<Path> {
        self.directory.path().join("socket")
    }

    fn authenticator(&self, ldap: &str) -> Authenticator {
        let password = self.directory.path().join("gw.pw");
        std::fs::write(&password, "gw pw\n").expect("written");
        let toml = format!(
            r#"
            [mail_auth.a]
            ldap = {{ upstream = "directory", {} }}
            [upstream.directory]
            peers = ["unix:{}"]
            [upstream.archive]
            peers = ["127.0.0.1:9"]
            "#,
            ldap.replace("$password", &password.display().to_string()),
            self.socket().as_ref().display(),
        );
        build(&toml).expect("an authenticator")
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const SEARCH: &str = r#"search = { base = "dc=x", filter = "(mail={user})", bind_dn = "cn=gateway,dc=x", password_file = "$password" }"#;

#[tokio::test]
async fn a_user_is_who_can_bind() {
    let slapd = Slapd::start().await;
    let authenticator = slapd.authenticator(r#"bind_dn = "cn={local},dc=x""#);
    accepted(login(&authenticator, "zhang@example.cn", "geheim").await);
    for (user, password) in [
        ("zhang", "Geheim"),
        ("nobody", "geheim"),
        ("zhang,dc=x", "geheim"),
        ("zhang", ""),
    ] {
        assert!(
            refused(login(&authenticator, user, password).await).rejected,
            "{user}"
        );
    }
}

#[tokio::test]
async fn a_search_finds_the_user_and_the_upstream() {
    let slapd = Slapd::start().await;
    let authenticator = slapd.authenticator(&format!(
        r#"{SEARCH}, upstream_attribute = "departmentnumber""#
    ));
    let who = accepted(login(&authenticator, "zhang@Example.CN", "geheim").await);
    assert_eq!(who.upstream.as_deref(), Some("archive"));
    let reason = unavailable(login(&authenticator, "li@example.cn", "pw").await);
    assert!(reason.contains("`nowhere`"), "{reason}");
    for (user, password) in [
        ("zhang@example.cn", "geheim "),
        ("*", "geheim"),
        ("zhang*", "geheim"),
        ("x)(cn=zhang", "geheim"),
        ("twin@example.cn", "pw"),
        ("nobody@example.cn", "geheim"),
    ] {
        assert!(
            refused(login(&authenticator, user, password).await).rejected,
            "{user}"
        );
    }
}

#[tokio::test]
async fn a_right_password_is_remembered_and_a_wrong_one_is_not() {
    let mut slapd = Slapd::start().await;
    let authenticator = slapd.authenticator(r#"bind_dn = "cn={local},dc=x", cache = "60s""#);
    accepted(login(&authenticator, "zhang", "geheim").await);
    slapd.process.kill().expect("killed");
    slapd.process.wait().expect("ended");
    accepted(login(&authenticator, "zhang", "geheim").await);
    unavailable(login(&authenticator, "zhang", "wrong").await);
}

#[tokio::test]
async fn a_searcher_with_a_wrong_password_decides_about_nobody() {
    let slapd = Slapd::start().await;
    let wrong = SEARCH.replace("cn=gateway", "cn=li");
    let authenticator = slapd.authenticator(&wrong);
    unavailable(login(&authenticator, "zhang@example.cn", "geheim").await);
}

#[tokio::test]
async fn what_is_no_directory_decides_about_nobody() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    // Answers that LDAP never has: an entry that is none, then a length without an end.
    for answer in [
        &b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01"[..],
        b"\x30\x05\x02\x01\x01\x64\x00",
        b"HTTP/1.0 400\r\n\r\n",
        b"",
    ] {
        let toml = format!(
            "[mail_auth.a]\nldap = {{ upstream = \"d\", timeout = \"5s\", search = {{ base = \"dc=x\", filter = \"(mail={{user}})\" }} }}\n[upstream.d]\npeers = [\"unix:{}\"]\n",
            path.display()
        );
        let authenticator = build(&toml).expect("an authenticator");
        let serve = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
                .await
                .expect("written");
        };
        let (decision, ()) = tokio::join!(login(&authenticator, "zhang", "pw"), serve);
        unavailable(decision);
    }
}
