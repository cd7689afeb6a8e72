//! Saved results of checks.

use std::path::Path;

use aksarc_shared::verdict::report::v1::ReportV1;
use anyhow::{Context as _, bail};

use super::documents;

/// The report of a saved result, JSON or YAML; `-` is standard input.
///
/// # Errors
/// It cannot be read, is no report of this version, or holds more than one document.
pub(crate) fn read(path: &Path) -> anyhow::Result<ReportV1> {
    let is_input = path == Path::new("-");
    let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = if is_input { documents::standard_input()? } else { documents::whole(path)? };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!("{name} is empty: a result is what `support-check -o json` prints");
    }
    let mut found = None;
    documents::each_document(&name, &bytes, &mut |number, json| {
        if number > 1 {
            bail!("it is more than one document: a result is one, as `support-check -o json` prints it");
        }
        found = Some(ReportV1::parse(documents::text(&name, json)?)?);
        Ok(())
    })?;
    found.with_context(|| format!("{name} holds no document"))
}
