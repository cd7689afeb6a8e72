//! `support-check`.

use crate::exit::Outcome;
use crate::ui::{Ui, UiFlags};

/// Arguments of `support-check`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `support-check`.
///
/// # Errors
/// [`crate::exit::Failure`].
pub async fn run(_args: Args, _ui: &mut Ui) -> Outcome {
    Ok(0)
}
