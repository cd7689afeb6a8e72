//! `completion`.

use crate::exit::Outcome;
use crate::ui::Ui;

/// Arguments of `completion`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs `completion`.
///
/// # Errors
/// [`crate::exit::Failure`].
pub fn run(_args: &Args, _ui: &Ui) -> Outcome {
    Ok(0)
}
