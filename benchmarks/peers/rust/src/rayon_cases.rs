//! Fork/join on rayon: the same programs as in common/workloads.hpp.
use crate::{ns_per, sample_loop, Case, Setup, MS_PER_CALL};
use rayon::prelude::*;
use std::hint::black_box;

const FIB: u32 = 32;
const FIB_FORKS: f64 = 3_524_577.0;
const LEAVES: i64 = 1_000_000;
const QUEENS: usize = 12;

type Board = [i8; QUEENS];

fn fib(n: u32) -> i64 {
    if n < 2 {
        return n.into();
    }
    let (first, second) = rayon::join(|| fib(n - 1), || fib(n - 2));
    first + second
}

fn skynet(first: i64, leaves: i64) -> i64 {
    if leaves == 1 {
        return first;
    }
    let part = leaves / 10;
    (0..10).into_par_iter().map(|i| skynet(first + i * part, part)).sum()
}

fn is_safe(board: &Board, row: usize, column: usize) -> bool {
    (0..row).all(|above| {
        let at = board[above] as isize;
        let distance = (row - above) as isize;
        let column = column as isize;
        at != column && at != column - distance && at != column + distance
    })
}

fn queens(board: &Board, row: usize) -> i64 {
    if row == QUEENS {
        return 1;
    }
    (0..QUEENS)
        .into_par_iter()
        .map(|column| {
            if !is_safe(board, row, column) {
                return 0;
            }
            let mut next = *board;
            next[row] = column as i8;
            queens(&next, row + 1)
        })
        .sum()
}

fn program(setup: Setup, per: crate::Per, body: fn() -> i64, wanted: i64) -> crate::Sampler {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(setup.workers).build().expect("a pool");
    sample_loop(setup, per, move |n| {
        pool.install(|| {
            for _ in 0..n {
                assert_eq!(black_box(body()), wanted);
            }
        })
    })
}

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            id: "fib_scope",
            variant: "rayon",
            make: |setup| program(setup, ns_per(FIB_FORKS), || fib(FIB), 2_178_309),
        },
        Case {
            id: "skynet",
            variant: "rayon",
            make: |setup| program(setup, MS_PER_CALL, || skynet(0, LEAVES), 499_999_500_000),
        },
        Case {
            id: "nqueens",
            variant: "rayon",
            make: |setup| program(setup, MS_PER_CALL, || queens(&[0; QUEENS], 0), 14_200),
        },
    ]
}
