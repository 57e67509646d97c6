//! A message for several servers. All of them get all of it before any gets its end, so that it goes to none if one of them
//! leaves, or does not want it, before that. Then they get the end one after the other: the first that refuses keeps it
//! from those that follow. Only a refusal after another server has taken it leaves it half delivered.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::{timeout, timeout_at};

use super::super::reply::Reply;
use super::branch::{Branch, Stage};
use super::deliver::{Content, Pieces, begin, reply};
use super::elsewhere::LOST;
use super::mx::Onward;
use super::vigil::Vigil;
use super::{OF_BODY, Relay};
use crate::client::Stop;
use crate::wire::Wire;

/// Recipients that are named in a refusal.
const NAMED: usize = 10;

/// Longest words of a server that are passed on.
const WORDS: usize = 400;

/// Some servers have the message now, and will have it again.
const PARTLY: &str = "451 4.3.0 Not every server has taken the message, try again later";

/// What has become of a message.
pub(super) struct Fanned {
    /// What the client is told, without the last line's end.
    pub(super) reply: String,
    /// What each server said.
    pub(super) verdicts: Vec<String>,
}

impl Fanned {
    fn say(reply: &str, verdicts: Vec<String>) -> Self {
        Fanned {
            reply: reply.to_owned(),
            verdicts,
        }
    }
}

/// A server that the message is for.
struct Server<'s> {
    name: &'s str,
    wire: &'s mut Wire,
    vigil: Option<&'s mut Vigil>,
    stage: &'s mut Stage,
    /// Who has it there, of servers that are not the first.
    recipients: &'s [String],
}

impl<'s> Server<'s> {
    fn of(branch: &'s mut Branch) -> Self {
        Server {
            name: &branch.name,
            wire: &mut branch.wire,
            vigil: Some(&mut branch.vigil),
            stage: &mut branch.stage,
            recipients: &branch.recipients,
        }
    }

    /// Has it wait for the message; its refusal, or that it has left.
    async fn begin(&mut self, most: Duration) -> Result<(), Fanned> {
        if let Some(vigil) = &mut self.vigil
            && vigil.settle(self.wire).await.is_err()
        {
            return Err(self.lost());
        }
        let reply = begin(self.wire, most).await.map_err(|_| self.lost())?;
        match reply.code {
            354 => {
                *self.stage = Stage::Content;
                Ok(())
            }
            421 => Err(self.lost()),
            _ => Err(Fanned::say(
                &words(Some(&reply)),
                vec![self.said(Some(&reply))],
            )),
        }
    }

    /// Gives it the last line; its reply, or `None` if it has left or time is over.
    async fn end(&mut self, last: &[u8], until: Instant) -> Option<Reply> {
        let ending = async {
            self.wire.send(last).await?;
            reply(self.wire).await
        };
        let reply = timeout_at(until.into(), ending).await.ok()?.ok()?;
        if reply.code != 421 {
            *self.stage = Stage::Over;
        }
        Some(reply)
    }

    /// It has left before the message was its.
    fn lost(&mut self) -> Fanned {
        *self.stage = Stage::Content;
        Fanned::say(LOST, vec![self.said(None)])
    }

    fn said(&self, reply: Option<&Reply>) -> String {
        let words = reply.map(|reply| format!("{} {}", reply.code, reply.text()));
        format!("{}: {}", self.name, words.as_deref().unwrap_or("lost"))
    }
}

impl Relay {
    /// Has all servers of the message take it.
    pub(super) async fn fan_out(&mut self, content: &Content<'_>) -> Result<Fanned, Stop> {
        if self.mx.as_ref().is_some_and(|mx| mx.lost) {
            self.leave_others();
            self.forget_at_server().await;
            return Ok(Fanned::say(LOST, Vec::new()));
        }
        let times = &self.client.service.settings.timeouts;
        let name = self.client.record.server.as_ref().map(|own| own.name());
        let mut stage = Stage::Envelope;
        let branches = self.mx.iter_mut().flat_map(|mx| &mut mx.branches);
        let (mut taken, mut servers) = (0, Vec::new());
        for branch in branches.filter(|branch| !branch.recipients.is_empty()) {
            taken += branch.recipients.len();
            servers.push(Server::of(branch));
        }
        if self.now.recipients as usize > taken {
            let own = Server {
                name: name.as_deref().unwrap_or_default(),
                wire: &mut self.server,
                vigil: self.keeper.as_mut().map(|keeper| &mut keeper.vigil),
                stage: &mut stage,
                recipients: &[],
            };
            servers.insert(0, own);
        }
        let begun = tokio::select! {
            biased;
            // As long as no last line has gone, no server has a message, and the client will come again.
            () = self.client.wire.closed(OF_BODY) => return Err(Stop::Closed),
            begun = spread(&mut servers, content, *times.data) => begun,
        };
        let fanned = match begun {
            Ok(last) => conclude(&mut servers, last, Instant::now() + *times.delivery).await,
            Err(fanned) => fanned,
        };
        drop(servers);
        self.client.record.received += content.size();
        self.leave_others();
        match stage {
            Stage::Envelope => self.forget_at_server().await,
            Stage::Content => self.go_on(Onward::Anew),
            Stage::Over => {}
        }
        Ok(fanned)
    }
}

