//! The name of a client in DNS, in the words that servers and services of mail know for it.

use std::net::IpAddr;
use std::time::Duration;

use alb_core::upstream::Resolver;
use tokio::time::timeout;

/// How long name servers may take; the client waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// What DNS says of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientName {
    /// Nobody has asked, or it has no name that has its address.
    #[default]
    None,
    /// Its name: letters, digits, `-` and `.`.
    Known(String),
    /// The name servers have not answered.
    NotNow,
}

impl ClientName {
    /// Asks for the name of an address.
    pub async fn of(address: IpAddr, resolver: Option<&Resolver>) -> Self {
        let Some(resolver) = resolver else {
            return ClientName::NotNow;
        };
        match timeout(PATIENCE, resolver.name_of(address)).await {
            Ok(Ok(Some(name))) => ClientName::Known(name),
            Ok(Ok(None)) => ClientName::None,
            Ok(Err(_)) | Err(_) => ClientName::NotNow,
        }
    }

    /// The name, or one of Postfix's words for there being none.
    pub fn as_str(&self) -> &str {
        match self {
            ClientName::None => "[UNAVAILABLE]",
            ClientName::Known(name) => name,
            ClientName::NotNow => "[TEMPUNAVAIL]",
        }
    }
}
