//! Files that follow from the rules are what the rules say.

use std::path::Path;

use aksarc_shared::rules::derive;

/// `UPDATE_GENERATED=1 cargo test -p aksarc-shared --test generated` writes it anew.
#[test]
fn the_readers_role_is_what_the_rules_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/reader.yaml");
    let expected = derive::reader_role();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "write it anew: UPDATE_GENERATED=1 cargo test -p aksarc-shared --test generated");
}
