//! Turns a policy into Tongsuo contexts: one speaks only TLCP or only TLS, never both (gm-acceleration: the library's
//! own detection costs 8 KiB per connection).

use openssl::error::ErrorStack;
use openssl::ssl::{
    AlpnError, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode,
    SslVerifyMode, SslVersion,
};
use openssl::stack::Stack;
use openssl::x509::X509Name;
use std::time::Duration;

use super::certificate::KeyKind;
use super::ffi::sessions;
use super::identity::{Certified, Identity, Kind};
use super::policy::{
    AcceptorPolicy, ClientAuthMode, ConnectorPolicy, MAX_SESSION_LIFETIME, named_groups,
};
use super::sessions::Sessions;
use super::suites::{self, Suite};
use super::verify::{self, Clients};
use super::{PolicyError, Protocol, Trust, ffi};

/// Separates the sessions of one use of the library from another's; a context has its own cache anyway. Required by
/// Tongsuo when clients show certificates.
const SESSION_CONTEXT: &[u8] = b"alb";
/// Sessions kept per context.
const SESSIONS: i32 = 20_000;
/// Groups of TLS, the preferred first. curveSM2 is group 41 of RFC 8998.
const SERVER_GROUPS: &str = "X25519MLKEM768:X25519:P-256:curveSM2:P-384";
const CLIENT_GROUPS: &str = "X25519:P-256:curveSM2:P-384";

