//! A gRPC server: grpcio, the C-core implementation, run by Python.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::process::Process;

/// A running gRPC server; dropping it kills it. Its methods are described in `grpc_server.py`.
#[derive(Debug)]
pub struct GrpcServer {
    process: Process,
    address: SocketAddr,
}

impl GrpcServer {
    /// Starts it on a loopback port.
    pub async fn start() -> Self {
        let mut command = python(include_str!("grpc_server.py"));
        let process = Process::start("grpc_server.py", &mut command);
        let line = process.wait_for("listening on ").await;
        let address = line
            .trim_start_matches("listening on ")
            .parse()
            .expect("an address");
        Self { process, address }
    }

    /// Waits for it to print a line that contains `pattern`.
    pub async fn wait_for(&self, pattern: &str) -> String {
        self.process.wait_for(pattern).await
    }

    /// Its address; it speaks HTTP/2 in clear text by prior knowledge.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Python with grpcio, about to run this program; arguments may be added.
pub fn python(program: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.args(["-u", "-c", program]);
    command
}

/// The interpreter that `make test` prepares (`scripts/python-venv`), or the one named by `ALB_TEST_PYTHON`.
fn interpreter() -> PathBuf {
    if let Some(path) = std::env::var_os("ALB_TEST_PYTHON") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of the test");
    let beside = |directory: &std::path::Path| directory.join("python/bin/python");
    let found = test.ancestors().map(beside).find(|path| path.exists());
    found.expect("target/python is not there: run `make test`, or `scripts/python-venv`")
}
