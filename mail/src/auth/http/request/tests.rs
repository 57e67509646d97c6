//! The expected bytes are those that nginx 1.22.1 (Debian, libnginx-mod-mail) sent when it was given the same clients.

use std::net::SocketAddr;

use alb_conf::MailProtocol;
use alb_core::ConnInfo;

use super::*;
use crate::auth::Asked;
use crate::client_name::ClientName;
use crate::sasl::Credentials;

fn conn(via: Option<&str>) -> ConnInfo {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let (peer, local) = match via {
        None => ("127.0.0.1:51784", "127.0.0.1:55375"),
        Some(_) => ("192.0.2.7:4000", "192.0.2.1:465"),
    };
    ConnInfo {
        id: 1,
        peer: address(peer),
        via: via.map(address),
        local: address(local),
        tls: None,
    }
}

fn write(
    protocol: MailProtocol,
    method: Method<'_>,
    user: &str,
    conn: &ConnInfo,
    number: u32,
) -> Vec<u8> {
    let mut written = MailAuthHttp {
        path: "/auth".to_owned().into(),
        keepalive: 0,
        ..MailAuthHttp::default()
    };
    for (name, value) in [("X-Key", "secret"), ("X-Two", "two")] {
        written
            .headers
            .insert(name.to_owned().into(), value.to_owned().into());
    }
    let credentials = Credentials::password(b"-", b"-").expect("credentials");
    let attempt = Attempt {
        protocol,
        conn,
        client_name: &ClientName::None,
        number,
        what: Asked::Login(&credentials),
    };
    Settings::new(&written)
        .write("127.0.0.1", &attempt, method, user)
        .to_vec()
}

const START: &str = "GET /auth HTTP/1.0\r\nHost: 127.0.0.1\r\n";
const END: &str = "X-Key: secret\r\nX-Two: two\r\n\r\n";

#[track_caller]
fn same(written: &[u8], nginx: &[u8]) {
    let nginx = [START.as_bytes(), nginx, END.as_bytes()].concat();
    assert_eq!(
        written.escape_ascii().to_string(),
        nginx.escape_ascii().to_string()
    );
}

#[test]
fn a_password_is_escaped_as_nginx_does() {
    let written = write(
        MailProtocol::Smtp,
        Method::Plain(b"p w%\x01\xff~"),
        "al ice%é",
        &conn(None),
        1,
    );
    same(&written, b"Auth-Method: plain\r\nAuth-User: al%20ice%25\xc3\xa9\r\nAuth-Pass: p%20w%25%01\xff~\r\nAuth-Protocol: smtp\r\nAuth-Login-Attempt: 1\r\nClient-IP: 127.0.0.1\r\nClient-Host: [UNAVAILABLE]\r\n");
}

#[test]
fn only_smtp_names_the_client() {
    let written = write(
        MailProtocol::Imap,
        Method::Plain(b"p w"),
        "bob",
        &conn(None),
        2,
    );
    same(&written, b"Auth-Method: plain\r\nAuth-User: bob\r\nAuth-Pass: p%20w\r\nAuth-Protocol: imap\r\nAuth-Login-Attempt: 2\r\nClient-IP: 127.0.0.1\r\n");
}

#[test]
fn challenges_go_along_with_their_answers() {
    let method = Method::CramMd5(
        "<537016381.1795239107@mx.example>",
        b"1cae2a8f027127f697e49d24b6cd13df",
    );
    let written = write(MailProtocol::Smtp, method, "alice", &conn(None), 1);
    same(&written, b"Auth-Method: cram-md5\r\nAuth-User: alice\r\nAuth-Pass: 1cae2a8f027127f697e49d24b6cd13df\r\nAuth-Salt: <537016381.1795239107@mx.example>\r\nAuth-Protocol: smtp\r\nAuth-Login-Attempt: 1\r\nClient-IP: 127.0.0.1\r\nClient-Host: [UNAVAILABLE]\r\n");
    let method = Method::Apop(
        "<1821308081.1795239111@mx.example>",
        b"7fcc6f310b18ff32c65d9e8844c0b69c",
    );
    let written = write(MailProtocol::Pop3, method, "bob", &conn(None), 1);
    same(&written, b"Auth-Method: apop\r\nAuth-User: bob\r\nAuth-Pass: 7fcc6f310b18ff32c65d9e8844c0b69c\r\nAuth-Salt: <1821308081.1795239111@mx.example>\r\nAuth-Protocol: pop3\r\nAuth-Login-Attempt: 1\r\nClient-IP: 127.0.0.1\r\n");
}

#[test]
fn external_and_mail_without_login_have_no_password() {
    let written = write(
        MailProtocol::Smtp,
        Method::External,
        "alice",
        &conn(None),
        1,
    );
    same(&written, b"Auth-Method: external\r\nAuth-User: alice\r\nAuth-Pass: \r\nAuth-Protocol: smtp\r\nAuth-Login-Attempt: 1\r\nClient-IP: 127.0.0.1\r\nClient-Host: [UNAVAILABLE]\r\n");
    let envelope = Envelope {
        helo: b"c.example",
        mail: b"MAIL FROM:<a@b.c> SIZE=10",
        rcpt: b"RCPT TO:<d@e.f>",
    };
    let written = write(
        MailProtocol::Smtp,
        Method::None(envelope),
        "",
        &conn(None),
        1,
    );
    same(&written, b"Auth-Method: none\r\nAuth-User: \r\nAuth-Pass: \r\nAuth-Protocol: smtp\r\nAuth-Login-Attempt: 1\r\nClient-IP: 127.0.0.1\r\nClient-Host: [UNAVAILABLE]\r\nAuth-SMTP-Helo: c.example\r\nAuth-SMTP-From: MAIL FROM:<a@b.c> SIZE=10\r\nAuth-SMTP-To: RCPT TO:<d@e.f>\r\n");
}

#[test]
fn a_proxy_in_front_is_named() {
    let written = write(
        MailProtocol::Smtp,
        Method::Plain(b"pw"),
        "alice",
        &conn(Some("127.0.0.1:9")),
        1,
    );
    same(&written, b"Auth-Method: plain\r\nAuth-User: alice\r\nAuth-Pass: pw\r\nAuth-Protocol: smtp\r\nAuth-Login-Attempt: 1\r\nClient-IP: 192.0.2.7\r\nClient-Host: [UNAVAILABLE]\r\nProxy-Protocol-Addr: 192.0.2.7\r\nProxy-Protocol-Port: 4000\r\nProxy-Protocol-Server-Addr: 192.0.2.1\r\nProxy-Protocol-Server-Port: 465\r\n");
}

#[test]
fn nothing_a_client_says_ends_a_line() {
    let envelope = Envelope {
        helo: b"a\r\nAuth-Status: OK",
        mail: b"MAIL FROM:<a>\nX: y",
        rcpt: b"RCPT\0",
    };
    let written = write(
        MailProtocol::Smtp,
        Method::None(envelope),
        "",
        &conn(None),
        1,
    );
    let text = String::from_utf8(written).expect("text");
    assert_eq!(text.lines().count(), 15, "{text}");
    assert!(!text.contains('\0'));
}
