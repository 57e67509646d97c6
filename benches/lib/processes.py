"""Pinned processes, and what they use: nothing here knows what is measured."""

import contextlib
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

SERVER_CORE, LOAD_CORE = "0", "1"


def require(programs):
    """Ends the run with a message unless there are two cores and these programs, which get all the descriptors there are."""
    for program in [*programs, "taskset"]:
        if not shutil.which(program):
            sys.exit(f"{sys.argv[0]}: {program} is missing: start it with make, which installs and builds what is needed")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit(f"{sys.argv[0]}: two cores are needed, one for the server and one for the load")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def start(stack, directory, name, core, command, *ports):
    """Starts a pinned server and waits until its ports answer; returns its process id."""
    log = open(directory / f"{name}.log", "w")
    process = spawn(core, command, stdout=log, stderr=log, cwd=directory)
    stack.callback(stop, process)
    for port in ports:
        deadline = time.monotonic() + 10
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{sys.argv[0]}: {name} does not run:\n{(directory / f'{name}.log').read_text()}")
            time.sleep(0.02)
    return process.pid


def spawn(core, command, **options):
    """Starts a pinned process, before all others in the queue for its core where we may say so (root)."""
    process = subprocess.Popen(["taskset", "-c", core, *command], start_new_session=True, **options)
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{process.pid}/autogroup").write_text("-20")
    return process


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()


def answers(port):
    """Whether something accepts TCP connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_time(pid):
    """Seconds of user and system time of a process, all threads together."""
    threads = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def memory(pid):
    """Bytes of memory that are a process's own (PSS: what it shares is divided among those who share it)."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


class Load:
    """A load with its origins, as one process on its own core: it is given a command a line, and answers each with a line."""

    def __init__(self, stack, *command):
        self.process = spawn(LOAD_CORE, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        stack.callback(stop, self.process)
        #: What it says first: the ports of its origins.
        self.ports = [int(port) for port in self.process.stdout.readline().split()]

    def ask(self, *words):
        """One command: the numbers of the answer."""
        print(*words, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{sys.argv[0]}: the load ended at `{' '.join(map(str, words))}`")
        return [float(word) for word in line.split()]
