//! What is found wrong in sites, routes and upstreams.

mod common;

use common::{assert_found, behind};

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
