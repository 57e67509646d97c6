//! The algorithms beside round robin, with time passed in.

mod homes;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use alb_conf::{PeerEntry, Upstream as Written};

use super::*;
use crate::upstream::sticky::Key;
use crate::upstream::{PeerAddress, Settings, Upstream};

/// A group from the peers of a configuration, the rest of it as written.
fn group(written: &Written) -> Arc<Upstream> {
    after(None, written)
}

fn after(before: Option<&Upstream>, written: &Written) -> Arc<Upstream> {
    let mut settings = Settings::new(written, None);
    if let Some(cookie) = &written.sticky {
        let key = Key::new(vec![7; 32]).expect("a key");
        let cookie = (**cookie).clone();
        settings = settings.with_sticky(Sticky::new("app", cookie, key));
    }
    Upstream::new("app", settings, written.peers.clone(), before)
}

fn peers(weights: &[u32]) -> Vec<PeerEntry> {
    let entry = |(number, weight): (usize, &u32)| {
        let address: alb_conf::PeerAddress = format!("10.0.0.{}:80", number + 1)
            .parse()
            .expect("an address");
        PeerEntry {
            weight: *weight,
            ..PeerEntry::new(address.into())
        }
    };
    weights.iter().enumerate().map(entry).collect()
}

fn written(balance: Balance, weights: &[u32]) -> Written {
    Written {
        balance,
        peers: peers(weights),
        ..Written::default()
    }
}

fn sticky(weights: &[u32]) -> Written {
    Written {
        sticky: Some(alb_conf::Sticky::default().into()),
        ..written(Balance::Sticky, weights)
    }
}

/// The last byte of a peer's address.
fn number(peer: &Peer) -> u8 {
    match peer.address() {
        PeerAddress::Tcp(address) => match address.ip() {
            IpAddr::V4(v4) => v4.octets()[3],
            IpAddr::V6(v6) => v6.octets()[15],
        },
        other => panic!("{other}"),
    }
}

fn of_client(client: &str) -> Affinity<'static> {
    Affinity {
        client_ip: client.parse().expect("an address"),
        key: None,
        cookie: None,
    }
}

fn chosen(cursor: &mut Cursor, now: Instant, affinity: &Affinity<'_>) -> u8 {
    let active = cursor.pick_for(now, affinity, &mut Tried::default());
    number(&active.expect("a peer"))
}

#[test]
fn least_connections_fills_by_weight_and_takes_turns_between_equals() {
    let group = group(&written(Balance::LeastConnections, &[2, 1, 1]));
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(cursor.pick(now, &mut Tried::default()).expect("a peer"));
    }
    let counts = [1, 2, 3].map(|n| held.iter().filter(|a| number(a) == n).count());
    assert_eq!(counts, [4, 2, 2]);
    held.retain(|active| number(active) != 3);
    let next = cursor.pick(now, &mut Tried::default()).expect("a peer");
    assert_eq!(number(&next), 3);
    let idle = group.cursor(0);
    drop((held, next));
    let mut cursor = idle;
    let order: Vec<u8> = (0..8)
        .map(|_| chosen(&mut cursor, now, &of_client("::1")))
        .collect();
    assert_eq!(order, [1, 2, 3, 1, 1, 2, 3, 1]);
}

#[test]
fn max_conns_is_exact_and_full_peers_are_passed_over() {
    let mut config = written(Balance::RoundRobin, &[1, 1]);
    config.peers[0].max_conns = Some(2);
    let group = group(&config);
    let now = Instant::now();
    let mut cursors = [group.cursor(0), group.cursor(1)];
    let mut held: Vec<Active> = Vec::new();
    for turn in 0..10 {
        let active = cursors[turn % 2].pick(now, &mut Tried::default());
        held.push(active.expect("the other has room"));
    }
    assert_eq!(held.iter().filter(|a| number(a) == 1).count(), 2);
    held.clear();
    assert!(group.peers().iter().all(|peer| peer.active() == 0));
}

#[test]
fn max_conns_holds_even_for_the_only_peer_and_the_backup() {
    let mut config = written(Balance::RoundRobin, &[1, 1]);
    config.peers[0].max_conns = Some(1);
    config.peers[1].max_conns = Some(1);
    config.peers[1].backup = true;
    let both = group(&config);
    let (mut cursor, now) = (both.cursor(0), Instant::now());
    let first = cursor.pick(now, &mut Tried::default()).expect("a peer");
    let second = cursor.pick(now, &mut Tried::default()).expect("the backup");
    assert_eq!((number(&first), number(&second)), (1, 2));
    assert!(cursor.pick(now, &mut Tried::default()).is_none());
    config.peers.pop();
    let only = group(&config);
    let mut cursor = only.cursor(0);
    let _held = cursor.pick(now, &mut Tried::default()).expect("a peer");
    assert!(cursor.pick(now, &mut Tried::default()).is_none());
}

