//! Rates: the daemon and a real nginx under the same arrivals, on real sockets.

use std::time::Duration;

use alb_compliance_tests::origin::Nginx;
use alb_compliance_tests::{Alb, Client, Speak, payload};
use http::Request;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How a request fared: its status, and how long it took in milliseconds.
type Fared = (u16, u64);

/// A route's limits in both languages, and when requests come: so many at so many milliseconds. All decisions lie so far
/// from where they would turn that a tenth of a second does not matter.
struct Case {
    name: &'static str,
    nginx: &'static str,
    arrivals: &'static [(u64, usize)],
}

const ZONES: &str = "
    limit_req_zone $http_x_key zone=two:1m rate=2r/s;
    limit_req_zone $http_x_key zone=also:1m rate=2r/s;
    limit_req_zone $http_x_key zone=thirty:1m rate=30r/m;
    limit_req_status 429;";

const CASES: [Case; 6] = [
    Case {
        name: "none",
        nginx: "limit_req zone=two;",
        arrivals: &[(0, 3), (250, 1), (750, 2), (1000, 1), (1500, 1)],
    },
    Case {
        name: "burst",
        nginx: "limit_req zone=two burst=3;",
        arrivals: &[(0, 6), (750, 3), (2000, 1), (2750, 5)],
    },
    Case {
        name: "delay",
        nginx: "limit_req zone=two burst=4 delay=2;",
        arrivals: &[(0, 7), (750, 2), (1750, 4)],
    },
    Case {
        name: "nodelay",
        nginx: "limit_req zone=two burst=2 nodelay;",
        arrivals: &[(0, 5), (750, 2), (1250, 3), (3000, 4)],
    },
    Case {
        name: "minute",
        nginx: "limit_req zone=thirty burst=1;",
        arrivals: &[(0, 3), (1000, 2), (3000, 2)],
    },
    Case {
        name: "two",
        nginx: "limit_req zone=also burst=5; limit_req zone=thirty burst=3 nodelay;",
        arrivals: &[(0, 6), (1000, 2), (3000, 3)],
    },
];

const ALB: &str = r#"
    [daemon]
    workers = $workers
    [[http]]
    listen = ["$web"]
    [[site]]
    [[site.route]]
    path = "/none"
    return = 200
    limits = ["none"]
    [[site.route]]
    path = "/burst"
    return = 200
    limits = ["burst"]
    [[site.route]]
    path = "/delay"
    return = 200
    limits = ["delay"]
    [[site.route]]
    path = "/nodelay"
    return = 200
    limits = ["nodelay"]
    [[site.route]]
    path = "/minute"
    return = 200
    limits = ["minute"]
    [[site.route]]
    path = "/two"
    return = 200
    limits = ["two-one", "two-other"]
    [limit.none]
    key = "header:X-Key"
    rate = "2/s"
    [limit.burst]
    key = "header:X-Key"
    rate = "2/s"
    burst = 3
    [limit.delay]
    key = "header:X-Key"
    rate = "2/s"
    burst = 4
    delay = 2
    [limit.nodelay]
    key = "header:X-Key"
    rate = "2/s"
    burst = 2
    nodelay = true
    [limit.minute]
    key = "header:X-Key"
    rate = "30/m"
    burst = 1
    [limit.two-one]
    key = "header:X-Key"
    rate = "2/s"
    burst = 5
    [limit.two-other]
    key = "header:X-Key"
    rate = "30/m"
    burst = 3
    nodelay = true
"#;

async fn nginx() -> Nginx {
    let locations =
        CASES.map(|case| format!("location /{} {{ root html; {} }}", case.name, case.nginx));
    let nginx = Nginx::start_with(ZONES, &locations.concat()).await;
    for case in CASES {
        nginx.publish(case.name, "fine");
    }
    nginx
}

/// One request on a connection of its own that is open already.
async fn ask(mut client: Client, path: String, key: String) -> Fared {
    let begun = Instant::now();
    let request = Request::get(path).header("x-key", key);
    let answer = client.send(request, payload::empty()).await;
    (answer.status.as_u16(), begun.elapsed().as_millis() as u64)
}

/// Lets the arrivals of a case come to both servers at the same moments; how each group fared, the quickest first.
async fn drive(case: &Case, servers: [std::net::SocketAddr; 2]) -> [Vec<Vec<Fared>>; 2] {
    let start = Instant::now() + Duration::from_millis(300);
    let mut groups = JoinSet::new();
    for (number, (at, count)) in case.arrivals.iter().enumerate() {
        for (server, address) in servers.into_iter().enumerate() {
            let mut clients = Vec::new();
            for _ in 0..*count {
                clients.push(Client::plain(address, Speak::Http1).await);
            }
            let (path, key) = (format!("/{}", case.name), case.name.to_owned());
            let due = start + Duration::from_millis(*at);
            groups.spawn(async move {
                tokio::time::sleep_until(due).await;
                let each = clients
                    .into_iter()
                    .map(|client| ask(client, path.clone(), key.clone()));
                let mut fared = each.collect::<JoinSet<Fared>>().join_all().await;
                fared.sort_by_key(|(status, took)| (*status, *took));
                (server, number, fared)
            });
        }
    }
    let mut of_servers = [const { Vec::new() }; 2].map(|mut groups: Vec<Vec<Fared>>| {
        groups.resize(case.arrivals.len(), Vec::new());
        groups
    });
    for (server, number, fared) in groups.join_all().await {
        of_servers[server][number] = fared;
    }
    of_servers
}

