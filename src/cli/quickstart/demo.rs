//! The demo upstream: an HTTP server in this process that answers with what it was sent, so that one sees what a
//! backend sees behind the gateway.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::rc::Rc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

/// Bodies are shown up to this many bytes.
const BODY_LIMIT: usize = 64 << 10;

/// Listens on a loopback port and serves from a thread of its own until the process ends.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::Builder::new()
        .name("demo-upstream".to_owned())
        .spawn(move || {
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, serve(listener))
        })?;
    Ok(address)
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let http = Rc::new(http1::Builder::new());
    loop {
        // A failed accept (a client that left again, no descriptors) is that client's loss only.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let http = Rc::clone(&http);
        tokio::task::spawn_local(async move {
            // The gateway closes idle connections as it pleases; there is nobody to tell.
            let _ = http
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let mut text = format!(
        "This is the demo upstream of `alb quickstart`. It received:\n\n{} {} {:?}\n",
        head.method, head.uri, head.version
    );
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\n", value.as_bytes().escape_ascii()));
    }
    match Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map(|body| body.to_bytes())
    {
        Ok(body) if body.is_empty() => (),
        Ok(body) => text.push_str(&format!("\n{}\n", String::from_utf8_lossy(&body))),
        Err(_) => text.push_str(&format!(
            "\n(a body of more than {BODY_LIMIT} bytes, or a broken one)\n"
        )),
    }
    let response = Response::builder()
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(Full::from(text));
    Ok(response.unwrap_or_default())
}
