//! The series of any process, by the names that all Prometheus clients give them.

use std::fmt;
use std::fs;

use aksarc_shared::jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Memory, processor time and descriptors of this process, read from `/proc` at every scrape. What cannot be read there
/// is left out.
#[derive(Debug)]
pub(super) struct ProcessStatistics {
    started: Timestamp,
}

impl ProcessStatistics {
    pub(super) fn new(started: Timestamp) -> Self {
        ProcessStatistics { started }
    }
}

impl Collector for ProcessStatistics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut write = |name: &str, help: &str, unit: Option<&Unit>, metric: &dyn EncodeMetric| {
            metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)
        };
        let started = ConstGauge::new(self.started.as_second());
        write("process_start_time", "When the process started", Some(&Unit::Seconds), &started)?;
        if let Some(seconds) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(processor_seconds) {
            let counter = ConstCounter::new(seconds);
            write("process_cpu", "Processor time of the process", Some(&Unit::Seconds), &counter)?;
        }
        if let Some(bytes) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident_bytes) {
            write("process_resident_memory", "Memory of the process", Some(&Unit::Bytes), &ConstGauge::new(bytes))?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            let open = i64::try_from(open.count()).unwrap_or(i64::MAX);
            write("process_open_fds", "Open file descriptors", None, &ConstGauge::new(open))?;
        }
        if let Some(most) = fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(most_descriptors) {
            write("process_max_fds", "How many file descriptors may be open", None, &ConstGauge::new(most))?;
        }
        Ok(())
    }
}

/// User and system time in seconds, from `/proc/self/stat`. The name of the program, in parentheses, may hold anything.
fn processor_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS)
}

/// From `/proc/self/status`, whose unit is always 1,024 bytes.
fn resident_bytes(status: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1 << 10)
}

/// The soft limit, from `/proc/self/limits`; `None` where there is none.
fn most_descriptors(limits: &str) -> Option<i64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// The kernel tells programs processor time in hundredths of a second, on every architecture.
const TICKS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read_whatever_the_program_is_called() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 3 0 250 125 0 0 20 0 5 0 9 0 0";
        assert_eq!(processor_seconds(stat), Some(3.75));
        assert_eq!(resident_bytes("VmHWM:\t 9 kB\nVmRSS:\t   5120 kB\n"), Some(5 << 20));
        assert_eq!(
            most_descriptors("Max open files            1024                 524288               files\n"),
            Some(1024)
        );
        for nothing in ["", "7 (a) S 1", "VmRSS: many", "Max open files unlimited unlimited files"] {
            assert_eq!(processor_seconds(nothing), None);
            assert_eq!(resident_bytes(nothing), None);
            assert_eq!(most_descriptors(nothing), None);
        }
    }
}
