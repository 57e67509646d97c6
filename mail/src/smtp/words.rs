//! What is said at the end of a session before its server is known, and to what comes too early.

use alb_conf::MailProtocol;

use super::session::EXCHANGE_TOO_LONG;
use crate::client::{Client, Stop};
use crate::refused::Refused;
use crate::sasl::Failure;

/// What a client is told whose session ends.
pub(super) fn farewell(stop: &Stop) -> &'static str {
    match stop {
        Stop::Idle => "421 4.4.2 Timeout, closing connection\r\n",
        Stop::TooLong => "500 5.5.2 Line too long\r\n",
        Stop::Violation("early_talker") => "503 5.5.0 Improper use of SMTP command pipelining\r\n",
        Stop::Violation("chunk_size") => "501 5.5.4 Malformed argument\r\n",
        Stop::Violation(EXCHANGE_TOO_LONG) => {
            "500 5.5.6 Authentication exchange line is too long\r\n"
        }
        Stop::Violation(_) => "521 5.5.2 Lines must end with CRLF\r\n",
        Stop::Draining => "421 4.3.2 Shutting down, try again later\r\n",
        Stop::TooManyErrors => "421 4.7.0 Too many errors\r\n",
        Stop::TooManyFailures => "421 4.7.0 Too many failed logins\r\n",
        Stop::LockedOut => Refused::LockedOut.words(MailProtocol::Smtp),
        // The others have left, or have been told.
        _ => "",
    }
}

/// Whether a refusal is of a command that was malformed, unknown or out of order. A recipient that is not taken, or not now,
/// and a message that is too large are no mistakes: other servers go on with the rest of their mail.
pub(super) fn is_of_mistake(reply: &str) -> bool {
    !(reply.starts_with('4') || reply.starts_with("550") || reply.starts_with("552"))
}

/// What MAIL and what follows it get before the login.
pub(super) fn not_logged_in(client: &Client) -> &'static str {
    match (client.service.mx(), client.may_log_in()) {
        (Some(_), _) => "503 5.5.1 Not at this point",
        (None, false) => "530 5.7.0 Must issue a STARTTLS command first",
        (None, true) => "530 5.7.1 Authentication required",
    }
}

/// What a client is told that has not gone through with a mechanism.
pub(super) fn broken(failure: Failure) -> &'static str {
    match failure {
        Failure::TooLong => "500 5.5.6 Authentication exchange line is too long",
        Failure::Cancelled => "501 5.5.2 Authentication cancelled",
        Failure::BadBase64 => "501 5.5.2 Invalid base64",
        Failure::Malformed | Failure::OtherIdentity => {
            "535 5.7.8 Authentication credentials invalid"
        }
    }
}
