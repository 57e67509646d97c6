//! One line of the audit log: named values, for people (`name="value"`) or as a JSON object. What does not apply is left
//! out; what comes from outside can end neither a value nor a line.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use alb_conf::AccessFormat;
use alb_core::log::escape::{self, json_member, json_string};
use alb_core::log::time::rfc3339;

/// A line that is being written.
pub struct Line<'o> {
    out: &'o mut Vec<u8>,
    json: bool,
}

impl<'o> Line<'o> {
    /// Begins a line with its time and what it tells of.
    pub fn begin(out: &'o mut Vec<u8>, format: AccessFormat, at: SystemTime, what: &str) -> Self {
        let json = format == AccessFormat::Json;
        let time = rfc3339(at);
        // Writing into a vector cannot fail.
        let _ = match json {
            true => write!(out, "{{\"ts\":\"{time}\",\"type\":\"{what}\""),
            false => write!(out, "{time} {what}"),
        };
        Line { out, json }
    }

    /// Adds a text, unless it is empty.
    pub fn text(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        if value.is_empty() {
            return;
        }
        if self.json {
            return json_member(self.out, name, value);
        }
        let _ = write!(self.out, " {name}=\"");
        escape::text(self.out, value);
        self.out.push(b'"');
    }

    /// Adds a number or a truth, which need no escaping.
    pub fn plain(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = match self.json {
            true => write!(self.out, ",\"{name}\":{value}"),
            false => write!(self.out, " {name}={value}"),
        };
    }

    /// Adds a duration in whole milliseconds.
    pub fn millis(&mut self, name: &str, value: Duration) {
        self.plain(name, value.as_millis());
    }

    /// Adds texts, unless there are none.
    pub fn list(&mut self, name: &str, values: &[String]) {
        if values.is_empty() {
            return;
        }
        if !self.json {
            return self.text(name, values.join(","));
        }
        let _ = write!(self.out, ",\"{name}\":");
        for (at, value) in values.iter().enumerate() {
            self.out.push(if at == 0 { b'[' } else { b',' });
            json_string(self.out, value.as_bytes());
        }
        self.out.push(b']');
    }

    /// Ends the line.
    pub fn end(self) {
        if self.json {
            self.out.push(b'}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: AccessFormat) -> String {
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, format, SystemTime::UNIX_EPOCH, "session");
        line.text("user", "a\"\r\nb");
        line.text("nothing", "");
        line.plain("errors", 2);
        line.millis("auth_ms", Duration::from_micros(1500));
        line.list("rcpt", &["x@y".to_owned(), "\"".to_owned()]);
        line.list("none", &[]);
        line.end();
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn both_forms_say_the_same_and_nothing_can_end_a_value() {
        assert_eq!(
            line(AccessFormat::Json),
            r#"{"ts":"1970-01-01T00:00:00.000Z","type":"session","user":"a\"\u000d\u000ab","errors":2,"auth_ms":1,"rcpt":["x@y","\""]}"#
        );
        assert_eq!(
            line(AccessFormat::Combined),
            r#"1970-01-01T00:00:00.000Z session user="a\x22\x0D\x0Ab" errors=2 auth_ms=1 rcpt="x@y,\x22""#
        );
    }
}
