//! What is found wrong in who decides about the logins of mail clients.

mod common;

use common::{assert_found, findings};

/// A listener with these keys, and a `[mail_auth.staff]` with those, at line 9.
fn with(listener: &str, auth: &str, upstream: &str) -> Vec<String> {
    findings(&format!(
        r#"[[mail]]
protocol = "smtp"
listen = ["127.0.0.1:465"]
upstream = "dovecot"
{listener}
tls = {{ identities = ["a"], client_auth = {{ mode = "off" }} }}
auth = "staff"
[mail_auth.staff]
{auth}
[upstream.dovecot]
peers = ["127.0.0.1:143"]
{upstream}
[upstream.remote]
peers = ["10.0.0.1:389"]
[identity.a]
certificate = "a.pem"
key = "a.key"
"#
    ))
}

/// The findings but those about upstreams nobody uses.
fn found(listener: &str, auth: &str, upstream: &str) -> Vec<String> {
    let mut found = with(listener, auth, upstream);
    found.retain(|line| !line.contains("`remote` is not used"));
    found
}

#[test]
fn a_sound_source_is_not_complained_about() {
    for auth in [
        "",
        "file = \"users\"",
        "http = { upstream = \"remote\", path = \"/auth\", headers = { X-Key = \"k\" } }",
        "ldap = { upstream = \"dovecot\", bind_dn = \"uid={local},dc=x\" }",
        "ldap = { upstream = \"dovecot\", search = { base = \"dc=x\", filter = \"(mail={user})\" }, upstream_attribute = \"ou\" }",
        "domains = { \"a.cn\" = \"remote\" }",
    ] {
        let found = found("", auth, "");
        assert!(found.is_empty(), "{auth}: {found:?}");
    }
}

#[test]
fn servers_that_believe_the_gateway_need_one_that_verifies() {
    let found = found(
        "",
        "",
        "mail = { login = \"xclient\", client_info = \"xclient\" }",
    );
    let expected = [
        "4:12 error: anybody could be anybody at `dovecot` | name a `mail_auth` with `http`, `file` or `ldap` in `auth`, or use `login = \"password\"`",
    ];
    assert_found(&found, &expected);
}

#[test]
fn external_needs_a_certificate_a_user_and_servers_that_believe_it() {
    let found = found("mechanisms = [\"external\"]", "", "");
    let expected = [
        "5:15 error: `external` where no certificate is asked for | set `tls.client_auth = { mode = \"optional\", ca = [\"FILE\"] }`",
        "5:15 error: `external` without a user for the certificate | name a `mail_auth` with `certificate = {}`",
        "5:15 error: a certificate is no password for `dovecot` | log in there with `login = \"master\"`, or `\"xclient\"` for Postfix",
    ];
    assert_found(&found, &expected);
}

#[test]
fn digests_need_somebody_who_knows_the_password() {
    let found = found("mechanisms = [\"plain\", \"cram-md5\"]", "", "");
    let expected = [
        "5:24 error: nobody can check `cram-md5` | it needs the clear password: a `mail_auth` with `http` or `file`",
        "5:24 warning: `cram-md5` is made of MD5 | MD5 is broken and no GM algorithm; use `plain` within TLS or TLCP",
    ];
    assert_found(&found, &expected);
}

#[test]
fn what_only_the_server_can_check_needs_the_server_to_decide() {
    let found = found(
        "mechanisms = [\"xoauth2\"]",
        "file = \"users\"\nallow_authzid = true",
        "",
    );
    let expected = [
        "5:15 error: `xoauth2` can be checked by the mail server only | remove it, or let the server decide: no `http`, `file` or `ldap` in `staff`",
        "8:12 error: `allow_authzid` with a source that does not know who may act for whom | remove it, or let the mail server decide",
    ];
    assert_found(&found, &expected);
}

#[test]
fn who_checks_a_mechanism_must_be_able_to() {
    const WEAK: &str =
        "is made of MD5 | MD5 is broken and no GM algorithm; use `plain` within TLS or TLCP";
    let found = found(
        "mechanisms = [\"ntlm\", \"apop\", \"scram-sha-256\", \"gssapi\"]",
        "",
        "",
    );
    let expected = [
        format!("5:15 warning: `ntlm` {WEAK}"),
        "5:23 error: nobody can check `apop` | it needs the clear password: a `mail_auth` with `http` or `file`".to_owned(),
        "5:23 error: only POP3 has `apop` | use `cram-md5`".to_owned(),
        format!("5:23 warning: `apop` {WEAK}"),
    ];
    assert_found(&found, &expected.each_ref().map(String::as_str));
    let found = self::found("mechanisms = [\"scram-sha-1\"]", "file = \"users\"", "");
    let expected = [
        "5:15 error: `scram-sha-1` can be checked by the mail server only | remove it, or let the server decide: no `http`, `file` or `ldap` in `staff`",
    ];
    assert_found(&found, &expected);
}

#[test]
fn directories_are_not_told_passwords_in_the_clear() {
    let found = found(
        "",
        "ldap = { upstream = \"remote\", bind_dn = \"cn=admin,dc={x}\" }",
        "",
    );
    let expected = [
        "9:21 error: passwords would go to the directory in the clear | add `tls = { ca = [\"FILE\"] }` to `[upstream.remote]`",
        "9:41 error: `{x}` stands for nothing | the placeholders are `{user}`, `{local}` and `{domain}`",
    ];
    assert_found(&found, &expected);
}

#[test]
fn sources_that_cannot_work_are_found() {
    let auth = "http = { upstream = \"nowhere\", path = \"auth\", headers = { Auth-Status = \"OK\" } }\nfile = \"users\"\ncertificate = { from = \"mail\", pattern = \"(\" }";
    let found = found("", auth, "");
    let starts = [
        "10:8 error: `staff` asks two sources",
        "9:21 error: unknown upstream `nowhere`",
        "9:39 error: `auth` is not the path of a request",
        "9:59 error: `Auth-Status` cannot be set",
        "11:24 error: `mail` is no part of a certificate",
        "11:42 error: not a regular expression",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for start in starts {
        assert!(
            found.iter().any(|line| line.starts_with(start)),
            "{start}: {found:#?}"
        );
    }
}

#[test]
fn one_that_nobody_names_is_said_to_be_idle() {
    let found = findings("[mail_auth.idle]\nallow_authzid = true\nfile = \"users\"\n");
    assert!(
        found
            .iter()
            .any(|line| line.contains("mail_auth `idle` is not used")),
        "{found:#?}"
    );
}
