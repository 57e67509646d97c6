//! Who is let in, by address: at accept, by site and by route, and through trusted proxies.

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::client::raw::{self, Raw};
use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::{Alb, Answer, Client, Speak, payload};
use http::Request;
use nix::sys::signal::Signal;

/// Trusts this machine as a proxy, so that a test can ask as anybody.
const SITES: &str = r#"
    [log.access]
    file = "access.log"
    [[http]]
    listen = ["$web"]
    trusted_proxies = ["127.0.0.0/8"]
    [[http]]
    listen = ["$direct"]
    [[site]]
    access = "office"
    [[site.route]]
    proxy = "app"
    [[site.route]]
    path = "/guests/"
    access = "guests"
    proxy = "app"
    [access.office]
    rules = ["deny 10.9.9.9", "allow 10.0.0.0/8", "allow 2001:db8::/32", "deny all"]
    files = ["blocked.txt"]
    [access.guests]
    rules = ["deny 10.0.0.0/8"]
    [upstream.app]
    peers = ["$origin"]
"#;

const BLOCKED: &str = "# those who were\n10.6.6.0/24\n";

async fn ask(client: &mut Client, path: &str, forwarded_for: &str) -> Answer {
    let request = Request::get(path).header("x-forwarded-for", forwarded_for);
    client.send(request, payload::empty()).await
}

#[tokio::test]
async fn sites_and_routes_have_lists_and_the_routes_own_replaces_the_sites() {
    let origin = Echo::start("origin").await;
    let setup = Alb::new().place("origin", origin.address());
    let alb = setup.file("blocked.txt", BLOCKED).start(SITES).await;
    for speak in Speak::ALL {
        let mut client = Client::plain(alb.address("web"), speak).await;
        for (path, address, status) in [
            ("/", "10.1.2.3", 200),
            ("/", "10.9.9.9", 403),
            ("/", "10.6.6.1", 403),
            ("/", "2001:db8::1", 200),
            ("/", "192.0.2.1", 403),
            ("/guests/", "192.0.2.1", 200),
            ("/guests/", "10.1.2.3", 403),
        ] {
            let answer = ask(&mut client, path, address).await;
            assert_eq!(answer.status, status, "{path} for {address} over {speak:?}");
            if status == 200 {
                assert_eq!(answer.seen("x-forwarded-for"), [address]);
                assert_eq!(answer.seen("x-real-ip"), [address]);
            }
        }
    }
    let line = alb.wait_for_log("request denied by an access list").await;
    assert!(
        line.contains("office") && line.contains("10.9.9.9"),
        "{line}"
    );
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_says_who_asks() {
    let origin = Echo::start("origin").await;
    let setup = Alb::new().place("origin", origin.address());
    let alb = setup.file("blocked.txt", "").start(SITES).await;
    let mut client = Client::plain(alb.address("direct"), Speak::Http1).await;
    assert_eq!(ask(&mut client, "/", "10.1.2.3").await.status, 403);
    let answer = ask(&mut client, "/guests/", "10.1.2.3").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.seen("x-forwarded-for"), ["127.0.0.1"]);

    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    let told = Request::get("/")
        .header("x-forwarded-for", "192.0.2.66, 10.1.2.3, 127.0.0.7")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "portal.example.cn")
        .header("x-forwarded-port", "8443");
    let answer = client.send(told, payload::empty()).await;
    assert_eq!(answer.seen("x-forwarded-for"), ["10.1.2.3"]);
    assert_eq!(answer.seen("x-forwarded-proto"), ["https"]);
    assert_eq!(answer.seen("x-forwarded-host"), ["portal.example.cn"]);
    assert_eq!(answer.seen("x-forwarded-port"), ["8443"]);

    alb.signal(Signal::SIGTERM);
    alb.wait().await;
    let log = std::fs::read_to_string(alb.directory().join("access.log")).expect("an access log");
    let mut clients: Vec<_> = log
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    // Each worker writes its own lines.
    clients.sort_unstable();
    assert_eq!(clients, ["10.1.2.3", "127.0.0.1", "127.0.0.1"]);
}

