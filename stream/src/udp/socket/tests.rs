//! On the loopback, which joins and takes apart as a network device does.

use std::io::IoSlice;
use std::time::Duration;

use super::super::batch::Batch;
use super::super::run::{Joiner, MOST};
use super::*;

const LOCAL: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

fn plain(local: &str) -> UdpSocket {
    let socket = UdpSocket::bind(local).expect("a loopback port");
    let patience = Some(Duration::from_secs(10));
    socket.set_read_timeout(patience).expect("an option");
    socket
}

fn bound(local: &str) -> Socket {
    Socket::bound(plain(local)).expect("a socket")
}

fn connected(to: SocketAddr) -> Socket {
    Socket::connect(to, None).expect("a socket")
}

/// Datagrams of these sizes, each filled with its number.
fn datagrams(sizes: &[usize]) -> Vec<Vec<u8>> {
    let numbered = sizes.iter().zip(1u8..);
    numbered.map(|(size, n)| vec![n; *size]).collect()
}

fn received(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut buffer = vec![0; LARGEST];
    let mut one = || {
        let size = socket.recv(&mut buffer).expect("a datagram");
        buffer[..size].to_vec()
    };
    (0..count).map(|_| one()).collect()
}

/// Sends datagrams of these sizes as one run; whether the kernel took it apart.
fn send_run(from: &Socket, all: &[Vec<u8>]) -> bool {
    let mut joiner = Joiner::new();
    joiner.begin(&all[0], all[0].len());
    for one in &all[1..] {
        assert!(joiner.add(one, one.len()), "a run");
    }
    let mut splits = true;
    let sent = from.send(&joiner.run(), None, &mut splits).expect("sent");
    let bytes = all.iter().map(Vec::len).sum();
    let count = all.len() as u64;
    assert_eq!(sent, Sent { count, bytes });
    splits
}

#[test]
fn a_run_arrives_as_the_datagrams_it_is_made_of() {
    for local in LOCAL {
        let receiver = plain(local);
        let sender = connected(receiver.local_addr().expect("an address"));
        for sizes in [&[1000, 1000, 1000, 300][..], &[500; 64], &[9000, 9000, 1]] {
            let all = datagrams(sizes);
            assert!(send_run(&sender, &all), "taken apart by the kernel");
            assert_eq!(received(&receiver, all.len()), all, "{local}");
        }
    }
}

#[test]
fn a_run_that_the_kernel_does_not_take_goes_one_by_one() {
    let receiver = plain(LOCAL[0]);
    let sender = connected(receiver.local_addr().expect("an address"));
    let all = datagrams(&[700, 700, 20]);
    let pieces: Vec<IoSlice<'_>> = all.iter().map(|one| IoSlice::new(one)).collect();
    let run = Run {
        pieces: &pieces,
        segment: 700,
        count: 3,
        bytes: 1420,
    };
    let sent = sender.send(&run, None, &mut false).expect("sent");
    assert_eq!((sent.count, sent.bytes), (3, 1420));
    assert_eq!(received(&receiver, 3), all);
}

#[test]
fn what_the_kernel_has_joined_is_received_in_one_call_with_the_size_of_a_datagram() {
    for local in LOCAL {
        let receiver = bound(local);
        let sender = connected(receiver.local().expect("an address"));
        let all = datagrams(&[1000, 1000, 1000, 300]);
        send_run(&sender, &all);
        let mut buffer = vec![0; LARGEST];
        let facts = receiver.receive(&mut buffer).expect("a run");
        assert_eq!((facts.bytes, facts.segment), (3300, 1000), "{local}");
        assert_eq!(buffer[..3300], all.concat());
        assert_eq!(facts.from, Some(sender.local().expect("an address")));
    }
}

#[test]
fn a_connected_socket_joins_once_it_is_told_to() {
    let peer = plain(LOCAL[0]);
    let socket = connected(peer.local_addr().expect("an address"));
    let back = connected_from(&peer, socket.local().expect("an address"));
    let all = datagrams(&[800, 800, 100]);
    let mut buffer = vec![0; LARGEST];
    send_run(&back, &all);
    for one in &all {
        let facts = socket.receive(&mut buffer).expect("a datagram");
        assert_eq!(buffer[..facts.bytes], one[..]);
    }
    socket.join();
    send_run(&back, &all);
    let facts = socket.receive(&mut buffer).expect("a run");
    assert_eq!((facts.bytes, facts.segment), (1700, 800));
}

