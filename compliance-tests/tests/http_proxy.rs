//! HTTP through the built daemon: HTTP/1.1 and HTTP/2 on either side of the proxy, and files over both.

use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::origin::echo::Version;
use alb_compliance_tests::{Alb, Client, Speak, payload};
use http::Request;

const PROXY: &str = r#"
    [[http]]
    listen = ["$web"]
    max_body = 0
    [[site]]
    [[site.route]]
    proxy = "app"
    [upstream.app]
    peers = ["$origin"]
    protocol = "$protocol"
"#;

#[tokio::test]
async fn either_version_on_either_side() {
    for (version, protocol) in [(Version::Http1, "http/1.1"), (Version::Http2, "h2")] {
        let origin = Echo::start_on("one", version, ([127, 0, 0, 1], 0).into()).await;
        let setup = Alb::new()
            .place("origin", origin.address())
            .place("protocol", protocol);
        let alb = setup.start(PROXY).await;
        for speak in Speak::ALL {
            let mut client = Client::plain(alb.address("web"), speak).await;
            let request = Request::post("/a%2Fb?c=d")
                .header("cookie", "a=1")
                .header("cookie", "b=2");
            let answer = client.send(request, payload::full("four")).await;
            assert_eq!(answer.json()["length"], 4, "{speak:?} to {protocol}");
            assert_eq!(answer.seen("x-forwarded-for"), ["127.0.0.1"]);
            assert_eq!(answer.seen("cookie"), ["a=1; b=2"]);
            assert_eq!(answer.header("server"), "alb");
            assert!(
                answer.json()["target"]
                    .as_str()
                    .is_some_and(|t| t.ends_with("/a%2Fb?c=d"))
            );
            let trailers = Request::get("/trailers").header("te", "trailers");
            let answer = client.send(trailers, payload::empty()).await;
            assert_eq!(
                answer.trailers["x-checksum"], "abc",
                "{speak:?} to {protocol}"
            );
            let answer = client
                .send(Request::post("/"), payload::filler(20_000_000))
                .await;
            assert_eq!(
                answer.json()["length"],
                20_000_000,
                "{speak:?} to {protocol}"
            );
            assert_eq!(client.get("/bytes/5000000").await.body.len(), 5_000_000);
            let head = client
                .send(Request::head("/bytes/77"), payload::empty())
                .await;
            assert_eq!((head.header("content-length"), head.body.len()), ("77", 0));
        }
        assert!(
            origin.connections() <= 4,
            "{} connections for 10 requests",
            origin.connections()
        );
    }
}

#[tokio::test]
async fn files_are_served_over_both_versions() {
    let setup = Alb::new()
        .file("www/index.html", "<p>home")
        .file("www/a/b.css", "b{}");
    let alb = setup
        .start(
            r#"
            [[http]]
            listen = ["$web"]
            [[site]]
            [[site.route]]
            files = { root = "www" }
            "#,
        )
        .await;
    for speak in Speak::ALL {
        let mut client = Client::plain(alb.address("web"), speak).await;
        let answer = client.get("/a/b.css").await;
        assert_eq!(
            (answer.header("content-type"), answer.text().as_str()),
            ("text/css", "b{}")
        );
        let etag = answer.header("etag").to_owned();
        let again = Request::get("/a/b.css").header("if-none-match", etag);
        assert_eq!(client.send(again, payload::empty()).await.status, 304);
        assert_eq!(client.get("/").await.text(), "<p>home");
        assert_eq!(client.get("/nothing").await.status, 404);
    }
}
