//! Passwords that were right a moment ago, as digests: mail clients log in again and again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use alb_core::sm3::HmacSm3;

use crate::secret::Secret;

/// Most logins remembered.
const MOST: usize = 10_000;

/// Digests of names with passwords, and what else was found.
pub struct Cache {
    lifetime: Duration,
    /// Random, so that the digests mean nothing outside of this process.
    key: Secret,
    right: Mutex<HashMap<[u8; 32], Found>>,
}

/// Until when something is known, and the name of the upstream.
type Found = (Instant, Option<String>);

impl Cache {
    /// Remembers for so long; zero remembers nothing. Without a random key nothing is remembered either.
    pub fn new(lifetime: Duration) -> Self {
        let mut key = vec![0; 32];
        let random = getrandom::fill(&mut key).is_ok();
        Cache {
            lifetime: if random { lifetime } else { Duration::ZERO },
            key: key.into(),
            right: Mutex::default(),
        }
    }

    /// What was found when this password was right; `None` if that is not known.
    pub fn get(&self, user: &str, password: &Secret, now: Instant) -> Option<Option<String>> {
        if self.lifetime.is_zero() {
            return None;
        }
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, upstream) = right.get(&self.digest(user, password))?;
        (now < *until).then(|| upstream.clone())
    }

    /// Remembers that a password is right.
    pub fn put(&self, user: &str, password: &Secret, upstream: Option<String>, now: Instant) {
        if self.lifetime.is_zero() {
            return;
        }
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= MOST {
            right.retain(|_, (until, _)| now < *until);
        }
        // Full of fresh ones: this one is asked for again.
        if right.len() < MOST {
            right.insert(self.digest(user, password), (now + self.lifetime, upstream));
        }
    }

    fn digest(&self, user: &str, password: &Secret) -> [u8; 32] {
        let mut hmac = HmacSm3::new(self.key.as_bytes());
        // The length parts the two.
        hmac.update(&(user.len() as u64).to_be_bytes());
        hmac.update(user.as_bytes());
        hmac.update(password.as_bytes());
        hmac.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_password_is_remembered_for_its_time() {
        let cache = Cache::new(Duration::from_secs(60));
        let (now, password) = (Instant::now(), Secret::copy_of(b"right"));
        assert_eq!(cache.get("zhang", &password, now), None);
        cache.put("zhang", &password, Some("pool".into()), now);
        let soon = now + Duration::from_secs(59);
        assert_eq!(
            cache.get("zhang", &password, soon),
            Some(Some("pool".into()))
        );
        assert_eq!(cache.get("zhang", &Secret::copy_of(b"wrong"), soon), None);
        assert_eq!(cache.get("zhangr", &Secret::copy_of(b"ight"), soon), None);
        assert_eq!(
            cache.get("zhang", &password, now + Duration::from_secs(60)),
            None
        );
    }

    #[test]
    fn zero_remembers_nothing_and_the_table_is_bounded() {
        let (now, password) = (Instant::now(), Secret::copy_of(b"right"));
        let cache = Cache::new(Duration::ZERO);
        cache.put("zhang", &password, None, now);
        assert_eq!(cache.get("zhang", &password, now), None);
        let cache = Cache::new(Duration::from_secs(60));
        for number in 0..MOST + 10 {
            cache.put(&number.to_string(), &password, None, now);
        }
        assert_eq!(cache.right.lock().expect("a lock").len(), MOST);
    }
}
