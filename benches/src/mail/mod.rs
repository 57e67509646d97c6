//! The load of `benches/mail`, with the mail servers and the authentication service behind the gateways, on one thread:
//! nothing is scheduled, woken or locked between them.
//!
//! Prints the ports of the servers (IMAP, POP3, SMTP) and of the service; then reads orders (see [`order`]) and answers
//! each with one line: `COUNT SECONDS P50_US P99_US ERRORS`. The servers answer between runs, too.

mod client;
mod order;
mod server;
mod service;
mod sockets;
mod wire;

use std::io::{self, BufRead, Write};
use std::rc::Rc;

use openssl::error::ErrorStack;
use openssl::ssl::{
    Ssl, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
};

use order::{Order, Transport};
use sockets::Sockets;

/// What clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// SMTP.
    Smtp,
}

impl Protocol {
    /// The word in orders and in requests to the service.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
            Protocol::Smtp => "smtp",
        }
    }
}

/// Where the servers listen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    imap: u16,
    pop3: u16,
    smtp: u16,
}

impl Ports {
    /// Where the server of a protocol listens.
    pub fn of(&self, protocol: Protocol) -> u16 {
        match protocol {
            Protocol::Imap => self.imap,
            Protocol::Pop3 => self.pop3,
            Protocol::Smtp => self.smtp,
        }
    }

    fn set(&mut self, protocol: Protocol, port: u16) {
        match protocol {
            Protocol::Imap => self.imap = port,
            Protocol::Pop3 => self.pop3 = port,
            Protocol::Smtp => self.smtp = port,
        }
    }
}

/// Serves, and runs what is ordered, until there are no more orders.
pub fn main() -> io::Result<()> {
    alb_gm::init(alb_gm::Acceleration::Auto);
    let contexts = Contexts::new()?;
    let mut sockets = Sockets::new(client::block())?;
    let (ports, service) = sockets.ports();
    println!("{} {} {} {service}", ports.imap, ports.pop3, ports.smtp);
    let mut stdin = io::stdin().lock();
    let mut line = String::new();
    loop {
        sockets.serve_until_ordered()?;
        line.clear();
        if stdin.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let order = Order::parse(&line)
            .ok_or_else(|| io::Error::other(format!("not an order: `{line}`")))?;
        println!("{}", sockets.run(&order, &contexts)?);
        io::stdout().flush()?;
    }
}

/// How clients shake hands.
pub struct Contexts {
    tls: SslContext,
    tlcp: SslContext,
}

impl Contexts {
    fn new() -> Result<Self, ErrorStack> {
        // The load does as little as it can: it looks at no certificate.
        let mut tls = SslContext::builder(SslMethod::tls_client())?;
        tls.set_min_proto_version(Some(SslVersion::TLS1_3))?;
        tls.set_groups_list("X25519")?;
        let mut tlcp = SslContext::builder(SslMethod::ntls_client())?;
        tlcp.enable_ntls();
        tlcp.enable_force_ntls();
        // Tongsuo would begin each record of TLCP with an empty one, which only TLS 1.0 needs, and then fails.
        tlcp.set_options(SslOptions::DONT_INSERT_EMPTY_FRAGMENTS);
        tlcp.set_cipher_list("ECC-SM2-SM4-GCM-SM3")?;
        for context in [&mut tls, &mut tlcp] {
            context.set_verify(SslVerifyMode::NONE);
            context.set_session_cache_mode(SslSessionCacheMode::OFF);
        }
        Ok(Contexts {
            tls: tls.build(),
            tlcp: tlcp.build(),
        })
    }

    fn open(&self, transport: Transport) -> Result<Option<Ssl>, ErrorStack> {
        match transport {
            Transport::Clear => Ok(None),
            Transport::Tls => Ssl::new(&self.tls).map(Some),
            Transport::Tlcp => Ssl::new(&self.tlcp).map(Some),
        }
    }
}

/// Shared by all that send much.
type Block = Rc<[u8]>;