const LISTENER: &str = r#"
    [[http]]
    listen = ["$web"]
    access = "office"
    [[http]]
    listen = ["$proxied"]
    access = "office"
    trusted_proxies = ["127.0.0.2"]
    [[site]]
    [[site.route]]
    return = { status = 200, body = "in" }
    [access.office]
    rules = ["allow 127.0.0.8", "allow 10.0.0.0/8", "deny all"]
"#;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";

async fn get_from(source: &str, alb: &Alb, listener: &str, fields: &str) -> String {
    let source = source.parse().expect("an address");
    let mut raw = Raw::connect_from(source, alb.address(listener)).await;
    raw.write(format!("{GET}{fields}\r\n")).await;
    String::from_utf8_lossy(&raw.read_to_end().await).into_owned()
}

#[tokio::test]
async fn a_listener_closes_whom_its_list_denies_and_judges_each_request_of_a_proxy() {
    let alb = Alb::start(LISTENER).await;
    assert!(get_from("127.0.0.8", &alb, "web", "").await.ends_with("in"));
    assert_eq!(get_from("127.0.0.9", &alb, "web", "").await, "");
    let line = alb
        .wait_for_log("connection denied by an access list")
        .await;
    assert!(
        line.contains("127.0.0.9") && line.contains("office"),
        "{line}"
    );

    assert!(
        get_from("127.0.0.8", &alb, "proxied", "")
            .await
            .ends_with("in")
    );
    assert_eq!(get_from("127.0.0.9", &alb, "proxied", "").await, "");
    for (fields, status) in [
        ("X-Forwarded-For: 10.1.1.1\r\n", "200"),
        ("X-Forwarded-For: 192.0.2.1\r\n", "403"),
        // The proxy itself is nobody's guest.
        ("", "403"),
    ] {
        let answer = get_from("127.0.0.2", &alb, "proxied", fields).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{fields}");
    }
}

#[tokio::test]
async fn lists_know_ipv6() {
    let reserved = Reserved::on("[::1]:0".parse().expect("an address"));
    let setup = Alb::new().place("v6", reserved.address());
    let config = |verdict| {
        format!(
            r#"
            [[http]]
            listen = ["$v6"]
            access = "list"
            [[site]]
            route = [{{ return = 204 }}]
            [access.list]
            rules = ["{verdict} ::1", "deny all"]
            "#
        )
    };
    let alb = setup.start(&config("allow")).await;
    let get = format!("{GET}\r\n");
    let answer = raw::exchange(reserved.address(), &get).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    alb.rewrite(&config("deny"));
    alb.reload().await.expect("a reload");
    assert_eq!(raw::exchange(reserved.address(), &get).await, "");
}

#[tokio::test]
async fn a_reload_brings_new_lists_to_connections_that_stay() {
    let origin = Echo::start("origin").await;
    let setup = Alb::new().place("origin", origin.address());
    let alb = setup.file("blocked.txt", BLOCKED).start(SITES).await;
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    assert_eq!(ask(&mut client, "/", "10.6.6.1").await.status, 403);
    assert_eq!(ask(&mut client, "/", "10.7.7.1").await.status, 200);

    let list = alb.directory().join("blocked.txt");
    std::fs::write(&list, "10.7.7.0/24\n").expect("a file of ours");
    alb.reload().await.expect("a reload");
    assert_eq!(ask(&mut client, "/", "10.6.6.1").await.status, 200);
    assert_eq!(ask(&mut client, "/", "10.7.7.1").await.status, 403);

    std::fs::write(&list, "10.8.8.0/24\n\n10.8.8.256\n").expect("a file of ours");
    let refused = alb.reload().await.expect_err("a bad list");
    assert!(refused.contains("blocked.txt:3: `10.8.8.256`"), "{refused}");
    assert_eq!(ask(&mut client, "/", "10.7.7.1").await.status, 403);
    assert!(!client.is_closed());
}

#[tokio::test]
async fn the_check_names_each_bad_line_of_a_list() {
    let setup = Alb::new()
        .place("origin", "127.0.0.1:1")
        .file("blocked.txt", "10.0.0.0/8\nten.0.0.1\n10.0.0.0/40\n");
    let output = setup.check(SITES);
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr);
    for line in ["blocked.txt:2: `ten.0.0.1`", "blocked.txt:3: `10.0.0.0/40`"] {
        assert!(said.contains(line), "{said}");
    }
}
