//! Tells callgrind, when it looks on, where to count instructions, and remembers for how many operations.
use std::sync::atomic::{AtomicUsize, Ordering};

static OPERATIONS: AtomicUsize = AtomicUsize::new(0);

const START: usize = 0x4354_0004; // 'C', 'T' and the numbers of valgrind/callgrind.h
const STOP: usize = 0x4354_0005;

/// A request as valgrind.h writes it: rotations that change nothing, which valgrind knows.
#[cfg(target_arch = "x86_64")]
fn request(what: usize) {
    let message = [what, 0, 0, 0, 0, 0];
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") message.as_ptr(), inout("rdx") 0usize => _
        )
    };
}
#[cfg(not(target_arch = "x86_64"))]
fn request(_what: usize) {}

pub fn start() {
    request(START);
}

pub fn stop(operations: f64) {
    request(STOP);
    OPERATIONS.store(operations as usize, Ordering::Relaxed);
}

pub fn operations() -> usize {
    OPERATIONS.load(Ordering::Relaxed)
}
