//! Image references: the repository of an image, and comparisons that also match its mirrors.

/// The repository of an image, without registry port confusion, tag or digest: `quay.io/calico/node` of
/// `quay.io/calico/node:v3.30.2@sha256:…`.
pub fn repository(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(before, _)| before);
    match image.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((before, tag)) if !tag.contains('/') => before,
        _ => image,
    }
}

/// The tag of an image; `None` where it has none, or a digest alone.
pub fn tag(image: &str) -> Option<&str> {
    let image = image.split_once('@').map_or(image, |(before, _)| before);
    image.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty() && !tag.contains('/'))
}

/// Whether an image comes from a repository that ends in `path`, whole components only: `calico/node` is also
/// `mirror.example/upstream/calico/node:v3`, and neither `my-calico/node` nor `calico/node-exporter`.
pub fn is_of(image: &str, path: &str) -> bool {
    repository(image).strip_suffix(path).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// Whether an image comes from one of several repositories, as [`is_of`] compares them.
pub fn is_of_any(image: &str, paths: &[String]) -> bool {
    paths.iter().any(|path| is_of(image, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_and_tags_are_told_from_ports_and_digests() {
        for (image, own, version) in [
            ("quay.io/calico/node:v3.30.2", "quay.io/calico/node", Some("v3.30.2")),
            ("localhost:5000/calico/node", "localhost:5000/calico/node", None),
            ("localhost:5000/calico/node:v3@sha256:00", "localhost:5000/calico/node", Some("v3")),
            ("calico/node@sha256:00", "calico/node", None),
            ("node", "node", None),
            ("", "", None),
            ("a:", "a", None),
        ] {
            assert_eq!((repository(image), tag(image)), (own, version), "{image}");
        }
    }

    #[test]
    fn only_whole_components_match() {
        for image in ["calico/node:v3", "quay.io/calico/node", "mirror.example:5000/up/calico/node@sha256:00"] {
            assert!(is_of(image, "calico/node"), "{image}");
        }
        for image in [
            "my-calico/node:v3",
            "calico/node-exporter:v3",
            "calico/node/x",
            "x/calicoXnode",
            "evil.example/x:calico/node",
        ] {
            assert!(!is_of(image, "calico/node"), "{image}");
        }
    }
}
