//! The figures of the benchmarks: where they are kept, and their median.

use std::env;
use std::path::PathBuf;

/// The file for the figures, by a benchmark's arguments: that of `--json FILE`, or one beside the program.
///
/// # Errors
/// The program does not know where it is.
pub fn file(arguments: &[String]) -> anyhow::Result<PathBuf> {
    match arguments {
        [word, file] if word == "--json" => Ok(file.into()),
        _ => Ok(env::current_exe()?.with_extension("json")),
    }
}

/// The middle one of some values, by size; not a number where there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
