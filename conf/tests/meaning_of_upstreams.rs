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

/// The findings about an upstream of a stream with these peers.
fn about_peers(peers: &str, rest: &str) -> Vec<String> {
    let text = format!(
        r#"
        [[stream]]
        listen = ["127.0.0.1:143"]
        upstream = "store"
        limits = ["nobody"]
        [upstream.store]
        peers = {peers}
        {rest}
        "#
    );
    let texts = findings(&text).into_iter();
    texts
        .filter(|finding| !finding.contains("nobody"))
        .map(|finding| finding.split_once(' ').expect("a place").1.to_owned())
        .collect()
}

#[test]
fn clients_that_belong_to_one_peer_need_a_balance_and_addresses_that_stay() {
    let two = r#"["10.0.0.1:143", "10.0.0.2:143"]"#;
    for good in [
        "balance = \"hash\"\nfailover = false",
        "balance = \"ip_hash\"\nfailover = false",
        "balance = \"hash\"\nhash_peers = \"host\"\nmail = { rehome = \"30s\" }",
    ] {
        assert_eq!(about_peers(two, good), [""; 0], "{good}");
    }
    let hash = "balance = \"hash\"\nfailover = false";
    let by_host = "balance = \"hash\"\nhash_peers = \"host\"";
    for (peers, rest, expected) in [
        (
            two,
            "failover = false",
            "error: no peer of upstream `store` is a client's own",
        ),
        (
            two,
            "balance = \"sticky\"\nfailover = false\nsticky = { fallback = \"hash\" }",
            "error: no peer of upstream `store` is a client's own",
        ),
        (
            r#"["10.0.0.1:143", { address = "10.0.0.2:143", backup = true }]"#,
            hash,
            "error: `10.0.0.2:143` is a backup",
        ),
        (
            r#"["10.0.0.1:143", "store.internal:143"]"#,
            hash,
            "error: `store.internal:143` is a name",
        ),
        (
            r#"["srv:_imap._tcp.internal"]"#,
            hash,
            "error: `srv:_imap._tcp.internal` is a name",
        ),
        (
            two,
            "hash_peers = \"host\"",
            "warning: `hash_peers` of upstream `store` is not used",
        ),
        (
            r#"["10.0.0.1:143", "10.0.0.1:144"]"#,
            by_host,
            "error: the host `10.0.0.1` is listed twice",
        ),
        (
            two,
            "mail = { rehome = \"30s\" }",
            "warning: `mail.rehome` of upstream `store` is not used",
        ),
        (
            two,
            "balance = \"hash\"\nfailover = false\nmail = { rehome = \"30s\" }",
            "warning: `mail.rehome` of upstream `store` is not used",
        ),
    ] {
        let found = about_peers(peers, rest);
        assert_eq!(found.len(), 1, "{rest}: {found:?}");
        assert!(found[0].starts_with(expected), "{rest}: {found:?}");
    }
}

#[test]
fn deep_checks_say_what_does_not_fit_their_kind() {
    let local = r#"health = { kind = "smtp", deep = { recipient = "probe@gov.example" } }"#;
    assert_eq!(about(local), [""; 0]);
    let secret = r#"health = { kind = "imap", deep = { user = "probe", password_file = "pw" } }"#;
    assert_one(
        secret,
        "error: the password of the checks goes to `10.0.0.1:80` without TLS",
    );
    assert_eq!(about(&format!("{secret}\ntls = {{}}")), [""; 0]);
    for (wrong, expected) in [
        (
            r#"kind = "http", deep = {}"#,
            "error: `http` checks have no account to log in by",
        ),
        (
            r#"kind = "pop3", deep = {}"#,
            "error: a deep check without an account",
        ),
        (
            r#"kind = "imap", deep = { user = "a" }"#,
            "error: a user without a password",
        ),
        (
            r#"kind = "smtp", deep = { password_file = "a", recipient = "a@b.cn" }"#,
            "error: a password without a user",
        ),
        (
            r#"kind = "smtp", deep = {}"#,
            "error: a deep check of SMTP without a recipient",
        ),
        (
            r#"kind = "imap", deep = { user = "a", password_file = "a", recipient = "a@b.cn" }"#,
            "error: `imap` checks name neither sender nor recipient",
        ),
        (
            r#"kind = "imap", deep = { user = "a\r\nb", password_file = "a" }"#,
            "error: `a\\r\\nb` is not a user",
        ),
        (
            r#"kind = "smtp", deep = { recipient = "a@b.cn> x" }"#,
            "error: `a@b.cn> x` is not a mail address",
        ),
        (
            r#"kind = "smtp", deep = { recipient = "somebody" }"#,
            "error: `somebody` is not a mail address",
        ),
    ] {
        assert_one(&format!("health = {{ {wrong} }}\ntls = {{}}"), expected);
    }
}

#[test]
fn checks_of_mail_servers_take_their_time() {
    let health = |kind: alb_conf::HealthKind| alb_conf::Health {
        kind: kind.into(),
        ..alb_conf::Health::default()
    };
    let (mail, other) = (
        health(alb_conf::HealthKind::Imap),
        health(alb_conf::HealthKind::Http),
    );
    let times = |h: &alb_conf::Health| (h.interval().to_string(), h.timeout().to_string());
    assert_eq!(times(&mail), ("10s".to_owned(), "5s".to_owned()));
    assert_eq!(times(&other), ("5s".to_owned(), "1s".to_owned()));
    assert_eq!((mail.rise, mail.fall), (2, 3));
}
