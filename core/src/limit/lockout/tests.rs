//! Guessing clients, old passwords, and many of them.

use std::net::Ipv4Addr;

use super::*;

fn lockout(per_client: u32, per_user: u32) -> (Lockout, Instant) {
    let policy = Policy {
        per_client,
        per_user,
        waiting: 2,
        entries: 1024,
        ..Policy::default()
    };
    (Lockout::new(policy), Instant::now())
}

fn minutes(number: u64) -> Duration {
    Duration::from_secs(60 * number)
}

fn rejected<'a>(client: &str, user: &'a str, secret: &'a str) -> Rejected<'a> {
    Rejected {
        client: client.parse().expect(client),
        user: user.as_bytes(),
        secret: secret.as_bytes(),
    }
}

#[test]
fn a_guessing_client_is_locked_out_for_its_time() {
    let (lockout, now) = lockout(3, 0);
    let guess = |number: u32, at| {
        let secret = number.to_string();
        lockout
            .failed(&rejected("10.0.0.1", "alice", &secret), at)
            .locked
    };
    assert_eq!(guess(1, now), None);
    assert_eq!(guess(2, now + minutes(1)), None);
    assert_eq!(guess(3, now + minutes(2)), Some(minutes(15)));
    let client = "10.0.0.1".parse().expect("an address");
    assert_eq!(lockout.locked(client, now + minutes(7)), Some(minutes(10)));
    assert_eq!(
        lockout.locked("10.0.0.2".parse().expect("an address"), now),
        None
    );
    // Failures of connections that were open do not make it longer.
    assert_eq!(guess(4, now + minutes(7)), Some(minutes(10)));
    assert_eq!(lockout.locked(client, now + minutes(17)), None);
    assert_eq!(guess(5, now + minutes(17)), None, "it begins anew");
}

#[test]
fn failures_far_apart_and_the_same_again_do_not_lock() {
    let (lockout, now) = lockout(2, 0);
    let first = lockout.failed(&rejected("10.0.0.1", "alice", "old"), now);
    assert!(!first.repeated);
    for minute in 1..10 {
        let again = lockout.failed(&rejected("10.0.0.1", "alice", "old"), now + minutes(minute));
        assert!(again.repeated && again.locked.is_none());
    }
    let later = lockout.failed(&rejected("10.0.0.1", "alice", "other"), now + minutes(11));
    assert_eq!(
        later,
        Verdict {
            repeated: false,
            locked: None
        }
    );
}

#[test]
fn an_ipv6_client_is_its_network() {
    let (lockout, now) = lockout(2, 0);
    lockout.failed(&rejected("2001:db8::1", "a", "1"), now);
    let second = lockout.failed(&rejected("2001:db8::ffff", "a", "2"), now);
    assert!(second.locked.is_some());
    let neighbour = "2001:db8:0:1::1".parse().expect("an address");
    assert_eq!(lockout.locked(neighbour, now), None);
}

#[test]
fn an_account_that_is_guessed_at_gets_slow_and_not_locked() {
    let (lockout, now) = lockout(0, 3);
    let client: IpAddr = "10.0.0.9".parse().expect("an address");
    for number in 0..3u8 {
        assert!(!lockout.is_slow(b"alice", client, now));
        let from = format!("10.0.{number}.1");
        let failed = lockout.failed(&rejected(&from, "alice", &from), now);
        assert_eq!(failed.locked, None);
    }
    assert!(lockout.is_slow(b"alice", client, now));
    assert!(!lockout.is_slow(b"bob", client, now));
    assert!(!lockout.is_slow(b"alice", client, now + minutes(10)));
    lockout.succeeded(b"alice", client, now);
    assert!(!lockout.is_slow(b"alice", client, now));
}

#[test]
fn the_exempt_are_never_locked_out() {
    let prefix: alb_conf::Prefix = "10.0.0.0/8".parse().expect("a prefix");
    let lockout = Lockout::new(Policy {
        per_client: 1,
        exempt: Some(AddressSet::of([&prefix])),
        ..Policy::default()
    });
    let now = Instant::now();
    assert!(
        lockout
            .failed(&rejected("10.1.1.1", "a", "1"), now)
            .locked
            .is_none()
    );
    assert!(
        lockout
            .failed(&rejected("::ffff:10.1.1.1", "a", "2"), now)
            .locked
            .is_none()
    );
    assert!(
        lockout
            .failed(&rejected("192.0.2.1", "a", "3"), now)
            .locked
            .is_some()
    );
}

