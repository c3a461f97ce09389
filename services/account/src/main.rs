//! The account service as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::run::<account::Account>()
}
