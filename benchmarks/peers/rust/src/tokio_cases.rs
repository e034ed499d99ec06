//! Single tasks, many tasks and channels on tokio's work-stealing runtime.
use crate::{ns_per, sample_loop, Case, Setup, NS_PER_CALL, US_PER_CALL};
use std::hint::black_box;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, Mutex, Semaphore};

const MILLION: usize = 1_000_000;
const BATCH: usize = 1000;
const AT_ONCE: usize = 8;

fn runtime(setup: Setup) -> Runtime {
    Builder::new_multi_thread().worker_threads(setup.workers).build().expect("a runtime")
}

/// What does a task with a handle of its own cost when a million are spawned and then joined?
async fn join_all(handles: Vec<tokio::task::JoinHandle<i32>>) {
    for handle in handles {
        black_box(handle.await.expect("a value"));
    }
}

/// 1000 tasks, at most 8 at a time, by a semaphore.
async fn batch() {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut handles = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let permits = permits.clone();
        handles.push(tokio::spawn(async move {
            let _permit = permits.acquire().await.expect("open");
            1
        }));
    }
    join_all(handles).await;
}

/// 1000 items in a closed channel, 8 consumers.
async fn consume() {
    let (sender, receiver) = mpsc::channel::<fn() -> i32>(BATCH);
    for _ in 0..BATCH {
        sender.send(|| 1).await.expect("open");
    }
    drop(sender);
    let receiver = Arc::new(Mutex::new(receiver));
    let mut handles = Vec::with_capacity(AT_ONCE);
    for _ in 0..AT_ONCE {
        let receiver = receiver.clone();
        handles.push(tokio::spawn(async move {
            let mut sum = 0;
            loop {
                let next = receiver.lock().await.recv().await;
                match next {
                    Some(work) => sum += work(),
                    None => return sum,
                }
            }
        }));
    }
    join_all(handles).await;
}

pub fn cases() -> Vec<Case> {
    vec![
        Case {
            id: "invoke_wait",
            variant: "tokio",
            make: |setup| {
                let pool = runtime(setup);
                sample_loop(setup, NS_PER_CALL, move |n| {
                    for _ in 0..n {
                        black_box(pool.block_on(pool.spawn(async { 1 })).expect("a value"));
                    }
                })
            },
        },
        Case {
            id: "invoke_worker",
            variant: "tokio",
            make: |setup| {
                let pool = runtime(setup);
                sample_loop(setup, NS_PER_CALL, move |n| {
                    let body = async move {
                        for _ in 0..n {
                            black_box(tokio::spawn(async { 1 }).await.expect("a value"));
                        }
                    };
                    pool.block_on(pool.spawn(body)).expect("an end");
                })
            },
        },
        Case {
            id: "spawn_join",
            variant: "tokio",
            make: |setup| {
                let pool = runtime(setup);
                sample_loop(setup, ns_per(MILLION as f64), move |n| {
                    for _ in 0..n {
                        let handles = (0..MILLION).map(|_| pool.spawn(async { 1 })).collect();
                        pool.block_on(join_all(handles));
                    }
                })
            },
        },
        Case {
            id: "spawn_join_worker",
            variant: "tokio",
            make: |setup| {
                let pool = runtime(setup);
                sample_loop(setup, ns_per(MILLION as f64), move |n| {
                    let body = async move {
                        for _ in 0..n {
                            join_all((0..MILLION).map(|_| tokio::spawn(async { 1 })).collect()).await;
                        }
                    };
                    pool.block_on(pool.spawn(body)).expect("an end");
                })
            },
        },
        Case {
            id: "invoke_all",
            variant: "tokio",
            make: |setup| {
                let pool = runtime(setup);
                sample_loop(setup, US_PER_CALL, move |n| {
                    for _ in 0..n {
                        pool.block_on(pool.spawn(batch())).expect("an end");
                    }
                })
            },
        },
        Case {
            id: "consume",
            variant: "tokio",
            make: |setup| {
                let pool = runtime(setup);
                sample_loop(setup, US_PER_CALL, move |n| {
                    for _ in 0..n {
                        pool.block_on(pool.spawn(consume())).expect("an end");
                    }
                })
            },
        },
    ]
}
