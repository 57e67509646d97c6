//! The built `alb`, run from an inline TOML on addresses of its own.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::sync::Mutex;
use std::{env, fs, thread};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::address::Reserved;
use crate::process::{Lines, Process};
use crate::stopwatch::within;

/// What is said about a daemon before it starts.
#[derive(Debug)]
pub struct Setup {
    directory: TempDir,
    places: BTreeMap<String, String>,
    reserved: BTreeMap<String, Reserved>,
    environment: Vec<(String, String)>,
}

impl Setup {
    /// `$name` in the TOML stands for `value`. A name that is not placed stands for an allocated loopback address.
    pub fn place(mut self, name: &str, value: impl Display) -> Self {
        self.places.insert(name.to_owned(), value.to_string());
        self
    }

    /// Sets a variable in the daemon's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets every user of the machine into the directory of the configuration.
    pub fn open_to_all(self) -> Self {
        let open = Permissions::from_mode(0o777);
        fs::set_permissions(self.directory.path(), open).expect("a directory of ours");
        self
    }

    /// Writes a file beside the configuration.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory for the file");
        fs::write(path, content).expect("a file in a directory of ours");
        self
    }

    /// Writes a file that only its owner may read beside the configuration.
    pub fn private_file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let setup = self.file(name, content);
        let path = setup.directory.path().join(name);
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("a file of ours");
        setup
    }

    /// Starts the daemon and waits until it says that it is ready.
    pub async fn start(self, toml: &str) -> Alb {
        let alb = self.launch(toml);
        let what = format!(
            "alb to be ready; it printed:\n{}",
            alb.process.output().text()
        );
        tokio::select! {
            biased;
            _ = within(&what, alb.notices.wait_for(0, "READY=1")) => alb,
            status = alb.process.wait() => panic!("alb ended ({status}) instead of starting:\n{}", alb.log().text()),
        }
    }

    /// Starts the daemon without waiting for anything: for configurations that are to be refused.
    pub fn launch(mut self, toml: &str) -> Alb {
        let config = self.write(toml);
        let notices = listen_for_notices(&self.directory.path().join("notify"));
        let mut command = Command::new(binary());
        command
            .arg("-c")
            .arg(&config)
            .env("NOTIFY_SOCKET", self.directory.path().join("notify"));
        command.envs(self.environment.iter().cloned());
        let process = Process::start("alb", &mut command);
        Alb {
            process,
            notices,
            config,
            setup: Mutex::new(self),
        }
    }

    /// Runs `alb --check-config` on the configuration.
    pub fn check(mut self, toml: &str) -> Output {
        let config = self.write(toml);
        run(&["--check-config", "-c", &config.display().to_string()])
    }

    fn write(&mut self, toml: &str) -> PathBuf {
        let config = self.directory.path().join("alb.toml");
        let text = self.fill(toml);
        fs::write(&config, text).expect("a file in a directory of ours");
        config
    }

    /// Replaces every `$name`.
    fn fill(&mut self, toml: &str) -> String {
        let mut filled = String::with_capacity(toml.len());
        let mut rest = toml;
        while let Some((before, after)) = rest.split_once('$') {
            let end = after
                .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                .unwrap_or(after.len());
            filled.push_str(before);
            filled.push_str(&self.value(&after[..end]));
            rest = &after[end..];
        }
        filled.push_str(rest);
        filled
    }

    fn value(&mut self, name: &str) -> String {
        if let Some(value) = self.places.get(name) {
            return value.clone();
        }
        let reserved = Reserved::v4();
        let value = reserved.address().to_string();
        self.reserved.insert(name.to_owned(), reserved);
        self.places.insert(name.to_owned(), value.clone());
        value
    }
}

/// A running daemon; dropping it kills it.
#[derive(Debug)]
pub struct Alb {
    process: Process,
    notices: Lines,
    config: PathBuf,
    setup: Mutex<Setup>,
}

