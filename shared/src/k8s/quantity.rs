//! Kubernetes quantities, as capacities are printed: `4`, `3860m`, `8138224Ki`, `16G`, `1e3`.

/// The number that a quantity stands for, in units or bytes; `None` for any other text. Precise enough to compare
/// sizes.
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "Pi" => 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "Ei" => 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return text.parse().ok().filter(|number: &f64| number.is_finite() && suffix.starts_with(['e', 'E'])),
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_the_api_prints_them() {
        for (text, number) in [
            ("4", 4.0),
            ("3860m", 3.86),
            ("8138224Ki", 8_333_541_376.0),
            ("16G", 16e9),
            ("1.5Gi", 1_610_612_736.0),
            ("1e3", 1000.0),
            ("12E", 12e18),
        ] {
            let read = parse(text).unwrap();
            assert!((read - number).abs() < number * 1e-9, "{text} is {read}");
        }
        for bad in ["", "Ki", "four", "4 cores", "1e", "0x10", "inf", "NaN", "einf"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
