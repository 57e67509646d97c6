//! Balancing and checks: keys that fit each other.

mod common;

use common::findings;

/// The findings about an upstream behind a route, without their places. Another upstream that is missing makes them come
/// out even if they are warnings only.
fn about(upstream: &str) -> Vec<String> {
    let text = format!(
        r#"
        [[http]]
        listen = ["127.0.0.1:8080"]
        [[site]]
        route = [{{ proxy = "app" }}, {{ path = "/x", proxy = "nobody" }}]
        [upstream.app]
        peers = ["10.0.0.1:80", "srv:_http._tcp.app.internal"]
        {upstream}
        "#
    );
    let texts = findings(&text).into_iter();
    texts
        .filter(|finding| !finding.contains("nobody"))
        .map(|finding| finding.split_once(' ').expect("a place").1.to_owned())
        .collect()
}

fn assert_one(upstream: &str, expected: &str) {
    let found = about(upstream);
    assert_eq!(found.len(), 1, "{upstream}: {found:?}");
    assert!(found[0].starts_with(expected), "{upstream}: {found:?}");
}

#[test]
fn what_fits_is_accepted() {
    for good in [
        r#"health = { kind = "http", expect = ["204", "301-302"], host = "app.cn", path = "/a?b" }"#,
        r#"health = { kind = "tcp", send = "PING", expect = ["PONG", "220"] }"#,
        r#"balance = "sticky""#,
        r#"sticky = { fallback = "hash", path = "/app" }
           hash_key = "cookie:sid"
           balance = "sticky""#,
        r#"slow_start = "30s""#,
    ] {
        assert_eq!(about(good), [""; 0], "{good}");
    }
}

#[test]
fn checks_say_what_does_not_fit_their_kind() {
    for (wrong, expected) in [
        (
            r#"health = { kind = "http", expect = ["ok"] }"#,
            "error: `ok` is not a status",
        ),
        (
            r#"health = { kind = "smtp", expect = ["220"] }"#,
            "error: `smtp` checks know by themselves what to expect",
        ),
        (
            r#"health = { kind = "http", send = "GET" }"#,
            "error: `http` checks know by themselves what to send",
        ),
        (
            r#"health = { kind = "tls" }"#,
            "error: `tls` checks use the upstream's `tls`",
        ),
        (
            r#"health = { kind = "https" }"#,
            "error: `https` checks use the upstream's `tls`",
        ),
        (
            r#"health = { kind = "grpc" }"#,
            "error: `grpc` checks need HTTP/2",
        ),
        (
            r#"health = { kind = "http", path = "healthz" }"#,
            "error: `healthz` is not a path",
        ),
        (
            r#"health = { kind = "http", path = "/a b" }"#,
            "error: `/a b` is not a path",
        ),
        (
            r#"health = { kind = "http", host = "a\r\nb" }"#,
            "error: `a",
        ),
        (
            r#"health = { timeout = "6s" }"#,
            "warning: a check may take longer",
        ),
        (r#"health = { kind = "htpp" }"#, "error: "),
        (r#"health = { rise = 0 }"#, "error: `rise` cannot be `0`"),
    ] {
        assert_one(wrong, expected);
    }
}

#[test]
fn cookies_and_keys_say_what_does_not_fit_the_balance() {
    for (wrong, expected) in [
        (
            r#"hash_key = "uri""#,
            "warning: `hash_key` of upstream `app` is not used",
        ),
        (
            r#"sticky = {}"#,
            "warning: `sticky` of upstream `app` is not used",
        ),
        (
            r#"balance = "sticky"
            sticky = { fallback = "sticky" }"#,
            "error: the fallback of `sticky` is `sticky`",
        ),
        (
            r#"balance = "sticky"
            sticky = { name = "a b" }"#,
            "error: `a b` is not a name for a cookie",
        ),
        (
            r#"balance = "sticky"
            sticky = { path = "/;x" }"#,
            "error: `/;x` is not a path for a cookie",
        ),
        (
            r#"balance = "hash"
            hash_key = "header:""#,
            "error: `header:` needs a name",
        ),
        (
            r#"balance = "hash"
            hash_key = "adress""#,
            "error: `adress` is not a key",
        ),
    ] {
        assert_one(wrong, expected);
    }
}