/// Sends servers all but the last line, which is returned.
async fn spread(
    servers: &mut [Server<'_>],
    content: &Content<'_>,
    most: Duration,
) -> Result<&'static [u8], Fanned> {
    for server in &mut *servers {
        server.begin(most).await?;
    }
    let mut pieces = Pieces::of(content);
    while let Some(piece) = pieces.next().await.map_err(unread)? {
        for server in &mut *servers {
            let sent = timeout(most, server.wire.send(&piece)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return Err(server.lost());
            }
        }
    }
    for server in &mut *servers {
        if has_spoken(server.wire).await {
            return Err(server.lost());
        }
    }
    Ok(pieces.end())
}

/// Whether a server has said something, or left, while it should only listen.
async fn has_spoken(server: &mut Wire) -> bool {
    let mut filling = pin!(server.fill());
    poll_fn(|cx| Poll::Ready(filling.as_mut().poll(cx).is_ready())).await
}

fn unread(error: io::Error) -> Fanned {
    tracing::warn!("a message that was kept cannot be read: {error}");
    Fanned::say("451 4.3.0 Try again later", Vec::new())
}

/// Gives servers the last line, one after the other, until one refuses for now, or before any has taken the message.
async fn conclude(servers: &mut [Server<'_>], last: &[u8], until: Instant) -> Fanned {
    let (mut taken, mut refused, mut verdicts) = (0, Vec::new(), Vec::new());
    let alone = servers.len() == 1;
    for server in &mut *servers {
        let reply = server.end(last, until).await;
        verdicts.push(server.said(reply.as_ref()));
        let words = words(reply.as_ref());
        match words.as_bytes()[0] {
            b'2' if alone => return Fanned::say(&words, verdicts),
            b'2' => taken += 1,
            _ if taken == 0 => return Fanned::say(&words, verdicts),
            b'5' => refused.push((server.recipients, words)),
            _ => return Fanned::say(PARTLY, verdicts),
        }
    }
    let reply = match refused.is_empty() {
        true => format!("250 2.0.0 Ok, taken by {taken} servers"),
        false => refusal(&refused),
    };
    Fanned { reply, verdicts }
}

/// What the client is told, and its user in turn, where some have the message and others will not: asked to try again it
/// would bring it again to those who have it.
fn refusal(refused: &[(&[String], String)]) -> String {
    let mut lines = vec!["The message is delivered, but not to these recipients".to_owned()];
    for (recipients, words) in refused {
        let named = recipients.iter().take(NAMED);
        let named = named.map(|to| format!("<{}>", cut(to)));
        lines.extend(named);
        if let Some(more) = recipients.len().checked_sub(NAMED + 1) {
            lines.push(format!("and {} more", more + 1));
        }
        lines.push(format!("for whom a server says: {words}"));
    }
    let last = lines.len() - 1;
    let lines = lines.iter().enumerate().map(|(at, line)| {
        let separator = if at == last { ' ' } else { '-' };
        format!("554{separator}5.0.0 {line}")
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

/// A server's reply in one line, without ends; one that has left is to be tried again.
fn words(reply: Option<&Reply>) -> String {
    let reply =
        reply.filter(|reply| matches!(reply.code, 200..300 | 400..600) && reply.code != 421);
    reply.map_or_else(
        || LOST.to_owned(),
        |reply| {
            let text = reply.text();
            format!("{} {}", reply.code, cut(&text))
        },
    )
}

/// Lines of replies have 512 bytes (RFC 5321 § 4.5.3.1.5).
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(WORDS)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_who_has_no_message() {
        let few = ["a@x".to_owned()];
        let many: Vec<_> = (0..12).map(|n| format!("{n}@y")).collect();
        let said = refusal(&[
            (&few, "550 5.7.1 spam".to_owned()),
            (&many, "552 5.3.4 large".to_owned()),
        ]);
        let lines: Vec<_> = said.split("\r\n").collect();
        assert_eq!(
            lines[1..4],
            [
                "554-5.0.0 <a@x>",
                "554-5.0.0 for whom a server says: 550 5.7.1 spam",
                "554-5.0.0 <0@y>",
            ]
        );
        let end = [
            "554-5.0.0 and 2 more",
            "554 5.0.0 for whom a server says: 552 5.3.4 large",
        ];
        assert!(lines.ends_with(&end), "{said}");
    }
}