#[test]
fn ip_hash_keeps_a_network_at_its_peer_and_passes_over_one_that_failed() {
    let group = group(&written(Balance::IpHash, &[1, 1, 1]));
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let first = chosen(&mut cursor, now, &of_client("192.0.2.1"));
    for host in 2..50 {
        let client = of_client(&format!("192.0.2.{host}"));
        assert_eq!(chosen(&mut cursor, now, &client), first);
    }
    let peers = group.peers();
    let failed = peers.iter().find(|peer| number(peer) == first);
    let failed = PeerRef::new(Arc::clone(failed.expect("the peer")));
    for _ in 0..3 {
        cursor.report(&failed, Outcome::Failure, now);
    }
    let other = chosen(&mut cursor, now, &of_client("192.0.2.1"));
    assert_ne!(other, first);
    assert_eq!(chosen(&mut cursor, now, &of_client("192.0.2.9")), other);
}

#[test]
fn a_retry_goes_on_from_where_the_hash_was() {
    for balance in [Balance::IpHash, Balance::Hash] {
        let group = group(&written(balance, &[1, 1, 1]));
        let (mut cursor, now) = (group.cursor(0), Instant::now());
        let (client, mut tried) = (of_client("192.0.2.1"), Tried::default());
        let mut seen: Vec<u8> = Vec::new();
        while let Some(active) = cursor.pick_for(now, &client, &mut tried) {
            seen.push(number(&active));
        }
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3], "{balance:?}");
    }
}

#[test]
fn a_peer_that_goes_takes_only_its_own_keys_along() {
    let config = written(Balance::Hash, &[1, 1, 1, 1, 1]);
    let whole = group(&config);
    let fewer = after(
        None,
        &Written {
            peers: config.peers[..4].to_vec(),
            ..config
        },
    );
    let now = Instant::now();
    let (mut before, mut later) = (whole.cursor(0), fewer.cursor(0));
    let (mut counts, mut moved) = (BTreeMap::new(), 0);
    for number in 0..10_000u32 {
        let key = number.to_string();
        let affinity = Affinity {
            key: Some(key.as_bytes()),
            ..of_client("::1")
        };
        let (was, is) = (
            chosen(&mut before, now, &affinity),
            chosen(&mut later, now, &affinity),
        );
        *counts.entry(was).or_insert(0) += 1;
        if was != is {
            assert_eq!(was, 5, "only keys of the peer that went may move");
            moved += 1;
        }
    }
    assert_eq!(moved, counts[&5]);
    assert!(
        counts.values().all(|n| (1_400..2_600).contains(n)),
        "{counts:?}"
    );
}

#[test]
fn an_empty_key_is_balanced_by_round_robin() {
    let config = Written {
        hash_key: Some(HashKey::Header("x-user".to_owned()).into()),
        ..written(Balance::Hash, &[1, 1])
    };
    let group = group(&config);
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let without = of_client("192.0.2.1");
    let order: Vec<u8> = (0..4).map(|_| chosen(&mut cursor, now, &without)).collect();
    assert_eq!(order, [1, 2, 1, 2]);
}

#[test]
fn random_follows_weights_and_prefers_the_less_busy_of_two() {
    let group = group(&written(Balance::Random, &[3, 1]));
    let (mut cursor, now) = (group.cursor(1), Instant::now());
    let first = cursor.pick(now, &mut Tried::default()).expect("a peer");
    let busy = number(&first);
    let other = if busy == 1 { 2 } else { 1 };
    assert_eq!(chosen(&mut cursor, now, &of_client("::1")), other);
    drop(first);
    let heavy = (0..4000).filter(|_| chosen(&mut cursor, now, &of_client("::1")) == 1);
    assert!((2_800..3_200).contains(&heavy.count()));
}

