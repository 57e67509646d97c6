//! A mail server by script: for what no proper server says, and to see what a server is told.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::Script;
use crate::process::Lines;

/// A server that greets, and has one answer for lines that begin alike.
#[derive(Debug)]
pub struct Dialogue {
    script: Script,
    heard: Lines,
}

impl Dialogue {
    /// Starts it. The first of `answers` whose left side a line begins with is given, with CRLF behind it; an empty left
    /// side stands for an empty line. What has no answer gets none.
    pub async fn start(greeting: &str, answers: &[(&str, &str)]) -> Self {
        let heard = Lines::default();
        let owned = |(line, answer): &(&str, &str)| (line.to_string(), format!("{answer}\r\n"));
        let answers: Arc<Vec<_>> = Arc::new(answers.iter().map(owned).collect());
        let (greeting, listening) = (format!("{greeting}\r\n"), heard.clone());
        let script = Script::start(move |stream| {
            let (answers, heard) = (Arc::clone(&answers), listening.clone());
            let greeting = greeting.clone();
            async move {
                let mut stream = BufReader::new(stream);
                // Who is not listened to any more has left.
                let _ = stream.write_all(greeting.as_bytes()).await;
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                    let text = line.trim_end_matches(['\r', '\n']);
                    heard.push(text.to_owned());
                    let found = answers.iter().find(|(start, _)| match start.as_str() {
                        "" => text.is_empty(),
                        start => text.starts_with(start),
                    });
                    if let Some((_, answer)) = found {
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                    line.clear();
                }
            }
        })
        .await;
        Self { script, heard }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.script.address()
    }

    /// The lines it was told, of all connections.
    pub fn heard(&self) -> &Lines {
        &self.heard
    }
}
