use super::*;
use crate::content::prescan::Prescan;
use alb_conf::{MailAction, MailPolicy, MailVerdict, Size};
use proptest::prelude::*;

fn policy() -> MailPolicy {
    MailPolicy {
        action: MailAction::Deny.into(),
        deny_extensions: ["exe", "js", "zip"].map(|e| e.to_owned().into()).into(),
        deny_types: ["video/*", "message/partial"]
            .map(|e| e.to_owned().into())
            .into(),
        max_attachment: Some(Size::bytes(100)),
        max_attachments: Some(2),
        encrypted: MailVerdict::Quarantine.into(),
        ..MailPolicy::default()
    }
}

fn judged(policy: &MailPolicy, message: &[u8]) -> Verdict {
    let mut prescan = Prescan::default();
    prescan.feed(message).expect("sound");
    judge(
        &prescan.finish().expect("sound"),
        &Rules::read(policy),
        "alice@gov.example",
    )
}

fn part(fields: &str, content: &str) -> Verdict {
    judged(&policy(), format!("{fields}\r\n\r\n{content}").as_bytes())
}

fn is_denied(verdict: &Verdict, why: &str) -> bool {
    matches!(verdict, Verdict::Deny(Finding(reason)) if reason.contains(why))
}

#[test]
fn names_are_read_as_their_readers_read_them() {
    for name in [
        "filename=evil.exe",
        "filename=\"evil.EXE\"",
        "filename*=utf-8''evil%2Eexe",
        "filename*0=ev; filename*1=il.e; filename*2=xe",
        "filename*0*=utf-8''ev%69l; filename*1*=%2Eexe",
        "filename=\"=?utf-8?B?5oql5ZGKLmV4ZQ==?=\"",
        "filename=\"=?gb18030?B?sai45i5leGU=?=\"",
        "filename=\"=?utf-8?Q?evil=2Eexe?=\"",
        "filename=\"evil.exe. .\"",
        "filename=\"invoice.pdf              .exe\"",
        "filename=ok.txt; filename=evil.exe",
        "filename=\"ev\\il.exe\"",
        "filename*=utf-8''evil.ex%E2%80%AEe",
    ] {
        let found = part(&format!("Content-Disposition: attachment; {name}"), "x");
        assert!(is_denied(&found, ".exe"), "{name}: {found:?}");
    }
    let typed = part(
        "Content-Type: application/octet-stream;\r\n name=evil.js",
        "x",
    );
    assert!(is_denied(&typed, ".js"), "{typed:?}");
    let twice = part(
        "Content-Disposition: inline\r\nContent-Disposition: attachment; filename=a.exe",
        "x",
    );
    assert!(is_denied(&twice, ".exe"), "{twice:?}");
    for hidden in [
        " \r\nContent-Type: application/octet-stream; name=evil.exe",
        "Content-Description: x\r\n \r\nContent-Disposition: attachment; filename=evil.exe",
        "no field\r\nContent-Disposition: attachment; filename=evil.exe",
        "Content-Disposition: ; filename=evil.exe",
        "Content-Disposition: attachment (x; filename=evil.exe",
    ] {
        let found = part(hidden, "x");
        assert!(is_denied(&found, ".exe"), "{hidden}: {found:?}");
    }
    assert_eq!(
        part("Content-Disposition: attachment; filename=exe.txt", "x"),
        Verdict::Pass
    );
}

#[test]
fn content_counts_whatever_it_is_called() {
    let base64 = "Content-Transfer-Encoding: base64";
    let found = part(
        &format!("Content-Type: application/pdf; name=a.pdf\r\n{base64}"),
        "TVqQAAMAAAA=",
    );
    assert!(is_denied(&found, ".exe"), "{found:?}");
    let pushed = part(
        &format!("Content-Type: application/pdf; name=a.pdf\r\n{base64}"),
        &format!("{}TVqQAAMAAAA=", "\r\n".repeat(1000)),
    );
    assert!(is_denied(&pushed, ".exe"), "{pushed:?}");
    let archive = part(
        &format!("Content-Type: application/octet-stream; name=a.dat\r\n{base64}"),
        "UEsDBBQAAAA=",
    );
    assert!(is_denied(&archive, ".zip"), "{archive:?}");
    let document = part(
        &format!("Content-Type: application/octet-stream; name=a.docx\r\n{base64}"),
        "UEsDBBQAAAA=",
    );
    assert_eq!(document, Verdict::Pass);
    assert_eq!(
        part("Content-Type: text/plain", "MZ is how this text begins"),
        Verdict::Pass
    );
}

