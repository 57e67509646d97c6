//! HTTP/1.0 and HTTP/1.1 on the wire, towards clients and towards peers.
//!
//! Owns framing: nothing that could be read in two ways gets past [`head`] and [`decoder`]. They are pure, as
//! is [`encode`]; [`transport`] and [`writer`] move the bytes; [`server`] and [`client`] are the two ends.
//! It must not know sites, routes or upstreams.

mod authority;
pub mod client;
pub mod decoder;
pub mod encode;
pub(crate) mod fields;
pub mod head;
mod malformed;
mod request_body;
mod respond;
pub mod server;
pub mod transport;
pub mod writer;

#[cfg(test)]
mod tests;

pub use malformed::Malformed;
pub use request_body::RequestBody;

/// Takes hostile bytes through everything that reads HTTP/1: as a request with its body, then what follows as the next.
/// For fuzzing; panics only if the codec does.
pub fn read_hostile(bytes: &[u8]) {
    let limits = head::Limits {
        line: 512,
        size: 4096,
        fields: 32,
    };
    let mut buffer = bytes::BytesMut::from(bytes);
    loop {
        let mut scanner = head::Scanner::default();
        let Ok(Some(end)) = scanner.end(&buffer, &limits) else {
            return;
        };
        let section = buffer.split_to(end).freeze();
        let response = head::parse_response(&section, &scanner, &http::Method::GET);
        let framing = match (head::parse_request(&section, &scanner), response) {
            (Ok(request), _) => request.framing,
            (Err(_), Ok(response)) => response.framing,
            _ => return,
        };
        let mut decoder = decoder::Decoder::new(framing);
        while let Ok(decoder::Step::Data(_)) = decoder.step(&mut buffer) {}
        if !decoder.is_done() {
            return;
        }
    }
}
