//! What ties a request to a peer: the key of `hash_key`, the cookie of `sticky`. Looked for only where it is used.

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use alb_conf::{Balance, HashKey};
use alb_core::upstream::{Active, Affinity, Cookie, Cursor, Peer, Settings, Tried};
use http::header::{HOST, SET_COOKIE};
use http::{HeaderMap, Request};

use crate::body::Body;
use crate::cookie;

/// Chooses the next peer for a request from this client. The cursor is let go before anything is awaited.
pub(crate) fn pick(
    cursor: &RefCell<Cursor>,
    settings: &Settings,
    request: &Request<Body>,
    client_ip: IpAddr,
    now: Instant,
    tried: &mut Tried,
) -> Option<Active> {
    let affinity = Affinity {
        client_ip,
        key: match settings.balance {
            Balance::Hash => key(&settings.hash_key, request),
            _ => None,
        },
        cookie: sent(settings, request.headers()).map(|value| Cookie {
            value,
            unix: unix(),
        }),
    };
    let mut cursor = cursor.borrow_mut();
    cursor.pick_for(now, &affinity, tried)
}

/// Gives the client the cookie that brings it back to this peer, if it has none.
pub(crate) fn keep(
    cursor: &RefCell<Cursor>,
    settings: &Settings,
    peer: &Peer,
    request: &Request<Body>,
    secure: bool,
    response: &mut HeaderMap,
) {
    let Some(sticky) = &settings.sticky else {
        return;
    };
    let sent = sent(settings, request.headers());
    let value = cursor.borrow().cookie(peer, sent, unix());
    if let Some(field) = value.and_then(|value| cookie::set(&sticky.cookie, &value, secure)) {
        response.append(SET_COOKIE, field);
    }
}

fn sent<'a>(settings: &Settings, headers: &'a HeaderMap) -> Option<&'a str> {
    let sticky = settings.sticky.as_ref()?;
    std::str::from_utf8(cookie::find(headers, &sticky.cookie.name)?).ok()
}

fn key<'a>(source: &HashKey, request: &'a Request<Body>) -> Option<&'a [u8]> {
    let field = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
    match source {
        // The core knows the address; users are for mail.
        HashKey::ClientIp | HashKey::User => None,
        HashKey::Uri => Some(request.uri().path_and_query()?.as_str().as_bytes()),
        HashKey::Path => Some(request.uri().path().as_bytes()),
        HashKey::Host => field(HOST.as_str()),
        HashKey::Header(name) => field(name),
        HashKey::Cookie(name) => cookie::find(request.headers(), name),
    }
}

fn unix() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