#[test]
fn types_sizes_and_numbers_are_limited() {
    assert!(is_denied(
        &part("Content-Type: Video/MP4", "x"),
        "video/mp4"
    ));
    assert!(is_denied(
        &part("Content-Type: message/partial; id=1", "x"),
        "message/partial"
    ));
    let large = part(
        "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64",
        &"AAAA".repeat(34),
    );
    assert!(is_denied(&large, "102 bytes"), "{large:?}");
    let fits = part(
        "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64",
        &"AAAA".repeat(33),
    );
    assert_eq!(fits, Verdict::Pass);
    let three = "--b\r\nContent-Type: image/png\r\n\r\nx\r\n".repeat(3);
    let many = part(
        "Content-Type: multipart/mixed; boundary=b",
        &format!("{three}--b--"),
    );
    assert!(is_denied(&many, "3 attachments"), "{many:?}");
}

#[test]
fn what_nobody_can_look_into_is_held() {
    let sm2 = "MBgGCiqBHM9VBgEEAgOgCjAIAgEBMQAwADA=";
    let base64 = "Content-Transfer-Encoding: base64\r\nContent-Type: application";
    for (fields, content) in [
        (
            "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"".to_owned(),
            "x".to_owned(),
        ),
        (
            "Content-Type: text/plain".to_owned(),
            "hi\r\n-----BEGIN PGP MESSAGE-----\r\n".to_owned(),
        ),
        (
            "Content-Type: application/pkcs7-mime; smime-type=Enveloped-Data".to_owned(),
            "x".to_owned(),
        ),
        (
            format!("{base64}/pkcs7-mime; name=smime.p7m"),
            "MIAGCSqGSIb3DQEHA6CA".to_owned(),
        ),
        (format!("{base64}/octet-stream; name=x.dat"), sm2.to_owned()),
        (
            "Content-Transfer-Encoding: base64".to_owned(),
            "LS0tLS1CRUdJTiBQR1AgTUVTU0FHRS0tLS0t".to_owned(),
        ),
    ] {
        let found = part(&fields, &content);
        assert!(
            matches!(found, Verdict::Quarantine(_)),
            "{fields}: {found:?}"
        );
    }
    let signed = part(
        &format!("{base64}/pkcs7-mime; smime-type=signed-data"),
        "MIAGCSqGSIb3DQEHAqCA",
    );
    assert_eq!(signed, Verdict::Pass);
}

#[test]
fn denying_outweighs_holding() {
    let both = "--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nx\r\n--b\r\nContent-Type: video/mp4\r\n\r\nx\r\n--b--";
    assert!(is_denied(
        &part("Content-Type: multipart/mixed; boundary=b", both),
        "video"
    ));
}

#[test]
fn the_author_must_be_the_user() {
    let policy = MailPolicy {
        from: Some(alb_conf::MailFrom::default().into()),
        bad_headers: MailVerdict::Deny.into(),
        ..MailPolicy::default()
    };
    let date = "Date: Sat, 21 Nov 2026 08:33:20 +0000\r\n";
    for (from, why) in [
        ("From: Alice <alice@gov.example>\r\n", None),
        ("From: \"bob@gov.example\" <ALICE@gov.example>\r\n", None),
        ("From: bob@gov.example\r\n", Some("author")),
        (
            "From: alice@gov.example, bob@gov.example\r\n",
            Some("author"),
        ),
        (
            "From: alice@gov.example\r\nFrom: bob@gov.example\r\n",
            Some("2 fields From"),
        ),
        (
            "From: friends: alice@gov.example, bob@gov.example;\r\n",
            Some("author"),
        ),
        ("Sender: alice@gov.example\r\n", Some("0 fields From")),
        ("From:\r\n", Some("author")),
        (
            "From: alice@gov.example\r\n \r\n ,bob@gov.example\r\n",
            Some("author"),
        ),
    ] {
        let found = judged(&policy, format!("{from}{date}\r\nhi").as_bytes());
        match why {
            None => assert_eq!(found, Verdict::Pass, "{from}"),
            Some(why) => assert!(is_denied(&found, why), "{from}: {found:?}"),
        }
    }
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(parts in prop::collection::vec(prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Disposition: attachment; filename*0*=", "utf-8''%", "=?gb18030?B?", "?=",
        "\"", ";", "\r\n", "\r\n ", "--b\r\n", "From: <", "@", ",", "Content-Type: ", "a/b", "name*1=x", "\u{202e}", "(", "\\"]), 0..30)) {
        let message = parts.concat();
        let mut prescan = Prescan::default();
        if prescan.feed(message.as_bytes()).is_ok() && let Ok(outline) = prescan.finish() {
            judge(&outline, &Rules::read(&policy()), "alice");
        }
    }
}
