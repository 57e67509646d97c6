//! Several parts of a file in one response: `multipart/byteranges` (RFC 9110 §14.6).

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use super::cache::Asset;
use super::{body, content_range, describe, insert};
use crate::body::Body;

/// The response with these parts of a file.
pub fn several(asset: &Asset, parts: &[Range<u64>]) -> Response<Body> {
    // Nobody who writes the file can foretell it, so it does not occur there.
    let boundary = format!("{:016x}{:016x}", random(), random());
    let mut bodies = Vec::with_capacity(2 * parts.len() + 1);
    for part in parts {
        let head = part_head(&boundary, part, asset);
        bodies.push(Body::from(Bytes::from(head)));
        bodies.push(body(asset, part.start, part.end - part.start));
    }
    let end = format!("\r\n--{boundary}--\r\n");
    bodies.push(Body::from(Bytes::from(end)));
    let body = Body::several(bodies);
    let length = body.length();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let headers = response.headers_mut();
    describe(headers, asset);
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let kind = format!("multipart/byteranges; boundary={boundary}");
    insert(headers, CONTENT_TYPE, kind);
    response
}

fn part_head(boundary: &str, part: &Range<u64>, asset: &Asset) -> Vec<u8> {
    let mut head = format!("\r\n--{boundary}\r\nContent-Type: ").into_bytes();
    head.extend_from_slice(asset.content_type.as_bytes());
    let range = content_range(part, asset);
    head.extend_from_slice(format!("\r\nContent-Range: {range}\r\n\r\n").as_bytes());
    head
}

/// Keyed with random numbers of the system.
fn random() -> u64 {
    RandomState::new().hash_one(())
}
