//! What is known of the servers of an upstream: what each of them can do, and what all of them have in common.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alb_conf::{MailProtocol, Upstream as Written};
use alb_core::upstream::{PeerAddress, Upstream};

use crate::capabilities::Offers;
use crate::health::protocol_of;

/// How long what was learned is believed before the servers are asked again.
const FRESH: Duration = Duration::from_secs(300);

/// What every server of an upstream can do, as far as it is known.
#[derive(Debug, Default)]
pub struct Learned {
    /// The active checks that keep it up to date speak this.
    probed: Option<MailProtocol>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    common: Option<Offers>,
    each: HashMap<PeerAddress, Offers>,
    /// Those that have been told of.
    voiding: HashSet<PeerAddress>,
    asked: Option<Instant>,
    tried: bool,
}

/// Whether the caller is to ask the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Somebody has, or does.
    No,
    /// Nobody ever has: what they offer is not known.
    First,
    /// It is time to do it again.
    Again,
}

impl Learned {
    /// For an upstream whose active checks ask what its servers can do; `None` for others, where sessions ask.
    pub fn by_checks(written: &Written) -> Option<Self> {
        let health = written.health.as_deref()?;
        // At another port there may be another server.
        let probed = protocol_of(*health.kind).filter(|_| health.port.is_none())?;
        Some(Learned {
            probed: Some(probed),
            ..Learned::default()
        })
    }

    /// The protocol of the active checks that ask.
    pub fn probed(&self) -> Option<MailProtocol> {
        self.probed
    }

    /// What all servers can do, if that is known.
    pub fn offers(&self) -> Option<Offers> {
        self.lock().common.clone()
    }

    /// The same, unless it is old.
    pub fn recent(&self, now: Instant) -> Option<Offers> {
        let state = self.lock();
        let fresh = |asked: Instant| now.saturating_duration_since(asked) < FRESH;
        let recent = self.probed.is_some() || state.asked.is_some_and(fresh);
        state.common.clone().filter(|_| recent)
    }

    /// Whether the caller is to ask the servers: nobody has in the last five minutes, and no active checks do.
    pub fn due(&self, now: Instant) -> Due {
        let mut state = self.lock();
        let fresh = |asked: Instant| now.duration_since(asked) < FRESH;
        let known = self.probed.is_some() && state.common.is_some();
        if known || state.asked.is_some_and(fresh) {
            return Due::No;
        }
        state.asked = Some(now);
        match std::mem::replace(&mut state.tried, true) {
            true => Due::Again,
            false => Due::First,
        }
    }

    /// Takes what servers have said, and forgets those that are not used any more. If none could be asked, what was known
    /// is left and somebody may ask soon.
    pub fn take(&self, upstream: &Upstream, heard: Vec<(PeerAddress, Offers)>) {
        let mut state = self.lock();
        if heard.is_empty() {
            state.asked = None;
            return;
        }
        let peers = upstream.peers();
        let checked = |address: &PeerAddress| {
            let mut used = peers.iter().filter(|peer| !peer.fails_checks());
            self.probed.is_some() && used.any(|peer| peer.address() == address)
        };
        state.each.retain(|address, _| checked(address));
        let is_peer = |address: &PeerAddress| peers.iter().any(|peer| peer.address() == address);
        state.voiding.retain(is_peer);
        state.each.extend(heard);
        // In the order of the peers: words that come in another order would be news.
        let each = peers
            .iter()
            .filter_map(|peer| state.each.get(peer.address()));
        let common = each.cloned().reduce(|one, other| one.common(&other));
        if common != state.common {
            state.common = common;
        }
    }

    /// Tells, once until it changes, of a server that lets a client log out and in as another (RFC 8437).
    pub fn judge(&self, upstream: &Upstream, address: &PeerAddress, voids: bool) {
        let news = match voids {
            true => self.lock().voiding.insert(address.clone()),
            false => {
                self.lock().voiding.remove(address);
                false
            }
        };
        if news {
            tracing::warn!(
                upstream = upstream.name(), peer = %address,
                "the mail server offers UNAUTHENTICATE (RFC 8437): a client could become another user behind the gateway, and the audit \
                 log would name the wrong one; turn it off at the server"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alb_conf::{Health, HealthKind, PeerEntry};
    use alb_core::upstream::Settings;

    use super::*;

    fn offers(lines: &[&str]) -> Offers {
        Offers::read(lines.iter().map(|line| line.as_bytes()))
    }

    /// Servers `127.0.0.1:1` to `:3`, and what is learned of them.
    fn servers(checked: bool) -> (Arc<Upstream>, Learned) {
        let peers = [1, 2, 3].map(|port| {
            let address = format!("127.0.0.1:{port}").parse::<alb_conf::PeerAddress>();
            PeerEntry::new(address.expect("an address").into())
        });
        let health = Health {
            kind: HealthKind::Imap.into(),
            ..Health::default()
        };
        let written = Written {
            peers: peers.to_vec(),
            health: checked.then(|| health.into()),
            ..Written::default()
        };
        let settings = Settings::new(&written, None);
        let learned = Learned::by_checks(&written).unwrap_or_default();
        let upstream = Upstream::new("a", settings, written.peers, None);
        (upstream, learned)
    }

    fn at(port: u16) -> PeerAddress {
        PeerAddress::Tcp(([127, 0, 0, 1], port).into())
    }

    #[test]
    fn one_asks_at_a_time_and_failure_lets_the_next_ask() {
        let (upstream, learned) = servers(false);
        let now = Instant::now();
        assert_eq!((learned.due(now), learned.due(now)), (Due::First, Due::No));
        learned.take(&upstream, Vec::new());
        assert_eq!(learned.due(now), Due::Again);
        learned.take(&upstream, vec![(at(1), Offers::default())]);
        assert!(learned.recent(now).is_some() && learned.recent(now + FRESH).is_none());
        assert_eq!(
            (learned.due(now), learned.due(now + FRESH)),
            (Due::No, Due::Again)
        );
    }

    #[test]
    fn who_is_checked_need_not_be_asked() {
        let (upstream, learned) = servers(true);
        let now = Instant::now();
        assert_eq!(learned.due(now), Due::First);
        learned.take(&upstream, vec![(at(1), offers(&["IDLE"]))]);
        assert_eq!(learned.due(now + 2 * FRESH), Due::No);
    }

    #[test]
    fn checks_tell_of_one_server_at_a_time_and_questions_of_all() {
        for checked in [true, false] {
            let (upstream, learned) = servers(checked);
            learned.take(&upstream, vec![(at(1), offers(&["IDLE", "ENABLE"]))]);
            learned.take(&upstream, vec![(at(2), offers(&["IDLE"]))]);
            assert_eq!(learned.offers(), Some(offers(&["IDLE"])));
            learned.take(&upstream, vec![(at(1), offers(&["IDLE", "ENABLE"]))]);
            let after = match checked {
                true => offers(&["IDLE"]),
                false => offers(&["IDLE", "ENABLE"]),
            };
            assert_eq!(learned.offers(), Some(after), "{checked}");
        }
    }
}