#[test]
fn no_more_logins_are_decided_at_once_than_may_fail() {
    let (lockout, now) = lockout(3, 0);
    let client: IpAddr = "10.0.0.1".parse().expect("an address");
    let turn = || match lockout.turn(client, now) {
        Turn::Now(deciding) => Some(deciding),
        Turn::Later => None,
        Turn::LockedOut => panic!("locked out"),
    };
    let mut deciding: Vec<_> = std::iter::from_fn(turn).collect();
    assert_eq!(deciding.len(), 3);
    deciding.pop();
    assert!(turn().is_some(), "one has ended");
    lockout.failed(&rejected("10.0.0.1", "alice", "1"), now);
    assert!(turn().is_none(), "two under way and one that failed");
    lockout.failed(&rejected("10.0.0.1", "alice", "2"), now);
    lockout.failed(&rejected("10.0.0.1", "alice", "3"), now);
    assert!(matches!(lockout.turn(client, now), Turn::LockedOut));
    drop(deciding);
    let later = now + minutes(15);
    assert!(matches!(lockout.turn(client, later), Turn::Now(_)));
    let another = "10.0.0.2".parse().expect("an address");
    assert!(matches!(lockout.turn(another, now), Turn::Now(_)));
}

#[test]
fn turns_are_not_counted_of_the_exempt_nor_without_a_bound() {
    let (lockout, now) = lockout(0, 0);
    let client = "10.0.0.1".parse().expect("an address");
    let many: Vec<_> = (0..100).map(|_| lockout.turn(client, now)).collect();
    assert!(many.iter().all(|turn| matches!(turn, Turn::Now(_))));
}

#[test]
fn decrees_hold() {
    let (lockout, now) = lockout(20, 0);
    let client = "192.0.2.1".parse().expect("an address");
    lockout.lock(client, now);
    assert_eq!(lockout.locked(client, now), Some(minutes(15)));
    lockout.unlock(client, now);
    assert_eq!(lockout.locked(client, now), None);
}

#[test]
fn waits_grow_and_are_bounded_in_number() {
    let (lockout, _) = lockout(20, 0);
    let seconds = |failures| lockout.wait(failures).map(|(wait, _)| wait.as_secs());
    assert_eq!(
        [1, 2, 3, 4, 5, 99].map(seconds),
        [1, 2, 4, 8, 8, 8].map(Some)
    );
    let held = [lockout.wait(1), lockout.wait(1)];
    assert!(held.iter().all(Option::is_some) && lockout.wait(1).is_none());
    assert_eq!(lockout.waiting(), 2);
    drop(held);
    assert_eq!(lockout.waiting(), 0);
}

#[test]
fn a_flood_of_guessers_frees_nobody() {
    let (lockout, now) = lockout(3, 0);
    let client = "192.0.2.1".parse().expect("an address");
    lockout.lock(client, now);
    for number in 0..100_000u32 {
        let client = Ipv4Addr::from_bits(number << 8).into();
        lockout.failed(
            &Rejected {
                client,
                user: b"a",
                secret: &number.to_be_bytes(),
            },
            now,
        );
    }
    assert_eq!(lockout.locked(client, now), Some(minutes(15)));
    assert!(lockout.pressed() > 0);
}

#[test]
fn a_reload_keeps_what_is_known_and_takes_the_new_policy() {
    let (before, now) = lockout(2, 0);
    let guess = |lockout: &Lockout, secret| {
        let failed = lockout.failed(&rejected("10.0.0.1", "alice", secret), now);
        failed.locked.is_some()
    };
    assert!(!guess(&before, "1") && guess(&before, "2"));
    let policy = |entries| Policy {
        lockout: minutes(1),
        entries,
        ..Policy::default()
    };
    let client = rejected("10.0.0.1", "", "").client;
    let after = Lockout::adopting(policy(1024), Some(&before));
    assert!(
        after
            .locked(client, now)
            .is_some_and(|time| time <= minutes(1))
    );
    assert_eq!(after.locked(client, now + minutes(2)), None);
    let anew = Lockout::adopting(policy(2048), Some(&before));
    assert_eq!(anew.locked(client, now), None);
}