/// A server context for TLCP with one pair.
pub(super) fn tlcp_server(
    policy: &AcceptorPolicy,
    suites: &[&'static Suite],
    pair: &Identity,
) -> Result<SslContext, ErrorStack> {
    let mut context = base(SslMethod::ntls_server())?;
    context.enable_ntls();
    context.enable_force_ntls();
    // A TLCP peer such as GmSSL drops a session that answers with a ticket: session ids only (GB/T 38636 §6.4.5.2).
    context.set_options(SslOptions::NO_TICKET | SslOptions::CIPHER_SERVER_PREFERENCE);
    let asked = policy.client_auth.mode != ClientAuthMode::Off;
    let usable = chosen(suites, Protocol::Tlcp)
        .into_iter()
        .filter(|s| asked || !s.needs_client_pair);
    context.set_cipher_list(&suites::cipher_string(usable, Protocol::Tlcp))?;
    show_pair(&mut context, pair)?;
    serve(&mut context, policy)?;
    Ok(context.build())
}

/// A server context for TLS with up to one certificate of each kind.
pub(super) fn tls_server(
    policy: &AcceptorPolicy,
    suites: &[&'static Suite],
    versions: &[Protocol],
    certificates: &[&Certified],
) -> Result<SslContext, PolicyError> {
    let mut context = base(SslMethod::tls_server())?;
    let only_sm2 = certificates
        .iter()
        .all(|c| c.facts().key_kind() == KeyKind::Sm2);
    set_versions(&mut context, versions)?;
    set_suites(&mut context, suites, only_sm2)?;
    context.set_groups_list(&named_groups(&policy.groups, SERVER_GROUPS)?)?;
    if !suites.is_empty() || only_sm2 {
        context.set_options(SslOptions::CIPHER_SERVER_PREFERENCE);
    }
    for certified in certificates {
        show(&mut context, certified)?;
    }
    serve(&mut context, policy)?;
    Ok(context.build())
}

/// A client context for the protocols of the policy.
pub(super) fn client(
    policy: &ConnectorPolicy,
    suites: &[&'static Suite],
    tlcp: bool,
    sessions: &Sessions,
) -> Result<SslContext, PolicyError> {
    let mut context = base(if tlcp {
        SslMethod::ntls_client()
    } else {
        SslMethod::tls_client()
    })?;
    if tlcp {
        context.enable_ntls();
        context.enable_force_ntls();
        context.set_options(SslOptions::NO_TICKET);
        let paired = policy.identity.as_ref().is_some_and(|i| i.is_pair());
        let usable = chosen(suites, Protocol::Tlcp)
            .into_iter()
            .filter(|s| paired || !s.needs_client_pair);
        context.set_cipher_list(&suites::cipher_string(usable, Protocol::Tlcp))?;
    } else {
        set_versions(&mut context, &policy.protocols)?;
        set_suites(&mut context, suites, false)?;
        context.set_groups_list(&named_groups(&policy.groups, CLIENT_GROUPS)?)?;
    }
    match policy.identity.as_deref() {
        Some(pair) if tlcp && pair.is_pair() => show_pair(&mut context, pair)?,
        Some(identity) if !tlcp => show(&mut context, identity.for_tls())?,
        _ => {}
    }
    match &policy.trust {
        Some(trust) => context.set_cert_store(trust.store()?),
        None if policy.verify => context.set_cert_store(Trust::system()?.store()?),
        None => {}
    }
    let mode = if policy.verify {
        SslVerifyMode::PEER
    } else {
        SslVerifyMode::NONE
    };
    verify::install(&mut context, mode, None)?;
    sessions.install(&mut context)?;
    if !policy.alpn.is_empty() {
        context.set_alpn_protos(&alpn_list(&policy.alpn))?;
    }
    Ok(context.build())
}

/// The suites of a protocol among those named, or all of it.
pub(super) fn chosen(named: &[&'static Suite], protocol: Protocol) -> Vec<&'static Suite> {
    let mine: Vec<_> = named
        .iter()
        .copied()
        .filter(|s| s.protocol == protocol)
        .collect();
    if mine.is_empty() {
        suites::ALL
            .iter()
            .filter(|s| s.protocol == protocol)
            .collect()
    } else {
        mine
    }
}

fn base(method: SslMethod) -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContextBuilder::new(method)?;
    context.set_options(
        SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            // Tongsuo takes 0x0101 for "TLS 1.0 or older" and spoils the first TLCP record with its guard against BEAST.
            | SslOptions::DONT_INSERT_EMPTY_FRAGMENTS,
    );
    context.set_mode(
        SslMode::RELEASE_BUFFERS
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::AUTO_RETRY
            // Chains are sent as configured; the authorities of clients are none of ours.
            | SslMode::NO_AUTO_CHAIN,
    );
    // One read from the socket for the header and the body of a record.
    context.set_read_ahead(true);
    Ok(context)
}

/// What all server contexts share: client certificates, application protocols, sessions.
fn serve(context: &mut SslContextBuilder, policy: &AcceptorPolicy) -> Result<(), ErrorStack> {
    ask_clients(context, policy)?;
    if !policy.alpn.is_empty() {
        let ours = policy.alpn.clone();
        context.set_alpn_select_callback(move |_, theirs| {
            select_alpn(&ours, theirs).ok_or(AlpnError::ALERT_FATAL)
        });
    }
    context.set_session_id_context(SESSION_CONTEXT)?;
    if policy.session_lifetime < Duration::from_secs(1) {
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_options(SslOptions::NO_TICKET);
        context.set_num_tickets(0)?;
        return Ok(());
    }
    context.set_session_cache_mode(SslSessionCacheMode::SERVER);
    context.set_session_cache_size(SESSIONS);
    ffi::set_session_lifetime(context, policy.session_lifetime.min(MAX_SESSION_LIFETIME));
    Ok(())
}

fn ask_clients(context: &mut SslContextBuilder, policy: &AcceptorPolicy) -> Result<(), ErrorStack> {
    let auth = &policy.client_auth;
    let mode = match auth.mode {
        ClientAuthMode::Off => return Ok(()),
        ClientAuthMode::Optional | ClientAuthMode::Told => SslVerifyMode::PEER,
        ClientAuthMode::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
    };
    context.set_cert_store(auth.trust.store()?);
    context.set_verify_depth(auth.depth);
    let rules = Clients {
        told: auth.mode == ClientAuthMode::Told,
        lists_end: auth.trust.lists_end(),
        lifetime: policy.session_lifetime.min(MAX_SESSION_LIFETIME),
    };
    verify::install(context, mode, Some(rules))?;
    sessions::heed_ends(context);
    let mut names = Stack::<X509Name>::new()?;
    for authority in auth.trust.authorities() {
        names.push(authority.subject_name().to_owned()?)?;
    }
    context.set_client_ca_list(names);
    Ok(())
}

fn set_versions(context: &mut SslContextBuilder, versions: &[Protocol]) -> Result<(), ErrorStack> {
    let allows = |p| versions.is_empty() || versions.contains(&p);
    let lowest = if allows(Protocol::Tls12) {
        SslVersion::TLS1_2
    } else {
        SslVersion::TLS1_3
    };
    let highest = if allows(Protocol::Tls13) {
        SslVersion::TLS1_3
    } else {
        SslVersion::TLS1_2
    };
    context.set_min_proto_version(Some(lowest))?;
    context.set_max_proto_version(Some(highest))
}

/// `gm_first`: the suites of RFC 8998 before the others, where an SM2 certificate is all there is.
fn set_suites(
    context: &mut SslContextBuilder,
    named: &[&'static Suite],
    gm_first: bool,
) -> Result<(), ErrorStack> {
    context.set_cipher_list(&suites::cipher_string(
        chosen(named, Protocol::Tls12),
        Protocol::Tls12,
    ))?;
    let mut tls13 = chosen(named, Protocol::Tls13);
    if gm_first && !named.iter().any(|s| s.protocol == Protocol::Tls13) {
        tls13.sort_by_key(|s| !s.gm);
    }
    context.set_ciphersuites(&suites::cipher_string(tls13, Protocol::Tls13))
}

fn show_pair(context: &mut SslContextBuilder, identity: &Identity) -> Result<(), ErrorStack> {
    let Kind::Pair { sign, encrypt } = identity.kind() else {
        return Ok(());
    };
    context.set_sign_certificate(sign.certificate())?;
    context.set_sign_private_key(sign.key())?;
    context.set_enc_certificate(encrypt.certificate())?;
    context.set_enc_private_key(encrypt.key())?;
    for authority in sign.chain() {
        context.add_extra_chain_cert(authority.clone())?;
    }
    Ok(())
}

fn show(context: &mut SslContextBuilder, certified: &Certified) -> Result<(), ErrorStack> {
    context.set_certificate(certified.certificate())?;
    context.set_private_key(certified.key())?;
    for authority in certified.chain() {
        ffi::add_chain_certificate(context, authority)?;
    }
    Ok(())
}

/// RFC 7301 §3.2: the server's first choice that the client offered.
fn select_alpn<'a>(ours: &[String], theirs: &'a [u8]) -> Option<&'a [u8]> {
    ours.iter()
        .find_map(|name| alpn_names(theirs).find(|offered| *offered == name.as_bytes()))
}

fn alpn_names(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&length, rest) = list.split_first()?;
        let (name, rest) = rest.split_at_checked(length.into())?;
        list = rest;
        Some(name)
    })
}

/// RFC 7301 §3.1; names longer than 255 bytes do not exist.
fn alpn_list(names: &[String]) -> Vec<u8> {
    let one = |name: &String| [&[u8::try_from(name.len()).unwrap_or(0)], name.as_bytes()].concat();
    names
        .iter()
        .filter(|n| (1..=255).contains(&n.len()))
        .flat_map(one)
        .collect()
}
