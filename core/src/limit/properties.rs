//! What holds whatever the order: counts return to zero, a limit is exact with any number of threads, and a flood of
//! keys neither grows the memory nor erases what is known.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use alb_conf::{Limit, Map};
use proptest::prelude::*;

use super::connections::Connections;
use super::key::{Key, Seeds};
use super::registry::written;
use super::table::Table;
use super::{Builder, Decision, KeySource, Keys, LimitSet};

struct Client(IpAddr);

impl Keys for Client {
    fn client_ip(&self) -> IpAddr {
        self.0
    }

    fn value(&self, _: &KeySource) -> Option<Cow<'_, [u8]>> {
        None
    }
}

fn client(number: u32) -> Client {
    Client(Ipv4Addr::from_bits(number).into())
}

fn set(limits: &[&str]) -> LimitSet {
    let named = |(number, toml): (usize, &&str)| (number.to_string().into(), written(toml));
    let map: Map<Limit> = limits.iter().enumerate().map(named).collect();
    let names: Vec<_> = map.keys().cloned().collect();
    Builder::new(&map, None).requests(&names)
}

fn key(number: u128) -> Key {
    let seeds = Seeds::default();
    let client = client(number as u32);
    seeds
        .key(&[KeySource::ClientIp { v4: 32, v6: 128 }], &client)
        .expect("a key")
}

proptest! {
    /// Permits are taken and dropped in any order, over more keys than there is room for.
    #[test]
    fn no_permit_leaks(steps in prop::collection::vec((0u32..200, any::<prop::sample::Index>(), any::<bool>()), 0..600)) {
        let table = Arc::new(Table::new(1));
        let limit = Connections::new(&written("connections = 3"), Arc::clone(&table)).expect("a limit");
        let keys: Vec<Key> = (0..200).map(|number| key(number * 65_537)).collect();
        let mut held = Vec::new();
        for (number, which, drop_one) in steps {
            if drop_one && !held.is_empty() {
                held.swap_remove(which.index(held.len()));
            } else {
                held.extend(limit.enter(&keys[number as usize]));
            }
            prop_assert_eq!(table.states().iter().sum::<u64>(), held.len() as u64);
        }
        drop(held);
        prop_assert!(table.states().iter().all(|count| *count == 0));
    }

    /// What a set refuses has counted nowhere, whichever of its limits refuses.
    #[test]
    fn a_set_holds_as_many_as_its_strictest_limit(one in 1u64..6, two in 1u64..6, three in 1u64..6) {
        let limits = [
            format!("connections = {one}"),
            format!("requests = {two}\nper = \"1h\""),
            format!("connections = {three}\nkey = \"all\""),
        ];
        let set = set(&limits.each_ref().map(String::as_str));
        let now = Instant::now();
        let decisions: Vec<_> = (0..20).map(|_| set.admit(now, &client(1))).collect();
        let passed = decisions.iter().filter(|d| matches!(d, Decision::Pass(_))).count() as u64;
        prop_assert_eq!(passed, one.min(two).min(three));
    }
}

/// How many of `each` requests from each of so many threads a set lets pass.
fn passed(set: &LimitSet, threads: u32, each: u32) -> u64 {
    let (passed, now) = (AtomicU64::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..each {
                    if let Decision::Pass(permit) = set.admit(now, &client(1)) {
                        passed.fetch_add(1, Ordering::Relaxed);
                        // Kept: what is counted here is how many there can be at once.
                        std::mem::forget(permit);
                    }
                }
            });
        }
    });
    passed.into_inner()
}

#[test]
fn limits_are_exact_with_one_thread_and_with_four() {
    for (toml, expected) in [
        ("rate = \"1/m\"\nburst = 700\nnodelay = true", 701),
        ("requests = 700\nper = \"1h\"", 700),
        ("requests = 700\nper = \"1h\"\nwindow = \"sliding\"", 700),
        ("connections = 700", 700),
    ] {
        for threads in [1, 4] {
            let each = 4000 / threads;
            assert_eq!(
                passed(&set(&[toml]), threads, each),
                expected,
                "{toml}, {threads} threads"
            );
        }
    }
}

#[test]
fn concurrent_refusals_of_one_limit_never_let_another_exceed() {
    let set = set(&[
        "rate = \"1/m\"\nburst = 500\nnodelay = true",
        "connections = 300",
    ]);
    assert_eq!(passed(&set, 4, 2000), 300);
}

#[test]
fn permits_of_many_threads_return_to_zero() {
    let table = Arc::new(Table::new(64));
    let limit = Connections::new(&written("connections = 5"), Arc::clone(&table)).expect("a limit");
    let keys: Vec<Key> = (0..400).map(|number| key(number * 977)).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (limit, keys) = (&limit, &keys);
            scope.spawn(move || {
                let mut held = Vec::new();
                for round in 0..20_000 {
                    held.extend(limit.enter(&keys[(round * 7 + thread * 13) % keys.len()]));
                    if held.len() > 50 {
                        held.swap_remove(round % held.len());
                    }
                }
            });
        }
    });
    assert_eq!(table.states().iter().sum::<u64>(), 0);
}

#[test]
fn a_flood_of_keys_erases_nothing_and_takes_no_memory() {
    let map = Map::from([(
        "x".to_owned().into(),
        written("rate = \"1/m\"\nentries = 4096"),
    )]);
    let set = Builder::new(&map, None).requests(&["x".to_owned().into()]);
    let now = Instant::now();
    let refused = |number| matches!(set.admit(now, &client(number)), Decision::Refuse(_));
    assert!(!refused(1) && refused(1));
    let flood = (0..1_000_000u32).map(|number| (number + 7).wrapping_mul(0x9e37_79b1));
    let admitted = flood.filter(|number| !refused(*number)).count();
    assert!(refused(1), "the flood erased a key under limit");
    // Every place has been used once, and each network of those without a place.
    assert!((6_000..9_000).contains(&admitted), "{admitted}");
    assert!(set.limiters()[0].pressed() > 900_000);
}

#[test]
fn a_table_has_room_for_the_keys_it_was_made_for() {
    let set = set(&["rate = \"1/m\"\nentries = 100000"]);
    let now = Instant::now();
    for number in 0..100_000 {
        assert!(matches!(set.admit(now, &client(number)), Decision::Pass(_)));
    }
    // 0.05 are to be expected; more than 3 in one run of twenty thousand.
    assert!(
        set.limiters()[0].pressed() <= 3,
        "{}",
        set.limiters()[0].pressed()
    );
    let bytes = Table::<[u64; 2]>::new(100_000).bytes();
    assert!(bytes <= 65 * 100_000, "{bytes}");
}

#[test]
fn keys_that_are_dead_make_room() {
    let set = set(&["rate = \"1000/s\"\nentries = 16"]);
    let start = Instant::now();
    for number in 0..10_000u32 {
        let now = start + std::time::Duration::from_millis(2 * u64::from(number));
        assert!(matches!(set.admit(now, &client(number)), Decision::Pass(_)));
    }
    assert_eq!(set.limiters()[0].pressed(), 0);
}
