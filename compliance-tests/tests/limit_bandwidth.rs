//! Bandwidth on real transfers: it is kept, shared by key, and what waits is not read ahead.

use std::time::{Duration, Instant};

use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::{Alb, Client, Speak, payload};
use http::Request;
use http_body_util::BodyExt;

const PACED: &str = r#"
    [[http]]
    listen = ["$web"]
    [[http]]
    listen = ["$slow"]
    limits = ["listener"]
    [[site]]
    [[site.route]]
    path = "/"
    proxy = "app"
    [[site.route]]
    path = "/each/"
    proxy = "app"
    limits = ["each"]
    [[site.route]]
    path = "/bytes/"
    proxy = "app"
    limits = ["key"]
    [[site.route]]
    exact = "/bytes/2000000"
    proxy = "app"
    limits = ["each"]
    [[site.route]]
    exact = "/bytes/300000000"
    proxy = "app"
    limits = ["each"]
    [upstream.app]
    peers = ["$origin"]
    [limit.each]
    bandwidth = "1MB/s"
    bandwidth_after = "500KB"
    [limit.key]
    key = "header:x-key"
    bandwidth_per_key = "1MB/s"
    [limit.listener]
    bandwidth = "500KB/s"
"#;

async fn alb(origin: &Echo) -> Alb {
    Alb::new()
        .place("origin", origin.address())
        .start(PACED)
        .await
}

/// Seconds a download takes.
async fn time_of(client: &mut Client, path: &str, key: &str) -> f64 {
    let begun = Instant::now();
    let request = Request::get(path).header("x-key", key);
    let answer = client.send(request, payload::empty()).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            format!("/bytes/{}", answer.body.len()).as_str()
        ),
        (200, path)
    );
    begun.elapsed().as_secs_f64()
}

#[tokio::test]
async fn a_response_is_as_fast_as_allowed_after_what_is_free() {
    let origin = Echo::start("one").await;
    let alb = alb(&origin).await;
    for speak in Speak::ALL {
        let mut client = Client::plain(alb.address("web"), speak).await;
        // 2 MB less 0.5 MB at 1 MB/s.
        let took = time_of(&mut client, "/bytes/2000000", "").await;
        assert!((1.3..2.2).contains(&took), "{speak:?}: {took} s");
    }
}

#[tokio::test]
async fn responses_of_a_key_share_and_others_do_not_wait() {
    let origin = Echo::start("one").await;
    let alb = alb(&origin).await;
    let client = Client::plain(alb.address("web"), Speak::Http2).await;
    let [mut one, mut two, mut three] = [client.beside(), client.beside(), client.beside()];
    let (one, two, three) = tokio::join!(
        time_of(&mut one, "/bytes/1000000", "a"),
        time_of(&mut two, "/bytes/1000001", "a"),
        time_of(&mut three, "/bytes/1000002", "b"),
    );
    let both = one.max(two);
    assert!((1.7..2.8).contains(&both), "two of one key: {both} s");
    assert!((0.8..1.5).contains(&three), "one of another: {three} s");
}

#[tokio::test]
async fn the_bandwidth_of_a_listener_holds_for_each_response() {
    let origin = Echo::start("one").await;
    let alb = alb(&origin).await;
    let mut client = Client::plain(alb.address("slow"), Speak::Http1).await;
    let took = time_of(&mut client, "/bytes/600000", "").await;
    assert!((1.0..1.9).contains(&took), "{took} s");
}

#[tokio::test]
async fn what_waits_is_left_at_the_origin() {
    let origin = Echo::start("one").await;
    let alb = alb(&origin).await;
    for speak in Speak::ALL {
        let mut client = Client::plain(alb.address("web"), speak).await;
        let before = alb.resident_memory();
        let request = Request::get("/bytes/300000000");
        let mut response = client
            .open(request, payload::empty())
            .await
            .expect("a head");
        let mut received = 0;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1) {
            let frame = response
                .body_mut()
                .frame()
                .await
                .expect("more")
                .expect("data");
            received += frame.into_data().map_or(0, |data| data.len());
        }
        let grown = alb.resident_memory().saturating_sub(before);
        assert!(
            (1_000_000..2_200_000).contains(&received),
            "{speak:?}: {received} bytes in a second"
        );
        assert!(grown < 12 << 20, "{speak:?}: {grown} bytes more");
    }
}
