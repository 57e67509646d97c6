//! Small files in memory, per worker and route, bounded by their size. What was not asked for lately goes first.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use foldhash::fast::RandomState;
use http::HeaderValue;
use tokio::time::Instant;

use super::lookup::{Content, Identity, OpenFile};

/// For so long a file is served without a look at the disk.
const FRESH: Duration = Duration::from_secs(1);
/// What an entry takes besides its content and its path.
const OVERHEAD: u64 = 512;

/// The cache of a route.
#[derive(Debug, Default)]
pub struct Cache(RefCell<Entries>);

/// A file, with its header fields ready.
#[derive(Debug)]
pub struct Asset {
    pub content: Content,
    pub identity: Identity,
    pub length: u64,
    /// Seconds since 1970: what `Last-Modified` can express.
    pub modified: u64,
    pub etag: HeaderValue,
    pub last_modified: HeaderValue,
    pub content_type: HeaderValue,
    pub content_length: HeaderValue,
    /// When the disk was last asked.
    pub checked: Cell<Instant>,
    asked: Cell<bool>,
}

#[derive(Debug, Default)]
struct Entries {
    assets: HashMap<Rc<[u8]>, Rc<Asset>, RandomState>,
    /// The next to go is in front.
    queue: VecDeque<Rc<[u8]>>,
    size: u64,
}

impl Cache {
    /// A file that needs no look at the disk.
    pub fn fresh(&self, path: &[u8], now: Instant) -> Option<Rc<Asset>> {
        let entries = self.0.borrow();
        let asset = entries
            .assets
            .get(path)
            .filter(|a| now < a.checked.get() + FRESH)?;
        asset.asked.set(true);
        Some(Rc::clone(asset))
    }

    /// A file as it was, however long ago.
    pub fn stale(&self, path: &[u8]) -> Option<Rc<Asset>> {
        self.0.borrow().assets.get(path).cloned()
    }

    /// Keeps a file that is in memory, and lets others go until all take at most `most` bytes.
    pub fn keep(&self, path: &[u8], asset: &Rc<Asset>, most: u64) {
        let cost = asset.cost(path);
        self.forget(path);
        if !matches!(asset.content, Content::Memory(_)) || cost > most {
            return;
        }
        let entries = &mut *self.0.borrow_mut();
        while entries.size + cost > most {
            entries.evict();
        }
        let path: Rc<[u8]> = path.into();
        entries.size += cost;
        entries.queue.push_back(Rc::clone(&path));
        entries.assets.insert(path, Rc::clone(asset));
    }

    /// Lets a file go.
    pub fn forget(&self, path: &[u8]) {
        let entries = &mut *self.0.borrow_mut();
        if let Some(asset) = entries.assets.remove(path) {
            entries.size -= asset.cost(path);
            entries.queue.retain(|p| **p != *path);
        }
    }
}

impl Entries {
    /// Lets go of the first that was not asked for since its last turn (CLOCK).
    fn evict(&mut self) {
        while let Some(path) = self.queue.pop_front() {
            match self.assets.get(&path) {
                Some(asset) if asset.asked.replace(false) => self.queue.push_back(path),
                Some(asset) => {
                    self.size -= asset.cost(&path);
                    self.assets.remove(&path);
                    return;
                }
                None => {}
            }
        }
        self.size = 0;
    }
}

impl Asset {
    /// A file as it was found at `now`.
    pub fn new(file: OpenFile, now: Instant) -> Self {
        let identity = file.identity;
        // As nginx: time and length; with nanoseconds, so that two versions of a second differ.
        let etag = format!(
            "\"{:x}-{:x}-{:x}\"",
            identity.modified_seconds, identity.modified_nanos, identity.length
        );
        let modified = u64::try_from(identity.modified_seconds).unwrap_or_default();
        let last_modified = httpdate::fmt_http_date(file.modified);
        Self {
            content: file.content,
            identity,
            length: identity.length,
            modified,
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")),
            last_modified: HeaderValue::try_from(last_modified)
                .unwrap_or(HeaderValue::from_static("")),
            content_type: file.content_type,
            content_length: HeaderValue::from(identity.length),
            checked: Cell::new(now),
            asked: Cell::new(false),
        }
    }

    fn cost(&self, path: &[u8]) -> u64 {
        self.length + path.len() as u64 + OVERHEAD
    }
}
