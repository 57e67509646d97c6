//! Header fields on their way through: what ends here, what only the gateway may say, what a route changes.

use alb_conf::Forwarded;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, SERVER, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

use crate::body::Body;
use crate::context::Context;
use crate::facts::forwarded_node;
use crate::h1::fields::members;
use crate::remote::Remote;
use crate::route::Route;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The protocol a client asks to change to, over HTTP/1.1 and without a body (RFC 9110 §7.8).
pub fn upgrade_wanted(request: &Request<Body>) -> Option<HeaderValue> {
    let wanted = field(request.headers(), UPGRADE)?;
    let possible = request.version() == Version::HTTP_11 && *request.method() == Method::GET;
    let nominated = request
        .headers()
        .get_all(CONNECTION)
        .iter()
        .flat_map(|v| members(v.as_bytes()))
        .any(|m| m.eq_ignore_ascii_case(b"upgrade"));
    (possible && nominated && request.body().length() == Some(0)).then(|| wanted.clone())
}

/// A field that most messages do not have. Looking along the few names that are there takes less than asking the map.
fn field(headers: &HeaderMap, wanted: HeaderName) -> Option<&HeaderValue> {
    let found = headers.keys().any(|name| *name == wanted);
    found.then(|| headers.get(wanted)).flatten()
}

/// Removes the fields that `Connection` names, and itself (RFC 9110 §7.6.1).
fn remove_nominated(headers: &mut HeaderMap) {
    if field(headers, CONNECTION).is_none() {
        return;
    }
    let values: Vec<HeaderValue> = headers.get_all(CONNECTION).iter().cloned().collect();
    for name in values.iter().flat_map(|v| members(v.as_bytes())) {
        // Naming an end-to-end field must not make it disappear where the framing or the route rests on it.
        match HeaderName::from_bytes(name) {
            Ok(HOST | CONTENT_LENGTH | TE) | Err(_) => {}
            Ok(name) => drop(headers.remove(name)),
        }
    }
    headers.remove(CONNECTION);
}

/// Fields that concern only the connection they came over (RFC 9110 §7.6.1). `TE` is one: who still needs to know it
/// has looked before.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        *name,
        TE | TRANSFER_ENCODING | UPGRADE | PROXY_AUTHENTICATE | PROXY_AUTHORIZATION
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Removes the fields of which `unwanted` holds. One pass: asking the map for each name of a list would cost more than
/// the few fields that are there.
fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    while let Some(name) = headers.keys().find(|name| unwanted(name)).cloned() {
        headers.remove(name);
    }
}

/// Makes the client's fields the peer's: what stands in them afterwards is true, or came from the client as its own.
pub(crate) fn prepare_request(headers: &mut HeaderMap, context: Context<'_>, host: &HeaderValue) {
    let Context { client, route, .. } = context;
    let wants_trailers = field(headers, TE)
        .is_some_and(|v| members(v.as_bytes()).any(|m| m.eq_ignore_ascii_case(b"trailers")));
    remove_nominated(headers);
    let told = Told::by(context.remote, headers);
    // The gateway itself has asked for the body, or will: what is expected does not go on.
    remove_where(headers, |name| {
        *name == EXPECT || is_hop_by_hop(name) || is_reserved(name, &route.reserved)
    });
    join_cookies(headers);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    for kind in &route.forwarded {
        tell_forwarded(headers, *kind, context, &told, host);
    }
    for (name, fact) in &route.tls_headers {
        if let Some(value) = client.facts.tls(&client.info, *fact) {
            headers.insert(name, value);
        }
    }
    edit(headers, &route.request_set, &route.request_remove);
}

