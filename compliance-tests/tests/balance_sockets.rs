//! Balancing on real sockets: shares, limits of peers, cookies, drains, names, retries.

use std::collections::BTreeMap;

use alb_compliance_tests::origin::{Echo, Script};
use alb_compliance_tests::{Alb, Answer, Client, Speak, payload};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn configuration(upstream: &str) -> String {
    format!(
        r#"
        [daemon]
        workers = 2
        [[http]]
        listen = ["$front"]
        [[site]]
        route = [{{ path = "/", proxy = "app" }}]
        [upstream.app]
        {upstream}
        "#
    )
}

async fn client(alb: &Alb) -> Client {
    Client::plain(alb.address("front"), Speak::Http1).await
}

fn origin(answer: &Answer) -> String {
    answer.json()["origin"].as_str().expect("a name").to_owned()
}

async fn shares(client: &mut Client, requests: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        *shares.entry(origin(&client.get("/").await)).or_default() += 1;
    }
    shares
}

#[tokio::test]
async fn shares_follow_the_weights_exactly_and_a_dead_peer_loses_its_own() {
    let (one, two) = (Echo::start("one").await, Echo::start("two").await);
    let alb = Alb::new()
        .place("one", one.address())
        .place("two", two.address())
        .start(&configuration(
            r#"
            peers = [{ address = "$one", weight = 3 }, "$two"]
            max_fails = 1
            "#,
        ))
        .await;
    let mut client = client(&alb).await;
    let expected = [("one".to_owned(), 30), ("two".to_owned(), 10)];
    assert_eq!(shares(&mut client, 40).await, expected.into());
    drop(one);
    assert_eq!(
        shares(&mut client, 10).await,
        [("two".to_owned(), 10)].into()
    );
}

