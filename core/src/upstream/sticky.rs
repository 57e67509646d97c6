//! The cookie that keeps a client at its peer: opaque, authenticated with HMAC-SM3, and expiring. What a client sends is
//! believed only if this gateway, or one with the same key, made it.

use std::fmt::Write;

use alb_gm::sm3::HmacSm3;
use zeroize::Zeroizing;

use super::PeerAddress;

/// Names a peer without telling where it is.
pub type Tag = [u8; TAG];

const TAG: usize = 8;
const TIME: usize = 8;
const MAC: usize = 16;
const SEALED: usize = TIME + TAG + MAC;

/// Makes and reads the cookies of one upstream.
pub struct Sticky {
    /// What is written about the cookie.
    pub cookie: alb_conf::Sticky,
    upstream: String,
    key: Key,
}

/// The secret behind the cookies.
#[derive(Clone)]
pub struct Key(Zeroizing<Vec<u8>>);

/// What an authentic cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The peer.
    pub tag: Tag,
    /// Until when it holds, in seconds since 1970.
    pub expires: u64,
}

impl Key {
    /// A key from a file; `None` if it has fewer than 16 bytes.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let key = Zeroizing::new(bytes);
        (key.len() >= 16).then_some(Key(key))
    }

    /// A key that nobody else has.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn random() -> std::io::Result<Self> {
        let mut key = Zeroizing::new(vec![0; 32]);
        getrandom::fill(&mut key).map_err(std::io::Error::other)?;
        Ok(Key(key))
    }
}

impl Sticky {
    /// The cookies of the upstream with this name.
    pub fn new(upstream: &str, cookie: alb_conf::Sticky, key: Key) -> Self {
        Sticky {
            cookie,
            upstream: upstream.to_owned(),
            key,
        }
    }

    /// Its secret, for the same upstream after a reload.
    pub fn key(&self) -> Key {
        self.key.clone()
    }

    /// What cookies call the peer at an address.
    pub fn tag(&self, address: &PeerAddress) -> Tag {
        let mac = self.mac("peer", address.to_string().as_bytes());
        let mut tag = Tag::default();
        tag.copy_from_slice(&mac[..TAG]);
        tag
    }

    /// Reads a cookie; `None` if it is not authentic or has expired.
    pub fn open(&self, value: &str, unix: u64) -> Option<Opened> {
        let sealed = unhex(value)?;
        let (said, mac) = sealed.split_at(TIME + TAG);
        let expected = self.mac("cookie", said);
        // Every byte is looked at, so that time does not tell how many were right.
        let differing = mac.iter().zip(&expected).fold(0, |d, (a, b)| d | (a ^ b));
        let expires = u64::from_be_bytes(said[..TIME].try_into().ok()?);
        let opened = Opened {
            tag: said[TIME..].try_into().ok()?,
            expires,
        };
        (differing == 0 && expires > unix).then_some(opened)
    }

    /// A new cookie for a peer, unless the one that was sent names it and holds for more than half its time.
    pub(super) fn renewed(&self, tag: &Tag, sent: Option<&str>, unix: u64) -> Option<String> {
        let lifetime = self.cookie.expires.as_secs();
        let opened = sent.and_then(|value| self.open(value, unix));
        let good = opened.is_some_and(|o| o.tag == *tag && o.expires - unix > lifetime / 2);
        (!good).then(|| self.seal(tag, unix + lifetime))
    }

    fn seal(&self, tag: &Tag, expires: u64) -> String {
        let said = [&expires.to_be_bytes()[..], tag].concat();
        let mac = self.mac("cookie", &said);
        let mut text = String::with_capacity(2 * SEALED);
        for byte in said.iter().chain(&mac[..MAC]) {
            // Writing to memory does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// Purpose and upstream are part of it, so that nothing made for one serves another.
    fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut hmac = HmacSm3::new(&self.key.0);
        for part in ["alb sticky 1", purpose, &self.upstream] {
            hmac.update(part.as_bytes());
            hmac.update(&[0]);
        }
        hmac.update(message);
        hmac.finish()
    }
}

fn unhex(text: &str) -> Option<[u8; SEALED]> {
    let text = text.as_bytes();
    if text.len() != 2 * SEALED {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|d| d as u8);
    let mut bytes = [0; SEALED];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sticky(upstream: &str) -> Sticky {
        let key = Key::new(b"sixteen or more bytes".to_vec()).expect("long enough");
        Sticky::new(upstream, alb_conf::Sticky::default(), key)
    }

    #[test]
    fn a_cookie_opens_until_it_expires_and_for_its_upstream_only() {
        let app = sticky("app");
        let cookie = app.seal(b"peer-one", 100);
        let opened = Opened {
            tag: *b"peer-one",
            expires: 100,
        };
        assert_eq!(app.open(&cookie, 99), Some(opened));
        assert_eq!(app.open(&cookie, 100), None);
        assert_eq!(sticky("other").open(&cookie, 99), None);
    }

    #[test]
    fn no_changed_cookie_opens() {
        let app = sticky("app");
        let cookie = app.seal(b"peer-one", u64::MAX);
        for at in 0..cookie.len() {
            let mut changed = cookie.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(app.open(&changed, 0), None, "{at}");
        }
        assert_eq!(app.open(&cookie[1..], 0), None);
        assert_eq!(app.open("é", 0), None);
    }

    #[test]
    fn a_cookie_is_renewed_in_the_second_half_of_its_time_and_for_another_peer() {
        let app = sticky("app");
        let cookie = app.renewed(b"peer-one", None, 0).expect("the first");
        let renewed = |tag, unix| app.renewed(tag, Some(&cookie), unix).is_some();
        assert!(!renewed(b"peer-one", 1799));
        assert!(renewed(b"peer-one", 1800));
        assert!(renewed(b"peer-two", 1));
    }

    #[test]
    fn short_keys_are_refused() {
        assert!(Key::new(vec![7; 15]).is_none());
        assert!(Key::new(vec![7; 16]).is_some());
    }
}
