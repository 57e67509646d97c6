//! Constant time, as something a machine can check: run an operation under valgrind's `lackey` with different secrets and
//! compare everything it executed and every address it touched. A branch on a secret, or a table indexed by one, makes two
//! traces differ. Time is not measured, so a busy machine changes nothing.
//!
//! A test is a program without harness: it names its operations and calls [`main`]. Called by itself it starts itself under
//! valgrind and reads the trace; called with `--traced` it is that child.

use std::hash::{DefaultHasher, Hasher};
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// An operation on a secret.
pub struct Operation {
    /// What the report calls it.
    pub name: &'static str,
    /// Prepares, calls [`mark`], works on the secret, calls [`mark`] again.
    pub run: fn(&[u8; 32]),
    /// The secrets to compare.
    pub secrets: fn() -> Vec<[u8; 32]>,
    /// Whether the traces must differ: an operation that leaks on purpose shows that the check can fail.
    pub leaks: bool,
}

static MARK: AtomicU64 = AtomicU64::new(0);

/// Begins or ends what is compared. The store is found in the trace by its address.
#[inline(never)]
pub fn mark() {
    MARK.store(1, Ordering::SeqCst);
}

/// Runs all operations and says which one depends on its secret.
pub fn main(operations: &[Operation]) -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("--traced") => return child(operations),
        Some("--address") => println!("{:x}", MARK.as_ptr() as usize),
        Some("--list") => {}
        _ if Command::new("valgrind").arg("--version").output().is_err() => {
            eprintln!(
                "constant time was NOT checked: valgrind is missing: run `scripts/install-packages test`"
            );
            return ExitCode::FAILURE;
        }
        _ => return check_all(operations),
    }
    ExitCode::SUCCESS
}

/// One process for all operations, so that tables are made once.
fn child(operations: &[Operation]) -> ExitCode {
    let mut fixed_place = [0; 32];
    for operation in operations {
        let secrets = (operation.secrets)();
        // The allocator settles before anything counts; the parent drops these traces.
        for secret in [secrets[0]; WARM_UP].iter().chain(&secrets) {
            fixed_place = *secret;
            (operation.run)(std::hint::black_box(&fixed_place));
        }
    }
    std::hint::black_box(fixed_place);
    ExitCode::SUCCESS
}

const WARM_UP: usize = 2;

fn check_all(operations: &[Operation]) -> ExitCode {
    let mut traces = trace().into_iter();
    let mut failed = 0;
    for operation in operations {
        let count = (operation.secrets)().len();
        let own: Vec<Trace> = traces
            .by_ref()
            .take(WARM_UP + count)
            .skip(WARM_UP)
            .collect();
        assert_eq!(own.len(), count, "{}: one trace per secret", operation.name);
        failed += usize::from(!check(operation, &own));
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn check(operation: &Operation, traces: &[Trace]) -> bool {
    let (name, events, total) = (operation.name, traces[0].events, traces.len());
    assert!(events > 50, "{name}: nothing happens between the marks");
    let differing = traces.iter().filter(|trace| **trace != traces[0]).count();
    let passed = (differing > 0) == operation.leaks;
    let verdict = if passed { "ok" } else { "FAILED" };
    println!("{name}: {differing} of {total} traces differ, {events} events each ... {verdict}");
    passed
}

/// What happened between two marks: how many instructions, loads and stores, and a digest of their addresses.
#[derive(Clone, PartialEq, Eq, Default)]
struct Trace {
    events: u64,
    digest: u64,
}

fn valgrind(tool: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(tool)
        .arg(std::env::current_exe().expect("own path"))
        .args(arguments);
    command
}

/// The line of a trace for the exchange that sets the mark. Valgrind loads a program at the same address each time.
fn mark_line() -> String {
    let output = valgrind(&["--tool=none", "-q"], &["--address"])
        .output()
        .expect("valgrind");
    let address = String::from_utf8(output.stdout).expect("text");
    format!(" M {:0>8},8", address.trim())
}

/// The traces of all runs of all operations, in their order.
fn trace() -> Vec<Trace> {
    let mark = mark_line();
    let lackey = [
        "--tool=lackey",
        "--trace-mem=yes",
        "--basic-counts=no",
        "--log-fd=2",
    ];
    let mut child = valgrind(&lackey, &["--traced"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("valgrind");
    let log = BufReader::with_capacity(1 << 20, child.stderr.take().expect("pipe"));
    let mut traces = Vec::new();
    let mut current: Option<(Trace, DefaultHasher)> = None;
    for line in log.split(b'\n').map(|line| line.expect("trace")) {
        if line == mark.as_bytes() {
            current = match current.take() {
                Some((trace, digest)) => {
                    traces.push(Trace {
                        digest: digest.finish(),
                        ..trace
                    });
                    None
                }
                None => Some(Default::default()),
            };
        } else if let Some((trace, digest)) = &mut current
            && !line.starts_with(b"==")
        {
            trace.events += 1;
            digest.write(&line);
        }
    }
    assert!(
        child.wait().expect("valgrind").success(),
        "the traced program failed"
    );
    traces
}

/// Secrets that would make a leak visible: few bits, many bits, high, low, and nothing special.
pub fn telling_secrets() -> Vec<[u8; 32]> {
    let mut low = [0; 32];
    low[31] = 5;
    let mut high = [0xff; 32];
    high[3] = 0;
    let mut sparse = [0; 32];
    sparse[1] = 0x80;
    let counting = std::array::from_fn(|i| (i * 37 + 11) as u8);
    vec![low, high, sparse, counting]
}

/// Two operations that leak, one by a branch and one by an index: every test runs them to show that it would notice.
pub fn leaky_operations() -> [Operation; 2] {
    let leaky = |name, run| Operation {
        name,
        run,
        secrets: telling_secrets,
        leaks: true,
    };
    [
        leaky("(leak by branch)", leak_by_branch),
        leaky("(leak by index)", leak_by_index),
    ]
}

fn leak_by_branch(secret: &[u8; 32]) {
    mark();
    let mut sum = 0;
    for byte in std::hint::black_box(secret) {
        if *byte > 0x40 {
            sum = std::hint::black_box(sum + 1);
        }
    }
    mark();
    std::hint::black_box(sum);
}

fn leak_by_index(secret: &[u8; 32]) {
    let table = [7u8; 256];
    mark();
    let mut sum = 0;
    for byte in std::hint::black_box(secret) {
        sum ^= std::hint::black_box(&table)[usize::from(*byte)];
    }
    mark();
    std::hint::black_box(sum);
}