#[tokio::test]
async fn busy_peers_are_left_alone_by_least_connections_and_by_max_conns() {
    for upstream in [
        r#"balance = "least_connections"
           peers = ["$one", "$two"]"#,
        r#"peers = [{ address = "$one", max_conns = 3 }, "$two"]"#,
    ] {
        let (one, two) = (Echo::start("one").await, Echo::start("two").await);
        let alb = Alb::new()
            .place("one", one.address())
            .place("two", two.address())
            .start(&configuration(upstream))
            .await;
        // Six requests that never end: three at each under either rule.
        let mut held = Vec::new();
        for number in 1.. {
            let mut client = client(&alb).await;
            held.push(tokio::spawn(async move { client.get("/hang").await }));
            while one.requests() + two.requests() < number {
                tokio::task::yield_now().await;
            }
            if one.requests() == 3 && number >= 6 {
                break;
            }
        }
        let mut free = client(&alb).await;
        let counts = shares(&mut free, 10).await;
        if upstream.contains("max_conns") {
            assert_eq!(counts, [("two".to_owned(), 10)].into(), "{upstream}");
        } else {
            assert_eq!((one.requests() + two.requests()) as i64, 16);
            assert!(one.requests().abs_diff(two.requests()) <= 1, "{upstream}");
        }
        held.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

#[tokio::test]
async fn a_cookie_keeps_a_client_through_a_drain_and_a_forged_one_does_not() {
    let (one, two) = (Echo::start("one").await, Echo::start("two").await);
    let written = |drain: bool| {
        configuration(&format!(
            r#"
            balance = "sticky"
            sticky = {{ name = "stay", same_site = "strict" }}
            peers = [{{ address = "$one", drain = {drain} }}, "$two"]
            "#
        ))
    };
    let alb = Alb::new()
        .place("one", one.address())
        .place("two", two.address())
        .start(&written(false))
        .await;
    let mut client = client(&alb).await;
    let (answer, cookie) = loop {
        let answer = client.get("/").await;
        let cookie = answer.header("set-cookie").to_owned();
        if origin(&answer) == "one" {
            break (answer, cookie);
        }
    };
    assert_eq!(origin(&answer), "one");
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(
        attributes,
        "Max-Age=3600; Path=/; HttpOnly; SameSite=Strict"
    );
    assert!(!pair.contains("127.0.0.1"));
    alb.rewrite(&written(true));
    alb.reload().await.expect("a good configuration");
    let with = |cookie: &str| Request::get("/").header("cookie", cookie);
    for _ in 0..10 {
        let answer = client.send(with(pair), payload::empty()).await;
        assert_eq!(
            (origin(&answer).as_str(), answer.header("set-cookie")),
            ("one", "")
        );
        assert_eq!(origin(&client.get("/").await), "two");
    }
    let forged = format!("{}0", &pair[..pair.len() - 1]);
    let forged = if forged == pair {
        format!("{}1", &pair[..pair.len() - 1])
    } else {
        forged
    };
    let answer = client.send(with(&forged), payload::empty()).await;
    assert_eq!(origin(&answer), "two");
    assert!(answer.header("set-cookie").starts_with("stay="));
}

#[tokio::test]
async fn a_key_stays_at_its_peer_whatever_the_worker_and_others_spread() {
    let origins = [
        Echo::start("one").await,
        Echo::start("two").await,
        Echo::start("three").await,
    ];
    let alb = Alb::new()
        .place("one", origins[0].address())
        .place("two", origins[1].address())
        .place("three", origins[2].address())
        .start(&configuration(
            r#"
            balance = "hash"
            hash_key = "cookie:user"
            peers = ["$one", "$two", "$three"]
            "#,
        ))
        .await;
    let mut seen = BTreeMap::new();
    for round in 0..3 {
        let mut client = client(&alb).await;
        for user in 0..30 {
            let request = Request::get("/").header("cookie", format!("a=b; user={user}"));
            let name = origin(&client.send(request, payload::empty()).await);
            let first = seen.entry(user).or_insert_with(|| name.clone());
            assert_eq!(*first, name, "user {user}, round {round}");
        }
    }
    let names: std::collections::BTreeSet<_> = seen.values().collect();
    assert_eq!(names.len(), 3);
}

/// Reads one request and leaves without an answer.
async fn leaves(mut stream: tokio::net::TcpStream) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn a_post_that_a_peer_has_read_is_never_sent_again() {
    let (broken, good) = (Script::start(leaves).await, Echo::start("good").await);
    let alb = Alb::new()
        .place("broken", broken.address())
        .place("good", good.address())
        .start(&configuration(
            r#"
            peers = ["$broken", { address = "$good", backup = true }]
            max_fails = 0
            retry = { tries = 2, on = ["error", "timeout", "502", "503"] }
            "#,
        ))
        .await;
    let mut client = client(&alb).await;
    assert_eq!(origin(&client.get("/").await), "good");
    for method in ["POST", "PATCH", "LOCK"] {
        let request = Request::builder().method(method).uri("/");
        let answer = client.send(request, payload::full("x")).await;
        assert_eq!(answer.status, 502, "{method}");
    }
    assert_eq!((broken.connections(), good.requests()), (4, 1));
}

#[tokio::test]
async fn no_try_begins_after_the_budget_of_time() {
    let silent = Script::start(|mut stream| async move {
        let mut byte = [0; 1];
        while stream.read(&mut byte).await.is_ok_and(|n| n > 0) {}
    });
    let (silent, good) = (silent.await, Echo::start("good").await);
    let alb = Alb::new()
        .place("silent", silent.address())
        .place("good", good.address())
        .start(&configuration(
            r#"
            peers = ["$silent", { address = "$good", backup = true }]
            response_timeout = "300ms"
            retry = { tries = 5, on = ["timeout"], within = "100ms" }
            "#,
        ))
        .await;
    let answer = client(&alb).await.get("/").await;
    assert_eq!(answer.status, 504);
    assert_eq!(good.requests(), 0);
}

#[tokio::test]
async fn a_missing_page_is_looked_for_elsewhere_without_blaming_the_peer() {
    let missing = Script::start(|mut stream| async move {
        let mut request = [0; 4096];
        while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
            let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    });
    let (missing, good) = (missing.await, Echo::start("good").await);
    let alb = Alb::new()
        .place("missing", missing.address())
        .place("good", good.address())
        .start(&configuration(
            r#"
            peers = ["$missing", { address = "$good", backup = true }]
            max_fails = 1
            retry = { tries = 2, on = ["404"] }
            "#,
        ))
        .await;
    let mut client = client(&alb).await;
    for _ in 0..5 {
        assert_eq!(origin(&client.get("/").await), "good");
    }
    assert!(alb.log().find(0, "is not used").is_none());
    assert!(missing.connections() >= 1);
}
