//! The grab service as a program.

fn main() -> std::process::ExitCode {
    runtime::run::<grab::Grab>()
}
