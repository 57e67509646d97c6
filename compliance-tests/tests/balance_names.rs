//! Names of peers, asked of a real name server (dnsmasq): changes, empty answers, silence, service records.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use alb_compliance_tests::origin::{Dns, Echo, Version};
use alb_compliance_tests::{Alb, Client, Speak};
use nix::sys::signal::Signal;

fn configuration(peer: &str) -> String {
    format!(
        r#"
        [daemon]
        workers = 2
        resolvers = ["$dns"]
        [[http]]
        listen = ["$front"]
        [[site]]
        route = [{{ path = "/", proxy = "app" }}]
        [upstream.app]
        peers = ["{peer}"]
        "#
    )
}

/// An origin at each of these addresses, all on one port.
async fn origins() -> (u16, [Echo; 3]) {
    let first = Echo::start("one").await;
    let port = first.address().port();
    let on = |name, last| {
        let address = SocketAddr::from(([127, 0, 0, last], port));
        Echo::start_on(name, Version::Http1, address)
    };
    (port, [first, on("two", 2).await, on("three", 3).await])
}

/// The origins that twenty requests reach; an error answer is its status.
async fn reached(alb: &Alb) -> BTreeSet<String> {
    let mut client = Client::plain(alb.address("front"), Speak::Http1).await;
    let mut names = BTreeSet::new();
    for _ in 0..20 {
        let answer = client.get("/").await;
        names.insert(match answer.status.as_u16() {
            200 => answer.json()["origin"].as_str().expect("a name").to_owned(),
            status => status.to_string(),
        });
    }
    names
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn peers_follow_their_name_and_stay_when_it_falls_silent() {
    let (port, _origins) = origins().await;
    let dns = Dns::start("127.0.0.1 app.test\n127.0.0.2 app.test\n", &[]).await;
    let alb = Alb::new()
        .place("dns", dns.address())
        .start(&configuration(&format!("app.test:{port}")))
        .await;
    assert_eq!(reached(&alb).await, set(&["one", "two"]));
    dns.tell("127.0.0.3 app.test\n");
    alb.wait_for_log("addresses=\"127.0.0.3\"").await;
    assert_eq!(reached(&alb).await, set(&["three"]));
    // The name is gone: what was known stays, and it is said once.
    dns.tell("127.0.0.9 other.test\n");
    alb.wait_for_log("the name of a peer does not resolve")
        .await;
    assert_eq!(reached(&alb).await, set(&["three"]));
    dns.tell("127.0.0.1 app.test\n");
    alb.wait_for_log("the name resolves again").await;
    assert_eq!(reached(&alb).await, set(&["one"]));
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_delays_no_start_for_long_and_is_asked_again() {
    let (port, _origins) = origins().await;
    let dns = Dns::start("127.0.0.1 app.test\n", &[]).await;
    dns.process().signal(Signal::SIGSTOP);
    let alb = Alb::new()
        .place("dns", dns.address())
        .start(&configuration(&format!("app.test:{port}")))
        .await;
    assert_eq!(reached(&alb).await, set(&["503"]));
    dns.process().signal(Signal::SIGCONT);
    alb.wait_for_log("name resolved").await;
    assert_eq!(reached(&alb).await, set(&["one"]));
}

#[tokio::test]
async fn service_records_tell_ports_weights_and_backups() {
    let origins = [
        Echo::start("one").await,
        Echo::start("two").await,
        Echo::start("spare").await,
    ];
    let record = |origin: &Echo, priority: u16, weight: u16| {
        let port = origin.address().port();
        format!("--srv-host=_http._tcp.app.test,host.test,{port},{priority},{weight}")
    };
    let records = [
        record(&origins[0], 1, 3),
        record(&origins[1], 1, 1),
        record(&origins[2], 2, 1),
    ];
    let dns = Dns::start("127.0.0.1 host.test\n", &records).await;
    let alb = Alb::new()
        .place("dns", dns.address())
        .start(&configuration("srv:_http._tcp.app.test"))
        .await;
    assert_eq!(reached(&alb).await, set(&["one", "two"]));
    assert_eq!((origins[0].requests(), origins[1].requests()), (15, 5));
    let [one, two, _spare] = origins;
    drop((one, two));
    let mut last = reached(&alb).await;
    while last != set(&["spare"]) {
        last = reached(&alb).await;
    }
}
