use super::*;
use proptest::prelude::*;

fn scan(chunks: &[&[u8]]) -> Result<Outline, Violation> {
    let mut prescan = Prescan::default();
    for chunk in chunks {
        prescan.feed(chunk)?;
    }
    prescan.finish()
}

fn leaves(message: &str) -> Vec<String> {
    let outline = scan(&[message.replace('\n', "\r\n").as_bytes()]).expect("sound");
    let leaves = outline.parts.iter().filter(|part| part.leaf);
    leaves
        .map(|part| {
            String::from_utf8_lossy(&part.head)
                .trim_end()
                .replace('\r', "")
        })
        .collect()
}

const NESTED: &str = "Content-Type: multipart/mixed; boundary=a\n\npreamble\n--a\nContent-Type: text/plain\n\nhello\n--a\n\
    Content-Type: multipart/alternative; boundary=\"a b\"\n\n--a b\n\none\n--a b\n\ntwo\n--a b--\nepilogue\n--a\n\
    Content-Type: message/rfc822\n\nSubject: inner\n\ninner\n--a--\n";

#[test]
fn parts_are_found_in_parts() {
    assert_eq!(leaves(NESTED), ["hello", "one", "two\nepilogue", "inner"]);
    assert_eq!(leaves("Subject: x\n\nplain\n--a\n"), ["plain\n--a"]);
    assert_eq!(leaves("\nno fields"), ["no fields"]);
}

#[test]
fn where_readers_differ_more_parts_are_seen() {
    let start = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n";
    for more in [
        "--b--\n--b\n\ntwo",
        "--b \t\n\ntwo",
        "--bx\n\ntwo",
        "--b-- \n--b\n\ntwo",
    ] {
        assert_eq!(
            leaves(&format!("{start}{more}")),
            ["one", "two"],
            "{more:?}"
        );
    }
    assert_eq!(
        leaves(&format!("{start}x--b\n --b\n-b")),
        ["one\nx--b\n --b\n-b"]
    );
    let no_empty_line = "Content-Type: multipart/mixed; boundary=b\n\n--b\nX: 1\n--b\n\ntwo";
    assert_eq!(leaves(no_empty_line), ["", "two"]);
}

#[test]
fn bombs_are_refused_before_they_are_understood() {
    let fields = |line: &str, count| format!("{}\r\n", line.repeat(count));
    let part = "--b\r\n\r\n";
    let mixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
    let nested =
        (0..60).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"));
    for (bomb, violation) in [
        (
            fields(&format!("X: {}\r\n", "x".repeat(900)), 400),
            Violation::Headers,
        ),
        (fields("X: y\r\n", 1001), Violation::Headers),
        ("x".repeat(300_000), Violation::Headers),
        (fields("Received: by x\r\n", 51), Violation::Loop),
        (format!("{mixed}{}", part.repeat(1000)), Violation::Parts),
        (nested.collect(), Violation::Nesting),
        (
            "Content-Type: message/rfc822\r\n\r\n".repeat(51),
            Violation::Nesting,
        ),
        (
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n".into(),
            Violation::Encoded,
        ),
        (
            format!(
                "Content-Type: multipart/mixed; boundary={}\r\n\r\n",
                "b".repeat(300)
            ),
            Violation::Boundary,
        ),
        (
            "Content-Type: message/rfc822\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                .into(),
            Violation::Ambiguous,
        ),
        ("Subject: x\r\n\r\nhalf\nline".into(), Violation::LineEnds),
        ("Subject: x\r\n\r\nhalf\r".into(), Violation::LineEnds),
        ("Subject: x\r\n\r\n\0".into(), Violation::LineEnds),
    ] {
        assert_eq!(
            scan(&[bomb.as_bytes()]).err(),
            Some(violation),
            "{:.60}",
            bomb
        );
    }
    assert!(scan(&[fields("Received: by x\r\n", 50).as_bytes()]).is_ok());
    assert!(scan(&[format!("{mixed}{}", part.repeat(999)).as_bytes()]).is_ok());
}

#[test]
fn sizes_and_beginnings_are_of_the_content() {
    let message = format!(
        "Content-Transfer-Encoding: base64\r\n\r\n{}",
        "QUFB\r\n".repeat(1000)
    );
    let outline = scan(&[message.as_bytes()]).expect("sound");
    let part = &outline.parts[0];
    assert_eq!((part.size, part.head.len()), (4000, KEPT));
    let armored = scan(&[b"\r\nhi\r\n-----BEGIN PGP MESSAGE-----\r\n"]).expect("sound");
    assert!(armored.parts[0].armored);
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_outline(parts in prop::collection::vec(prop::sample::select(vec![
        "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: message/rfc822\r\n", "X: y\r\n", "\r\n", "--b\r\n",
        "--b--\r\n", "--bb", "text", "\r", "\n", "Content-Transfer-Encoding: base64\r\n", "Content-Transfer-Encoding: quoted-printable\r\n", "=\r\n", "-----BEGIN PGP MESSAGE-----\r\n",
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"]), 0..24),
        cuts in prop::collection::vec(0usize..900, 0..6)) {
        let whole = parts.concat();
        let whole = whole.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
        cuts.extend([0, whole.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
        prop_assert_eq!(scan(&chunks), scan(&[whole]));
    }

    #[test]
    fn what_is_kept_is_bounded(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut prescan = Prescan::default();
        let _ = prescan.feed(&bytes);
        prop_assert!(prescan.held() <= bytes.len() * (KEPT + 200));
    }
}
