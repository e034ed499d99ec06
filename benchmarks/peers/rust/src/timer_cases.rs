//! Timers of tokio: a million armed, ten thousand heartbeats, ten thousand sleepers.
use crate::{callgrind, Case, Figure, Sampler, Setup};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{interval_at, sleep, sleep_until, Instant as TokioInstant, Sleep};

const TIMERS: usize = 1_000_000;
const BEATS: usize = 10_000;
const BEAT_EVERY: Duration = Duration::from_millis(100);
const SLEEPERS: usize = 10_000;
const PENDING: usize = 100_000;

fn runtime(setup: Setup) -> Runtime {
    Builder::new_multi_thread().worker_threads(setup.workers).enable_time().build().expect("a runtime")
}

fn cpu_seconds() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn figure(suffix: &'static str, value: f64, unit: &'static str) -> Figure {
    Figure { suffix, value, unit }
}

/// Due in 10 to 100 s, in no order.
fn deadlines() -> Vec<TokioInstant> {
    let begin = TokioInstant::now() + Duration::from_secs(10);
    let mut at = 1usize;
    (0..TIMERS)
        .map(|_| {
            at = (at * 7_368_787 + 1) % TIMERS;
            begin + Duration::from_micros(90 * at as u64)
        })
        .collect()
}

struct Nothing;
impl std::task::Wake for Nothing {
    fn wake(self: Arc<Self>) {}
}

/// A timer is armed by its first poll and cancelled when it is dropped.
fn arm(deadlines: Vec<TokioInstant>) -> Vec<Pin<Box<Sleep>>> {
    let waker = Waker::from(Arc::new(Nothing));
    let mut context = Context::from_waker(&waker);
    deadlines
        .into_iter()
        .map(|due| {
            let mut timer = Box::pin(sleep_until(due));
            assert_eq!(timer.as_mut().poll(&mut context), Poll::Pending);
            timer
        })
        .collect()
}

/// Runs `work` and measures it; callgrind counts it when it is what the case asks for.
fn timed<T>(is_asked: bool, work: impl FnOnce() -> T) -> (T, Duration) {
    if is_asked {
        callgrind::start();
    }
    let start = Instant::now();
    let made = work();
    let took = start.elapsed();
    if is_asked {
        callgrind::stop(TIMERS as f64);
    }
    (made, took)
}

fn timer_sampler(setup: Setup, measure_cancel: bool) -> Sampler {
    let pool = runtime(setup);
    Box::new(move || {
        let _inside = pool.enter();
        let due = deadlines();
        let (timers, armed) = timed(!measure_cancel, || arm(due));
        let (_, dropped) = timed(measure_cancel, || drop(timers));
        let took = if measure_cancel { dropped } else { armed };
        vec![figure("", took.as_nanos() as f64 / TIMERS as f64, "ns")]
    })
}

fn heartbeat(setup: Setup) -> Sampler {
    let pool = runtime(setup);
    Box::new(move || {
        callgrind::start();
        let cpu = cpu_seconds();
        let beats = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..BEATS)
            .map(|_| {
                let beats = beats.clone();
                pool.spawn(async move {
                    let mut beat = interval_at(TokioInstant::now() + BEAT_EVERY, BEAT_EVERY);
                    loop {
                        beat.tick().await;
                        beats.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_secs(3));
        tasks.iter().for_each(|task| task.abort());
        pool.block_on(async {
            for task in tasks {
                let _ = task.await;
            }
        });
        let beats = beats.load(Ordering::Relaxed) as f64;
        callgrind::stop(beats);
        vec![figure("", (cpu_seconds() - cpu) * 1e6 / beats, "us")]
    })
}

fn sleep_tasks(setup: Setup) -> Sampler {
    let pool = runtime(setup);
    Box::new(move || {
        let cpu = cpu_seconds();
        let tasks: Vec<_> = (0..SLEEPERS)
            .map(|i| {
                let nap = Duration::from_millis(1 + (i * 37 % 100) as u64);
                let due = Instant::now() + nap;
                pool.spawn(async move {
                    sleep(nap).await;
                    Instant::now().saturating_duration_since(due).as_secs_f64() * 1e3
                })
            })
            .collect();
        let mut late: Vec<f64> = pool.block_on(async {
            let mut all = Vec::with_capacity(SLEEPERS);
            for task in tasks {
                all.push(task.await.expect("awake"));
            }
            all
        });
        let used = cpu_seconds() - cpu;
        late.sort_by(f64::total_cmp);
        let p99 = late[(0.99 * (SLEEPERS - 1) as f64) as usize];
        vec![figure("", used * 1e6 / SLEEPERS as f64, "us"), figure("_late_p99", p99, "ms")]
    })
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("proc");
    let pages: f64 = statm.split_whitespace().nth(1).expect("a field").parse().expect("a number");
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64
}

/// What 100 000 that wait grow the process by, in bytes each; once, all kept to the end.
fn pending_memory(setup: Setup) -> Sampler {
    let pool = runtime(setup);
    let mut grown: Vec<f64> = Vec::new();
    Box::new(move || {
        if grown.is_empty() {
            let begin = resident();
            let mut tasks = Vec::with_capacity(PENDING);
            tasks.extend((0..PENDING).map(|_| pool.spawn(async { sleep(Duration::from_secs(3600)).await })));
            std::thread::sleep(Duration::from_millis(300)); // until each has been polled and is in the wheel
            let slept = resident();
            let mut more = Vec::with_capacity(PENDING);
            more.extend((0..PENDING).map(|_| pool.spawn(std::future::pending::<()>())));
            grown = vec![(slept - begin) / PENDING as f64, (resident() - slept) / PENDING as f64];
            tasks.iter().chain(more.iter()).for_each(|task| task.abort());
        }
        vec![figure("_sleep", grown[0], "B"), figure("_task", grown[1], "B")]
    })
}

pub fn cases() -> Vec<Case> {
    vec![
        Case { id: "timer_schedule", variant: "tokio", make: |setup| timer_sampler(setup, false) },
        Case { id: "timer_cancel", variant: "tokio", make: |setup| timer_sampler(setup, true) },
        Case { id: "heartbeat", variant: "tokio", make: heartbeat },
        Case { id: "sleep_tasks", variant: "tokio", make: sleep_tasks },
        Case { id: "pending_memory", variant: "tokio", make: pending_memory },
    ]
}
