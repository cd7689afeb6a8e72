//! What to call ourselves in help texts and commands we suggest.

use std::path::Path;

/// The words users type to reach us.
///
/// kubectl starts a plugin with the full path of its file as the first argument, a shell passes on what was typed. So a
/// path that ends in `kubectl-aksarc` is shown as `kubectl aksarc`, and a bare name as itself.
pub fn name(argv0: Option<&str>) -> &'static str {
    let path = Path::new(argv0.unwrap_or_default());
    let by_path = path.parent().is_some_and(|parent| !parent.as_os_str().is_empty());
    let ours = path.file_stem().is_some_and(|stem| stem == "kubectl-aksarc");
    if by_path && ours { PLUGIN } else { ALONE }
}

/// As a plugin of kubectl.
pub const PLUGIN: &str = "kubectl aksarc";

/// By its own name.
pub const ALONE: &str = "kubectl-aksarc";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_path_is_kubectls_doing_and_a_bare_name_a_shells() {
        assert_eq!(name(Some("/usr/local/bin/kubectl-aksarc")), PLUGIN);
        assert_eq!(name(Some("kubectl-aksarc")), ALONE);
        assert_eq!(name(Some("/usr/local/bin/aksarc")), ALONE);
        assert_eq!(name(None), ALONE);
    }
}
