//! Parsers for values that several commands accept: platforms, days, releases, and small files.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use aksarc_shared::jiff::Timestamp;
use aksarc_shared::jiff::tz::TimeZone;
use aksarc_shared::moment::Moment;
use anyhow::{Context, anyhow};

use super::documents;

/// The values of `--platform`.
pub(crate) const PLATFORMS: [&str; 5] = ["auto", "windows-server", "hci-22h2", "azure-local", "bare-metal"];

/// The text of a small file: waivers, versions or a configuration.
///
/// # Errors
/// It cannot be read, or is too large to have been written by hand.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if size > MAX_SETTINGS {
        return Err(anyhow!("{} has {size} bytes, and this kind of file at most {MAX_SETTINGS}", path.display()));
    }
    // Only a regular file has a size.
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(MAX_SETTINGS + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_SETTINGS {
        return Err(anyhow!(
            "{} has more than {MAX_SETTINGS} bytes, the most this kind of file may have",
            path.display()
        ));
    }
    Ok(documents::text(&path.display().to_string(), &bytes)?.to_owned())
}

/// A day, a moment in RFC 3339, or `now`.
///
/// # Errors
/// A sentence that names the accepted forms.
pub(crate) fn moment_or_now(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(Timestamp::now());
    }
    let moment = moment(text).map_err(|why| why.replace("expected a day", "expected now, a day"))?;
    if moment.to_zoned(TimeZone::UTC).year() < FIRST_YEAR {
        return Err(format!("out of range: no day before {FIRST_YEAR} can be judged, since AKS Arc came later"));
    }
    Ok(moment)
}

/// A day, or a moment in RFC 3339.
///
/// # Errors
/// A sentence that names the accepted forms.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse::<Moment>().map(|moment| moment.0).map_err(|why| why.to_string())
}

/// A release of the host: digits and letters, such as `2022`, `22H2` or `2602`.
///
/// # Errors
/// A sentence that names the accepted form.
pub(crate) fn release(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    if text.starts_with(|first: char| first.is_ascii_digit()) && plain && text.len() <= 20 {
        Ok(text.to_uppercase())
    } else {
        Err("expected a release such as 2022, 22H2 or 2602".to_owned())
    }
}

/// A file to write instead of stdout; `-` would be a file of that name.
///
/// # Errors A sentence that says how to write to stdout.
pub(crate) fn file_or_nothing(text: &str) -> Result<PathBuf, String> {
    output(text, "write to stdout by leaving the flag out")
}

/// A file to write beside what stdout gets; `-` would be a file of that name.
///
/// # Errors A sentence that says how to write to stdout.
pub(crate) fn file_not_stdout(text: &str) -> Result<PathBuf, String> {
    output(text, "this goes to a file; /dev/stdout is standard output where the system has it")
}

/// Refuses the name of a format where `-o` names a file.
///
/// # Errors A sentence that says how to name such a file.
pub(crate) fn no_format(path: &Path) -> anyhow::Result<()> {
    match path.to_str().filter(|name| FORMATS.contains(name)) {
        Some(format) => {
            Err(anyhow!("-o names a file here, and {format} is a format: give ./{format} for a file of that name"))
        }
        None => Ok(()),
    }
}

/// The file of `-o FORMAT=FILE`.
///
/// # Errors A sentence that says how to write to stdout.
pub(crate) fn file_of_format(text: &str) -> Result<PathBuf, String> {
    output(text, "write to stdout by leaving out =FILE")
}

fn output(text: &str, instead: &str) -> Result<PathBuf, String> {
    match text {
        "-" => Err(instead.to_owned()),
        "" => Err("a file is needed".to_owned()),
        _ => Ok(PathBuf::from(text)),
    }
}

/// Words that other commands take after `-o`.
const FORMATS: [&str; 10] = ["csv", "json", "junit", "markdown", "name", "sarif", "short", "table", "wide", "yaml"];

/// The year before the first preview of AKS on Azure Stack HCI: an earlier day is a slip.
const FIRST_YEAR: i16 = 2019;

/// The largest file. Waivers and tables are written by hand.
const MAX_SETTINGS: u64 = 16 << 20;
