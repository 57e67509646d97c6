//! Becoming another user once the addresses are bound. The right to bind ports below 1024 is kept, so that a
//! reload can add one; every other privilege is gone.

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Uid, User, initgroups, setgid, setuid};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_keep_capabilities};

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Looks a user up by name.
    pub fn find(name: &str) -> io::Result<Option<Self>> {
        let user = User::from_name(name).map_err(io::Error::from)?;
        Ok(user.map(|user| Account {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }))
    }

    /// The number of the user.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The number of its first group.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Whether this process already is that user.
    pub fn is_current(&self) -> bool {
        Uid::effective().as_raw() == self.uid
    }

    /// Becomes that user for good. Must be called before any thread is started: capabilities belong to threads.
    pub fn assume(&self) -> io::Result<()> {
        let name = CString::new(self.name.as_str())?;
        let gid = Gid::from_raw(self.gid);
        set_keep_capabilities(true)?;
        initgroups(&name, gid)?;
        setgid(gid)?;
        setuid(Uid::from_raw(self.uid))?;
        set_keep_capabilities(false)?;
        keep_only_low_ports()
    }
}

/// Whether this process may bind ports below 1024.
pub fn may_bind_low_ports() -> bool {
    let held = rustix::thread::capabilities(None);
    held.is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_BIND_SERVICE))
}

fn keep_only_low_ports() -> io::Result<()> {
    let kept = rustix::thread::capabilities(None)?.permitted & CapabilitySet::NET_BIND_SERVICE;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, sets)?)
}
