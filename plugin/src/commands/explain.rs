//! `explain`.

use crate::exit::Outcome;
use crate::ui::Ui;

/// Arguments of `explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs `explain`.
///
/// # Errors
/// [`crate::exit::Failure`].
pub fn run(_args: &Args, _ui: &Ui) -> Outcome {
    Ok(0)
}
