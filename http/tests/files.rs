//! Static files: what is served, what is not, and what a client already has.

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use support::{Gateway, run};

struct Site {
    _directory: tempfile::TempDir,
    gateway: Gateway,
}

async fn site(cache: &str) -> Site {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path().join("root");
    fs::create_dir_all(root.join("sub/empty")).expect("made");
    fs::write(root.join("a.txt"), "0123456789").expect("written");
    fs::write(root.join("index.html"), "<p>home").expect("written");
    fs::write(root.join("sub/index.html"), "<p>sub").expect("written");
    fs::write(root.join("big.bin"), vec![b'x'; 3 << 20]).expect("written");
    fs::write(directory.path().join("secret"), "secret").expect("written");
    symlink("../secret", root.join("out")).expect("linked");
    symlink(directory.path().join("secret"), root.join("absolute")).expect("linked");
    symlink("a.txt", root.join("in")).expect("linked");
    let toml =
        format!("[[site]]\n[[site.route]]\nfiles = {{ root = {root:?}, cache = \"{cache}\" }}\n");
    Site {
        gateway: Gateway::start(&toml).await,
        _directory: directory,
    }
}

#[test]
fn files_indexes_and_directories() {
    run(async {
        let site = site("64MiB").await;
        for (path, head, end) in [
            ("/a.txt", "HTTP/1.1 200 OK", "0123456789"),
            ("/a%2etxt?x=y", "HTTP/1.1 200 OK", "0123456789"),
            ("/in", "HTTP/1.1 200 OK", "0123456789"),
            ("/", "HTTP/1.1 200 OK", "<p>home"),
            ("/sub/", "HTTP/1.1 200 OK", "<p>sub"),
            ("/sub/empty/", "HTTP/1.1 403 ", ""),
            ("/nothing", "HTTP/1.1 404 ", ""),
            ("/a.txt/", "HTTP/1.1 404 ", ""),
            ("/../secret", "HTTP/1.1 400 ", ""),
            ("/%2e%2e/secret", "HTTP/1.1 400 ", ""),
            ("/sub/..%2f..%2fsecret", "HTTP/1.1 400 ", ""),
            ("/out", "HTTP/1.1 404 ", ""),
            ("/absolute", "HTTP/1.1 404 ", ""),
        ] {
            // Twice: from the disk and from memory.
            for _ in 0..2 {
                let response = site.gateway.get(path, "").await;
                assert!(
                    response.starts_with(head) && response.ends_with(end),
                    "{path}: {response}"
                );
                assert!(!response.contains("secret"), "{path}: {response}");
            }
        }
        let moved = site.gateway.get("//sub?q=1", "").await;
        assert!(
            moved.starts_with("HTTP/1.1 301 ") && moved.contains("\r\nlocation: /sub/?q=1\r\n"),
            "{moved}"
        );
        let large = site.gateway.get("/big.bin", "").await;
        assert!(
            large.contains("content-length: 3145728\r\n") && large.ends_with(&"x".repeat(3 << 20))
        );
    });
}

#[test]
fn methods_types_and_heads() {
    run(async {
        let site = site("64MiB").await;
        let head = site
            .gateway
            .send("HEAD /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
        assert!(
            head.contains("content-length: 10\r\n")
                && head.contains("content-type: text/plain\r\n")
                && head.ends_with("\r\n\r\n")
        );
        let post = site
            .gateway
            .send("POST /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
        assert!(
            post.starts_with("HTTP/1.1 405 ") && post.contains("allow: GET, HEAD\r\n"),
            "{post}"
        );
    });
}

#[test]
fn conditions_and_ranges() {
    run(async {
        for cache in ["64MiB", "0"] {
            let site = site(cache).await;
            let full = site.gateway.get("/a.txt", "").await;
            let field = |name: &str| {
                let line = full
                    .lines()
                    .find(|l| l.starts_with(name))
                    .expect("the field");
                line[name.len()..].trim().to_owned()
            };
            let (etag, modified) = (field("etag:"), field("last-modified:"));
            for (fields, status, end) in [
                (format!("If-None-Match: {etag}\r\n"), 304, "\r\n\r\n"),
                (
                    format!("If-None-Match: W/{etag}, \"x\"\r\n"),
                    304,
                    "\r\n\r\n",
                ),
                ("If-None-Match: \"x\"\r\n".into(), 200, "0123456789"),
                (
                    format!("If-Modified-Since: {modified}\r\n"),
                    304,
                    "\r\n\r\n",
                ),
                (
                    "If-Modified-Since: Thu, 01 Jan 1970 00:00:01 GMT\r\n".into(),
                    200,
                    "0123456789",
                ),
                ("If-Match: \"x\"\r\n".into(), 412, ""),
                ("Range: bytes=2-4\r\n".into(), 206, "\r\n\r\n234"),
                ("Range: bytes=-3\r\n".into(), 206, "\r\n\r\n789"),
                ("Range: bytes=10-\r\n".into(), 416, ""),
                (
                    format!("Range: bytes=0-0\r\nIf-Range: {etag}\r\n"),
                    206,
                    "\r\n\r\n0",
                ),
                (
                    "Range: bytes=0-0\r\nIf-Range: \"x\"\r\n".into(),
                    200,
                    "0123456789",
                ),
                (
                    format!("Range: bytes=0-0\r\nIf-Range: {modified}\r\n"),
                    206,
                    "\r\n\r\n0",
                ),
            ] {
                let response = site.gateway.get("/a.txt", &fields).await;
                assert!(
                    response.starts_with(&format!("HTTP/1.1 {status} ")) && response.ends_with(end),
                    "{fields}: {response}"
                );
            }
        }
    });
}

#[test]
fn several_ranges_are_parts_of_one_response() {
    run(async {
        for cache in ["64MiB", "0"] {
            let site = site(cache).await;
            let response = site.gateway.get("/a.txt", "Range: bytes=1-2,-3\r\n").await;
            let (head, body) = response.split_once("\r\n\r\n").expect("a head");
            assert!(head.starts_with("HTTP/1.1 206 "), "{response}");
            assert!(
                head.contains(&format!("content-length: {}", body.len())),
                "{response}"
            );
            let field = "content-type: multipart/byteranges; boundary=";
            let boundary = head.lines().find_map(|line| line.strip_prefix(field));
            let boundary = boundary.expect("a boundary");
            let part = |range: &str, bytes: &str| {
                format!(
                    "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes {range}/10\r\n\r\n{bytes}"
                )
            };
            let expected =
                part("1-2", "12") + &part("7-9", "789") + &format!("\r\n--{boundary}--\r\n");
            assert_eq!(body, expected);
        }
    });
}
