//! `dry-run`: what a change would do, without doing it.

use crate::exit::{Failure, Outcome};
use crate::ui::Ui;

/// Arguments of `dry-run`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {}

/// Runs `dry-run`.
///
/// # Errors
/// [`Failure`].
pub async fn run(_args: Args, _ui: &mut Ui) -> Outcome {
    Err(Failure::run(anyhow::anyhow!("dry-run is not part of this build")))
}
