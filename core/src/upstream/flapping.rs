//! A day of peers that come and go, in moments: time is passed in. Whatever happens, a peer that has been well for long
//! enough is used, one that fails its checks is not, and nothing stays counted. Without `failover` a client is at its own peer
//! or nowhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_conf::{Balance, Health, PeerEntry, Upstream as Written};

use super::{Active, Affinity, Cursor, Outcome, Settings, Tried, Upstream};
use crate::health::Check;

const PEERS: usize = 5;
const DAY: u64 = 24 * 3600;

/// A small generator, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// One day with one algorithm.
struct World {
    written: Written,
    /// The same peers on a day on which all are well.
    calm: Cursor,
    group: Arc<Upstream>,
    cursors: Vec<Cursor>,
    random: Random,
    /// Until when each peer is as it is, and whether it is well.
    until: [u64; PEERS],
    well: [bool; PEERS],
    /// Since when each peer has been as it is.
    since: [u64; PEERS],
    served: u64,
    held: Vec<(u64, Active)>,
}

fn written(balance: Balance, failover: bool) -> Written {
    let peer = |number| {
        let address: alb_conf::PeerAddress =
            format!("10.0.0.{number}:80").parse().expect("an address");
        PeerEntry {
            weight: number,
            max_conns: Some(20),
            ..PeerEntry::new(address.into())
        }
    };
    Written {
        balance,
        failover: failover.into(),
        peers: (1..=PEERS as u32).map(peer).collect(),
        health: Some(Health::default().into()),
        slow_start: alb_conf::Time::seconds(30),
        ..Written::default()
    }
}

fn build(written: &Written, before: Option<&Upstream>) -> Arc<Upstream> {
    let check = Check::new(written, None).expect("a check");
    let settings = Settings::new(written, None).with_health(check);
    Upstream::new("app", settings, written.peers.clone(), before)
}

impl World {
    fn new(written: Written) -> Self {
        let group = build(&written, None);
        World {
            calm: build(&written, None).cursor(9),
            written,
            cursors: (0..3).map(|start| group.cursor(start)).collect(),
            group,
            random: Random(42),
            until: [0; PEERS],
            well: [true; PEERS],
            since: [0; PEERS],
            served: 0,
            held: Vec::new(),
        }
    }

    /// Peers change their mind after 1 second to 10 minutes.
    fn flap(&mut self, second: u64) {
        for peer in 0..PEERS {
            if self.until[peer] <= second {
                self.until[peer] = second + 1 + self.random.below(600);
                let well = self.random.below(2) == 0;
                if well != self.well[peer] {
                    (self.well[peer], self.since[peer]) = (well, second);
                }
            }
        }
    }

    fn check(&self, now: Instant) {
        for (peer, well) in self.group.peers().iter().zip(self.well) {
            if peer.verdict().take(well, 2, 3).is_some() && well {
                peer.rise(now);
            }
        }
    }

    /// One request, retried once, through one of the workers.
    fn request(&mut self, second: u64, now: Instant) {
        let worker = self.random.below(3) as usize;
        let client = [10, 0, self.random.below(256) as u8, 1];
        let affinity = Affinity {
            client_ip: client.into(),
            key: None,
            cookie: None,
        };
        let mut tried = Tried::default();
        for _ in 0..2 {
            let Some(active) = self.cursors[worker].pick_for(now, &affinity, &mut tried) else {
                break;
            };
            let peer = active.peer().clone();
            if !*self.written.failover {
                let own = self.calm.pick_for(now, &affinity, &mut Tried::default());
                assert_eq!(peer.address(), own.expect("a peer").address());
            }
            let index = peer.weight() as usize - 1;
            let outcome = match self.well[index] {
                true => Outcome::Success,
                false => Outcome::Failure,
            };
            self.cursors[worker].report(&peer, outcome, now);
            if self.well[index] {
                self.served += 1;
                let end = second + self.random.below(4);
                self.held.push((end, active));
                return;
            }
        }
    }

    /// Those that have been as they are for a minute are treated so.
    fn examine(&self, second: u64, now: Instant) {
        for (index, peer) in self.group.peers().iter().enumerate() {
            if second - self.since[index] < 60 {
                continue;
            }
            let full = peer.active() >= 20;
            assert!(
                peer.is_available(now) == self.well[index] || full,
                "second {second}: peer {index} is well: {}",
                self.well[index]
            );
        }
    }

    fn reload(&mut self) {
        self.group = build(&self.written, Some(&self.group));
        self.cursors = (0..3).map(|start| self.group.cursor(start)).collect();
    }
}

fn live_through_a_day(balance: Balance) {
    live_through(written(balance, true), DAY * 3 / 2);
}

fn live_through(written: Written, least: u64) {
    let mut world = World::new(written);
    let start = Instant::now();
    for second in 0..DAY {
        let now = start + Duration::from_secs(second);
        world.flap(second);
        if second % 5 == 0 {
            world.check(now);
        }
        world.held.retain(|(end, _)| *end > second);
        for _ in 0..3 {
            world.request(second, now);
        }
        world.examine(second, now);
        if second % 3571 == 3570 {
            world.reload();
        }
    }
    world.held.clear();
    assert!(world.group.peers().iter().all(|peer| peer.active() == 0));
    assert!(
        world.served > least,
        "{:?} served {}",
        world.written.balance,
        world.served
    );
}

#[test]
fn a_day_of_round_robin_leaves_no_peer_stuck() {
    live_through_a_day(Balance::RoundRobin);
}

#[test]
fn a_day_of_least_connections_leaves_no_peer_stuck() {
    live_through_a_day(Balance::LeastConnections);
}

#[test]
fn a_day_of_ip_hash_leaves_no_peer_stuck() {
    live_through_a_day(Balance::IpHash);
}

#[test]
fn a_day_of_consistent_hash_leaves_no_peer_stuck() {
    live_through_a_day(Balance::Hash);
}

#[test]
fn a_day_of_random_leaves_no_peer_stuck() {
    live_through_a_day(Balance::Random);
}

#[test]
fn a_day_without_failover_leads_no_client_to_another_peer() {
    for balance in [Balance::Hash, Balance::IpHash] {
        live_through(written(balance, false), DAY);
    }
}
