//! Balancing and failure detection, with time passed in.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use alb_conf::UpstreamProtocol;

use super::*;

fn settings() -> Settings {
    Settings::new(&alb_conf::Upstream::default(), None)
}

fn entry(text: &str, weight: u32) -> PeerEntry {
    let address = text.parse::<alb_conf::PeerAddress>().expect("an address");
    PeerEntry {
        weight,
        ..PeerEntry::new(address.into())
    }
}

fn backup(text: &str) -> PeerEntry {
    PeerEntry {
        backup: true,
        ..entry(text, 1)
    }
}

fn group(entries: Vec<PeerEntry>) -> Arc<Upstream> {
    Upstream::new("app", settings(), entries, None)
}

/// Picks once and gives the last digit of the address.
fn pick(cursor: &mut Cursor, now: Instant) -> Option<PeerRef> {
    let active = cursor.pick(now, &mut Tried::default())?;
    Some(active.peer().clone())
}

fn order(cursor: &mut Cursor, now: Instant, count: usize) -> String {
    let letter = |peer: PeerRef| match peer.address() {
        PeerAddress::Tcp(SocketAddr::V4(v4)) => char::from(b'a' - 1 + v4.ip().octets()[3]),
        other => panic!("{other}"),
    };
    (0..count)
        .map(|_| pick(cursor, now).map_or('-', letter))
        .collect()
}

fn fail(cursor: &mut Cursor, last_octet: u8, times: usize, now: Instant) {
    let peer = find(cursor, last_octet, now);
    for _ in 0..times {
        cursor.report(&peer, Outcome::Failure, now);
    }
}

fn find(cursor: &mut Cursor, last_octet: u8, now: Instant) -> PeerRef {
    let wanted = format!("10.0.0.{last_octet}:80");
    (0..100)
        .filter_map(|_| pick(cursor, now))
        .find(|peer| peer.address().to_string() == wanted)
        .expect("the peer is chosen sooner or later")
}

fn three() -> Vec<PeerEntry> {
    vec![
        entry("10.0.0.1:80", 1),
        entry("10.0.0.2:80", 1),
        entry("10.0.0.3:80", 1),
    ]
}

#[test]
fn weights_5_1_1_give_the_smooth_order_of_nginx() {
    let group = group(vec![
        entry("10.0.0.1:80", 5),
        entry("10.0.0.2:80", 1),
        entry("10.0.0.3:80", 1),
    ]);
    let order = order(&mut group.cursor(0), Instant::now(), 14);
    assert_eq!(order, "aabacaaaabacaa");
}

#[test]
fn start_shifts_the_order_only() {
    let group = group(three());
    let now = Instant::now();
    assert_eq!(order(&mut group.cursor(1), now, 6), "bcabca");
    assert_eq!(order(&mut group.cursor(5), now, 6), "cabcab");
}

#[test]
fn a_tried_peer_is_never_chosen_again() {
    let group = group(three());
    let mut cursor = group.cursor(0);
    let (now, mut tried) = (Instant::now(), Tried::default());
    let ids: BTreeSet<u64> = std::iter::from_fn(|| cursor.pick(now, &mut tried))
        .map(|peer| peer.id())
        .collect();
    assert_eq!((ids.len(), tried.count()), (3, 3));
}

#[test]
fn max_fails_within_the_window_take_a_peer_out_for_fail_timeout() {
    let group = group(three());
    let mut cursor = group.cursor(0);
    let start = Instant::now();
    fail(&mut cursor, 2, 3, start);
    let later = |seconds| start + Duration::from_secs(seconds);
    assert!(!order(&mut cursor, later(9), 6).contains('b'));
    assert!(order(&mut cursor, later(11), 6).contains('b'));
}

#[test]
fn a_peer_back_from_its_penalty_gets_one_try_until_it_answers() {
    let group = group(three());
    let mut cursor = group.cursor(0);
    let start = Instant::now();
    fail(&mut cursor, 2, 3, start);
    let back = start + Duration::from_secs(11);
    let peer = find(&mut cursor, 2, back);
    assert!(!order(&mut cursor, back, 6).contains('b'));
    cursor.report(&peer, Outcome::Success, back);
    assert!(order(&mut cursor, back, 6).contains('b'));
}

#[test]
fn success_in_a_later_window_clears_the_failures() {
    let group = group(three());
    let mut cursor = group.cursor(0);
    let start = Instant::now();
    let peer = find(&mut cursor, 2, start);
    fail(&mut cursor, 2, 2, start);
    cursor.report(&peer, Outcome::Success, start);
    let next_window = start + Duration::from_secs(11);
    order(&mut cursor, next_window, 3);
    cursor.report(&peer, Outcome::Success, next_window);
    fail(&mut cursor, 2, 2, next_window);
    assert!(peer.is_available(next_window));
}

#[test]
fn failures_lower_the_weight_and_choices_restore_it() {
    let group = group(vec![entry("10.0.0.1:80", 6), entry("10.0.0.2:80", 1)]);
    let mut cursor = group.cursor(0);
    let now = Instant::now();
    let peer = find(&mut cursor, 1, now);
    cursor.report(&peer, Outcome::Failure, now);
    assert_eq!(peer.effective_weight(), 4);
    order(&mut cursor, now, 2);
    assert_eq!(peer.effective_weight(), 6);
}

