//! The life of the daemon: reload and stop from the command line, draining, logs, another user, a second daemon.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Output;

use alb_compliance_tests::client::raw;
use alb_compliance_tests::session_log::wait_for_lines;
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Client, Pki, Speak, alb};
use nix::sys::signal::Signal;

/// Answers with a fixed text.
fn fixed(daemon: &str, body: &str) -> String {
    format!(
        r#"
        [daemon]
        workers = 2
        pid_file = "alb.pid"
        {daemon}
        [[http]]
        listen = ["$web"]
        [[site]]
        route = [{{ path = "/", return = {{ status = 200, body = "{body}" }} }}]
        "#
    )
}

async fn body(alb: &Alb) -> String {
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    client.get("/").await.text()
}

/// Runs `alb COMMAND -c FILE` on the configuration of a daemon.
async fn command(alb: &Alb, arguments: &[&str]) -> Output {
    let config = alb.config().display().to_string();
    let mut all: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
    all.extend(["-c".to_owned(), config]);
    let run = tokio::task::spawn_blocking(move || {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        alb::run(&all)
    });
    within("a command of alb", run).await.expect("no panic")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn the_reload_command_says_what_changed() {
    let alb = Alb::start(&fixed("", "one")).await;
    alb.rewrite(&fixed("", "two"));
    let output = command(&alb, &["reload"]).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("site `#1` changed"),
        "{}",
        said(&output)
    );
    assert_eq!(body(&alb).await, "two");
}

#[tokio::test]
async fn the_reload_command_says_why_not_and_nothing_changes() {
    let alb = Alb::start(&fixed("", "one")).await;
    alb.rewrite(&fixed("", "two").replace("return", "retrun"));
    let pid_file = alb.directory().join("alb.pid").display().to_string();
    for arguments in [&["reload"][..], &["reload", "--pid-file", &pid_file]] {
        let output = command(&alb, arguments).await;
        assert_eq!(output.status.code(), Some(78));
        assert!(said(&output).contains("retrun"), "{}", said(&output));
    }
    assert_eq!(body(&alb).await, "one");
}

#[tokio::test]
async fn a_reload_that_cannot_bind_changes_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let alb = Alb::start(&fixed("", "one")).await;
    let both = format!("listen = [\"$web\", \"{address}\"]");
    alb.rewrite(&fixed("", "two").replace("listen = [\"$web\"]", &both));
    let why = alb.reload().await.expect_err("an address that is taken");
    assert!(why.contains(&address), "{why}");
    assert_eq!(body(&alb).await, "one");
}

#[tokio::test]
async fn a_connection_lives_through_the_removal_of_its_listener() {
    let two = |addresses: &str| fixed("", "one").replace("\"$web\"", addresses);
    let alb = Alb::start(&two("\"$web\", \"$gone\"")).await;
    let mut client = Client::plain(alb.address("gone"), Speak::Http1).await;
    assert_eq!(client.get("/").await.text(), "one");
    alb.rewrite(&fixed("", "two"));
    alb.reload().await.expect("a good configuration");
    assert_eq!(client.get("/").await.text(), "two");
    let refused = tokio::net::TcpStream::connect(alb.address("gone")).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn the_stop_command_waits_for_the_end() {
    let alb = Alb::start(&fixed("", "one")).await;
    let output = command(&alb, &["stop"]).await;
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("alb has left"), "{}", said(&output));
    assert!(within("the end", alb.wait()).await.success());
    assert!(!alb.directory().join("alb.pid").exists());
    let again = command(&alb, &["stop"]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("does not run"), "{}", said(&again));
}

#[tokio::test]
async fn quit_finishes_the_request_under_way_and_takes_no_new_connection() {
    let alb = Alb::start(&fixed("", "one")).await;
    let mut slow = raw::Raw::connect(alb.address("web")).await;
    slow.write("GET / HTTP/1.1\r\nHost: x\r\n").await;
    let mut idle = raw::Raw::connect(alb.address("web")).await;
    idle.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    idle.read_until("one").await;
    alb.signal(Signal::SIGQUIT);
    // The idle connection is closed at once, which also shows that the drain has begun.
    within("the end of the idle connection", idle.read_to_end()).await;
    within("the other worker to close its socket", refusal(&alb)).await;
    slow.write("\r\n").await;
    let answer = String::from_utf8(slow.read_to_end().await).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(within("the end", alb.wait()).await.success());
}

#[tokio::test]
async fn the_drain_timeout_ends_what_does_not_finish() {
    let alb = Alb::start(&fixed("drain_timeout = \"200ms\"", "one")).await;
    let mut endless = raw::Raw::connect(alb.address("web")).await;
    endless.write("GET / HTTP/1.1\r\nHost: x\r\n").await;
    // Answered on another connection: by then the first bytes have been read by one worker or the other.
    assert_eq!(body(&alb).await, "one");
    alb.signal(Signal::SIGQUIT);
    assert!(within("the end", alb.wait()).await.success());
    within("the last line", alb.log().wait_for(0, "alb has left")).await;
}

#[tokio::test]
async fn logs_are_reopened_on_usr1_and_no_line_is_lost() {
    let logs = "[log]\nfile = \"error.log\"\naccess = { file = \"access.log\" }";
    let alb = Alb::start(&fixed(logs, "one")).await;
    let at = |name: &str| alb.directory().join(name);
    body(&alb).await;
    wait_for_lines(&at("access.log"), "GET /", 1).await;
    for name in ["error.log", "access.log"] {
        std::fs::rename(at(name), at(&format!("{name}.old"))).expect("renamed");
    }
    alb.signal(Signal::SIGUSR1);
    wait_for_lines(&at("error.log"), "reopened", 1).await;
    body(&alb).await;
    wait_for_lines(&at("access.log"), "GET /", 1).await;
    let lines = |name: &str| read(&at(name)).lines().count();
    assert_eq!((lines("access.log.old"), lines("access.log")), (1, 1));
}

