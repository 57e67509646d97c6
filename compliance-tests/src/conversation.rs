//! Conversations with a listener, written down as RFCs show them.
//!
//! | line | what |
//! |---|---|
//! | `at LISTENER` | begins one; lines with `#` are remarks |
//! | `C: line`, `c: bytes` | what the client sends, with and without the end of a line |
//! | `S: line` | what it is told, word for word |
//! | `U: start` | what it is told, to the first line that begins so |
//! | `finish` | the client says that it has said everything |
//! | `leave` | the client closes the connection |
//! | `end` | the gateway closes the connection, having said nothing else |
//! | `heard: start` | the server behind has heard a line that begins so (`connected` when it has been connected to) |
//! | `log: text` | the log has this, in the line of this session if it is `ended_by=…` |
//!
//! In what the client sends `\0`, `\r` and `\n` are these characters, and `%(COUNT TEXT)` is a repetition.

use std::net::Ipv4Addr;

use crate::Alb;
use crate::client::LineClient;
use crate::process::Lines;
use crate::stopwatch::within;

/// A conversation with a listener.
#[derive(Debug)]
pub struct Conversation {
    /// The listener's name.
    pub listener: String,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Send(String),
    Told(String),
    Until(String),
    Finish,
    Leave,
    End(String),
    Heard(String),
    Log(String),
}

/// Reads conversations.
pub fn read(text: &str) -> Vec<Conversation> {
    let mut conversations: Vec<Conversation> = Vec::new();
    let lines = text.lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix("at ") {
            Some(listener) => conversations.push(Conversation {
                listener: listener.to_owned(),
                steps: Vec::new(),
            }),
            None => {
                let last = conversations.last_mut();
                step(&mut last.expect("a listener first").steps, line);
            }
        }
    }
    conversations
}

/// Adds a line to the step before it, which it continues, or makes one of it.
fn step(steps: &mut Vec<Step>, line: &str) {
    let (kind, text) = line.split_once(": ").unwrap_or((line, ""));
    let sent = match kind {
        "C" => unescaped(text) + "\r\n",
        _ => unescaped(text),
    };
    match (kind, steps.last_mut()) {
        ("C" | "c", Some(Step::Send(before))) => *before += &sent,
        ("C" | "c", _) => steps.push(Step::Send(sent)),
        ("S", Some(Step::Told(before))) => *before += &format!("{text}\r\n"),
        ("S", _) => steps.push(Step::Told(format!("{text}\r\n"))),
        ("U", _) => steps.push(Step::Until(text.to_owned())),
        ("finish", _) => steps.push(Step::Finish),
        ("leave", _) => steps.push(Step::Leave),
        ("end", Some(last @ Step::Told(_))) => {
            let Step::Told(told) = std::mem::replace(last, Step::Leave) else {
                return;
            };
            *last = Step::End(told);
        }
        ("end", _) => steps.push(Step::End(String::new())),
        ("heard", _) => steps.push(Step::Heard(text.to_owned())),
        ("log", _) => steps.push(Step::Log(text.to_owned())),
        _ => panic!("{line:?} is no line of a conversation"),
    }
}

fn unescaped(text: &str) -> String {
    let characters = [("\\0", "\0"), ("\\r", "\r"), ("\\n", "\n")];
    let text = characters
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let Some((before, rest)) = text.split_once("%(") else {
        return text;
    };
    let (repeated, after) = rest.rsplit_once(')').expect("its end");
    let (count, what) = repeated.split_once(' ').expect("what is repeated");
    let count = count.parse().expect("a number");
    format!("{before}{}{after}", what.repeat(count))
}

impl Conversation {
    /// Holds it, coming from this address; `heard` is what the server behind hears.
    pub async fn hold(&self, alb: &Alb, from: Ipv4Addr, heard: &Lines) {
        let mark = heard.mark();
        let at = alb.address(&self.listener);
        let mut client = Some(LineClient::connect_from(from, at).await);
        for step in &self.steps {
            let what = || format!("{}: {step:.200?}", self.listener);
            match (step, client.as_mut()) {
                (Step::Leave, _) => client = None,
                (Step::Heard(start), _) => {
                    within(&what(), heard.wait_for(mark, start)).await;
                }
                (Step::Log(text), _) => log(alb, from, text).await,
                (Step::Send(sent), Some(client)) => client.send(sent).await,
                (Step::Until(start), Some(client)) => drop(client.until(start).await),
                (Step::Finish, Some(client)) => client.finish().await,
                (Step::End(told), Some(client)) => {
                    assert_eq!(client.rest().await, *told, "{}", what())
                }
                (Step::Told(told), Some(client)) => {
                    let mut seen = String::new();
                    for _ in told.lines() {
                        seen += &client.until("").await;
                    }
                    assert_eq!(seen, *told, "{}", what());
                }
                (_, None) => panic!("{} after the client has left", what()),
            }
        }
    }
}

/// Waits for a line of the log.
async fn log(alb: &Alb, from: Ipv4Addr, text: &str) {
    let what = format!("{text:?} of {from} in the log:\n{}", alb.log().text());
    let of_session = ["mail session ended", &format!("client={from}:")];
    match text.starts_with("ended_by=") {
        false => drop(alb.wait_for_log(text).await),
        true => {
            let line = within(&what, alb.log().wait_for_all(&of_session)).await;
            assert!(line.contains(text), "{text:?} is not in {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_continue_what_is_before_them() {
        let text = "# remark\nat smtp\nU: 220\nC: EHLO x\nC: NOOP\nS: 250-a\nS: 250 b\nend\n\nat pop3\nc: %(3 x)\\n\nleave\n";
        let read = read(text);
        assert_eq!(
            format!("{:?}", read[0].steps),
            r#"[Until("220"), Send("EHLO x\r\nNOOP\r\n"), End("250-a\r\n250 b\r\n")]"#
        );
        assert_eq!(read[1].listener, "pop3");
        assert_eq!(format!("{:?}", read[1].steps), r#"[Send("xxx\n"), Leave]"#);
    }
}
