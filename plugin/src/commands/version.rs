//! `version`.

use crate::exit::Outcome;
use crate::ui::Ui;

/// Arguments of `version`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs `version`.
///
/// # Errors
/// [`crate::exit::Failure`].
pub fn run(_args: &Args, _ui: &Ui) -> Outcome {
    Ok(0)
}