#[tokio::test]
async fn a_second_daemon_is_refused() {
    let first = Alb::start(&fixed("", "one")).await;
    let output = command(&first, &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let pid = first.process().pid().to_string();
    assert!(said(&output).contains(&pid), "{}", said(&output));
    let other = fixed("", "two").replace("alb.pid", "other.pid");
    let second = Alb::new().place("web", first.address("web")).launch(&other);
    let status = within("the second daemon to give up", second.wait()).await;
    assert_eq!(status.code(), Some(1));
    within("the reason", second.log().wait_for(0, "cannot listen")).await;
}

#[tokio::test]
async fn a_stale_pid_file_is_no_obstacle() {
    let own = std::process::id().to_string();
    let alb = Alb::new()
        .file("alb.pid", own)
        .start(&fixed("", "one"))
        .await;
    let pid = read(&alb.directory().join("alb.pid"));
    assert_eq!(pid.trim(), alb.process().pid().to_string());
}

#[tokio::test]
async fn privileges_are_dropped_and_reload_and_logs_still_work() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let daemon =
        "user = \"nobody\"\n[log]\nfile = \"error.log\"\naccess = { file = \"access.log\" }";
    let setup = Alb::new().open_to_all();
    let alb = setup.start(&fixed(daemon, "one")).await;
    let nobody = std::fs::metadata(format!("/proc/{}", alb.process().pid())).expect("its process");
    assert_ne!(nobody.uid(), 0);
    let capabilities = read(Path::new(&format!("/proc/{}/status", alb.process().pid())));
    let effective = capabilities.lines().find(|l| l.starts_with("CapEff:"));
    // CAP_NET_BIND_SERVICE is bit 10, and nothing else is left.
    assert!(
        effective.is_some_and(|l| l.ends_with("0000000400")),
        "{effective:?}"
    );
    alb.rewrite(&fixed(daemon, "two"));
    alb.reload().await.expect("a good configuration");
    assert_eq!(body(&alb).await, "two");
    std::fs::rename(
        alb.directory().join("error.log"),
        alb.directory().join("old"),
    )
    .expect("renamed");
    alb.signal(Signal::SIGUSR1);
    wait_for_lines(&alb.directory().join("error.log"), "reopened", 1).await;
    let output = command(&alb, &["stop", "--now"]).await;
    assert!(output.status.success(), "{}", said(&output));
}

#[tokio::test]
async fn a_key_that_a_reload_could_not_read_is_warned_of_at_the_start() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let pki = Pki::new();
    let identity = "user = \"nobody\"
        [identity.tls]
        certificate = \"$pki/server.pem\"
        key = \"$pki/server.key\"";
    let secure =
        fixed(identity, "one").replace("[[site]]", "tls = { identities = [\"tls\"] }\n[[site]]");
    let setup = Alb::new().open_to_all().place("pki", &pki);
    let alb = setup.start(&secure).await;
    let warning = alb.wait_for_log("server.key").await;
    assert!(warning.contains("a reload will fail"), "{warning}");
    let why = alb.reload().await.expect_err("an unreadable key");
    assert!(why.contains("server."), "{why}");
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_said_once() {
    let limited = fixed("", "one").replace("[[site]]", "max_connections = 1\n[[site]]");
    let alb = Alb::start(&limited).await;
    let mut first = Client::plain(alb.address("web"), Speak::Http1).await;
    assert_eq!(first.get("/").await.text(), "one");
    for _ in 0..3 {
        let mut refused = raw::Raw::connect(alb.address("web")).await;
        assert_eq!(within("the refusal", refused.read_to_end()).await, b"");
    }
    alb.wait_for_log("`max_connections` is reached").await;
    assert_eq!(first.get("/").await.text(), "one");
}

#[tokio::test]
async fn accepting_goes_on_after_descriptors_have_run_out() {
    let alb = Alb::start(&fixed("max_open_files = 64", "one")).await;
    let mut crowd = Vec::new();
    for _ in 0..80 {
        crowd.push(raw::Raw::connect(alb.address("web")).await);
    }
    alb.wait_for_log("cannot accept connections").await;
    drop(crowd);
    assert_eq!(within("an answer", body(&alb)).await, "one");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_said_and_stops_nothing() {
    let alb = Alb::start(
        r#"
        [[http]]
        listen = ["$web"]
        [[site]]
        route = [{ path = "/lost/", proxy = "lost" }, { path = "/", return = { status = 200, body = "one" } }]
        [upstream.lost]
        peers = ["no-such-host.invalid:80"]
        "#,
    )
    .await;
    alb.wait_for_log("no-such-host.invalid").await;
    assert_eq!(body(&alb).await, "one");
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    assert_eq!(client.get("/lost/").await.status, 503);
}

#[tokio::test]
async fn json_logs_are_an_object_per_line() {
    let alb = Alb::start(&fixed("[log]\nformat = \"json\"", "one")).await;
    let line = alb.wait_for_log("alb runs").await;
    let object: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(object["level"], "INFO");
    assert_eq!(object["workers"], 2);
}

async fn refusal(alb: &Alb) {
    let connect = || tokio::net::TcpStream::connect(alb.address("web"));
    while connect().await.is_ok() {
        tokio::task::yield_now().await;
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
