//! The transfer service as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run::<transfer::Transfer>()
}
