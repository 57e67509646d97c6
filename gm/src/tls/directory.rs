//! Which certificate answers to which name.

use std::collections::HashMap;
use std::sync::Arc;

use openssl::ssl::SslContext;

use super::certificate::KeyKind;
use super::identity::{Certified, Identity};
use super::policy::{AcceptorPolicy, PolicyError};
use super::suites::Suite;
use super::{Protocol, context};

/// The contexts a name is served with.
#[derive(Clone, Default)]
pub(super) struct Contexts {
    pub(super) tlcp: Option<SslContext>,
    pub(super) tls: Option<SslContext>,
}

/// From names to contexts.
pub(super) struct Directory {
    exact: HashMap<String, Contexts>,
    /// By the part after `*`, with its dot.
    wildcard: HashMap<String, Contexts>,
    /// For clients that name nobody, or somebody unknown.
    default: Contexts,
}

/// The identities of a name, one of each kind, by their place in the policy.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Slots {
    pair: Option<usize>,
    sm2: Option<usize>,
    ecdsa: Option<usize>,
    rsa: Option<usize>,
}

impl Directory {
    /// Makes the contexts of every name of every identity; names with the same identities share theirs.
    pub(super) fn new(
        policy: &AcceptorPolicy,
        allowed: &[Protocol],
        suites: &[&'static Suite],
    ) -> Result<Self, PolicyError> {
        let mut maker = Maker {
            policy,
            allowed,
            suites,
            made: HashMap::new(),
        };
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        for (place, identity) in policy.identities.iter().enumerate() {
            for name in identity.names() {
                let slots: &mut Slots = match name.strip_prefix('*') {
                    Some(parent) => wildcard.entry(parent.to_owned()).or_default(),
                    None => exact.entry(name.clone()).or_default(),
                };
                slots.add(place, identity);
            }
        }
        for (name, slots) in &mut exact {
            if let Some(parent) = parent(name).and_then(|parent| wildcard.get(parent)) {
                slots.fill(parent);
            }
        }
        let mut each = |slots: HashMap<String, Slots>| -> Result<HashMap<_, _>, PolicyError> {
            slots
                .into_iter()
                .map(|(name, slots)| Ok((name, maker.contexts(slots)?)))
                .collect()
        };
        let (exact, wildcard) = (each(exact)?, each(wildcard)?);
        Ok(Directory {
            exact,
            wildcard,
            default: maker.contexts(Slots::for_strangers(&policy.identities))?,
        })
    }

    /// The contexts for a name; a wildcard stands for one label (RFC 6125 §6.4.3).
    pub(super) fn find(&self, name: Option<&str>) -> &Contexts {
        let named = name.and_then(|n| self.exact.get(n).or_else(|| self.wildcard.get(parent(n)?)));
        named.unwrap_or(&self.default)
    }
}

/// The part of a name after its first label, with the dot.
fn parent(name: &str) -> Option<&str> {
    name.find('.').map(|dot| &name[dot..])
}

impl Slots {
    /// The first identity of a kind stays.
    fn add(&mut self, place: usize, identity: &Identity) {
        if identity.is_pair() {
            self.pair.get_or_insert(place);
        }
        match identity.for_tls().facts().key_kind() {
            KeyKind::Sm2 => self.sm2.get_or_insert(place),
            KeyKind::Ecdsa => self.ecdsa.get_or_insert(place),
            KeyKind::Rsa | KeyKind::Other => self.rsa.get_or_insert(place),
        };
    }

    /// The first identity that can serve TLCP and the first that can serve TLS 1.2; a second certificate of the same
    /// name, of another kind, goes with it.
    fn for_strangers(identities: &[Arc<Identity>]) -> Slots {
        let mut slots = Slots::default();
        let mut first: Option<&Identity> = None;
        for (place, identity) in identities.iter().enumerate() {
            let sm2 = identity.for_tls().facts().key_kind() == KeyKind::Sm2;
            let related =
                || first.is_none_or(|f| f.names().iter().any(|n| identity.names().contains(n)));
            if sm2 || related() {
                slots.add(place, identity);
            }
            if !sm2 {
                first.get_or_insert(identity);
            }
        }
        slots
    }

    fn fill(&mut self, other: &Slots) {
        self.pair = self.pair.or(other.pair);
        self.sm2 = self.sm2.or(other.sm2);
        self.ecdsa = self.ecdsa.or(other.ecdsa);
        self.rsa = self.rsa.or(other.rsa);
    }
}

/// Makes each combination of identities once.
struct Maker<'a> {
    policy: &'a AcceptorPolicy,
    allowed: &'a [Protocol],
    suites: &'a [&'static Suite],
    made: HashMap<Slots, Contexts>,
}

impl Maker<'_> {
    fn contexts(&mut self, slots: Slots) -> Result<Contexts, PolicyError> {
        if let Some(contexts) = self.made.get(&slots) {
            return Ok(contexts.clone());
        }
        let contexts = Contexts {
            tlcp: self.tlcp(slots)?,
            tls: self.tls(slots)?,
        };
        self.made.insert(slots, contexts.clone());
        Ok(contexts)
    }

    fn tlcp(&self, slots: Slots) -> Result<Option<SslContext>, PolicyError> {
        match slots
            .pair
            .filter(|_| self.allowed.contains(&Protocol::Tlcp))
        {
            Some(place) => Ok(Some(context::tlcp_server(
                self.policy,
                self.suites,
                self.identity(place),
            )?)),
            None => Ok(None),
        }
    }

    fn tls(&self, slots: Slots) -> Result<Option<SslContext>, PolicyError> {
        let places = [slots.ecdsa, slots.rsa, slots.sm2];
        let certificates: Vec<&Certified> = places
            .iter()
            .flatten()
            .map(|&place| self.identity(place).for_tls())
            .collect();
        // TLS 1.2 has no suite for an SM2 certificate.
        let ordinary = slots.ecdsa.is_some() || slots.rsa.is_some();
        let usable = |p: &Protocol| *p == Protocol::Tls13 || (*p == Protocol::Tls12 && ordinary);
        let versions: Vec<Protocol> = self.allowed.iter().copied().filter(usable).collect();
        if certificates.is_empty() || versions.is_empty() {
            return Ok(None);
        }
        Ok(Some(context::tls_server(
            self.policy,
            self.suites,
            &versions,
            &certificates,
        )?))
    }

    fn identity(&self, place: usize) -> &Arc<Identity> {
        &self.policy.identities[place]
    }
}
