//! The default screen: the verdict first, then every finding with what to do, deadlines, and what could not be seen.

mod findings;
mod foot;
mod head;
mod layout;
mod wording;

use std::fmt;

use aksarc_shared::report::Report;

use super::{Look, Show};

pub(super) fn render(report: &Report, look: &Look<'_>) -> Result<String, fmt::Error> {
    let mut screen = Screen { out: String::new(), report, look };
    screen.header()?;
    screen.verdict()?;
    screen.findings()?;
    if look.show == Show::All {
        screen.outcomes()?;
    }
    screen.footer()?;
    Ok(screen.out)
}

struct Screen<'a> {
    out: String,
    report: &'a Report,
    look: &'a Look<'a>,
}
