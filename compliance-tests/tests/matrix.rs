//! Every suite, one-way and mutual, with HTTP/1.1 and HTTP/2: as a server, and towards an upstream.

use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::suites::{self, Auth, Suite};
use alb_compliance_tests::{Alb, Client, Pki, Speak};

/// Two listeners with every protocol, one of which insists on client certificates; the origin is told the facts.
const TERMINATOR: &str = r#"
[[http]]
listen = ["$one_way"]
tls = { identities = ["tls", "gm"], suites = [$one_way_suites] }
[[http]]
listen = ["$mutual"]
[http.tls]
identities = ["tls", "gm"]
suites = [$mutual_suites]
client_auth = { mode = "required", ca = ["$pki/gm-ca.pem", "$pki/ca.pem"] }
[[site]]
[[site.route]]
path = "/"
proxy = "app"
[site.route.tls_headers]
X-Protocol = "protocol"
X-Suite = "suite"
X-Sni = "sni"
X-Verify = "client_verify"
X-Subject = "client_subject"
[upstream.app]
peers = ["$origin"]
"#;

#[tokio::test]
async fn every_suite_is_served() {
    let (pki, origin) = (Pki::new(), Echo::start("origin").await);
    let alb = terminator(&pki, &origin).await;
    for suite in suites::ALL {
        for &auth in suite.auths() {
            for speak in Speak::ALL {
                let offer = suite.offer(&pki, auth);
                let (mut client, info) = offer.client(alb.address(auth.name()), speak).await;
                assert_eq!((info.suite, info.protocol), (suite.name, suite.protocol));
                for _ in 0..2 {
                    expect_facts(&client.get("/x").await, suite, auth, suite.client_name());
                }
            }
        }
    }
}

/// A first `alb` in clear text, a second one as its upstream: what the second sees is what the first negotiated.
#[tokio::test]
async fn every_suite_is_spoken_to_upstreams() {
    let (pki, origin) = (Pki::new(), Echo::start("origin").await);
    let far = terminator(&pki, &origin).await;
    let mut config = format!("{IDENTITIES}\n[[http]]\nlisten = [\"$web\"]\n[[site]]\n");
    let mut routes = Vec::new();
    for suite in suites::ALL {
        for &auth in suite.auths() {
            for speak in Speak::ALL {
                let name = format!(
                    "{}-{}-{}",
                    suite.name,
                    auth.name(),
                    speak.alpn().replace(['/', '.'], "")
                );
                config += &format!("[[site.route]]\nexact = \"/{name}\"\nproxy = \"{name}\"\n");
                routes.push((name, suite, auth, speak));
            }
        }
    }
    for (name, suite, auth, speak) in &routes {
        config += &upstream(name, *suite, *auth, *speak);
    }
    let near = Alb::new()
        .place("pki", &pki)
        .place("one_way", far.address("one_way"))
        .place("mutual", far.address("mutual"))
        .start(&config)
        .await;
    let mut client = Client::plain(near.address("web"), Speak::Http1).await;
    for (name, suite, auth, _) in routes {
        for _ in 0..2 {
            let answer = client.get(&format!("/{name}")).await;
            assert_eq!(
                answer.status,
                200,
                "{name}: {}\n{}",
                answer.text(),
                near.log().text()
            );
            // The gateway's own identities, which are the terminator's too, are shown to upstreams.
            expect_facts(&answer, suite, auth, suite.server_name);
        }
    }
}

async fn terminator(pki: &Pki, origin: &Echo) -> Alb {
    let usable = |auth: Auth| {
        let usable = suites::ALL
            .into_iter()
            .filter(|suite| suite.auths().contains(&auth));
        usable
            .map(|suite| format!("{:?}", suite.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    Alb::new()
        .place("pki", pki)
        .place("origin", origin.address())
        .place("one_way_suites", usable(Auth::OneWay))
        .place("mutual_suites", usable(Auth::Mutual))
        .start(&format!("{IDENTITIES}{TERMINATOR}"))
        .await
}

fn upstream(name: &str, suite: Suite, auth: Auth, speak: Speak) -> String {
    let identity = match (auth, suite.is_sm2()) {
        (Auth::OneWay, _) => "",
        (Auth::Mutual, true) => "identity = \"gm\"",
        (Auth::Mutual, false) => "identity = \"tls\"",
    };
    let protocol = if speak == Speak::Http2 {
        "h2"
    } else {
        "http/1.1"
    };
    format!(
        "[upstream.{name}]
        peers = [\"${listener}\"]
        protocol = \"{protocol}\"
        [upstream.{name}.tls]
        protocols = [\"{tls}\"]
        suites = [\"{suite}\"]
        ca = [\"$pki/gm-ca.pem\", \"$pki/ca.pem\"]
        server_name = \"{server}\"
        {identity}\n",
        listener = auth.name(),
        tls = suite.protocol_name(),
        suite = suite.name,
        server = suite.server_name,
    )
}

fn expect_facts(answer: &alb_compliance_tests::Answer, suite: Suite, auth: Auth, subject: &str) {
    assert_eq!(answer.seen("x-suite"), [suite.name]);
    assert_eq!(answer.seen("x-protocol"), [suite.protocol.as_str()]);
    assert_eq!(answer.seen("x-sni"), [suite.server_name]);
    match auth {
        Auth::OneWay => assert_eq!(answer.seen("x-verify"), ["NONE"]),
        Auth::Mutual => {
            assert_eq!(answer.seen("x-verify"), ["SUCCESS"]);
            let seen = answer.seen("x-subject");
            assert!(
                seen.len() == 1 && seen[0].contains(subject),
                "{seen:?} instead of {subject}"
            );
        }
    }
}
