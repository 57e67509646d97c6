//! What is thought of a message: its header blocks read (RFC 2045, 2047, 2231), its parts compared with the policy. Takes
//! time, and no I/O: runs away from the workers.

use mail_parser::{Header, HeaderName, HeaderValue, MessageParser};

use super::crypto::is_envelope;
use super::kind::Kind;
use super::name::extension;
use super::policy::Rules;
use super::prescan::{Outline, Part};
use super::structure::{field_count, fields, parameters, unfolded};

/// Why a message is not allowed: one line in ASCII, for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding(pub String);

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Pass,
    /// It is refused.
    Deny(Finding),
    /// It is held back.
    Quarantine(Finding),
}

/// What a part says of itself.
#[derive(Debug, Default)]
struct Declared {
    /// Its types, in lower case without parameters; several where it has several.
    types: Vec<String>,
    /// Endings of its names.
    extensions: Vec<String>,
    named: bool,
    attached: bool,
    /// S/MIME that says it is enveloped.
    enveloped: bool,
}

/// Judges a message by the rules.
pub fn judge(outline: &Outline, rules: &Rules, author: &str) -> Verdict {
    let mut worst = Verdict::Pass;
    let mut note = |verdict: Verdict| {
        let graver = matches!(
            (&worst, &verdict),
            (Verdict::Pass, _) | (Verdict::Quarantine(_), Verdict::Deny(_))
        );
        if graver {
            worst = verdict;
        }
    };
    let top = outline
        .parts
        .first()
        .map_or(&[][..], |part| &outline.headers[part.header.clone()]);
    check_fields(top, rules, author, &mut note);
    let mut attachments = 0;
    for part in &outline.parts {
        let declared = declared(&outline.headers[part.header.clone()]);
        check_declared(&declared, rules, &mut note);
        let content = part.encoding.decode(&part.head);
        if is_encrypted(part, &declared, &content) {
            note(rules.encrypted("the message is encrypted"));
        }
        if part.leaf && is_attachment(&declared) {
            attachments += 1;
            check_content(part, &declared, &content, rules, &mut note);
        }
    }
    if rules.max_attachments.is_some_and(|most| attachments > most) {
        note(rules.broken(format!("{attachments} attachments are too many")));
    }
    worst
}

/// Author and date (RFC 5322 § 3.6: one of each).
fn check_fields(top: &[u8], rules: &Rules, author: &str, note: &mut impl FnMut(Verdict)) {
    for name in ["From", "Date"] {
        let count = field_count(top, name.as_bytes());
        if count != 1 {
            note(rules.bad_headers(&format!("{count} fields {name}, where one has to be")));
        }
    }
    let Some(from) = &rules.from else {
        return;
    };
    let addresses: Vec<String> = fields(top)
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"from"))
        .flat_map(|(name, value)| addresses(&alone(name, &unfolded(value))))
        .collect();
    let allowed = |address: &String| from.allows(author, address);
    if addresses.is_empty() || !addresses.iter().all(allowed) {
        note(rules.broken("the author is not the user who has logged in".to_owned()));
    }
}

/// The addresses of a header block with nothing but From.
fn addresses(block: &[u8]) -> Vec<String> {
    let parser = MessageParser::new().header_address(HeaderName::From);
    let parsed = parser.default_header_raw().parse_headers(block);
    let parts = parsed.iter().flat_map(|message| &message.parts);
    parts
        .flat_map(|part| &part.headers)
        .filter(|header| header.name == HeaderName::From)
        .filter_map(|header| header.value.as_address())
        .flat_map(|list| list.iter())
        .map(|one| one.address.as_deref().unwrap_or_default().to_owned())
        .collect()
}

fn check_declared(declared: &Declared, rules: &Rules, note: &mut impl FnMut(Verdict)) {
    for ending in &declared.extensions {
        if rules.denies_extension(ending) {
            note(rules.broken(format!(
                "attachments ending in .{} are not allowed",
                words(ending)
            )));
        }
    }
    for kind in &declared.types {
        if rules.denies_type(kind) {
            note(rules.broken(format!("the type {} is not allowed", words(kind))));
        }
    }
}

