//! `sim`: runs worlds from their seeds, or replays one step by step.

use std::{io::IsTerminal, process::ExitCode, thread, time::Instant};

use clap::{Parser, ValueEnum};
use comfy_table::{Table, presets};
use guard::Guard;
use sim::{Options, Outcome, guards, report, run};

/// The mesh of red packets in simulated worlds, each from a seed, with faults and an auditor
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Run so many worlds
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    seeds: u64,
    /// Begin with this seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u64,
    /// Replay the world of this seed, step by step
    #[arg(long, value_name = "SEED", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Take a guard away, such as `ShareOnce`; may be given several times
    #[arg(long, value_name = "GUARD")]
    without: Vec<Named>,
    /// Take each guard away in turn, and say after how many worlds that was found
    #[arg(long, conflicts_with_all = ["seed", "without"])]
    guards: bool,
}

/// A guard by its name.
#[derive(Clone, Copy, Debug)]
struct Named(Guard);

impl ValueEnum for Named {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Named; Guard::ALL.len()] = {
            let mut all = [Named(Guard::ALL[0]); Guard::ALL.len()];
            let mut n = 0;
            while n < all.len() {
                all[n] = Named(Guard::ALL[n]);
                n += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let help = format!("keeps {}", self.0.keeps());
        Some(clap::builder::PossibleValue::new(format!("{:?}", self.0)).help(help))
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let fine = if arguments.guards {
        try_all(arguments.from, arguments.seeds)
    } else {
        let without = arguments.without.iter().map(|named| named.0).collect();
        match arguments.seed {
            Some(seed) => replay(seed, without),
            None => run_all(arguments.from, arguments.seeds, without),
        }
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, without: Vec<Guard>) -> bool {
    let outcome = run(
        seed,
        &Options {
            prints: true,
            without,
            ..Options::default()
        },
    );
    println!("\n{}", verdict(&outcome));
    outcome.violation.is_none()
}

fn run_all(from: u64, seeds: u64, without: Vec<Guard>) -> bool {
    let began = Instant::now();
    let shows = std::io::stderr().is_terminal();
    let options = Options {
        without,
        ..Options::default()
    };
    let summary = report::run_many(from, seeds, &options, |done, broken| {
        if shows {
            eprint!("\r{done} of {seeds} worlds, {broken} broken ");
        } else if done.is_multiple_of(100) {
            eprintln!("{done} of {seeds} worlds, {broken} broken");
        }
        broken < 10
    });
    if shows {
        eprintln!();
    }
    println!("{}", summary.tables());
    for outcome in &summary.broken {
        println!("{}", verdict(outcome));
    }
    if let Some(first) = summary.broken.first() {
        println!("\nthe last steps of seed {}:", first.seed);
        first.last.iter().for_each(|line| println!("{line}"));
        println!("\nreplay it: make sim SEED={}", first.seed);
    }
    let took = began.elapsed();
    println!(
        "{} worlds ({} steps, {} hours of their time) in {took:.1?}: {}",
        summary.worlds,
        summary.steps,
        summary.lasted_secs / 3_600,
        if summary.broken.is_empty() {
            "nothing broken"
        } else {
            "BROKEN"
        }
    );
    summary.broken.is_empty()
}

fn verdict(outcome: &Outcome) -> String {
    let (seed, steps, lasted) = (outcome.seed, outcome.steps, outcome.lasted);
    match &outcome.violation {
        None => format!(
            "seed {seed}: {steps} steps in {lasted:.1?}, nothing broken, digest {:016x}",
            outcome.digest
        ),
        Some(violation) => format!("seed {seed}: {violation}"),
    }
}

/// Every guard, each on a thread of its own as far as there are cores.
fn try_all(from: u64, seeds: u64) -> bool {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut trials = Vec::new();
    for guards in Guard::ALL.chunks(workers) {
        thread::scope(|scope| {
            let running: Vec<_> = guards
                .iter()
                .map(|guard| scope.spawn(move || guards::try_without(*guard, from, seeds)))
                .collect();
            for trial in running {
                match trial.join() {
                    Ok(trial) => trials.push(trial),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["guard taken away", "keeps", "found after", "as", "what was seen"]);
    for trial in &trials {
        let (after, invariant, what) = match &trial.found {
            Some((worlds, violation)) => (worlds.to_string(), violation.invariant, violation.what.as_str()),
            None => ("never".to_owned(), "", ""),
        };
        let what: String = what.chars().take(100).collect();
        let row = [
            format!("{:?}", trial.guard),
            trial.guard.keeps().to_owned(),
            after,
            invariant.to_owned(),
            what,
        ];
        table.add_row(row);
    }
    println!("{table}");
    trials.iter().all(|trial| trial.found.is_some())
}
