//! The daemon and its command line.

mod cli;
mod expiry;
mod logging;
mod snapshot;
mod supervisor;
mod worker;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
