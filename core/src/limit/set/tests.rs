//! Several limits together.

use std::borrow::Cow;
use std::net::IpAddr;

use alb_conf::Map;

use super::super::Builder;
use super::super::registry::written;
use super::*;

struct Client(&'static str);

impl Keys for Client {
    fn client_ip(&self) -> IpAddr {
        [10, 0, 0, 1].into()
    }

    fn value(&self, _: &KeySource) -> Option<Cow<'_, [u8]>> {
        Some(self.0.as_bytes().into())
    }
}

fn set(limits: &[&str]) -> LimitSet {
    let name = |number: usize| number.to_string();
    let map: Map<_> = limits
        .iter()
        .enumerate()
        .map(|(number, toml)| (name(number).into(), written(toml)))
        .collect();
    let names: Vec<_> = (0..limits.len())
        .map(|number| name(number).into())
        .collect();
    Builder::new(&map, None).requests(&names)
}

fn wait(decision: &Decision) -> Result<u64, &str> {
    match decision {
        Decision::Pass(_) => Ok(0),
        Decision::Delay(wait, _) => Ok(wait.as_millis() as u64),
        Decision::Refuse(refusal) => Err(&refusal.limit),
    }
}

#[test]
fn the_longest_wait_counts() {
    let set = set(&["rate = \"10/s\"\nburst = 5", "rate = \"2/s\"\nburst = 5"]);
    let now = Instant::now();
    let waits: Vec<_> = (0..3)
        .map(|_| wait(&set.admit(now, &Client(""))).expect("admitted"))
        .collect();
    assert_eq!(waits, [0, 500, 1000]);
}

#[test]
fn one_refusal_refuses_and_the_others_have_not_counted() {
    let set = set(&[
        "rate = \"10/s\"\nburst = 2",
        "requests = 1\nper = \"1h\"",
        "connections = 1",
    ]);
    let now = Instant::now();
    let Decision::Pass(permit) = set.admit(now, &Client("")) else {
        panic!("refused");
    };
    for _ in 0..10 {
        assert_eq!(wait(&set.admit(now, &Client(""))), Err("1"));
    }
    // Had the refused ones counted, this one would be refused by the first.
    let later = now + Duration::from_secs(3600);
    assert_eq!(wait(&set.admit(later, &Client(""))), Err("2"));
    drop(permit);
    assert_eq!(wait(&set.admit(later, &Client(""))), Ok(0));
}

#[test]
fn what_cannot_wait_is_refused_and_has_not_counted() {
    let set = set(&["rate = \"10/s\"\nburst = 5\ndelay = 1", "connections = 3"]);
    let now = Instant::now();
    let mut permits = Vec::new();
    let mut ask = |after: u64| {
        let decision = set.admit_at_once(now + Duration::from_millis(after), &Client(""));
        let waits = wait(&decision).map_err(str::to_owned);
        permits.push(decision);
        waits
    };
    // The first, and the early one that need not wait.
    assert_eq!([ask(0), ask(0)], [Ok(0), Ok(0)]);
    for _ in 0..20 {
        assert_eq!(ask(0), Err("0".into()));
    }
    // Had the refused ones counted, the bucket would still be full.
    assert_eq!(ask(100), Ok(0));
    // Nor do those count that another limit refuses.
    assert_eq!([ask(1000), ask(1000)], [Err("1".into()), Err("1".into())]);
}

#[test]
fn an_empty_key_is_passed_over() {
    let set = set(&["key = \"header:x\"\nrate = \"1/m\""]);
    let now = Instant::now();
    for _ in 0..3 {
        assert_eq!(wait(&set.admit(now, &Client(""))), Ok(0));
    }
    assert_eq!(wait(&set.admit(now, &Client("a"))), Ok(0));
    assert_eq!(wait(&set.admit(now, &Client("b"))), Ok(0));
    assert_eq!(wait(&set.admit(now, &Client("a"))), Err("0"));
}

#[test]
fn a_dry_run_excuses_and_the_others_hold() {
    let set = set(&[
        "rate = \"1/m\"\ndry_run = true",
        "requests = 2\nper = \"1h\"",
    ]);
    let now = Instant::now();
    let excused = |decision: &Decision| match decision {
        Decision::Pass(permit) => permit.is_excused(),
        other => panic!("{other:?}"),
    };
    assert!(!excused(&set.admit(now, &Client(""))));
    assert!(excused(&set.admit(now, &Client(""))));
    assert_eq!(wait(&set.admit(now, &Client(""))), Err("1"));
}

#[test]
fn a_refusal_brings_its_answer() {
    let set = set(&["rate = \"1/m\"\nstatus = 503\nretry_after = \"5s\""]);
    let now = Instant::now();
    assert_eq!(wait(&set.admit(now, &Client(""))), Ok(0));
    let Decision::Refuse(refusal) = set.admit(now, &Client("")) else {
        panic!("admitted");
    };
    let expected = Refusal {
        limit: "0".into(),
        retry_after: Duration::from_secs(5),
        status: 503,
    };
    assert_eq!(refusal, expected);
}

#[test]
fn a_set_is_parted_by_what_its_keys_need() {
    let set = set(&["key = \"user\"\nconnections = 1", "connections = 1"]);
    let (user, other) = set.split(&KeySource::User);
    let names = |set: &LimitSet| -> Vec<_> {
        set.limiters()
            .iter()
            .map(|limiter| limiter.name().to_string())
            .collect()
    };
    assert_eq!(
        (names(&user), names(&other)),
        (vec!["0".into()], vec!["1".into()])
    );
}
