//! `snapshot`.

use crate::exit::Outcome;
use crate::ui::{Ui, UiFlags};

/// Arguments of `snapshot`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `snapshot`.
///
/// # Errors
/// [`crate::exit::Failure`].
pub async fn run(_args: Args, _ui: &mut Ui) -> Outcome {
    Ok(0)
}
