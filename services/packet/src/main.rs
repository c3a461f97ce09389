//! The packet service as a program.

fn main() -> std::process::ExitCode {
    runtime::run::<packet::Packet>()
}
