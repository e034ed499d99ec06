//! What tools/bench asks of a program: a table of cases, and the loop that answers with samples.
mod callgrind;
mod rayon_cases;
mod timer_cases;
mod tokio_cases;

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
pub struct Setup {
    pub workers: usize,
    pub min_time: Duration,
    pub calls: usize, // of a loop, instead of a time, where instructions are counted
}

/// What a figure counts: so many operations a call of the body, in this unit.
#[derive(Clone, Copy)]
pub struct Per {
    pub operations: f64,
    pub ns_in_unit: f64,
    pub unit: &'static str,
}

pub const NS_PER_CALL: Per = Per { operations: 1.0, ns_in_unit: 1.0, unit: "ns" };
pub const US_PER_CALL: Per = Per { operations: 1.0, ns_in_unit: 1e3, unit: "us" };
pub const MS_PER_CALL: Per = Per { operations: 1.0, ns_in_unit: 1e6, unit: "ms" };
pub const fn ns_per(operations: f64) -> Per {
    Per { operations, ns_in_unit: 1.0, unit: "ns" }
}

/// One figure of a sample; `suffix` is appended to the id and empty when the id has one figure only.
pub struct Figure {
    pub suffix: &'static str,
    pub value: f64,
    pub unit: &'static str,
}

/// Takes one sample.
pub type Sampler = Box<dyn FnMut() -> Vec<Figure>>;

pub struct Case {
    pub id: &'static str,
    pub variant: &'static str,
    pub make: fn(Setup) -> Sampler,
}

/// Measures the mean cost of an operation: `body(n)` does it n times and is run for the least time.
pub fn sample_loop(setup: Setup, per: Per, mut body: impl FnMut(usize) + 'static) -> Sampler {
    Box::new(move || {
        body(1); // warm
        let mut n = setup.calls.max(1);
        loop {
            callgrind::start();
            let start = Instant::now();
            body(n);
            let took = start.elapsed();
            callgrind::stop(n as f64 * per.operations);
            if took >= setup.min_time || setup.calls != 0 {
                let ns = took.as_nanos() as f64 / (n as f64 * per.operations);
                return vec![Figure { suffix: "", value: ns / per.ns_in_unit, unit: per.unit }];
            }
            n *= 2;
        }
    })
}

fn cases() -> Vec<Case> {
    let mut all = tokio_cases::cases();
    all.extend(rayon_cases::cases());
    all.extend(timer_cases::cases());
    all
}

fn serve(case: &Case, setup: Setup) {
    let mut sample = (case.make)(setup);
    for _ in std::io::stdin().lock().lines() {
        let figures = sample();
        if setup.calls != 0 {
            println!("operations {}", callgrind::operations());
        }
        for Figure { suffix, value, unit } in figures {
            let suffix = if suffix.is_empty() { "-" } else { suffix };
            println!("{suffix} {value:.6} {unit} 0 0");
        }
        println!("end");
        std::io::stdout().flush().expect("stdout");
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["--list"] => cases().iter().for_each(|case| println!("{} {}", case.id, case.variant)),
        ["--about"] => println!("{}", env!("BENCH_ABOUT")),
        [id, variant, workers, min_ms, ref calls @ ..] if calls.len() < 2 => {
            let all = cases();
            let case = all.iter().find(|case| case.id == id && case.variant == variant).expect("a case");
            let setup = Setup {
                workers: workers.parse().expect("a number of workers"),
                min_time: Duration::from_millis(min_ms.parse().expect("a number of milliseconds")),
                calls: calls.first().map_or(0, |calls| calls.parse().expect("a number of calls")),
            };
            serve(case, setup);
        }
        _ => {
            eprintln!("usage: bench_rust --list | --about | ID VARIANT WORKERS MIN_MILLISECONDS [CALLS]");
            std::process::exit(2);
        }
    }
}
