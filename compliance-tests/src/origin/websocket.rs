//! A WebSocket server that sends back every message.

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;

use super::Script;

/// Starts it on a loopback port.
pub async fn websocket_echo() -> Script {
    Script::start(echo).await
}

/// Ends when the peer does; a broken connection shows on the client's side.
async fn echo(stream: TcpStream) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() || socket.send(message).await.is_err() {
            return;
        }
    }
}
