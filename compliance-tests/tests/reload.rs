//! Nobody notices a reload, and nobody notices an origin that dies.

use alb_compliance_tests::load::{Crowd, Way};
use alb_compliance_tests::origin::Nginx;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::{Alb, Offer, Pki, Speak};
use nix::sys::signal::Signal;
use tokio::task::LocalSet;

const RELOADS: usize = 200;

/// Two configurations that differ in a listener, in the identities of another, and in the weights of the peers.
fn configuration(odd: bool) -> String {
    let (extra, identities, weight) = if odd {
        (
            "[[http]]\nlisten = [\"$sometimes\"]\n",
            r#"["gm", "tls"]"#,
            3,
        )
    } else {
        ("", r#"["tls", "gm"]"#, 1)
    };
    format!(
        r#"
        {IDENTITIES}
        [daemon]
        workers = 2
        {extra}
        [[http]]
        listen = ["$plain"]
        [[http]]
        listen = ["$secure"]
        tls = {{ identities = {identities} }}
        [[site]]
        route = [{{ path = "/", proxy = "app" }}]
        [upstream.app]
        peers = [{{ address = "$one", weight = {weight} }}, "$two"]
        "#
    )
}

#[tokio::test]
async fn two_hundred_reloads_under_load_fail_no_request() {
    LocalSet::new().run_until(reload_under_load()).await;
}

async fn reload_under_load() {
    let pki = Pki::new();
    let (one, two) = (nginx().await, nginx().await);
    let alb = Alb::new()
        .place("pki", &pki)
        .place("one", one.address())
        .place("two", two.address())
        .start(&configuration(false))
        .await;
    let (plain, secure) = (alb.address("plain"), alb.address("secure"));
    let tlcp = Some(Offer::tlcp(&pki).server_name("gm.test"));
    let tls = Some(Offer::tls(&pki).server_name("tls.test"));
    let mut ways = Vec::new();
    for speak in Speak::ALL {
        ways.push(Way {
            address: plain,
            offer: None,
            speak,
        });
        ways.push(Way {
            address: secure,
            offer: tlcp.clone(),
            speak,
        });
        ways.push(Way {
            address: secure,
            offer: tls.clone(),
            speak,
        });
    }
    let crowd = Crowd::start(&ways, "/");
    crowd.answer(50).await;
    for reload in 1..=RELOADS {
        alb.rewrite(&configuration(reload % 2 == 1));
        alb.reload().await.expect("a configuration that is right");
        crowd.answer(5).await;
    }
    let tally = crowd.stop();
    assert_eq!(
        tally.failures,
        Vec::<String>::new(),
        "after {} answers",
        tally.answered
    );
    assert!(tally.answered >= 50 + 5 * RELOADS);
}

#[tokio::test]
async fn killing_one_of_three_origins_under_load_fails_no_get() {
    LocalSet::new().run_until(kill_an_origin()).await;
}

async fn kill_an_origin() {
    let origins = [nginx().await, nginx().await, nginx().await];
    let alb = Alb::new()
        .place("one", origins[0].address())
        .place("two", origins[1].address())
        .place("three", origins[2].address())
        .start(
            r#"
            [[http]]
            listen = ["$web"]
            [[site]]
            route = [{ path = "/", proxy = "app" }]
            [upstream.app]
            peers = ["$one", "$two", "$three"]
            "#,
        )
        .await;
    let way = |speak| Way {
        address: alb.address("web"),
        offer: None,
        speak,
    };
    let ways: Vec<Way> = [Speak::Http1, Speak::Http2]
        .into_iter()
        .cycle()
        .take(8)
        .map(way)
        .collect();
    let crowd = Crowd::start(&ways, "/");
    crowd.answer(300).await;
    origins[1].process().signal(Signal::SIGKILL);
    origins[1].process().wait().await;
    crowd.answer(1000).await;
    let tally = crowd.stop();
    assert_eq!(
        tally.failures,
        Vec::<String>::new(),
        "after {} answers",
        tally.answered
    );
}

#[tokio::test]
async fn a_wrong_file_changes_nothing_and_says_why() {
    let alb = Alb::start(&fixed("one")).await;
    alb.rewrite(&fixed("two").replace("[[site]]", "[[sight]]"));
    alb.reload().await.expect_err("an unknown section");
    alb.wait_for_log("sight").await;
    assert_eq!(body(&alb).await, "one");
    alb.rewrite(&fixed("two"));
    alb.reload().await.expect("a configuration that is right");
    assert_eq!(body(&alb).await, "two");
}

fn fixed(body: &str) -> String {
    format!(
        "[[http]]\nlisten = [\"$web\"]\n[[site]]\n[[site.route]]\npath = \"/\"\n\
         return = {{ status = 200, body = \"{body}\" }}\n"
    )
}

async fn body(alb: &Alb) -> String {
    let mut client = alb_compliance_tests::Client::plain(alb.address("web"), Speak::Http1).await;
    client.get("/").await.text()
}

async fn nginx() -> Nginx {
    Nginx::start("location / { return 200 'hello'; }").await
}