/// A socket with the address of `socket` that sends to `to`.
fn connected_from(socket: &UdpSocket, to: SocketAddr) -> Socket {
    let io = socket.try_clone().expect("a descriptor");
    io.connect(to).expect("an address");
    Socket {
        io,
        connected: true,
        everywhere: false,
        joins: Cell::new(false),
    }
}

#[test]
fn datagrams_of_all_sizes_and_senders_go_on_in_order_and_in_few_runs() {
    for local in LOCAL {
        let receiver = bound(local);
        receiver.io.set_nonblocking(true).expect("an option");
        let to = receiver.local().expect("an address");
        let senders = [connected(to), connected(to)];
        let ports = senders
            .each_ref()
            .map(|sender| sender.local().expect("an address").port());
        let all = datagrams(&[200, 200, 200, 50, 0, 7, 9000, 1]);
        // They come in turn, the last ones joined by the kernel.
        for one in &all {
            for sender in &senders {
                sender.io.send(one).expect("sent");
            }
        }
        let joined = datagrams(&[33, 33, 33, 3]);
        for sender in &senders {
            send_run(sender, &joined);
        }
        let mut runs = [Vec::new(), Vec::new()];
        Batch::with(|batch| {
            batch.fill(&receiver, MOST).expect("received");
            for at in 0..batch.len() {
                let from = batch.get(at).0.from.expect("a sender").port();
                let owner = ports.iter().position(|port| *port == from);
                batch.give(at, owner.expect("a sender of ours") as u32);
            }
            batch.each_run(|owner, run| {
                let run: Vec<Vec<u8>> = run.datagrams().map(<[u8]>::to_vec).collect();
                runs[owner as usize].push(run);
            });
        });
        for runs in runs {
            let lengths: Vec<usize> = runs.iter().map(Vec::len).collect();
            // The four of 200 bytes and less; none; seven bytes; 9,000 and one; the four that came together.
            assert_eq!(lengths, [4, 1, 1, 2, 4], "{local}");
            assert_eq!(runs.concat(), [all.clone(), joined.clone()].concat());
        }
    }
}

#[test]
fn what_is_too_large_for_the_way_is_lost_and_no_failure_of_the_peer() {
    let receiver = plain(LOCAL[0]);
    let sender = connected(receiver.local_addr().expect("an address"));
    // More than IPv4 can carry; over IPv6 it may have come.
    let large = vec![0; 65_520];
    let pieces = [IoSlice::new(&large)];
    let sent = sender.send(&Run::one(&pieces), None, &mut true);
    assert_eq!(sent.expect("no failure"), Sent::default());
}

#[test]
fn a_peer_that_is_not_there_is_a_failure_of_the_next_call() {
    let gone = plain(LOCAL[0]).local_addr().expect("an address");
    let sender = connected(gone);
    let pieces = [IoSlice::new(b"anybody?")];
    let run = Run::one(&pieces);
    sender.send(&run, None, &mut true).expect("sent");
    let error = sender.send(&run, None, &mut true).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(!is_lost(&error));
}

#[test]
fn an_answer_leaves_from_the_address_that_was_asked() {
    for (everywhere, asked) in [("0.0.0.0:0", "127.0.0.3"), ("[::]:0", "::1")] {
        let receiver = bound(everywhere);
        let asked: IpAddr = asked.parse().expect("an address");
        let port = receiver.local().expect("an address").port();
        let client = connected(SocketAddr::new(asked, port));
        let all = datagrams(&[100, 100, 10]);
        send_run(&client, &all);
        let mut buffer = vec![0; LARGEST];
        let facts = receiver.receive(&mut buffer).expect("a run");
        assert_eq!(facts.to, Some(asked));
        let way = Way {
            to: facts.from.expect("a sender"),
            from: facts.to,
        };
        let mut joiner = Joiner::new();
        joiner.begin(&buffer[..facts.bytes], facts.segment);
        let mut splits = true;
        receiver
            .send(&joiner.run(), Some(&way), &mut splits)
            .expect("sent");
        assert!(splits);
        // A connected socket takes answers of this address only.
        client.io.set_nonblocking(false).expect("an option");
        assert_eq!(received(&client.io, 3), all);
    }
}