#[test]
fn a_failure_seen_by_one_worker_counts_for_all() {
    let group = group(three());
    let now = Instant::now();
    fail(&mut group.cursor(0), 1, 3, now);
    assert!(!order(&mut group.cursor(0), now, 6).contains('a'));
}

#[test]
fn the_only_peer_is_used_whatever_happens() {
    let group = group(vec![entry("10.0.0.1:80", 1)]);
    let mut cursor = group.cursor(0);
    let now = Instant::now();
    fail(&mut cursor, 1, 10, now);
    assert_eq!(order(&mut cursor, now, 2), "aa");
}

#[test]
fn down_takes_even_the_only_peer_out() {
    let down = PeerEntry {
        down: true,
        ..entry("10.0.0.1:80", 1)
    };
    assert_eq!(
        order(&mut group(vec![down]).cursor(0), Instant::now(), 1),
        "-"
    );
}

#[test]
fn backup_serves_only_when_no_primary_can() {
    let group = group(vec![entry("10.0.0.1:80", 1), backup("10.0.0.2:80")]);
    let mut cursor = group.cursor(0);
    let now = Instant::now();
    assert_eq!(order(&mut cursor, now, 3), "aaa");
    fail(&mut cursor, 1, 3, now);
    assert_eq!(order(&mut cursor, now, 3), "bbb");
}

#[test]
fn reload_keeps_the_state_of_a_peer_that_stays() {
    let before = group(three());
    let now = Instant::now();
    fail(&mut before.cursor(0), 1, 3, now);
    let entries = vec![entry("10.0.0.1:80", 2), entry("10.0.0.4:80", 1)];
    let after = Upstream::new("app", settings(), entries, Some(&before));
    assert_eq!(order(&mut after.cursor(0), now, 2), "dd");
    assert_eq!(
        after.peers().primary[0].id(),
        before.peers().primary[0].id()
    );
}

#[test]
fn a_changed_protocol_gives_peers_new_ids_but_keeps_their_failures() {
    let before = group(three());
    let now = Instant::now();
    fail(&mut before.cursor(0), 1, 3, now);
    let settings = Settings {
        protocol: UpstreamProtocol::H2,
        ..settings()
    };
    let after = Upstream::new("app", settings, three(), Some(&before));
    assert_ne!(
        after.peers().primary[0].id(),
        before.peers().primary[0].id()
    );
    assert!(!after.peers().primary[0].is_available(now));
}

#[test]
fn a_name_adds_its_addresses_and_running_cursors_see_them() {
    let group = group(vec![entry("app.internal:80", 1)]);
    let mut cursor = group.cursor(0);
    let now = Instant::now();
    assert_eq!(order(&mut cursor, now, 1), "-");
    let query = Query::Host("app.internal".to_owned());
    let targets = |list: &[&str]| {
        let ips = list.iter().map(|a| a.parse().expect("ip"));
        ips.map(Target::host).collect()
    };
    assert!(group.set_targets(&query, targets(&["10.0.0.1", "10.0.0.2"])));
    assert!(!group.set_targets(&query, targets(&["10.0.0.2", "10.0.0.1"])));
    assert_eq!(order(&mut cursor, now, 4), "abab");
    assert_eq!(group.queries(), [query].into());
}

#[test]
fn a_peer_that_somebody_else_names_goes_by_the_name_that_the_list_has_for_its_address() {
    let group = group(vec![entry("app.internal:80", 1), entry("10.0.0.9:80", 1)]);
    let query = Query::Host("app.internal".to_owned());
    let ip = "10.0.0.1".parse().expect("ip");
    assert!(group.set_targets(&query, [Target::host(ip)].into()));
    for (address, name) in [
        ("10.0.0.1:80", "app.internal"),
        ("10.0.0.9:80", "10.0.0.9"),
        ("10.0.0.1:81", "10.0.0.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
    ] {
        let peer = group.peer_at(address.parse().expect("an address"));
        assert_eq!(peer.expect("a peer").host(), Some(name), "{address}");
    }
}

#[test]
fn active_tries_are_counted_by_guards() {
    let group = group(three());
    let chosen = group.cursor(0).pick(Instant::now(), &mut Tried::default());
    let guard = chosen.expect("a peer");
    let peer = guard.peer().clone();
    assert_eq!(peer.active(), 1);
    drop(guard);
    assert_eq!(peer.active(), 0);
}

#[test]
fn a_peer_is_well_again_when_it_has_answered_and_not_when_it_is_only_due_for_a_try() {
    let group = group(three());
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let peer = find(&mut cursor, 1, now);
    assert!(peer.is_well(now));
    cursor.report(&peer, Outcome::Failure, now);
    assert!(!peer.is_well(now), "one failure is enough");
    let later = now + Duration::from_secs(60);
    assert!(peer.is_available(later) && !peer.is_well(later));
    let peer = find(&mut cursor, 1, later);
    cursor.report(&peer, Outcome::Success, later);
    assert!(peer.is_well(later));
}