impl Alb {
    /// A daemon to be described.
    #[expect(
        clippy::new_ret_no_self,
        reason = "reads as `Alb::new().place(…).start(…)` where it is used"
    )]
    pub fn new() -> Setup {
        Setup {
            directory: tempfile::tempdir().expect("a temporary directory"),
            places: BTreeMap::new(),
            reserved: BTreeMap::new(),
            environment: Vec::new(),
        }
    }

    /// Starts a daemon that needs nothing placed.
    pub async fn start(toml: &str) -> Self {
        Self::new().start(toml).await
    }

    /// The address that `$name` stands for.
    pub fn address(&self, name: &str) -> SocketAddr {
        let setup = self.setup.lock().expect("no test thread panicked");
        let text = setup
            .places
            .get(name)
            .unwrap_or_else(|| panic!("the configuration has no ${name}"));
        text.parse()
            .unwrap_or_else(|_| panic!("${name} is {text:?}, not an address"))
    }

    /// The directory of the configuration file.
    pub fn directory(&self) -> PathBuf {
        self.config.parent().expect("a directory").to_owned()
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// What it wrote to standard error: the error log, unless the configuration says otherwise.
    pub fn log(&self) -> &Lines {
        self.process.output()
    }

    /// Waits for a line of the log that contains `pattern`.
    pub async fn wait_for_log(&self, pattern: &str) -> String {
        self.process.wait_for(pattern).await
    }

    /// Replaces the configuration file; the daemon does not know yet.
    pub fn rewrite(&self, toml: &str) {
        self.setup
            .lock()
            .expect("no test thread panicked")
            .write(toml);
    }

    /// Sends SIGHUP and waits for the outcome: `Err` with the daemon's words when it kept the old configuration.
    pub async fn reload(&self) -> Result<(), String> {
        let mark = self.notices.mark();
        self.signal(Signal::SIGHUP);
        let notice = within(
            "the outcome of a reload",
            self.notices.wait_for(mark, "READY=1"),
        )
        .await;
        match notice.split_once("STATUS=reload failed") {
            None => Ok(()),
            Some((_, why)) => Err(why.to_owned()),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Sends SIGTERM and waits for the end.
    pub async fn stop(self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.process.wait().await
    }

    /// Ends it at once; its last line, with its counters.
    pub async fn counters(&self) -> String {
        self.signal(Signal::SIGTERM);
        let status = within("the end", self.wait()).await;
        assert!(status.success(), "{status}\n{}", self.log().text());
        let last = self.log().find(0, "alb has left");
        last.expect("the line with the counters")
    }

    /// Waits for it to end by itself.
    pub async fn wait(&self) -> ExitStatus {
        self.process.wait().await
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Resident memory in bytes, from /proc.
    pub fn resident_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid()))
            .expect("a running alb");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("VmRSS");
        let kilobytes: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number");
        kilobytes * 1024
    }
}

/// Runs `alb` with these arguments to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(binary())
        .args(arguments)
        .output()
        .expect("alb can be started")
}

/// The `alb` that cargo built beside this test (`target/<profile>/alb`), or the one named by `ALB_BINARY`.
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("ALB_BINARY") {
        return path.into();
    }
    let test = env::current_exe().expect("the path of the test");
    let profile = test
        .ancestors()
        .find(|path| path.join("deps").is_dir())
        .expect("a cargo target directory");
    let path = profile.join("alb");
    assert!(
        path.is_file(),
        "{} is not built: run `cargo build -p alb` first",
        path.display()
    );
    path
}

/// Binds the socket of sd_notify(3); one datagram is one line here, its newlines turned into spaces.
fn listen_for_notices(path: &Path) -> Lines {
    let socket = UnixDatagram::bind(path).expect("a socket in a directory of ours");
    // As systemd's: the daemon may have become another user when it has something to say.
    fs::set_permissions(path, Permissions::from_mode(0o777)).expect("a socket of ours");
    let notices = Lines::default();
    let heard = notices.clone();
    thread::spawn(move || {
        let mut datagram = [0; 4096];
        while let Ok(length) = socket.recv(&mut datagram) {
            heard.push(
                String::from_utf8_lossy(&datagram[..length])
                    .trim_end()
                    .replace('\n', " "),
            );
        }
    });
    notices
}
