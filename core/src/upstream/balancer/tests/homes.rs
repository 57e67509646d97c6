//! Clients that belong to one peer: the same host in several upstreams, and no other peer where `failover = false`.

use alb_conf::HashPeers;

use super::*;

/// Peers at these places, all at one port, weighing 1, 2, 3 and so on by the last byte of their addresses.
fn at_port(port: u16, hosts: &[u8], by: HashPeers) -> Arc<Upstream> {
    let entry = |host: &u8| {
        let address = format!("10.0.0.{host}:{port}");
        let address: alb_conf::PeerAddress = address.parse().expect("an address");
        PeerEntry {
            weight: u32::from(*host),
            ..PeerEntry::new(address.into())
        }
    };
    group(&Written {
        balance: Balance::Hash,
        hash_key: Some(HashKey::User.into()),
        hash_peers: by.into(),
        peers: hosts.iter().map(entry).collect(),
        ..Written::default()
    })
}

/// The hosts of 5,000 users.
fn hosts_of_users(group: &Arc<Upstream>) -> Vec<u8> {
    let (mut cursor, now) = (group.cursor(3), Instant::now());
    let users = (0..5_000).map(|number| format!("user{number}@gov.example"));
    users
        .map(|user| chosen(&mut cursor, now, &keyed(user.as_bytes())))
        .collect()
}

fn keyed(key: &[u8]) -> Affinity<'_> {
    Affinity {
        key: Some(key),
        ..of_client("192.0.2.1")
    }
}

#[test]
fn a_user_is_at_the_same_host_whatever_the_port_only_where_ports_are_left_out() {
    let hosts = [1, 2, 3, 4, 5];
    let imap = hosts_of_users(&at_port(143, &hosts, HashPeers::Host));
    // In which order they are written does not matter either.
    for (port, hosts) in [(110, [1, 2, 3, 4, 5]), (587, [4, 2, 5, 1, 3])] {
        let other = at_port(port, &hosts, HashPeers::Host);
        assert!(hosts_of_users(&other) == imap, "port {port}");
    }
    let counts = hosts.map(|host| imap.iter().filter(|h| **h == host).count());
    let shares = [333, 667, 1000, 1333, 1667];
    for (count, share) in counts.into_iter().zip(shares) {
        assert!(count.abs_diff(share) < share / 3, "{counts:?}");
    }
    let [imap, pop3] = [143, 110].map(|port| at_port(port, &hosts, HashPeers::Address));
    let pairs = hosts_of_users(&imap).into_iter().zip(hosts_of_users(&pop3));
    assert!(pairs.filter(|(imap, pop3)| imap != pop3).count() > 2_000);
}

#[test]
fn several_peers_of_one_host_have_places_of_their_own() {
    let mut config = Written {
        hash_peers: HashPeers::Host.into(),
        ..written(Balance::Hash, &[1, 1, 1])
    };
    let second: alb_conf::PeerAddress = "10.0.0.1:81".parse().expect("an address");
    config.peers[1] = PeerEntry::new(second.into());
    let group = group(&config);
    let (mut cursor, now) = (group.cursor(0), Instant::now());
    let mut counts = BTreeMap::new();
    for number in 0..3_000u32 {
        let mut tried = Tried::default();
        let active = cursor.pick_for(now, &keyed(&number.to_le_bytes()), &mut tried);
        let address = active.expect("a peer").address().to_string();
        *counts.entry(address).or_insert(0) += 1;
    }
    assert!(
        counts.len() == 3 && counts.values().all(|n| *n > 500),
        "{counts:?}"
    );
}

fn chosen_or_none(cursor: &mut Cursor, now: Instant, client: &str) -> Option<u8> {
    let active = cursor.pick_for(now, &of_client(client), &mut Tried::default());
    active.map(|active| number(&active))
}

#[test]
fn without_failover_no_other_peer_serves_whatever_keeps_the_own_one_from_it() {
    for balance in [Balance::Hash, Balance::IpHash] {
        let config = Written {
            failover: false.into(),
            hash_key: Some(HashKey::ClientIp.into()),
            ..written(balance, &[1, 1, 1])
        };
        let whole = group(&config);
        let (mut cursor, now) = (whole.cursor(0), Instant::now());
        let client = of_client("192.0.2.1");
        let own = chosen(&mut cursor, now, &client);
        let index = usize::from(own) - 1;
        let none = |config: &Written, now| {
            let group = after(Some(&whole), config);
            let mut cursor = group.cursor(1);
            let mut others = (1..9).map(|net| format!("198.51.{net}.9"));
            assert!(others.any(|other: String| chosen_or_none(&mut cursor, now, &other).is_some()));
            cursor
                .pick_for(now, &client, &mut Tried::default())
                .is_none()
        };
        let but = |change: fn(&mut PeerEntry)| {
            let mut changed = config.clone();
            change(&mut changed.peers[index]);
            changed
        };
        assert!(
            none(&but(|peer| peer.down = true), now),
            "{balance:?}: down"
        );
        assert!(
            none(&but(|peer| peer.drain = true), now),
            "{balance:?}: drained"
        );
        let mut tried = Tried::default();
        let held = cursor.pick_for(now, &client, &mut tried).expect("its own");
        assert!(cursor.pick_for(now, &client, &mut tried).is_none());
        assert!(
            none(&but(|peer| peer.max_conns = Some(1)), now),
            "{balance:?}: full"
        );
        for _ in 0..3 {
            cursor.report(&held, Outcome::Failure, now);
        }
        assert!(none(&config, now), "{balance:?}: failed");
        let later = now + Duration::from_secs(60);
        assert_eq!(
            chosen(&mut cursor, later, &client),
            own,
            "{balance:?}: back"
        );
    }
}

#[test]
fn without_failover_nobody_without_a_key_is_served() {
    let config = Written {
        failover: false.into(),
        hash_key: Some(HashKey::User.into()),
        ..written(Balance::Hash, &[1, 1])
    };
    let (client, group) = (of_client("192.0.2.1"), group(&config));
    let mut cursor = group.cursor(0);
    let picked = cursor.pick_for(Instant::now(), &client, &mut Tried::default());
    assert!(picked.is_none());
    assert!(cursor.pick(Instant::now(), &mut Tried::default()).is_none());
}