/// The content of an attachment, whatever it says it is.
fn check_content(
    part: &Part,
    declared: &Declared,
    content: &[u8],
    rules: &Rules,
    note: &mut impl FnMut(Verdict),
) {
    let size = part.encoding.decoded_size(part.size);
    if rules.max_attachment.is_some_and(|most| size > most) {
        note(rules.broken(format!("an attachment of {size} bytes is too large")));
    }
    let found = Kind::of(content);
    if let Some(kind) = found {
        let denied = kind
            .extensions
            .first()
            .is_some_and(|first| rules.denies_extension(first));
        // A document that is stored as an archive is no archive to who forbids those.
        let another = declared
            .extensions
            .iter()
            .any(|ending| kind.extensions[1..].contains(&ending.as_str()));
        let by_type = kind.runs && kind.types.iter().any(|name| rules.denies_type(name));
        if by_type || denied && (kind.runs || !another) {
            note(rules.broken(format!(
                "content of the kind .{} is not allowed",
                kind.extensions[0]
            )));
        }
    }
    let ending = declared.extensions.first().map_or("", String::as_str);
    let kind = declared.types.first().map_or("", String::as_str);
    if Kind::mismatch(found, ending, kind) {
        note(rules.mismatched("an attachment is not what it is called"));
    }
}

/// What has a name, is attached, or is no text.
fn is_attachment(declared: &Declared) -> bool {
    let text = |kind: &String| kind.starts_with("text/") || kind.starts_with("multipart/");
    declared.named || declared.attached || !declared.types.iter().all(text)
}

fn is_encrypted(part: &Part, declared: &Declared, content: &[u8]) -> bool {
    const ARMOR: &[u8] = b"-----BEGIN PGP MESSAGE-----";
    let of_pgp = |kind: &String| {
        matches!(
            kind.as_str(),
            "multipart/encrypted" | "application/pgp-encrypted"
        )
    };
    declared.enveloped
        || declared.types.iter().any(of_pgp)
        || part.armored
        || memchr::memmem::find(content, ARMOR).is_some()
        || is_envelope(content)
}

/// Each field is read on its own: a blank line within one, or a line that is no field, ends no header block here.
fn declared(block: &[u8]) -> Declared {
    let mut declared = Declared::default();
    for (name, value) in fields(block) {
        let is_type = name.eq_ignore_ascii_case(b"content-type");
        if is_type || name.eq_ignore_ascii_case(b"content-disposition") {
            let value = unfolded(value);
            declared.read(&alone(name, &value));
            declared.name_plainly(&value);
        }
    }
    declared
}

/// A header block of one field.
fn alone(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b":", value, b"\r\n\r\n"].concat()
}

impl Declared {
    fn read(&mut self, block: &[u8]) {
        let parser = MessageParser::new().with_mime_headers();
        let parsed = parser.default_header_raw().parse_headers(block);
        let parts = parsed.iter().flat_map(|message| &message.parts);
        parts
            .flat_map(|part| &part.headers)
            .for_each(|header| self.add(header));
    }

    /// Names as they stand behind a `;`, for readers that do not mind what stands before it.
    fn name_plainly(&mut self, value: &[u8]) {
        for (name, value) in parameters(value) {
            if name.eq_ignore_ascii_case(b"name") || name.eq_ignore_ascii_case(b"filename") {
                self.named = true;
                self.extensions
                    .push(extension(&String::from_utf8_lossy(&value)));
            }
        }
    }

    fn add(&mut self, header: &Header<'_>) {
        let HeaderValue::ContentType(value) = &header.value else {
            return;
        };
        let is_type = header.name == HeaderName::ContentType;
        let sub = value.c_subtype.as_deref().unwrap_or_default();
        let kind = format!("{}/{sub}", value.c_type).to_lowercase();
        for attribute in value.attributes.iter().flatten() {
            let name = attribute.name.to_ascii_lowercase();
            if name.starts_with("name") || name.starts_with("filename") {
                self.named = true;
                self.extensions.push(extension(&attribute.value));
            }
            let enveloped = ["enveloped-data", "authenveloped-data"];
            let says = |what: &&str| attribute.value.eq_ignore_ascii_case(what);
            self.enveloped |= name == "smime-type" && enveloped.iter().any(says);
        }
        match is_type {
            true => self.types.push(kind),
            false => self.attached |= !value.c_type.eq_ignore_ascii_case("inline"),
        }
    }
}

/// Words of a message for a reply: what is no ASCII, and what is too long, is left out.
fn words(text: &str) -> String {
    let sound = |c: &char| c.is_ascii_alphanumeric() || "-+./_".contains(*c);
    text.chars().filter(sound).take(64).collect()
}

#[cfg(test)]
mod tests;
