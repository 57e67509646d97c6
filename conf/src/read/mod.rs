//! From text to sections: every fault of syntax, keys, types and units in one pass.
//!
//! The structs of the sections are the only description of the language. They are read again and again, each time
//! without the entries that were wrong before, until the rest is right.

mod fault;
mod place;
mod syntax;
mod tree;

use std::collections::BTreeSet;

use serde::Deserialize;

use self::fault::Fault;
use self::place::{Place, Step};
use self::syntax::Tree;
use self::tree::{LeftOut, Node};
use crate::{Config, Diagnostic, Span};

/// What could be read of a text.
pub(crate) struct Reading {
    /// The sections, without the entries that are wrong.
    pub(crate) config: Config,
    /// What is wrong.
    pub(crate) findings: Vec<Diagnostic>,
    /// Headers and tables with an entry that was left out: what is missing there has been reported.
    pub(crate) damaged: BTreeSet<(usize, usize)>,
    /// The structure of the file is in doubt; nothing can be said about what its names mean.
    pub(crate) torn: bool,
}

/// More problems than this are not looked for: nobody reads them, and each costs a pass.
const MAX_FAULTS: usize = 100;

/// Reads a text as far as possible.
pub(crate) fn read(text: &str) -> Reading {
    let tree = syntax::parse(text, MAX_FAULTS);
    let mut reading = Reading {
        config: Config::default(),
        findings: Vec::new(),
        damaged: BTreeSet::new(),
        torn: tree.torn,
    };
    let mut left_out = LeftOut::new();
    let mut more = tree.more;
    loop {
        match Config::deserialize(Node::root(&tree.root, &left_out)) {
            Ok(config) => {
                reading.config = config;
                break;
            }
            Err(fault) => {
                let Some(entry) = reading.record(&tree, &fault) else {
                    break;
                };
                left_out.insert(entry);
            }
        }
        if left_out.len() == MAX_FAULTS {
            more = true;
            break;
        }
    }
    reading.findings.extend(tree.findings);
    if more {
        let message = format!("stopped looking after {MAX_FAULTS} problems");
        reading.findings.push(Diagnostic::of_file(message));
        reading.torn = true;
    }
    reading
}

impl Reading {
    /// Notes a fault; the entry to leave out, or `None` when there is no way on.
    fn record(&mut self, tree: &Tree<'_>, fault: &Fault) -> Option<Vec<Step>> {
        let explained = fault
            .place
            .as_ref()
            .is_some_and(|place| explained(tree, place));
        if !explained {
            self.findings.push(fault.describe());
        }
        let place = fault.place.as_ref()?;
        self.damaged
            .extend(place.around.iter().map(|span| (span.start, span.end)));
        (!place.steps.is_empty()).then(|| place.steps.clone())
    }
}

/// Whether a fault follows from an error of syntax on its line or inside one of the values around it.
fn explained(tree: &Tree<'_>, place: &Place) -> bool {
    let line = tree.lines.number(place.span.start);
    // The first is the file itself, which is around everything.
    let values = || place.around.iter().skip(1).chain([&place.span]);
    let inside =
        |error: &Span| values().any(|span| span.start < error.start && error.end <= span.end);
    let mut errors = tree
        .findings
        .iter()
        .filter_map(|finding| finding.span.as_ref());
    errors.any(|error| tree.lines.number(error.start) == line || (tree.torn && inside(error)))
}
