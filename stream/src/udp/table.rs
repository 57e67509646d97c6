//! All flows of a server: by number, by client, and by silence.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use slab::Slab;

use super::flow::Flow;
use super::idle::Idle;

/// Whose flow it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub client: SocketAddr,
    /// The address of ours the client uses, if that is not clear.
    pub local: Option<IpAddr>,
}

/// The flows of a server.
#[derive(Default)]
pub(super) struct Table {
    // Boxed, so that a flood of flows leaves a list of pointers behind and not room for that many flows.
    flows: Slab<Box<Flow>>,
    /// Flows that the client's next datagram belongs to.
    known: HashMap<Key, u32>,
    idle: Idle,
}

impl Table {
    /// The number the next flow will have.
    pub fn next(&self) -> u32 {
        // A flow has a descriptor, which is a positive number of 32 bits, so there are never more.
        self.flows.vacant_key() as u32
    }

    /// Adds a flow that has begun; its number is that of [`next`](Self::next).
    pub fn insert(&mut self, flow: Box<Flow>, now: Instant) -> u32 {
        let timeout = flow.rules.idle_timeout;
        // One that takes a single request is never looked for.
        let key = (flow.rules.requests != Some(1)).then_some(flow.key);
        let id = self.flows.insert(flow) as u32;
        if let Some(key) = key {
            self.known.insert(key, id);
        }
        self.idle.enter(id, timeout, now);
        id
    }

    /// The flow that a datagram belongs to.
    pub fn find(&self, key: &Key) -> Option<u32> {
        let id = *self.known.get(key)?;
        let flow = self.flows.get(id as usize)?;
        (!flow.is_full()).then_some(id)
    }

    /// A flow; `None` if it has ended.
    pub fn get(&mut self, id: u32) -> Option<&mut Flow> {
        self.flows.get_mut(id as usize).map(|flow| &mut **flow)
    }

    /// Something of it has passed.
    pub fn touch(&mut self, id: u32, now: Instant) {
        self.idle.touch(id, now);
    }

    /// Takes out a flow that is over.
    pub fn remove(&mut self, id: u32) -> Option<Box<Flow>> {
        let flow = self.flows.try_remove(id as usize)?;
        self.idle.leave(id);
        // Another may have taken its place.
        if self.known.get(&flow.key) == Some(&id) {
            self.known.remove(&flow.key);
        }
        Some(flow)
    }

    /// The numbers of all flows.
    pub fn ids(&self) -> Vec<u32> {
        self.flows.iter().map(|(id, _)| id as u32).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// The order by silence.
    pub fn idle(&self) -> &Idle {
        &self.idle
    }
}

/// In as few steps as can be: every datagram is looked up.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut ip = |ip: IpAddr, port: u16| match ip {
            IpAddr::V4(ip) => state.write_u64(u64::from(u32::from(ip)) << 16 | u64::from(port)),
            IpAddr::V6(ip) => {
                state.write_u128(u128::from(ip));
                state.write_u16(port);
            }
        };
        ip(self.client.ip(), self.client.port());
        if let Some(local) = self.local {
            ip(local, 0);
        }
    }
}
