//! The default screen: the verdict first, then every finding with what to do, deadlines, and what could not be seen.

mod findings;
mod foot;
mod head;
mod layout;

use std::fmt;

use aksarc_shared::verdict::report::v1::ReportV1;

use super::view::{Show, View};
use layout::Screen;

pub(super) fn render(report: &ReportV1, view: &View) -> Result<String, fmt::Error> {
    let mut screen = Screen::new(report, view);
    screen.header()?;
    screen.verdict()?;
    screen.findings()?;
    if view.show == Show::All {
        screen.outcomes()?;
    }
    screen.footer()?;
    Ok(screen.out.into_text())
}
