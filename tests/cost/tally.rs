//! What something costs at two sizes, in the time that this thread was given by the kernel.

use std::time::Duration;

use super::reviews::thread_time;

/// The comparisons made, and those that cost more than they should.
#[derive(Default)]
pub(crate) struct Tally {
    compared: usize,
    steep: Vec<String>,
}

impl Tally {
    /// Compares what judging costs at two sizes.
    pub(crate) fn compare(&mut self, what: &str, [small, large]: &[Vec<u8>; 2], judge: &mut dyn FnMut(&[u8])) {
        let (mut of_small, mut of_large) = (Duration::MAX, Duration::MAX);
        let mut ratio = f64::MAX;
        self.compared += 1;
        for _ in 0..RUNS {
            for (body, best) in [(small, &mut of_small), (large, &mut of_large)] {
                let start = thread_time();
                judge(body);
                *best = (*best).min(thread_time().saturating_sub(start));
            }
            ratio = per_byte(of_large, large) / per_byte(of_small, small);
            if ratio < STEEP {
                return;
            }
        }
        let of = |time: Duration, body: &[u8]| format!("{time:?} for {} bytes", body.len());
        let (small, large) = (of(of_small, small), of(of_large, large));
        self.steep.push(format!("{what}: {ratio:.1} times as much for each byte: {small}, {large}"));
    }

    pub(crate) fn done(self) {
        assert!(self.compared > 0, "nothing was compared");
        let Tally { compared, steep } = self;
        assert!(steep.is_empty(), "{} of {compared}:\n{}", steep.len(), steep.join("\n"));
    }
}

fn per_byte(time: Duration, body: &[u8]) -> f64 {
    time.as_secs_f64() / f64::from(u32::try_from(body.len()).unwrap())
}

/// What costs by the byte costs the same for each byte; what costs by the square of them sixteen times as much.
const STEEP: f64 = 2.5;

/// The most measurements, of which the best counts.
const RUNS: usize = 8;