#[test]
fn a_cookie_brings_its_client_back_even_to_a_drained_peer_but_not_to_a_failed_one() {
    let mut config = sticky(&[1, 1, 1]);
    let group = group(&config);
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let peers = group.peers();
    let value = cursor
        .cookie(&peers.primary[1], None, 1000)
        .expect("a new cookie");
    let with_cookie = Affinity {
        cookie: Some(Cookie {
            value: &value,
            unix: 1001,
        }),
        ..of_client("192.0.2.1")
    };
    assert!((0..9).all(|_| chosen(&mut cursor, now, &with_cookie) == 2));
    assert_eq!(cursor.cookie(&peers.primary[1], Some(&value), 1001), None);
    config.peers[1].drain = true;
    let drained = after(Some(&group), &config);
    let mut cursor = drained.cursor(0);
    assert!((0..9).all(|_| chosen(&mut cursor, now, &of_client("::1")) != 2));
    assert_eq!(chosen(&mut cursor, now, &with_cookie), 2);
    let failed = PeerRef::new(Arc::clone(&drained.peers().primary[1]));
    for _ in 0..3 {
        cursor.report(&failed, Outcome::Failure, now);
    }
    assert_ne!(chosen(&mut cursor, now, &with_cookie), 2);
    let expired = Affinity {
        cookie: Some(Cookie {
            value: &value,
            unix: 4600,
        }),
        ..with_cookie
    };
    let back = now + Duration::from_secs(60);
    assert!((0..9).all(|_| chosen(&mut cursor, back, &expired) != 2));
}

#[test]
fn clients_with_cookies_steer_new_ones_to_other_peers() {
    let group = group(&sticky(&[1, 1]));
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let value = cursor
        .cookie(&group.peers().primary[0], None, 0)
        .expect("a cookie");
    let stuck = Affinity {
        cookie: Some(Cookie {
            value: &value,
            unix: 1,
        }),
        ..of_client("::1")
    };
    for _ in 0..100 {
        chosen(&mut cursor, now, &stuck);
    }
    let news: Vec<u8> = (0..4)
        .map(|_| chosen(&mut cursor, now, &of_client("::1")))
        .collect();
    assert_eq!(news, [2, 1, 2, 1], "at most one round is owed");
}

#[test]
fn a_recovered_peer_gets_its_share_little_by_little_and_never_nothing() {
    let config = Written {
        slow_start: alb_conf::Time::seconds(100),
        ..written(Balance::RoundRobin, &[1, 1])
    };
    let group = group(&config);
    let (mut cursor, start) = (group.cursor(0), Instant::now());
    let late = PeerRef::new(Arc::clone(&group.peers().primary[1]));
    late.rise(start);
    let mut share_at = |seconds| {
        let now = start + Duration::from_secs(seconds);
        let own = (0..1000).filter(|_| chosen(&mut cursor, now, &of_client("::1")) == 2);
        own.count()
    };
    let shares = [0, 10, 50, 100].map(&mut share_at);
    // w / (1 + w) for w = 0.01, 0.1, 0.5, 1.
    for (share, expected) in shares.into_iter().zip([10, 91, 333, 500]) {
        assert!(share.abs_diff(expected) <= 3, "{shares:?}");
    }
}

#[test]
fn a_peer_that_joins_a_running_group_starts_slowly() {
    let mut config = Written {
        slow_start: alb_conf::Time::seconds(100),
        ..written(Balance::RoundRobin, &[1, 1])
    };
    let first = group(&config);
    let now = Instant::now();
    assert_eq!(first.peers().primary[0].share(now), SHARE);
    config.peers = peers(&[1, 1, 1]);
    let grown = after(Some(&first), &config);
    let shares: Vec<_> = grown.peers().iter().map(|peer| peer.share(now)).collect();
    assert_eq!(shares[..2], [SHARE, SHARE]);
    assert!(shares[2] < SHARE / 50 && shares[2] > 0);
}

const SHARE: i64 = crate::upstream::peer::SHARE_UNIT;

#[test]
fn a_peer_that_fails_its_checks_is_not_used_even_alone() {
    let config = Written {
        health: Some(alb_conf::Health::default().into()),
        ..written(Balance::RoundRobin, &[1])
    };
    let check = crate::health::Check::new(&config, None).expect("a check");
    let settings = Settings::new(&config, None).with_health(check);
    let group = Upstream::new("app", settings, config.peers.clone(), None);
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let peer = Arc::clone(&group.peers().primary[0]);
    for _ in 0..3 {
        assert!(cursor.pick(now, &mut Tried::default()).is_some());
        peer.verdict().take(false, 2, 3);
    }
    assert!(cursor.pick(now, &mut Tried::default()).is_none());
    // A reload keeps the verdict; one that removes the checks forgets it.
    let settings = group.settings().clone();
    let same = Upstream::new("app", settings, config.peers.clone(), Some(&group));
    assert!(same.cursor(0).pick(now, &mut Tried::default()).is_none());
    let unchecked = after(Some(&group), &written(Balance::RoundRobin, &[1]));
    assert!(
        unchecked
            .cursor(0)
            .pick(now, &mut Tried::default())
            .is_some()
    );
}
