//! What a file says and what it leaves out.

use alb_conf::{PeerAddress, Workers, check_str};

const GATEWAY: &str = r#"
[daemon]
workers = 2
[log]
rotate = { size = "1MiB", keep = 3 }
[identity.portal-gm]
sign    = { certificate = "portal-sign.pem", key = "portal-sign.key" }
encrypt = { certificate = "portal-enc.pem",  key = { file = "portal-enc.key", password_file = "pw" } }
[[http]]
name = "gm"
listen = ["0.0.0.0:443", "[::]:443"]
[http.tls]
protocols = ["tlcp", "tls1.3"]
identities = ["portal-gm"]
client_auth = { mode = "required", ca = ["gm-ca.pem"] }
[[site]]
hosts = ["portal.example.cn"]
on = ["gm"]
[[site.route]]
path = "/"
proxy = "app"
request_headers = { set = { X-Department = "finance" }, remove = ["X-Debug"] }
tls_headers = { X-Suite = "suite" }
[[site.route]]
exact = "/old"
return = { status = 301, location = "/new" }
[[site.route]]
exact = "/gone"
return = 410
[upstream.app]
peers = ["10.0.0.11:8080", { address = "unix:/run/app.sock", weight = 3 }, "app.internal:80"]
retry = { on = ["error", "502"] }
"#;

#[test]
fn a_gateway_is_read_with_its_defaults() {
    let config = check_str(GATEWAY).unwrap();
    assert_eq!(config.daemon.workers, Workers::Count(2));
    assert_eq!(config.http[0].listen[1].to_string(), "[::]:443");
    assert_eq!(config.http[0].max_headers, 100);
    let app = &config.upstream["app"];
    assert_eq!(
        *app.peers[1].address,
        PeerAddress::Unix("/run/app.sock".into())
    );
    assert_eq!((app.peers[1].weight, app.peers[0].weight), (3, 1));
    assert_eq!(app.retry.tries, 2);
    assert_eq!(config.site[0].route[2].reply.as_ref().unwrap().status, 410);
}

#[test]
fn every_reference_knows_its_place() {
    let config = check_str(GATEWAY).unwrap();
    let proxy = config.site[0].route[0].proxy.as_ref().unwrap();
    assert_eq!(&GATEWAY[proxy.span()], "\"app\"");
    let (name, _) = config.upstream.first_key_value().unwrap();
    assert_eq!(&GATEWAY[name.span()], "app");
    assert_eq!(&GATEWAY[config.http[0].span()], "[[http]]");
}
