//! The guard's binary.

use std::process::ExitCode;

// musl's own allocator takes memory from the kernel for each review, and gives it back: a review costs twice as much.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    aksarc_webhook::args::run()
}
