//! An authority's directory under kills at random points, and under several commands at once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use alb_certs::authority::{Directory, Register, Status};
use alb_certs::issue::Ca;
use alb_certs::time::Time;
use alb_certs::{Algorithm, Certificate};
use alb_compliance_tests::alb::binary;

/// An authority in memory-backed storage where there is one: flushing to disk is not what is tested.
fn authority() -> (tempfile::TempDir, PathBuf) {
    let base = Path::new("/dev/shm");
    let keep = if base.is_dir() {
        tempfile::tempdir_in(base)
    } else {
        tempfile::tempdir()
    };
    let keep = keep.expect("a temporary directory");
    let path = keep.path().join("ca");
    let ca = Ca::root(Algorithm::Sm2, "Root").expect("an authority");
    Directory::create(&path, &ca, None).expect("its directory");
    (keep, path)
}

fn open(path: &Path) -> Directory {
    Directory::open(path, || panic!("its key has no password")).expect("the authority opens")
}

/// `alb cert ca …`, started.
fn command(directory: &Path, arguments: &[&str]) -> Child {
    Command::new(binary())
        .args(["cert", "ca"])
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("alb can be started")
}

/// Numbers that look random and are the same in every run (Knuth's MMIX constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Everything that must hold of a directory, whatever happened to it.
fn check_consistent(path: &Path) -> usize {
    let directory = open(path);
    let register = Register::of(path);
    let entries = register
        .entries(Time::now())
        .expect("every record is whole");
    let authority = directory.ca().certificate();
    for entry in entries.values() {
        assert!(
            entry
                .certificate
                .is_signed_by(&authority.public_key)
                .expect("a known algorithm")
        );
    }
    let in_files: usize = fs::read_dir(path.join("issued"))
        .expect("the records")
        .map(|file| {
            Certificate::from_pem_or_der(
                &fs::read(file.expect("a record").path()).expect("readable"),
            )
            .expect("whole")
            .len()
        })
        .sum();
    assert_eq!(in_files, entries.len(), "a serial number was given twice");
    assert_eq!(in_files % 2, 0, "half a pair was recorded");
    for revoked in register.revoked().expect("every record is whole") {
        assert!(
            entries.contains_key(&revoked.serial),
            "revoked and never issued"
        );
    }
    directory
        .make_crl(7, Time::now())
        .expect("a list can be made");
    in_files
}

#[test]
fn kills_at_random_points_of_1000_operations_leave_it_consistent() {
    let (_keep, path) = authority();
    let worker = &|seed: u64| {
        let mut numbers = Numbers(seed);
        let mut killed = 0;
        for operation in 0..250 {
            killed += usize::from(killed_operation(
                &path,
                &mut numbers,
                &format!("c{seed}-{operation}"),
                operation % 10 == 0,
            ));
            if operation % 100 == 99 {
                check_consistent(&path);
            }
        }
        killed
    };
    let killed: usize = thread::scope(|scope| {
        let workers: Vec<_> = (1..=4)
            .map(|seed| scope.spawn(move || worker(seed)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .sum()
    });
    assert!(
        killed > 100,
        "only {killed} commands were killed before they ended"
    );
    assert!(check_consistent(&path) > 20, "hardly anything was issued");
}

/// One random operation, killed within 60 ms unless it is to stay unharmed; whether it was still running then.
fn killed_operation(path: &Path, numbers: &mut Numbers, name: &str, unharmed: bool) -> bool {
    let directory = path.parent().expect("a directory");
    let serial = open_serial(path, numbers.below(1 << 30));
    let mut child = match (numbers.below(4), serial) {
        (0, Some(serial)) => command(directory, &["revoke", "ca", &serial]),
        (1, _) => command(directory, &["crl", "ca"]),
        _ => command(
            directory,
            &["issue", "ca", "--out", name, "--dns", "a.test"],
        ),
    };
    if unharmed {
        child.wait().expect("a child of ours");
        return false;
    }
    thread::sleep(Duration::from_micros(numbers.below(60_000)));
    let running = child.try_wait().expect("a child of ours").is_none();
    child.kill().expect("a child of ours");
    child.wait().expect("a child of ours");
    running
}

/// The serial number of one of the certificates that are not revoked.
fn open_serial(path: &Path, choice: u64) -> Option<String> {
    let mut names: Vec<_> = fs::read_dir(path.join("issued"))
        .expect("the records")
        .filter_map(|file| file.expect("a record").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".pem").map(str::to_owned))
        .filter(|serial| !path.join("revoked").join(serial).exists())
        .collect();
    names.sort();
    let index = usize::try_from(choice)
        .expect("64 bits")
        .checked_rem(names.len())?;
    names.into_iter().nth(index)
}

#[test]
fn commands_at_once_give_every_certificate_its_own_serial_number() {
    let (keep, path) = authority();
    let issue = |index: usize| {
        command(
            keep.path(),
            &[
                "issue",
                "ca",
                "--out",
                &format!("c{index}"),
                "--dns",
                "a.test",
            ],
        )
    };
    let children: Vec<Child> = (0..20).map(issue).collect();
    for mut child in children {
        assert!(child.wait().expect("a child of ours").success());
    }
    assert_eq!(check_consistent(&path), 40);
    let entries = Register::of(&path)
        .entries(Time::now())
        .expect("every record is whole");
    assert!(entries.values().all(|entry| entry.status == Status::Valid));
    let keys: BTreeSet<_> = entries
        .values()
        .map(|entry| entry.certificate.public_key.info().to_vec())
        .collect();
    assert_eq!(keys.len(), 40);
}
