//! Who may link here, and by which links: the same decisions as a real nginx.

use std::net::SocketAddr;
use std::process::Command;

use alb_compliance_tests::client::raw;
use alb_compliance_tests::origin::Nginx;
use alb_compliance_tests::{Alb, alb};

/// Lists of referers, as both write them.
const LISTS: [&[&str]; 4] = [
    &[
        "none",
        "blocked",
        "server_names",
        "*.partner.cn",
        "www.example.*",
        "other.cn/pics/",
    ],
    &["server_names", r"~\.gallery\.", "~^exact[0-9]+\\.cn/x"],
    &["none", "*.deep.partner.cn", "*.partner.cn/a", "partner.cn"],
    &["blocked", "example.org"],
];

const REFERERS: [Option<&str>; 44] = [
    None,
    Some(""),
    Some("-"),
    Some("about:blank"),
    Some("http://i.r"),
    Some("http://i.ru"),
    Some("HTTP://I.RU/"),
    Some("ftp://www.partner.cn/"),
    Some("XXXXXXXXXXXXXXXXXXX"),
    Some("http:/www.partner.cn/"),
    Some("http://site.test"),
    Some("http://site.test/"),
    Some("https://SITE.test/a"),
    Some("https://site.test:8443/a"),
    Some("http://site.test."),
    Some("http://www.site.test/"),
    Some("http://partner.cn/"),
    Some("http://www.partner.cn/"),
    Some("hTTps://a.b.partner.cn:1/x?y"),
    Some("http://partner.cn.evil.org/"),
    Some("http://evilpartner.cn/"),
    Some("http://.partner.cn/"),
    Some("http://www.deep.partner.cn/"),
    Some("http://www.partner.cn/a"),
    Some("http://www.partner.cn/ab"),
    Some("http://www.partner.cn:80/ab"),
    Some("http://www.partner.cn/A"),
    Some("http://www.example.org/"),
    Some("http://www.example.co.uk/"),
    Some("http://www.example/"),
    Some("http://example.org"),
    Some("http://other.cn/"),
    Some("http://other.cn/pics/1"),
    Some("http://other.cn:81/pics/1"),
    Some("http://other.cn/PICS/1"),
    Some("http://other.cn?/pics/"),
    Some("http://www.gallery.cn/"),
    Some("http://evil.org/www.GALLERY.cn"),
    Some("http://exact7.cn/x/y"),
    Some("http://EXACT77.cn/x"),
    Some("http://exact.cn/x"),
    Some("http://user@www.partner.cn/"),
    Some("http://www.partner.cn:x@evil.org/"),
    Some("http:///pics/"),
];

/// The status of a GET with a referer.
async fn asked(address: SocketAddr, path: &str, referer: Option<&str>) -> u16 {
    let field = referer.map_or(String::new(), |referer| format!("Referer: {referer}\r\n"));
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n{field}\r\n");
    let answer = raw::exchange(address, request).await;
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no answer to {path} from {referer:?}: {answer:?}"))
}

