//! The words of a mail about messages that did not pass. No I/O.

use std::fmt::Write as _;
use std::time::SystemTime;

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};

use super::{Alerts, Event};

impl Alerts {
    /// Writes a mail about these messages, and so many more.
    pub(super) fn write(
        &self,
        events: &[Event],
        more: u64,
        hostname: &str,
    ) -> Result<Message, String> {
        let count = events.len() as u64 + more;
        let subject = match events {
            [only] if more == 0 => format!(
                "[alb] {}: message of {}",
                only.action,
                plain(&only.mail_from)
            ),
            _ => format!("[alb] {count} messages did not pass"),
        };
        let mut message = Message::builder()
            .from(mailbox(&self.from)?)
            .subject(subject)
            .message_id(Some(format!(
                "<{:x}.{}@{hostname}>",
                unix_millis(),
                self.policy
            )))
            .raw_header(automatic());
        for to in &self.to {
            message = message.to(mailbox(to)?);
        }
        let message = message.header(ContentType::TEXT_PLAIN);
        message
            .body(self.body(events, more, hostname))
            .map_err(|error| error.to_string())
    }

    fn body(&self, events: &[Event], more: u64, hostname: &str) -> String {
        let mut body = format!(
            "Messages that policy {} on {hostname} did not let pass:\n",
            self.policy
        );
        for event in events {
            let recipients: Vec<String> = event
                .recipients
                .iter()
                .take(10)
                .map(|to| plain(to))
                .collect();
            // Writing to a string cannot fail.
            let _ = write!(
                body,
                "\n{}\n  {}: {}\n  user {}, client {}\n  from {}\n  to {} ({} in all)\n",
                httpdate::fmt_http_date(event.at),
                event.action,
                event.reply,
                plain(&event.user),
                event.client.ip(),
                plain(&event.mail_from),
                recipients.join(", "),
                event.recipients.len()
            );
        }
        if more > 0 {
            let _ = write!(body, "\nand {more} more, which the log names\n");
        }
        body
    }
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|error| format!("`{text}`: {error}"))
}

/// RFC 3834 § 5: nobody answers it automatically.
fn automatic() -> HeaderValue {
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    HeaderValue::new(name, "auto-generated".to_owned())
}

/// Words of others on one line.
fn plain(text: &str) -> String {
    match text {
        "" => "<>".to_owned(),
        text => text.escape_debug().to_string(),
    }
}

fn unix_millis() -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alb_conf::MailAlert;

    fn event(n: u8) -> Event {
        Event {
            at: SystemTime::UNIX_EPOCH,
            action: "deny",
            reply: format!("550 5.7.1 no [{n}]"),
            user: "张三".to_owned(),
            client: ([10, 0, 0, n], 25).into(),
            mail_from: "a@b\r\nBcc: x@y".to_owned(),
            recipients: vec!["c@d".to_owned(); 20],
        }
    }

    fn alerts() -> Alerts {
        let written = MailAlert {
            to: vec!["sec@gov.example".to_owned().into()],
            from: Some("gw@gov.example".to_owned().into()),
            ..MailAlert::default()
        };
        Alerts::new("office", &written)
    }

    #[test]
    fn a_mail_tells_of_all_and_no_word_of_others_becomes_a_field() {
        let one = alerts()
            .write(&[event(1)], 0, "mail.test")
            .expect("a mail")
            .formatted();
        let one = String::from_utf8_lossy(&one).into_owned();
        assert!(
            !one.contains("\r\nBcc:") && one.contains("Auto-Submitted: auto-generated\r\n"),
            "{one}"
        );
        assert!(one.contains("To: sec@gov.example\r\n"), "{one}");
        let body = alerts().body(&[event(1), event(2)], 5, "mail.test");
        for part in [
            "[1]",
            "[2]",
            "10.0.0.2",
            "张三",
            "(20 in all)",
            "and 5 more",
        ] {
            assert!(body.contains(part), "{part}: {body}");
        }
    }
}
