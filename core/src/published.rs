//! A value that is replaced as a whole (the snapshot) and read by every worker at no shared cost.
//!
//! The writer stores once; a worker compares a generation number and clones its own `Rc`, so reading
//! touches no reference count that another worker touches.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// The shared side: holds the current value.
pub struct Published<T> {
    current: ArcSwap<T>,
    generation: Arc<AtomicU64>,
}

/// One worker's side: a cached pointer, renewed when the generation has moved. Not for sharing between threads.
pub struct View<T> {
    generation: Arc<AtomicU64>,
    seen: Cell<u64>,
    cached: RefCell<Pinned<T>>,
    load: Box<dyn Fn() -> Arc<T>>,
}

/// A shared value in the hands of one worker: copies count in the worker's own memory.
pub struct Pinned<T>(Rc<Shared<T>>);

struct Shared<T>(Arc<T>);

impl<T: Send + Sync + 'static> Published<T> {
    /// Publishes the first value.
    pub fn new(value: Arc<T>) -> Arc<Self> {
        Arc::new(Published {
            current: ArcSwap::new(value),
            generation: Arc::new(AtomicU64::new(1)),
        })
    }

    /// Replaces the value; every view sees it at its next `pin`.
    pub fn store(&self, value: Arc<T>) {
        self.current.store(value);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The current value, for use off the hot path.
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// A view of the whole value for the calling thread.
    pub fn view(self: &Arc<Self>) -> View<T> {
        self.view_of(Arc::clone)
    }

    /// A view of a part of the value, such as the HTTP tables of the snapshot.
    pub fn view_of<P: 'static>(self: &Arc<Self>, part: fn(&Arc<T>) -> Arc<P>) -> View<P> {
        let source = Arc::clone(self);
        let seen = self.generation.load(Ordering::Acquire);
        View {
            generation: Arc::clone(&self.generation),
            seen: Cell::new(seen),
            cached: RefCell::new(Pinned::new(part(&self.load()))),
            load: Box::new(move || part(&source.load())),
        }
    }
}

impl<T> View<T> {
    /// The current value, pinned for as long as the caller keeps it.
    pub fn pin(&self) -> Pinned<T> {
        // The generation is read before the value: a store in between only makes the next pin renew once more.
        let generation = self.generation.load(Ordering::Acquire);
        if generation != self.seen.get() {
            self.seen.set(generation);
            *self.cached.borrow_mut() = Pinned::new((self.load)());
        }
        self.cached.borrow().clone()
    }

    /// The generation that `pin` last saw; changes exactly when the value may have.
    pub fn generation(&self) -> u64 {
        self.seen.get()
    }
}

impl<T> Pinned<T> {
    /// Takes a shared value into the calling worker.
    pub fn new(shared: Arc<T>) -> Self {
        Pinned(Rc::new(Shared(shared)))
    }

    /// Whether both are the same copy of one worker.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Deref for Pinned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T> Clone for Pinned<T> {
    fn clone(&self) -> Self {
        Pinned(Rc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn view_follows_a_store_and_keeps_what_was_pinned() {
        let published = Published::new(Arc::new((1, "a")));
        let view = published.view_of(|pair| Arc::new(pair.0));
        let pinned = view.pin();
        published.store(Arc::new((2, "b")));
        assert_eq!(*pinned, 1);
        assert_eq!(*view.pin(), 2);
    }

    #[test]
    fn unchanged_value_is_the_same_allocation() {
        let view = Published::new(Arc::new(7)).view();
        assert!(view.pin().is_same(&view.pin()));
    }
}
