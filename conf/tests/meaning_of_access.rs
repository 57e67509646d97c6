//! What is found wrong in access lists and the trust in proxies.

mod common;

use common::{assert_found, behind};

#[test]
fn lists_are_named_where_they_are_used() {
    let found = behind(
        r#"[[http]]
listen = ["0.0.0.0:81"]
access = "ofice"
[[site]]
hosts = ["a.cn"]
access = "offce"
[[site.route]]
return = 404
access = "elsewhere-entirely"
[access.office]
rules = ["deny all"]
"#,
    );
    let expected = [
        "3:10 error: unknown access `ofice` | no `[access.ofice]` | did you mean `office`?",
        "6:10 error: unknown access `offce` | no `[access.offce]` | did you mean `office`?",
        "9:10 error: unknown access `elsewhere-entirely` | no `[access.elsewhere-entirely]` | the names are `office`",
        "10:9 warning: access list `office` is not used | write `access = \"office\"` in a listener, a site or a route",
    ];
    assert_found(&found, &expected);
}

#[test]
fn rules_that_do_not_do_what_they_seem_to_are_found() {
    let found = behind(
        r#"[[http]]
listen = ["0.0.0.0:81"]
access = "open"
[[site]]
hosts = ["a.cn"]
access = "dead"
[[site.route]]
return = 404
access = "empty"
[access.open]
rules = ["allow 10.0.0.0/8"]
[access.dead]
rules = ["deny 10.1.2.3/8", "allow all", "deny 10.0.0.1", "deny 10.1.2.3/8"]
[access.empty]
"#,
    );
    let expected = [
        "10:9 warning: access list `open` denies nobody | whom no rule matches is let in | end the rules with `\"deny all\"`",
        "13:10 warning: `10.1.2.3/8` stands for all of `10.0.0.0/8` | write `10.0.0.0/8`, or the address alone",
        "13:42 warning: `deny 10.0.0.1` is never reached",
        "13:59 warning: `deny 10.1.2.3/8` is listed twice",
        "13:59 warning: `10.1.2.3/8` stands for all of `10.0.0.0/8` | write `10.0.0.0/8`, or the address alone",
        "14:9 error: access list `empty` is empty | give it `rules = [\"allow 10.0.0.0/8\", \"deny all\"]`, or `files`",
    ];
    assert_found(&found, &expected);
}

#[test]
fn bad_rules_are_all_found() {
    let found = behind(
        r#"[[http]]
listen = ["0.0.0.0:81"]
access = "x"
trusted_proxies = ["10.0.0.0/33", "proxy.example.cn"]
[access.x]
rules = ["alow 10.0.0.0/8", "deny", "deny 10.0.0.1 10.0.0.2", "deny ::/129"]
"#,
    );
    let expected = [
        "4:20 error: `10.0.0.0/33`: a prefix here has 0 to 32 bits",
        "4:35 error: `proxy.example.cn` is not an address or a prefix, such as `10.0.0.0/8` or `2001:db8::/32`",
        "6:10 error: `alow 10.0.0.0/8` is not a rule | expected `allow` or `deny`, and an address, a prefix or `all`",
        "6:29 error: `deny` is not a rule | expected `allow` or `deny`, and an address, a prefix or `all`",
        "6:37 error: `deny 10.0.0.1 10.0.0.2` is not a rule | expected `allow` or `deny`, and an address, a prefix or `all`",
        "6:63 error: `::/129`: a prefix here has 0 to 128 bits",
    ];
    assert_found(&found, &expected);
}

#[test]
fn a_proxy_header_needs_somebody_to_send_it() {
    let found = behind(
        r#"[[http]]
listen = ["0.0.0.0:81"]
proxy_protocol = true
"#,
    );
    let expected = [
        "3:18 error: `proxy_protocol` without `trusted_proxies` | every connection would be refused | name those who send the header, such as `trusted_proxies = [\"10.0.0.5\"]`",
    ];
    assert_found(&found, &expected);
}
