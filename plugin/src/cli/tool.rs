//! Version and commit of this program, and its peak memory.

use aksarc_shared::verdict::report::ToolVersion;

/// Version and commit, as reports carry them.
pub fn identity() -> ToolVersion {
    ToolVersion { version: VERSION.to_owned(), commit: COMMIT.to_owned() }
}

/// The peak of resident memory in bytes, from `VmHWM`; 0 where there is no /proc.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit of the build, for releases by `build.rs`; empty for other builds, and where git is missing.
pub const COMMIT: &str = match option_env!("AKSARC_COMMIT") {
    Some(commit) => commit,
    None => "",
};

/// The name of this program in every request, so that an audit log tells ours from others'.
pub const USER_AGENT: &str = concat!("kubectl-aksarc/", env!("CARGO_PKG_VERSION"));
