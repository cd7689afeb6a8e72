//! The name of this program in help texts and suggested commands.

use std::path::Path;

/// The words with which users call this program.
///
/// kubectl starts a plugin with the full path of its file as the first argument, and a shell passes on what was typed.
/// So a path that ends in `kubectl-aksarc` becomes `kubectl aksarc`, and a bare name stays as it is.
pub fn name(argv0: Option<&str>) -> &'static str {
    let path = Path::new(argv0.unwrap_or_default());
    let by_path = path.parent().is_some_and(|parent| !parent.as_os_str().is_empty());
    let ours = path.file_stem().is_some_and(|stem| stem == "kubectl-aksarc");
    if by_path && ours { PLUGIN } else { ALONE }
}

/// The name as a kubectl plugin.
pub const PLUGIN: &str = "kubectl aksarc";

/// The name as a program of its own.
pub const ALONE: &str = "kubectl-aksarc";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_path_means_a_call_by_kubectl_and_a_bare_name_one_by_a_shell() {
        assert_eq!(name(Some("/usr/local/bin/kubectl-aksarc")), PLUGIN);
        assert_eq!(name(Some("kubectl-aksarc")), ALONE);
        assert_eq!(name(Some("/usr/local/bin/aksarc")), ALONE);
        assert_eq!(name(None), ALONE);
    }
}
