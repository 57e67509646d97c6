//! A program under test: its output line by line, its signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use tokio::sync::{Notify, watch};

use crate::stopwatch::within;

/// How long the pipes of a program that has ended are read; a child of its own may hold them open for ever.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A running program. Dropping it kills it; when the test is failing, its output is printed then.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    pid: Pid,
    leads: bool,
    output: Lines,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts `command` and collects its standard output and standard error in one [`Lines`].
    pub fn start(name: &'static str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = Lines::default();
        let (reading, last_words) = mpsc::channel();
        output.collect_from(child.stdout.take().expect("piped"), reading.clone());
        output.collect_from(child.stderr.take().expect("piped"), reading);
        let pid = Pid::from_raw(child.id().cast_signed());
        let (tell, ended) = watch::channel(None);
        let heard = output.clone();
        thread::spawn(move || {
            let status = child.wait().expect("a child that can be waited for");
            // What it said last may still be in the pipes: they end when both readers have dropped their ends.
            let _ = last_words.recv_timeout(LAST_WORDS);
            tell.send_replace(Some(status));
            heard.wake();
        });
        Self {
            name,
            pid,
            leads: false,
            output,
            ended,
        }
    }

    /// Says that it leads a process group: dropping it kills its children, too.
    pub fn with_children(mut self) -> Self {
        self.leads = true;
        self
    }

    /// What it has printed.
    pub fn output(&self) -> &Lines {
        &self.output
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends it a signal; nothing happens when it has ended.
    pub fn signal(&self, signal: Signal) {
        if self.ended.borrow().is_none() {
            // It may end in this moment: then there is nobody to tell.
            let _ = signal::kill(self.pid, signal);
        }
    }

    /// Waits for it to print a line that contains `pattern`; fails when it ends without.
    pub async fn wait_for(&self, pattern: &str) -> String {
        let mut ended = self.ended.clone();
        let what = format!(
            "{} to print {pattern:?}; it printed:\n{}",
            self.name,
            self.output.text()
        );
        tokio::select! {
            biased;
            line = within(&what, self.output.wait_for(0, pattern)) => line,
            status = ended.wait_for(Option::is_some) => {
                let status = *status.expect("the waiting thread lives");
                self.output.find(0, pattern).unwrap_or_else(|| {
                    panic!("{} ended ({status:?}) and never printed {pattern:?}:\n{}", self.name, self.output.text())
                })
            }
        }
    }

    /// Waits for its end.
    pub async fn wait(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = within(
            &format!("{} to end", self.name),
            ended.wait_for(Option::is_some),
        )
        .await;
        status
            .expect("the waiting thread lives")
            .expect("it was just seen")
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.ended.borrow().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        match self.leads {
            // Its children may have outlived it; when none has, there is nobody to kill.
            true => drop(signal::killpg(self.pid, Signal::SIGKILL)),
            false => self.signal(Signal::SIGKILL),
        }
        if thread::panicking() {
            eprintln!(
                "---- {} ({}) printed:\n{}",
                self.name,
                self.pid,
                self.output.text()
            );
        }
    }
}

/// Lines that arrive from somewhere else: a pipe, a socket.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    inner: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<String>>,
    arrived: Notify,
}

impl Lines {
    /// Adds a line and wakes who waits for it.
    pub fn push(&self, line: String) {
        self.lines().push(line);
        self.wake();
    }

    /// How many lines there are: a mark to look only at later ones.
    pub fn mark(&self) -> usize {
        self.lines().len()
    }

    /// Everything in one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// The first line at or after `mark` that contains `pattern`.
    pub fn find(&self, mark: usize, pattern: &str) -> Option<String> {
        self.lines()
            .iter()
            .skip(mark)
            .find(|line| line.contains(pattern))
            .cloned()
    }

    /// Waits, without a deadline, for a line at or after `mark` that contains `pattern`.
    pub async fn wait_for(&self, mark: usize, pattern: &str) -> String {
        self.until(|| self.find(mark, pattern)).await
    }

    /// Waits, without a deadline, for a line that contains all of these.
    pub async fn wait_for_all(&self, patterns: &[&str]) -> String {
        let fits = |line: &&String| patterns.iter().all(|pattern| line.contains(pattern));
        self.until(|| self.lines().iter().find(fits).cloned()).await
    }

    /// Waits, without a deadline, until `count` lines have `pattern` in them.
    pub async fn wait_for_many(&self, count: usize, pattern: &str) {
        let many = || {
            let lines = self.lines();
            let found = lines.iter().filter(|line| line.contains(pattern)).count();
            (found >= count).then_some(())
        };
        self.until(many).await
    }

    /// Waits, without a deadline, until `seen` sees something in what has arrived.
    async fn until<T>(&self, seen: impl Fn() -> Option<T>) -> T {
        loop {
            let arrived = self.inner.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            if let Some(found) = seen() {
                return found;
            }
            arrived.await;
        }
    }

    /// Reads `source` to its end, and drops `reading` then.
    fn collect_from(&self, source: impl Read + Send + 'static, reading: mpsc::Sender<()>) {
        let lines = self.clone();
        thread::spawn(move || {
            let _reading = reading;
            for line in BufReader::new(source).split(b'\n') {
                let Ok(line) = line else { return };
                lines.push(String::from_utf8_lossy(&line).into_owned());
            }
        });
    }

    fn wake(&self) {
        self.inner.arrived.notify_waiters();
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.inner
            .lines
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