fn assert_equal(case: &Case, [nginx, alb]: &[Vec<Vec<Fared>>; 2]) {
    let all = || format!("{}:\nnginx {nginx:?}\nalb   {alb:?}", case.name);
    let statuses = |groups: &Vec<Vec<Fared>>| -> Vec<Vec<u16>> {
        let statuses = |group: &Vec<Fared>| group.iter().map(|(status, _)| *status).collect();
        groups.iter().map(statuses).collect()
    };
    assert_eq!(statuses(nginx), statuses(alb), "{}", all());
    for (theirs, ours) in nginx.iter().flatten().zip(alb.iter().flatten()) {
        assert!(theirs.1.abs_diff(ours.1) < 240, "{}", all());
    }
}

#[tokio::test]
async fn what_passes_waits_and_is_refused_is_that_of_a_real_nginx() {
    for workers in [1, 4] {
        let (nginx, alb) = (
            nginx().await,
            Alb::new().place("workers", workers).start(ALB).await,
        );
        let servers = [nginx.address(), alb.address("web")];
        let driven: JoinSet<_> = (0..CASES.len())
            .map(|number| async move { (number, drive(&CASES[number], servers).await) })
            .collect();
        for (number, fared) in driven.join_all().await {
            assert_equal(&CASES[number], &fared);
        }
    }
}

#[tokio::test]
async fn a_delayed_stream_of_http_2_holds_up_no_other() {
    let toml = r#"
        [[http]]
        listen = ["$web"]
        [[site]]
        [[site.route]]
        path = "/slow"
        return = 200
        limits = ["slow"]
        [[site.route]]
        path = "/"
        return = 204
        [limit.slow]
        rate = "30/m"
        burst = 5
    "#;
    let alb = Alb::start(toml).await;
    let mut client = Client::plain(alb.address("web"), Speak::Http2).await;
    assert_eq!(client.get("/slow").await.status, 200);
    let begun = Instant::now();
    let mut beside = client.beside();
    let delayed = tokio::spawn(async move { beside.get("/slow").await });
    for _ in 0..20 {
        assert_eq!(client.get("/").await.status, 204);
    }
    let meanwhile = begun.elapsed();
    assert_eq!(delayed.await.expect("no panic").status, 200);
    assert!(
        begun.elapsed() > Duration::from_millis(1500),
        "{:?}",
        begun.elapsed()
    );
    assert!(
        meanwhile < begun.elapsed() - Duration::from_millis(200),
        "{meanwhile:?}"
    );
}

#[tokio::test]
async fn a_refusal_is_429_with_the_time_to_come_again_and_is_logged_once() {
    let toml = r#"
        [[http]]
        listen = ["$web"]
        [[site]]
        limits = ["site"]
        [[site.route]]
        path = "/"
        return = 200
        [[site.route]]
        path = "/other"
        return = 200
        limits = ["other", "site"]
        [[site.route]]
        path = "/dry"
        return = 200
        limits = ["dry"]
        [limit.site]
        rate = "1/m"
        burst = 20
        nodelay = true
        [limit.other]
        key = "cookie:sid"
        requests = 1
        per = "1h"
        status = 503
        retry_after = "7s"
        [limit.dry]
        key = "server"
        requests = 1
        per = "1h"
        dry_run = true
    "#;
    let alb = Alb::start(toml).await;
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    let mut other = async |cookie: &str| {
        let request = Request::get("/other").header("cookie", cookie);
        let answer = client.send(request, payload::empty()).await;
        (
            answer.status.as_u16(),
            answer.header("retry-after").to_owned(),
        )
    };
    assert_eq!(other("a=1; sid=x").await, (200, String::new()));
    assert_eq!(other("sid=y").await, (200, String::new()));
    assert_eq!(other("sid=x").await, (503, "7".to_owned()));
    assert_eq!(
        other("a=1").await,
        (200, String::new()),
        "no such cookie, no limit"
    );
    for _ in 0..5 {
        assert_eq!(client.get("/dry").await.status, 200);
    }
    let line = alb.wait_for_log("not refused").await;
    assert!(line.contains("limit=\"dry\""), "{line}");
    // 1 and 20 early ones, of which 3 and 5 have been: what `other` refused does not count.
    for _ in 0..13 {
        assert_eq!(client.get("/").await.status, 200);
    }
    let refused = client.get("/").await;
    let after: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!(
        refused.status == 429 && (55..=63).contains(&after),
        "{after}"
    );
    assert_eq!(client.get("/").await.status, 429);
    let lines = alb.log().text().matches("over the limit: refused").count();
    assert_eq!(lines, 2, "one for each limit:\n{}", alb.log().text());
    let log = alb.log().clone();
    assert!(alb.stop().await.success());
    let last = log.find(0, "alb has left").expect("the last line");
    assert!(
        last.contains("limit_refused=3") && last.contains("limit_excused=4"),
        "{last}"
    );
}