#[tokio::test]
async fn referers_are_judged_as_nginx_judges_them() {
    let (mut servers, mut routes) = (
        String::from("server_name site.test; root html;"),
        String::new(),
    );
    for (number, list) in LISTS.iter().enumerate() {
        let quoted: Vec<_> = list.iter().map(|referer| format!("'{referer}'")).collect();
        servers += &format!(
            "location /{number}/ {{ valid_referers {}; if ($invalid_referer) {{ return 403; }} return 204; }}\n",
            quoted.join(" ")
        );
        routes += &format!(
            "[[site.route]]\npath = \"/{number}/\"\nreturn = 204\nhotlink = {{ allow = [{}] }}\n",
            quoted.join(", ")
        );
    }
    let nginx = Nginx::start(&servers).await;
    let alb = Alb::start(&format!(
        "[[http]]\nlisten = [\"$web\"]\n[[site]]\nhosts = [\"site.test\"]\n{routes}"
    ))
    .await;
    let (mut wrong, mut let_in) = (Vec::new(), 0);
    for (number, list) in LISTS.iter().enumerate() {
        let path = format!("/{number}/");
        for referer in REFERERS {
            let nginx = asked(nginx.address(), &path, referer).await;
            let ours = asked(alb.address("web"), &path, referer).await;
            if ours != nginx {
                wrong.push(format!("{list:?} for {referer:?}: {ours}, nginx {nginx}"));
            }
            let_in += usize::from(ours == 204);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!((20..150).contains(&let_in), "{let_in} let in");
}

/// nginx 1.22 does not start with such a list; older ones let every referer in.
#[tokio::test]
async fn a_list_that_names_nobody_refuses_whoever_names_a_page() {
    let alb = Alb::start(
        r#"
        [[http]]
        listen = ["$web"]
        [[site]]
        [[site.route]]
        return = 204
        hotlink = { allow = ["none", "blocked"] }
        "#,
    )
    .await;
    for (referer, status) in [
        (None, 204),
        (Some("hidden!!!!!!"), 204),
        (Some("http://site.test/"), 403),
        (Some("http://evil.org/"), 403),
    ] {
        assert_eq!(
            asked(alb.address("web"), "/", referer).await,
            status,
            "{referer:?}"
        );
    }
}

#[tokio::test]
async fn who_hotlinks_may_be_sent_elsewhere() {
    let alb = Alb::start(
        r#"
        [[http]]
        listen = ["$web"]
        [[site]]
        [[site.route]]
        return = 204
        hotlink = { allow = ["partner.cn"], return = { status = 302, location = "/no-hotlinks.png" } }
        "#,
    )
    .await;
    assert_eq!(
        asked(alb.address("web"), "/", Some("http://partner.cn/")).await,
        204
    );
    assert_eq!(
        asked(alb.address("web"), "/", Some("http://evil.org/")).await,
        302
    );
}

const SECRET: &str = "a secret of both";

const LINKS: &str = r#"
    [[http]]
    listen = ["$web"]
    [[site]]
    [[site.route]]
    path = "/md5/"
    return = 204
    [site.route.secure_link]
    algorithm = "md5"
    secret_file = "secret"
    sign = ["expires", "uri", "client_ip"]
    signature_argument = "md5"
    [[site.route]]
    path = "/expression/"
    return = 204
    [site.route.secure_link]
    algorithm = "md5"
    secret_file = "secret"
    expression = "$secret|$uri|$host|$expires"
    signature_argument = "md5"
    [[site.route]]
    path = "/sm3/"
    return = 204
    [site.route.secure_link]
    secret_file = "secret"
"#;

/// With the variables of an expression left as they are.
async fn started(config: &str) -> Alb {
    let mut setup = Alb::new().file("secret", SECRET);
    for variable in ["secret", "uri", "host", "expires"] {
        setup = setup.place(variable, format!("${variable}"));
    }
    setup.start(config).await
}

async fn nginx() -> Nginx {
    let judged = "if ($secure_link = '') { return 403; } if ($secure_link = '0') { return 410; } return 204;";
    Nginx::start(&format!(
        "server_name site.test;
         location /md5/ {{ secure_link $arg_md5,$arg_expires;
           secure_link_md5 '$secure_link_expires$uri$remote_addr {SECRET}'; {judged} }}
         location /expression/ {{ secure_link $arg_md5,$arg_expires;
           secure_link_md5 '{SECRET}|$uri|$host|$secure_link_expires'; {judged} }}"
    ))
    .await
}

/// What `alb sign-link` prints.
fn sign(alb: &Alb, arguments: &[&str]) -> String {
    let secret = alb.directory().join("secret");
    let output = Command::new(alb::binary())
        .args(["sign-link", "--secret-file"])
        .arg(secret)
        .args(arguments)
        .output()
        .expect("alb can be started");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let link = String::from_utf8(output.stdout).expect("text");
    let link = link.trim_end().to_owned();
    assert!(!link.contains(SECRET), "{link}");
    link.strip_prefix("http://site.test")
        .unwrap_or(&link)
        .to_owned()
}

const MD5: [&str; 8] = [
    "--algorithm",
    "md5",
    "--sign",
    "expires,uri,client_ip",
    "--client-ip",
    "127.0.0.1",
    "--signature-argument",
    "md5",
];
const EXPRESSION: [&str; 6] = [
    "--algorithm",
    "md5",
    "--expression",
    "$secret|$uri|$host|$expires",
    "--signature-argument",
    "md5",
];

#[tokio::test]
async fn links_that_the_tool_signs_are_taken_by_alb_and_by_nginx() {
    let nginx = nginx().await;
    let alb = started(LINKS).await;
    let both = [alb.address("web"), nginx.address()];
    for (form, to) in [
        (&MD5[..], "/md5/a"),
        (&MD5, "/md5/with%20space/../%C3%A9?x=1"),
        (&EXPRESSION, "http://site.test/expression/a"),
        (&[], "/sm3/a"),
        (&[], "/sm3/%2e/b%0a?x=1&y"),
    ] {
        let good = sign(&alb, &[form, &[to]].concat());
        let expired = sign(&alb, &[form, &["--until", "1000000000", to]].concat());
        let stretched = expired.replace("1000000000", "9000000000");
        let elsewhere = good
            .replacen("/a?", "/b?", 1)
            .replacen("/b%0a", "/b", 1)
            .replacen("C3%A9", "C3", 1);
        let unsigned = to.strip_prefix("http://site.test").unwrap_or(to);
        for (what, link, status) in [
            ("good", good.as_str(), 204),
            ("expired", &expired, 410),
            ("stretched", &stretched, 403),
            ("for something else", &elsewhere, 403),
            ("unsigned", unsigned, 403),
        ] {
            let judges = if form.is_empty() {
                &both[..1]
            } else {
                &both[..]
            };
            for judge in judges {
                assert_eq!(asked(*judge, link, None).await, status, "{what}: {link}");
            }
        }
    }
}

#[tokio::test]
async fn links_that_others_sign_for_nginx_are_taken_by_alb() {
    let nginx = nginx().await;
    let alb = started(LINKS).await;
    // As nginx's manual signs.
    let script = format!(
        "printf '%s' '9000000000/md5/file127.0.0.1 {SECRET}' | openssl md5 -binary | openssl base64 | tr +/ -_ | tr -d ="
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .output()
        .expect("a shell");
    let signature = String::from_utf8(output.stdout).expect("text");
    let link = format!("/md5/file?md5={}&expires=9000000000", signature.trim());
    for judge in [nginx.address(), alb.address("web")] {
        assert_eq!(asked(judge, &link, None).await, 204, "{link}");
        let other = link.replace("file?", "files?");
        assert_eq!(asked(judge, &other, None).await, 403);
    }
}

#[tokio::test]
async fn a_secret_is_never_shown() {
    let inline = LINKS.replace(
        "secret_file = \"secret\"",
        &format!("secret = \"{SECRET}\""),
    );
    let alb = started(&format!("[log]\nlevel = \"trace\"\n{inline}")).await;
    assert_eq!(
        asked(alb.address("web"), "/sm3/a?signature=x&expires=1", None).await,
        403
    );
    assert_eq!(asked(alb.address("web"), "/md5/a", None).await, 403);
    alb.reload().await.expect("a reload");
    assert!(!alb.log().text().contains(SECRET));
}
