//! `rules`.

use crate::exit::Outcome;
use crate::ui::Ui;

/// Arguments of `rules`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs `rules`.
///
/// # Errors
/// [`crate::exit::Failure`].
pub fn run(_args: &Args, _ui: &Ui) -> Outcome {
    Ok(0)
}
