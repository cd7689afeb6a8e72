//! The default screen: verdict and counts, then every finding with what to do, the rest in short, and the verdict again.

mod findings;
mod foot;
mod group;
mod head;
mod layout;
mod questions;
mod undecided;

use std::fmt;

use aksarc_shared::verdict::report::v1::ReportV1;

use super::view::{Show, View};
use layout::Screen;

pub(super) fn render(report: &ReportV1, view: &View) -> Result<String, fmt::Error> {
    let mut screen = Screen::new(report, view);
    screen.verdict();
    match view.show {
        Show::Problems | Show::All => {
            screen.facts();
            screen.findings();
            if view.show == Show::All {
                screen.outcomes();
            }
            screen.deadlines();
            screen.hidden();
            screen.unknown();
            screen.not_observable();
            screen.questions();
            screen.not_run();
        }
        Show::Fixes => {
            screen.findings();
            screen.hidden();
        }
        Show::Deadlines => screen.deadlines(),
        Show::Questions => screen.questions(),
        // A page of its own, which no screen is made for.
        Show::Case => {}
    }
    screen.sources();
    screen.end();
    Ok(screen.out.into_text())
}
