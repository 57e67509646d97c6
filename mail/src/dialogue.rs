//! What the three protocols share before login: greeting, one command after another, STARTTLS in between, the last words.

use crate::client::{Client, Stop};

/// A protocol's side of a session before login.
pub trait Dialogue: Sized {
    /// What the session goes on with.
    type Login;

    /// The state of a client of which nothing is known.
    fn new(client: &Client) -> Self;

    /// Says the first words.
    ///
    /// # Errors
    ///
    /// The session ends.
    async fn greet(&mut self, client: &mut Client) -> Result<(), Stop>;

    /// Reads and answers one command.
    ///
    /// # Errors
    ///
    /// The session ends.
    async fn step(&mut self, client: &mut Client) -> Result<Next<Self::Login>, Stop>;

    /// The state behind STARTTLS: what the servers offer stays, nothing of what the client has said (RFC 3207 § 4.2).
    fn protected(self, client: &Client) -> Self;

    /// The last words to a client whose session ends.
    fn farewell(stop: &Stop) -> &'static str;
}

/// What follows a command.
pub enum Next<Login> {
    /// Another one.
    Command,
    /// STARTTLS, to be answered so.
    Upgrade(String),
    /// The session is at its server.
    Login(Login),
}

/// Serves a client from the greeting to its login; `None` if the session has ended before.
pub async fn until_login<D: Dialogue>(
    mut client: Box<Client>,
) -> Option<(Box<Client>, D, D::Login)> {
    let mut dialogue = D::new(&client);
    match dialogue.greet(&mut client).await {
        Ok(()) => go_on(dialogue, client).await,
        Err(stop) => over::<D>(client, &stop).await,
    }
}

/// Serves a client that has been greeted.
pub async fn go_on<D: Dialogue>(
    mut dialogue: D,
    mut client: Box<Client>,
) -> Option<(Box<Client>, D, D::Login)> {
    loop {
        match dialogue.step(&mut client).await {
            Ok(Next::Command) => {}
            Ok(Next::Upgrade(go_ahead)) => {
                client = Box::pin(client.upgrade(&go_ahead)).await?;
                dialogue = dialogue.protected(&client);
            }
            Ok(Next::Login(login)) => return Some((client, dialogue, login)),
            Err(stop) => return over::<D>(client, &stop).await,
        }
    }
}

/// Says the last words.
async fn over<D: Dialogue>(client: Box<Client>, stop: &Stop) -> Option<(Box<Client>, D, D::Login)> {
    Box::pin(client.leave(stop, D::farewell(stop))).await;
    None
}
