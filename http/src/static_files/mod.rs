//! Files of a directory. Small ones are kept in memory and looked at again every second; large ones are streamed.

mod cache;
mod conditional;
mod file_body;
mod lookup;
mod parts;
mod range;

pub use cache::Cache;
pub use file_body::FileBody;

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED,
    LOCATION,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::body::Body;
use crate::route::{Files, normalise_path};
use cache::Asset;
use conditional::Condition;
use lookup::{Content, Found, Missing};
use range::Wanted;

/// Answers a request for a file below `files.root`.
pub async fn serve(
    cache: &Rc<Cache>,
    files: &Arc<Files>,
    request: &Request<Body>,
) -> Result<Response<Body>, StatusCode> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(not_allowed());
    }
    let path = normalise_path(request.uri().path()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let asset = match cache.fresh(&path, Instant::now()) {
        Some(asset) => asset,
        None => match look_up(cache, files, &path).await {
            Ok(asset) => asset,
            Err(Missing::IsDirectory) => return Ok(to_directory(&path, request.uri().query())),
            Err(Missing::Forbidden) => return Err(StatusCode::FORBIDDEN),
            Err(Missing::NotFound) => return Err(StatusCode::NOT_FOUND),
            Err(Missing::Failed) => return Err(StatusCode::INTERNAL_SERVER_ERROR),
        },
    };
    Ok(respond(&asset, request))
}

/// Asks the disk, on a thread that may wait for it, and keeps what is small.
async fn look_up(cache: &Rc<Cache>, files: &Arc<Files>, path: &[u8]) -> Result<Rc<Asset>, Missing> {
    let known = cache.stale(path);
    let expected = known.as_ref().map(|asset| asset.identity);
    let (directory, wanted) = (Arc::clone(files), path.to_vec());
    let looked = spawn_blocking(move || lookup::find(&directory, &wanted, expected)).await;
    let now = Instant::now();
    match looked.map_err(|_| Missing::Failed)? {
        Ok(Found::Unchanged) => known
            .inspect(|asset| asset.checked.set(now))
            .ok_or(Missing::Failed),
        Ok(Found::File(file)) => {
            let asset = Rc::new(Asset::new(file, now));
            cache.keep(path, &asset, files.cache);
            Ok(asset)
        }
        Err(missing) => {
            cache.forget(path);
            Err(missing)
        }
    }
}

fn respond(asset: &Asset, request: &Request<Body>) -> Response<Body> {
    let headers = request.headers();
    match conditional::check(headers, asset) {
        Condition::Failed => status_only(StatusCode::PRECONDITION_FAILED),
        Condition::NotModified => {
            let mut response = status_only(StatusCode::NOT_MODIFIED);
            validators(response.headers_mut(), asset);
            response
        }
        Condition::Send => match range::wanted(request.method(), headers, asset) {
            Wanted::Whole => whole(asset, request.method()),
            Wanted::Part(part) => single(asset, part),
            Wanted::Parts(parts) => parts::several(asset, &parts),
            Wanted::Nothing => {
                let mut response = status_only(StatusCode::RANGE_NOT_SATISFIABLE);
                insert(
                    response.headers_mut(),
                    CONTENT_RANGE,
                    format!("bytes */{}", asset.length),
                );
                response
            }
        },
    }
}

fn whole(asset: &Asset, method: &Method) -> Response<Body> {
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        body(asset, 0, asset.length)
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_LENGTH, asset.content_length.clone());
    describe(headers, asset);
    response
}

fn single(asset: &Asset, part: Range<u64>) -> Response<Body> {
    let length = part.end - part.start;
    let mut response = Response::new(body(asset, part.start, length));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    insert(headers, CONTENT_RANGE, content_range(&part, asset));
    describe(headers, asset);
    response
}

/// Where a part stands in its file (RFC 9110 §14.4).
fn content_range(part: &Range<u64>, asset: &Asset) -> String {
    format!("bytes {}-{}/{}", part.start, part.end - 1, asset.length)
}

fn body(asset: &Asset, from: u64, length: u64) -> Body {
    match &asset.content {
        // What is in memory fits into `usize`, and the range into what is in memory.
        Content::Memory(bytes) => Body::from(bytes.slice(from as usize..(from + length) as usize)),
        Content::Disk(file) => Body::file(FileBody::new(Arc::clone(file), from, length)),
    }
}

fn describe(headers: &mut HeaderMap, asset: &Asset) {
    headers.insert(CONTENT_TYPE, asset.content_type.clone());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    validators(headers, asset);
}

fn validators(headers: &mut HeaderMap, asset: &Asset) {
    headers.insert(ETAG, asset.etag.clone());
    headers.insert(LAST_MODIFIED, asset.last_modified.clone());
}

fn not_allowed() -> Response<Body> {
    let mut response = status_only(StatusCode::METHOD_NOT_ALLOWED);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// To the directory's own name, on which relative links rest. Made from the normalised path: a path that begins with
/// two slashes would lead to another host.
fn to_directory(path: &[u8], query: Option<&str>) -> Response<Body> {
    let mut location = String::with_capacity(path.len() + 1);
    for byte in path {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => location.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => location.push(char::from(*byte)),
            byte => location.push_str(&format!("%{byte:02X}")),
        }
    }
    location.push('/');
    if let Some(query) = query {
        location.push('?');
        location.push_str(query);
    }
    let mut response = status_only(StatusCode::MOVED_PERMANENTLY);
    insert(response.headers_mut(), LOCATION, location);
    response
}

fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// For values made of digits and escaped text, which always are field values.
fn insert(headers: &mut HeaderMap, name: http::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
