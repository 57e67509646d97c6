//! Sequences worked out from `ngx_http_limit_req_lookup` and `ngx_http_limit_req_account`.

use super::*;

/// As a request at `now` fares: its wait in milliseconds, or `None` if it is refused.
fn drive(toml: &str, arrivals: &[u64]) -> Vec<Option<u64>> {
    let rate = rate(toml);
    let one = |now: &u64| {
        let result = rate.charge(&KEY, 1_000_000 + now);
        result.ok().map(|(_, wait)| wait.as_millis() as u64)
    };
    arrivals.iter().map(one).collect()
}

const KEY: Key = Key {
    id: 1,
    place: 0,
    network: 0,
};

fn rate(toml: &str) -> Rate {
    let written: alb_conf::Limit = crate::limit::registry::written(toml);
    Rate::new(&written, Arc::new(Table::new(16))).expect("a rate")
}

#[test]
fn without_a_burst_every_early_request_is_refused() {
    // excess: 0; 1000-500=500>0; 1000-999=1; 0; then from 1000: 1000-1
    let fared = drive("rate = \"1/s\"", &[0, 500, 999, 1000, 1001, 2000]);
    assert_eq!(fared, [Some(0), None, None, Some(0), None, Some(0)]);
}

#[test]
fn a_burst_waits_its_turn_and_the_rest_is_refused() {
    let fared = drive("rate = \"10/s\"\nburst = 3", &[0, 0, 0, 0, 0, 100, 100]);
    let expected = [
        Some(0),
        Some(100),
        Some(200),
        Some(300),
        None,
        Some(300),
        None,
    ];
    assert_eq!(fared, expected);
}

#[test]
fn delay_lets_a_part_of_the_burst_pass_and_nodelay_all_of_it() {
    let fared = drive("rate = \"5/s\"\nburst = 4\ndelay = 2", &[0; 6]);
    let expected = [Some(0), Some(0), Some(0), Some(200), Some(400), None];
    assert_eq!(fared, expected);
    let fared = drive("rate = \"5/s\"\nburst = 4\nnodelay = true", &[0; 6]);
    assert_eq!(fared, [[Some(0); 5].as_slice(), &[None]].concat());
}

#[test]
fn rounding_is_that_of_integers() {
    // 1/m is 16 thousandths a second: 62 499 ms leak 999, 62 500 leak 1000.
    let fared = drive("rate = \"1/m\"", &[0, 62_499, 62_500]);
    assert_eq!(fared, [Some(0), None, Some(0)]);
    // 3/s: 333 ms leak 999, so one thousandth is left, and 1 * 1000 / 3000 is no wait.
    let fared = drive("rate = \"3/s\"\nburst = 1", &[0, 333, 666]);
    assert_eq!(fared, [Some(0), Some(0), Some(0)]);
    // What leaks in less than a thousandth's time is lost, as each request moves the clock.
    let fared = drive("rate = \"30/m\"\nburst = 1", &[0, 1, 2, 3]);
    assert_eq!(fared, [Some(0), Some(2000), None, None]);
}

#[test]
fn a_refused_request_does_not_count() {
    let fared = drive("rate = \"2/s\"", &[0, 100, 200, 300, 400, 499, 500]);
    assert_eq!(fared, [Some(0), None, None, None, None, None, Some(0)]);
}

#[test]
fn time_that_goes_back_a_little_stands_still() {
    let rate = rate("rate = \"10/s\"\nburst = 5");
    let wait = |now| {
        rate.charge(&KEY, now)
            .ok()
            .map(|(_, wait)| wait.as_millis())
    };
    assert_eq!(wait(1_000_000), Some(0));
    assert_eq!(wait(999_990), Some(100));
    assert_eq!(wait(1_000_000), Some(200));
}

#[test]
fn a_refusal_says_when_to_come_again() {
    let rate = rate("rate = \"3/s\"");
    assert!(rate.charge(&KEY, 1000).is_ok());
    let again = rate.charge(&KEY, 1000).expect_err("refused");
    assert_eq!(again, Duration::from_millis(334));
    assert!(rate.charge(&KEY, 1333).is_err());
    assert!(rate.charge(&KEY, 1334).is_ok());
}

#[test]
fn what_is_taken_back_has_never_been() {
    let rate = rate("rate = \"10/s\"\nburst = 2");
    let charge = |now| rate.charge(&KEY, now).expect("admitted");
    let (first, _) = charge(1_000_000);
    rate.undo(&KEY, &first);
    assert_eq!(charge(1_000_000).1, Duration::ZERO, "the first again");
    let (second, _) = charge(1_000_000);
    let (_, wait) = charge(1_000_000);
    assert_eq!(wait, Duration::from_millis(200));
    // Another came after it: only one is taken away.
    rate.undo(&KEY, &second);
    assert_eq!(charge(1_000_000).1, Duration::from_millis(200));
}
