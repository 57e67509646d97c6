//! What is found wrong in a file, where, and what is advised.

mod common;

use common::findings;

/// A file that is right, to put something wrong behind.
const RIGHT: &str = r#"[[http]]
name = "web"
listen = ["0.0.0.0:80"]
[[site]]
[[site.route]]
proxy = "app"
[upstream.app]
peers = ["10.0.0.1:80"]
"#;

/// The findings of `RIGHT` with `wrong` behind it, lines counted from the first of `wrong`.
fn behind(wrong: &str) -> Vec<String> {
    let lines = RIGHT.lines().count();
    let text = format!("{RIGHT}{wrong}");
    let renumbered = |finding: String| match finding.split_once(':') {
        Some((line, rest)) if line.parse::<usize>().is_ok() => {
            format!("{}:{rest}", line.parse::<usize>().unwrap() - lines)
        }
        _ => finding,
    };
    findings(&text).into_iter().map(renumbered).collect()
}

/// Findings that contain these texts, one each, in this order.
#[track_caller]
fn assert_found(found: &[String], expected: &[&str]) {
    let matches = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, part)| found.contains(part));
    assert!(matches, "expected {expected:#?}\nfound {found:#?}");
}

#[test]
fn a_right_file_has_no_findings() {
    assert!(behind("").is_empty());
}

#[test]
fn all_faults_of_keys_types_and_units_are_found_in_one_run() {
    let found = findings(
        r#"[daemon]
workers = 0
drain_timeout = "10 parsecs"
pid_file = 3
[log]
level = "inf"
rotate = { size = "1.5MiB", kep = 3 }
[[http]]
listen = ["1.2.3.4", "127.0.0.1:80"]
idle_timeout = 10
max_headers = 100_000
header_timeout = "0s"
max_header_size = "1KiB"
tls = true
"#,
    );
    let expected = [
        "2:11 error: `workers` cannot be `0` | expected `\"auto\"` or a number from 1 to 1024",
        "3:17 error: unknown unit `parsecs` in `10 parsecs` | expected one of `ms`, `s`, `m`, `h`, `d`",
        "4:12 error: `pid_file` cannot be a number | expected a path",
        "6:9 error: `level` cannot be `inf` | expected `error`, `warn`, `info`, `debug` or `trace` | did you mean `info`?",
        "7:19 error: unknown unit `.5MiB` in `1.5MiB`",
        "7:29 error: unknown key `kep` in `log.rotate` | did you mean `keep`?",
        "9:11 error: `1.2.3.4` is not an address and a port",
        "10:16 error: `idle_timeout` cannot be a number | expected a duration such as",
        "11:15 error: `max_headers` cannot be `100000` | expected a number from 1 to 1000",
        "12:18 error: `header_timeout` cannot be `0s` | expected a duration from `1ms` to `1h`",
        "13:19 error: `max_header_size` cannot be `1KiB` | expected a size from `8KiB` to `1MiB`",
        "14:7 error: `tls` cannot be a boolean | expected a table",
    ];
    assert_found(&found, &expected);
}

#[test]
fn unknown_keys_and_sections_name_the_nearest() {
    let found = behind("[upstreem.b]\n[deamon]\nuser = \"x\"\n[log]\nlevle = \"info\"\nzzz = 1\n");
    let expected = [
        "1:2 error: unknown section `upstreem` | did you mean `upstream`?",
        "2:2 error: unknown section `deamon` | did you mean `daemon`?",
        "5:1 error: unknown key `levle` in `log` | did you mean `level`?",
        "6:1 error: unknown key `zzz` in `log` | the keys here are `level`, `format`, `file`, `rotate` or `access`",
    ];
    assert_found(&found, &expected);
}

#[test]
fn errors_of_syntax_do_not_hide_each_other() {
    let found = findings(
        "[daemon]\nworkers = auto\nuser = \"x\nusr = 1\n[[http]\nlisten = [\"a\" \"b\"]\n[log]\nlevel = info\nlevel = \"warn\"\n",
    );
    let expected = [
        "2:11 error: a text without quotes | expected a string | write `\"auto\"`",
        "3:10 error: invalid basic string",
        "4:1 error: unknown key `usr` in `daemon` | did you mean `user`?",
        "5:8 error: unclosed array table | expected `]`",
        "6:15 error: missing comma between array elements | expected `,`",
        "8:9 error: a text without quotes | expected a string | write `\"info\"`",
        "9:1 error: duplicate key `level` | already written above",
    ];
    assert_found(&found, &expected);
}

