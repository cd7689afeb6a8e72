//! Prometheus' own text format, made from that of OpenMetrics.

use std::fmt::Write;

/// The series of an OpenMetrics text in Prometheus' text format 0.0.4. There the name of a family is that of its series,
/// with their suffix, and neither units nor an end are written.
pub(super) fn of(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(text) = line.strip_prefix("# HELP ") {
            help = text.split_once(' ').map(|(_, text)| text);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            // Writing to a string does not fail.
            if let Some(help) = help.take() {
                let _ = writeln!(out, "# HELP {name}{suffix} {help}");
            }
            let _ = writeln!(out, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_called_as_their_series_and_every_series_stays() {
        let open = "# HELP a_reviews Reviews.\n# TYPE a_reviews counter\na_reviews_total{b=\"c\"} 1\n\
                    # HELP a_build Program.\n# TYPE a_build info\na_build_info{v=\"1\"} 1\n\
                    # HELP a_time_seconds Time.\n# TYPE a_time_seconds histogram\n# UNIT a_time_seconds seconds\n\
                    a_time_seconds_bucket{le=\"+Inf\"} 0\n# EOF\n";
        let plain = "# HELP a_reviews_total Reviews.\n# TYPE a_reviews_total counter\na_reviews_total{b=\"c\"} 1\n\
                     # HELP a_build_info Program.\n# TYPE a_build_info gauge\na_build_info{v=\"1\"} 1\n\
                     # HELP a_time_seconds Time.\n# TYPE a_time_seconds histogram\na_time_seconds_bucket{le=\"+Inf\"} 0\n";
        assert_eq!(of(open), plain);
    }
}
