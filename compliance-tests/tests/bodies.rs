//! Bodies stream: whatever their length, the gateway's memory stays what it was.

use alb_compliance_tests::client::Offer;
use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::{Alb, Client, Pki, Speak, payload};
use http::Request;

/// What the daemon may grow by while a body passes: buffers, not the body.
const GROWTH: u64 = 24 << 20;

/// Length of the bodies: 192 MiB, or `ALB_TEST_BODY_MIB`.
fn body_length() -> u64 {
    let mib = std::env::var("ALB_TEST_BODY_MIB")
        .map_or(192, |text| text.parse().expect("a number of MiB"));
    mib << 20
}

const CONFIGURATION: &str = r#"
[daemon]
workers = 1
[[http]]
listen = ["$plain"]
max_body = "100GiB"
[[http]]
listen = ["$secure"]
max_body = "100GiB"
tls = { identities = ["gm"] }
[[site]]
route = [{ path = "/", proxy = "app" }]
[upstream.app]
peers = ["$origin"]
"#;

#[tokio::test]
async fn a_long_response_passes_in_constant_memory() {
    let scene = Scene::new().await;
    for (name, secure, speak) in WAYS {
        let (mut client, before) = scene.client(secure, speak).await;
        let path = format!("/bytes/{}", body_length());
        let response = client
            .open(Request::get(path), payload::empty())
            .await
            .expect("a response");
        assert_eq!(
            payload::length(response.into_body())
                .await
                .expect("a whole body"),
            body_length(),
            "{name}"
        );
        expect_no_growth(&scene.alb, before, name);
    }
}

#[tokio::test]
async fn a_long_request_passes_in_constant_memory() {
    let scene = Scene::new().await;
    for (name, secure, speak) in WAYS {
        let (mut client, before) = scene.client(secure, speak).await;
        let body = payload::filler(body_length());
        let response = client
            .open(Request::post("/sink"), body)
            .await
            .expect("a response");
        assert_eq!(response.status(), 200, "{name}");
        expect_no_growth(&scene.alb, before, name);
    }
}

/// A client that does not read makes the origin wait, not the gateway swell.
#[tokio::test]
async fn a_client_that_does_not_read_holds_the_origin_back() {
    let scene = Scene::new().await;
    for (name, secure, speak) in WAYS {
        let (mut client, before) = scene.client(secure, speak).await;
        let path = format!("/bytes/{}", body_length());
        let response = client
            .open(Request::get(path), payload::empty())
            .await
            .expect("a response");
        let mut other = Client::plain(scene.alb.address("plain"), Speak::Http1).await;
        for _ in 0..200 {
            other.get("/x").await;
        }
        expect_no_growth(&scene.alb, before, name);
        drop(response);
    }
}

fn expect_no_growth(alb: &Alb, before: u64, name: &str) {
    let growth = alb.resident_memory().saturating_sub(before);
    assert!(growth < GROWTH, "{name}: grew by {} MiB", growth >> 20);
}

/// The gateway with its origin, and the ways to it.
struct Scene {
    pki: Pki,
    _origin: Echo,
    alb: Alb,
}

const WAYS: [(&str, bool, Speak); 4] = [
    ("clear HTTP/1.1", false, Speak::Http1),
    ("clear HTTP/2", false, Speak::Http2),
    ("TLCP HTTP/1.1", true, Speak::Http1),
    ("TLCP HTTP/2", true, Speak::Http2),
];

impl Scene {
    async fn new() -> Self {
        let (pki, origin) = (Pki::new(), Echo::start("origin").await);
        let alb = Alb::new()
            .place("pki", &pki)
            .place("origin", origin.address())
            .start(&format!("{IDENTITIES}{CONFIGURATION}"))
            .await;
        Self {
            pki,
            _origin: origin,
            alb,
        }
    }

    /// A connection that has carried one request, and the memory of the gateway after that.
    async fn client(&self, secure: bool, speak: Speak) -> (Client, u64) {
        let mut client = if secure {
            Offer::tlcp(&self.pki)
                .client(self.alb.address("secure"), speak)
                .await
                .0
        } else {
            Client::plain(self.alb.address("plain"), speak).await
        };
        client.get("/x").await;
        (client, self.alb.resident_memory())
    }
}
