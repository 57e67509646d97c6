//! What is found wrong in listeners, identities and the names that refer to them.

mod common;

use common::{assert_found, behind, findings};

#[test]
fn a_right_file_has_no_findings() {
    assert!(behind("").is_empty());
}

#[test]
fn dangling_names_are_found() {
    let found = behind(
        r#"[[http]]
listen = ["0.0.0.0:443"]
tls = { identities = ["portl"] }
[identity.portal]
certificate = "a"
key = "b"
[[site]]
hosts = ["b.cn"]
on = ["wbe"]
[[site.route]]
proxy = "nothing-like-it"
[[site.route]]
path = "/b"
proxy = "b"
[upstream.b]
peers = ["a:1"]
tls = { identity = "potal" }
"#,
    );
    let expected = [
        "3:23 error: unknown identity `portl` | no `[identity.portl]` | did you mean `portal`?",
        "4:11 warning: identity `portal` is not used",
        "9:7 error: unknown listener `wbe` | no `[[http]]` has this name | did you mean `web`?",
        "11:9 error: unknown upstream `nothing-like-it` | no `[upstream.nothing-like-it]` | the names are `app` or `b`",
        "17:20 error: unknown identity `potal` | no `[identity.potal]` | did you mean `portal`?",
    ];
    assert_found(&found, &expected);
}

#[test]
fn listeners_may_not_share_an_address_or_a_name() {
    let found = behind(
        r#"[[http]]
name = "web"
listen = ["127.0.0.1:80", "[::]:80"]
[[http]]
listen = ["[::1]:80", "0.0.0.0:80", "0.0.0.0:81", "0.0.0.0:0"]
"#,
    );
    let expected = [
        "2:8 error: two listeners are named `web`",
        "3:11 error: `127.0.0.1:80` overlaps `0.0.0.0:80`",
        "5:11 error: `[::1]:80` overlaps `[::]:80`",
        "5:23 error: `0.0.0.0:80` is listened on twice",
        "5:51 warning: `0.0.0.0:0` has no fixed port",
    ];
    assert_found(&found, &expected);
}

#[test]
fn an_identity_is_whole_and_of_one_kind() {
    let found = findings(
        r#"[[http]]
listen = ["0.0.0.0:443"]
tls = { identities = ["a", "b", "c", "d"] }
[[site]]
route = [{ return = 404 }]
[identity.a]
sign = { certificate = "s", key = "k" }
[identity.b]
certificate = "c"
[identity.c]
[identity.d]
certificate = "c"
key = "k"
encrypt = { certificate = "e", key = "k" }
"#,
    );
    let expected = [
        "6:11 error: identity `a` has no `encrypt`",
        "8:11 error: identity `b` has no `key`",
        "10:11 error: identity `c` is empty",
        "11:11 error: identity `d` is both an SM2 pair and an ordinary certificate",
    ];
    assert_found(&found, &expected);
}

#[test]
fn protocols_need_identities_and_clients_need_authorities() {
    let found = findings(
        r#"[[http]]
listen = ["0.0.0.0:443"]
[http.tls]
protocols = ["tlcp", "tls1.2", "tls1.2"]
identities = ["plain"]
alpn = ["h3"]
session_lifetime = "9h"
client_auth = { mode = "required" }
[[http]]
listen = ["0.0.0.0:444"]
[http.tls]
client_auth = { ca = ["ca.pem"] }
[[site]]
route = [{ return = 404 }]
[identity.plain]
certificate = "c"
key = "k"
"#,
    );
    let expected = [
        "4:14 error: no identity for `tlcp` | needs an SM2 pair (`sign` and `encrypt`)",
        "4:32 warning: `tls1.2` is listed twice",
        "6:9 error: unknown application protocol `h3` | did you mean `h2`?",
        "7:20 error: `session_lifetime` cannot be `9h` | expected a duration from `1ms` to `8h`",
        "11:1 error: TLCP and TLS without an identity | no `identities`",
        "12:23 warning: client certificates are not asked for",
    ];
    // The missing `ca` of the first listener stays unsaid until its `session_lifetime` is right.
    assert_found(&found, &expected);
    let alone = behind(
        "[[http]]\nlisten = [\"0.0.0.0:443\"]\ntls = { identities = [\"x\"], client_auth = { mode = \"required\" } }\n[identity.x]\ncertificate = \"c\"\nkey = \"k\"\n",
    );
    assert_found(
        &alone,
        &["3:52 error: client certificates are asked for, but nobody is trusted"],
    );
}

#[test]
fn limits_that_delay_are_told_apart_where_datagrams_come() {
    let found = behind(
        r#"[[stream]]
protocol = "udp"
listen = ["0.0.0.0:53"]
upstream = "app"
limits = ["waits", "passes", "refuses", "nothing"]
[limit.waits]
rate = "10/s"
burst = 5
[limit.passes]
rate = "10/s"
burst = 5
nodelay = true
[limit.refuses]
rate = "10/s"
"#,
    );
    let expected = [
        "5:11 warning: limit `waits` would make datagrams wait: they are dropped",
        "5:41 error: unknown limit `nothing`",
    ];
    assert_found(&found, &expected);
}
