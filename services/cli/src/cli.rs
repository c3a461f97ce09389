//! The command line.

use clap::{Parser, Subcommand};

use crate::{chaos, client::Caller, command, demo, mesh, up};

/// Red packets: the whole mesh in one process or in many, and a client for it
#[derive(Debug, Parser)]
#[command(name = "hongbao", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// Which gateway, and who calls.
    #[command(flatten)]
    pub caller: Caller,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  hongbao demo                          see everything at once
  hongbao up --demo-users               a mesh with alice, bob, carol and dave, on 127.0.0.1:8080
  hongbao mesh --demo-users             the same as many processes, on Redis and PostgreSQL
  hongbao send 100.00 --as alice --shares 4 --to-group friends --greeting 恭喜发财
  hongbao grab PACKET --as bob --open   grab a share and see what is in it
  hongbao show PACKET --as bob          who got what
  hongbao verify PACKET --as bob        was the split fixed before anyone grabbed?
  hongbao reconcile                     are the books right?

Exit codes: 0 done or answered, also where a grab won nothing; 1 refused, failed or not verified; 2 wrong command
line.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole mesh in this process, until Ctrl-C
    Up(up::Options),
    /// Run every service as a process of its own on real engines, until Ctrl-C
    Mesh(mesh::Options),
    /// Play a demonstration on a mesh of its own and prove that the books are right
    Demo(demo::Options),
    /// Do the worst to a mesh of processes under load, and check that nothing was lost
    Chaos(chaos::Options),
    /// Everything that calls a gateway.
    #[command(flatten)]
    Client(command::Command),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_caller_may_be_named_before_or_after_the_command() {
        for line in [
            ["hongbao", "--as", "bob", "--json", "wallet"],
            ["hongbao", "wallet", "--as", "bob", "--json"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.caller.user, Some("bob".parse().unwrap()));
            assert!(cli.caller.json && !cli.caller.operator);
        }
    }

    #[test]
    fn the_caller_is_not_the_one_acted_upon() {
        for line in [
            &["hongbao", "deposit", "bob", "1", "--as", "ops"][..],
            &["hongbao", "user", "open", "bob", "--as", "ops"],
            &["hongbao", "user", "freeze", "bob", "--reason", "x", "--as", "ops"],
            &["hongbao", "user", "unfreeze", "bob", "--reason", "x", "--as", "ops"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.caller.user, Some("ops".parse().unwrap()), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_user_amount_or_packet_is_refused_before_any_call() {
        for line in [
            &["hongbao", "wallet", "--as", "b o b"][..],
            &["hongbao", "deposit", "bob", "1.234"],
            &["hongbao", "deposit", "bob", "-1"],
            &["hongbao", "grab", "not-a-packet"],
            &["hongbao", "send", "1.00", "--to-user", "bob", "--to-anyone"],
            &["hongbao", "send", "1.00"],
            &["hongbao", "send", "1.00", "--to-anyone", "--lifetime", "1 day"],
            &["hongbao", "send", "1.00", "--to-anyone", "--start", "tomorrow"],
            &["hongbao", "send", "1.00", "--to-anyone", "--kind", "fair"],
        ] {
            let fault = Cli::try_parse_from(line).unwrap_err();
            assert_eq!(fault.exit_code(), 2, "{line:?}");
        }
    }

    #[test]
    fn every_command_explains_itself() {
        fn visit(command: &mut clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments() {
                assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
            }
            command.get_subcommands_mut().for_each(visit);
        }
        visit(&mut Cli::command());
    }
}