#[test]
fn an_address_without_quotes_is_shown_whole() {
    let found = behind(
        "[upstream.b]\npeers = [10.0.0.1:80]\n[[site]]\nhosts = [\"b\"]\nroute = [{ proxy = \"b\" }]\n",
    );
    assert_found(
        &found,
        &["2:10 error: a text without quotes | expected a string | write `\"10.0.0.1:80\"`"],
    );
}

#[test]
fn duplicate_tables_do_not_stop_the_search() {
    let found = behind("[log]\n[log]\n[[site]]\non = [\"wbe\"]\nroute = [{ return = 404 }]\n");
    assert_found(
        &found,
        &[
            "2:2 error: duplicate key `log`",
            "4:7 error: unknown listener `wbe`",
        ],
    );
}

#[test]
fn what_was_left_out_for_being_wrong_is_not_also_missing() {
    let found = findings(
        r#"[[http]]
listen = ["nowhere"]
[http.tls]
identites = ["gm"]
[[site]]
[[site.route]]
proxi = "app"
[upstream.app]
peers = ["unix:app"]
"#,
    );
    let expected = [
        "2:11 error: `nowhere` is not an address",
        "4:1 error: unknown key `identites` in `http.tls` | did you mean `identities`?",
        "7:1 error: unknown key `proxi` in `site.route` | did you mean `proxy`?",
        "8:11 warning: upstream `app` is not used",
        "9:10 error: `unix:app` needs an absolute path",
    ];
    assert_found(&found, &expected);
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
fn hosts_are_names_and_served_once_on_a_listener() {
    let found = behind(
        r#"[[http]]
name = "other"
listen = ["0.0.0.0:81"]
[[site]]
hosts = ["a.cn", "A.cn", "*x.cn", "a.cn:80"]
route = [{ return = 404 }]
[[site]]
hosts = ["a.cn"]
on = ["other"]
route = [{ return = 404 }]
[[site]]
on = ["web"]
route = [{ return = 404 }]
[[site]]
hosts = ["b.cn"]
on = ["web"]
"#,
    );
    let expected = [
        "5:18 error: `A.cn` is served twice on listener `web`",
        "5:26 error: `*x.cn` is not a host | a `*` in the wrong place",
        "5:35 error: `a.cn:80` is not a host | hosts have no port | write `a.cn`; the listener has the port",
        "8:10 error: `a.cn` is served twice on listener `other`",
        "11:1 error: every host is served twice on listener `web`",
        "14:1 error: a site without a route",
    ];
    assert_found(&found, &expected);
}

#[test]
fn a_route_has_one_matcher_one_action_and_its_own_path() {
    let found = behind(
        r#"[[site]]
hosts = ["b.cn"]
[[site.route]]
path = "/"
[[site.route]]
proxy = "app"
return = 404
[[site.route]]
regex = "a(b"
path = "/a"
return = 404
[[site.route]]
path = "a?b"
return = 404
[[site.route]]
exact = "/a?b"
return = 404
[[site.route]]
regex = "(a{1000}){1000}"
return = 404
[[site.route]]
path = "/a%20b"
return = 404
[[site.route]]
path = "/a/../b"
return = 404
"#,
    );
    let expected = [
        "3:1 error: a route without an action | add one of `proxy`, `files` and `return`",
        "5:1 error: two routes of this site match `/`",
        "7:10 error: a route with several actions",
        "9:9 error: a route with several matchers",
        "9:9 error: bad regular expression `a(b` | unclosed group",
        "13:8 error: the path `a?b` does not begin with `/` | write `\"/a?b\"`",
        "16:9 error: the path `/a?b` can never match | paths end before `?` and `#`",
        "19:9 error: bad regular expression `(a{1000}){1000}` | it is too large",
        "22:8 error: the path `/a%20b` can never match | paths are matched decoded",
        "25:8 error: the path `/a/../b` can never match | paths are matched without",
    ];
    assert_found(&found, &expected);
}

#[test]
fn answers_are_complete_and_can_be_sent() {
    let found = behind(
        r#"[[site]]
hosts = ["b.cn"]
[[site.route]]
path = "/a"
return = 301
[[site.route]]
path = "/b"
return = { status = 404, location = "/" }
[[site.route]]
path = "/c"
return = { status = 204, body = "nothing" }
[[site.route]]
path = "/d"
return = { status = 302, location = "https://$hots/\r\nX: y" }
[[site.route]]
path = "/e"
return = 700
[[site.route]]
path = "/f"
files = { root = "www", index = ["../x"] }
"#,
    );
    let expected = [
        "5:10 error: a redirect (301) without a `location`",
        "8:37 error: a `location`, but the status 404 is not a redirect",
        "11:10 error: an answer with status 204 has no body",
        "14:37 error: a control character in the value of a header",
        "14:37 error: unknown variable `$hots` | did you mean `host`?",
        "17:10 error: `return` cannot be `700` | expected a status from 200 to 599",
        "20:34 error: `../x` is not the name of a file",
    ];
    assert_found(&found, &expected);
}

#[test]
fn header_edits_are_tokens_and_do_not_contradict_each_other() {
    let found = behind(
        r#"[[site]]
hosts = ["b.cn"]
[[site.route]]
proxy = "app"
request_headers = { set = { "X Y" = "1", Transfer-Encoding = "chunked", X-Suite = "s" }, remove = ["x-suite"] }
tls_headers = { X-Suite = "suite", X-Name = "subject" }
[[site.route]]
path = "/b"
return = 404
request_headers = { remove = ["X-A"] }
"#,
    );
    let expected = [
        "5:29 error: `X Y` is not the name of a header",
        "5:42 error: `Transfer-Encoding` cannot be set | belongs to the connection",
        "5:73 error: the header `X-Suite` is decided twice",
        "5:100 error: the header `x-suite` is decided twice",
        "6:45 error: `X-Name` cannot be `subject` | expected",
        "10:31 warning: the request header `X-A` goes nowhere | only `proxy` forwards requests",
    ];
    assert_found(&found, &expected);
}

#[test]
fn peers_are_addresses_and_differ() {
    let found = behind(
        r#"[[site]]
hosts = ["b.cn"]
route = [{ proxy = "b" }, { path = "/c", proxy = "c" }, { path = "/d", proxy = "d" }]
[upstream.b]
peers = ["10.0.0.1:80", "10.0.0.1:80", "10.0.0.999:80", "host", "[::1]:80", "host:0", { weight = 3 }, { address = "x:1", weight = 0 }, 8080, "a b:1"]
retry = { tries = 0, on = ["errror", "999", "503"], within = "0s" }
[upstream.c]
[upstream.d]
peers = [{ address = "a:1", backup = true }]
"#,
    );
    let expected = [
        "5:25 error: the peer `10.0.0.1:80` is listed twice",
        "5:40 error: `10.0.0.999:80` is not an address | expected `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`",
        "5:57 error: `host` is not an address",
        "5:77 error: `host:0` is not an address",
        "5:87 error: `peers` has no `address` | `address` is required",
        "5:131 error: `weight` cannot be `0` | expected a number from 1 to 65535",
        "5:136 error: `peers` cannot be a number | expected an address or `{ address, weight }`",
        "5:142 error: `a b:1` is not an address",
        "6:19 error: `tries` cannot be `0`",
        "6:28 error: `errror` is not a reason to retry | expected `error`, `timeout` or a status from `400` to `599`",
        "6:38 error: `999` is not a reason to retry",
        "6:62 error: `within` cannot be `0s`",
        "7:11 error: upstream `c` has no peers",
        "8:11 warning: every peer of upstream `d` is a backup",
    ];
    assert_found(&found, &expected);
}

#[test]
fn tls_to_peers_is_one_kind_and_verified() {
    let found = behind(
        r#"[[site]]
hosts = ["b.cn"]
route = [{ proxy = "b" }, { path = "/c", proxy = "c" }, { path = "/d", proxy = "d" }]
[identity.plain]
certificate = "c"
key = "k"
[upstream.b]
peers = ["10.0.0.1:80"]
tls = { protocols = ["tlcp", "tls1.3"], identity = "plain" }
[upstream.c]
peers = ["10.0.0.1:80"]
tls = { verify = false }
[upstream.d]
peers = ["unix:/run/d.sock"]
tls = { ca = ["ca.pem"] }
"#,
    );
    let expected = [
        "9:7 warning: TLCP to the peers, but no authority to trust",
        "9:30 error: `tls1.3` beside `tlcp`",
        "9:52 error: identity `plain` cannot be used in TLCP",
        "12:18 warning: the peers' certificates are not verified",
        "14:10 error: no name to verify the certificate of `unix:/run/d.sock` by | add `server_name` to `tls`",
    ];
    assert_found(&found, &expected);
}

#[test]
fn a_thousand_faults_end_after_a_hundred() {
    let found = findings(&"[[http]]\nlisten = 1\n".repeat(1000));
    assert_eq!(found.len(), 101);
    assert_eq!(
        found[0],
        "error: more than 100 problems: these are the first"
    );
}
