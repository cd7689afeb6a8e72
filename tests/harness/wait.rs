//! Waiting for a value, never for a while.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::bail;

/// Asks `probe` until it answers `Ok`, and fails with the last `Err` it saw after `limit`.
///
/// # Errors
/// The deadline passed; the message holds what was awaited and what was seen last.
pub fn until<T, E: Display>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<T, E>) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() >= deadline => {
                bail!("waited {limit:?} for {what}; last seen: {seen}")
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Short against the 3 s an API server needs, long against what one probe costs.
const PAUSE: Duration = Duration::from_millis(40);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_seen_is_in_the_message() {
        let mut seen = 0;
        let error = until("ten", Duration::from_millis(50), || {
            seen += 1;
            if seen == 10 { Ok(()) } else { Err(seen.min(1)) }
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "waited 50ms for ten; last seen: 1");
    }
}
