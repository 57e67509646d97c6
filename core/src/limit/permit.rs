//! What an admitted request, connection or session carries until it ends.

use super::bandwidth::{Pace, Throttle};
use super::connections::Held;

/// The leave to go on. Dropping it ends what it counts, so it is kept until the last byte.
#[derive(Default)]
#[must_use = "dropping it ends what it counts"]
pub struct Permit {
    pub(super) held: Vec<Held>,
    pub(super) paces: Vec<Pace>,
    pub(super) excused: bool,
}

impl Permit {
    /// What paces one direction, from now on; `None` if nothing does.
    pub fn throttle(&self) -> Option<Throttle> {
        Throttle::new(&self.paces)
    }

    /// A limit in `dry_run` would have refused or delayed.
    pub fn is_excused(&self) -> bool {
        self.excused
    }

    /// Neither counts nor paces anything: it need not be kept.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.paces.is_empty()
    }

    /// Takes over what another permit holds.
    pub fn join(&mut self, other: Permit) {
        self.held.extend(other.held);
        self.paces.extend(other.paces);
        self.excused |= other.excused;
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permit")
            .field("held", &self.held.len())
            .field("paces", &self.paces.len())
            .finish()
    }
}
