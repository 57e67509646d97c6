//! Listeners whose mechanisms only the servers behind understand, and what is said around the messages of one.

use crate::client::{LineClient, Scram};
use crate::origin::dovecot::PASSWORD;
use crate::pki;
use crate::{Alb, Offer};

/// A listener `$NAME` for each of the protocols, before `$NAME-server`, with these mechanisms.
pub fn config(protocols: &[&str], mechanisms: &str) -> String {
    let section = |protocol: &&str| {
        format!(
            "[[mail]]\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"{protocol}\"\nhostname = \"mail.test\"\n\
             mechanisms = [{mechanisms}]\ntls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\" }}\n\
             [upstream.{protocol}]\npeers = [\"$server_{protocol}\"]\n"
        )
    };
    protocols.iter().map(section).collect::<String>() + pki::IDENTITIES
}

/// What is said around the messages of a mechanism.
#[derive(Debug)]
pub struct Framing {
    /// The listener is called so, too.
    pub protocol: &'static str,
    /// How the server greets.
    pub greeting: &'static str,
    /// What the mechanism stands behind.
    pub begin: &'static str,
    /// What a challenge stands behind.
    pub challenge: &'static str,
    /// How the answer to a login that succeeded begins.
    pub welcome: &'static str,
    /// How the answer to a wrong proof begins.
    pub refusal: &'static str,
}

/// IMAP, POP3 and SMTP, at listeners of these names.
pub const FRAMINGS: [Framing; 3] = [
    Framing {
        protocol: "imap",
        greeting: "* OK",
        begin: "a AUTHENTICATE",
        challenge: "+ ",
        welcome: "a OK",
        refusal: "a NO [AUTHENTICATIONFAILED]",
    },
    Framing {
        protocol: "pop3",
        greeting: "+OK",
        begin: "AUTH",
        challenge: "+ ",
        welcome: "+OK",
        refusal: "-ERR [AUTH]",
    },
    Framing {
        protocol: "smtp",
        greeting: "220",
        begin: "AUTH",
        challenge: "334 ",
        welcome: "235",
        refusal: "535 5.7.8",
    },
];

impl Framing {
    /// Connects within TLS or TLCP, to where a login may begin.
    pub async fn greeted(&self, alb: &Alb, offer: &Offer) -> LineClient {
        let mut client = LineClient::secure(alb.address(self.protocol), offer).await;
        client.until(self.greeting).await;
        if self.protocol == "smtp" {
            client.ask("EHLO client.test", "250 ").await;
        }
        client
    }

    /// Sends a line, and returns the challenge that comes back.
    pub async fn challenged(&self, client: &mut LineClient, line: &str) -> String {
        let seen = client.ask(line, self.challenge).await;
        seen[self.challenge.len()..].trim_end().to_owned()
    }

    /// Logs in by SCRAM; the first message comes with the command or after it.
    pub async fn scram(&self, client: &mut LineClient, mechanism: &str, at_once: bool) {
        let mut scram = Scram::new(mechanism, "alice", PASSWORD);
        let begin = format!("{} {mechanism}", self.begin);
        let first = if at_once {
            self.challenged(client, &format!("{begin} {}", scram.first()))
                .await
        } else {
            assert_eq!(self.challenged(client, &begin).await, "");
            self.challenged(client, &scram.first()).await
        };
        let proof = scram.proof(&first);
        let last = self.challenged(client, &proof).await;
        scram.check(&last);
        client.ask("", self.welcome).await;
    }
}