/// HTTP/2 may cut `Cookie` into several fields; HTTP/1.1 must not (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if field(headers, COOKIE).is_none() {
        return;
    }
    let mut cookies = headers.get_all(COOKIE).iter();
    if let (Some(first), Some(_)) = (cookies.next(), cookies.next()) {
        let rest = headers.get_all(COOKIE).iter().skip(1);
        let joined = rest.fold(first.as_bytes().to_vec(), |mut joined, crumb| {
            joined.extend_from_slice(b"; ");
            joined.extend_from_slice(crumb.as_bytes());
            joined
        });
        if let Ok(joined) = HeaderValue::from_bytes(&joined) {
            headers.insert(COOKIE, joined);
        }
    }
}

/// Makes a peer's fields the client's.
pub fn prepare_response(headers: &mut HeaderMap) {
    remove_nominated(headers);
    remove_where(headers, is_hop_by_hop);
    // What runs behind the gateway is nobody's business.
    headers.insert(SERVER, HeaderValue::from_static("alb"));
}

/// The route's changes to a response.
pub fn edit_response(headers: &mut HeaderMap, route: &Route) {
    edit(headers, &route.response_set, &route.response_remove);
}

fn edit(headers: &mut HeaderMap, set: &[(HeaderName, HeaderValue)], remove: &[HeaderName]) {
    for name in remove {
        headers.remove(name);
    }
    for (name, value) in set {
        headers.insert(name, value.clone());
    }
}

/// Whether a client's field is one that only the gateway may set. Many applications read `X_Real_IP` and `X-Real-IP` as
/// one (CGI, RFC 3875 §4.1.18): spellings with underscores count, too.
fn is_reserved(name: &HeaderName, reserved: &[HeaderName]) -> bool {
    let name = name.as_str();
    reserved
        .iter()
        .any(|r| same_but_for_underscores(r.as_str(), name))
}

fn same_but_for_underscores(a: &str, b: &str) -> bool {
    let dashed = |byte: u8| if byte == b'_' { b'-' } else { byte };
    a.len() == b.len() && a.bytes().map(dashed).eq(b.bytes().map(dashed))
}

/// What a trusted proxy says that it was asked for.
#[derive(Default)]
struct Told {
    scheme: Option<HeaderValue>,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
}

impl Told {
    /// Nobody is believed but a trusted proxy.
    fn by(remote: Remote, headers: &HeaderMap) -> Self {
        if !remote.by_proxy {
            return Self::default();
        }
        let field = |name| headers.get(name).cloned();
        Self {
            scheme: field(X_FORWARDED_PROTO),
            host: field(X_FORWARDED_HOST),
            port: field(X_FORWARDED_PORT),
        }
    }
}

fn tell_forwarded(
    headers: &mut HeaderMap,
    kind: Forwarded,
    context: Context<'_>,
    told: &Told,
    host: &HeaderValue,
) {
    let facts = &context.client.facts;
    let ip = context.remote.ip;
    let scheme = || {
        let direct = || HeaderValue::from_static(facts.scheme);
        told.scheme.clone().unwrap_or_else(direct)
    };
    let host = told.host.as_ref().unwrap_or(host);
    match kind {
        Forwarded::XForwarded => {
            headers.insert(X_FORWARDED_FOR, facts.address_of(ip));
            headers.insert(X_FORWARDED_PROTO, scheme());
            headers.insert(
                X_FORWARDED_PORT,
                told.port.as_ref().unwrap_or(&facts.port).clone(),
            );
            headers.insert(X_FORWARDED_HOST, host.clone());
        }
        Forwarded::XRealIp => {
            headers.insert(X_REAL_IP, facts.address_of(ip));
        }
        Forwarded::Forwarded => {
            let (node, scheme) = (forwarded_node(ip), scheme());
            let (host, scheme) = (quotable(host), quotable(&scheme));
            let text = format!("for={node};host=\"{host}\";proto={scheme}");
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(FORWARDED, value);
            }
        }
    }
}

/// A value that can stand in another one; nothing if it could end it.
fn quotable(value: &HeaderValue) -> &str {
    let text = value.to_str().unwrap_or_default();
    if text.contains(['"', '\\', ';', ',']) {
        return "";
    }
    text
}
