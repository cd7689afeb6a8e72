//! JSON as the API server and kubectl print it: single objects, and lists one page at a time.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::k8s::object::{EachItem, Object};
use crate::k8s::text::Text;

/// The reason why bytes could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes are not JSON, cut short, or of another shape; the cause has line and column.
    #[error("not a Kubernetes object or list: {0}")]
    Json(#[from] serde_json::Error),
    /// A list has no `items`, or an object no kind.
    #[error("not a Kubernetes {expected}: it has no `{missing}`")]
    Shape {
        /// The expected document.
        expected: &'static str,
        /// The missing part.
        missing: &'static str,
    },
    /// The YAML is invalid for kubectl too.
    #[error("not YAML that kubectl reads: {0}")]
    Yaml(String),
    /// YAML that kubectl may read: of another shape, with a key twice, or of more than is read here.
    #[error("{0}")]
    Content(String),
}

/// The metadata of a page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Objects on this page.
    pub items: usize,
    /// The token of the next page; `None` on the last one.
    pub continue_token: Option<String>,
    /// `NodeList`.
    pub kind: String,
    /// The version of its objects: `v1`, `apps/v1`.
    pub api_version: String,
}

/// One object.
///
/// # Errors
/// [`ReadError`] when the bytes are not JSON of an object.
pub fn object(bytes: &[u8]) -> Result<Object<'_>, ReadError> {
    Ok(serde_json::from_slice(bytes)?)
}

/// Reads a page of a list. Every item goes to `each` as soon as it is read, and none is kept.
///
/// # Errors
/// [`ReadError`] when the bytes are not JSON, are cut short, or are no list. Items before the fault have been passed
/// on.
pub fn page<'a>(bytes: &'a [u8], mut each: impl FnMut(Object<'a>)) -> Result<ListPage, ReadError> {
    struct PageVisitor<F>(F);
    impl<'de, F: FnMut(Object<'de>)> Visitor<'de> for PageVisitor<F> {
        type Value = (ListPage, bool);
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a Kubernetes list")
        }
        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut page, mut is_list) = (ListPage::default(), false);
            while let Some(key) = map.next_key::<Text<'de>>()? {
                match &*key {
                    "items" => {
                        page.items += map.next_value_seed(EachItem(&mut self.0))?;
                        is_list = true;
                    }
                    "metadata" => {
                        let meta: Option<ListMeta<'de>> = map.next_value()?;
                        page.continue_token =
                            meta.and_then(|meta| meta.next).filter(|next| !next.is_empty()).map(|t| t.to_string());
                    }
                    "kind" => page.kind = map.next_value::<Option<Text<'de>>>()?.unwrap_or_default().to_string(),
                    "apiVersion" => {
                        page.api_version = map.next_value::<Option<Text<'de>>>()?.unwrap_or_default().to_string();
                    }
                    _ => {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
            }
            Ok((page, is_list))
        }
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let (page, is_list) = (&mut json).deserialize_map(PageVisitor(&mut each))?;
    json.end()?;
    if is_list { Ok(page) } else { Err(ReadError::Shape { expected: "list", missing: "items" }) }
}

/// The `kind` and `apiVersion` of a document, without reading the rest of it.
///
/// # Errors
/// [`ReadError::Json`] when the bytes are not a JSON object.
pub fn type_of(bytes: &[u8]) -> Result<(String, String), ReadError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TypeMeta<'a> {
        #[serde(borrow, default)]
        api_version: Option<Text<'a>>,
        #[serde(borrow, default)]
        kind: Option<Text<'a>>,
    }
    let meta: TypeMeta<'_> = serde_json::from_slice(bytes)?;
    Ok((meta.api_version.unwrap_or_default().to_string(), meta.kind.unwrap_or_default().to_string()))
}

#[derive(serde::Deserialize)]
struct ListMeta<'a> {
    #[serde(borrow, default, rename = "continue")]
    next: Option<Text<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_hands_out_items_and_the_next_token() {
        let mut names = Vec::new();
        let bytes = br#"{"kind":"NodeList","apiVersion":"v1","metadata":{"continue":"abc"},"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}"#;
        let page = page(bytes, |object| names.push(object.meta.name.to_string())).unwrap();
        assert_eq!((page.items, page.continue_token.as_deref()), (2, Some("abc")));
        assert_eq!((&*page.kind, &*page.api_version), ("NodeList", "v1"));
        assert_eq!(names, ["a", "b"]);
    }

    #[test]
    fn cut_short_foreign_and_trailing_bytes_are_errors() {
        for (bad, words) in [
            (&b"{\"items\":[{\"metadata\":{}"[..], "EOF"),
            (b"<html>", "expected value"),
            (b"", "EOF"),
            (b"{}", "it has no `items`"),
            (b"[]", "invalid type: sequence"),
            (b"{\"items\":[]} x", "trailing characters"),
        ] {
            let said = page(bad, |_| ()).unwrap_err().to_string();
            assert!(said.contains(words), "{words:?} of {}: {said}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn null_items_are_an_empty_list_as_go_prints_it() {
        assert_eq!(page(br#"{"metadata":{},"items":null}"#, |_| ()).unwrap().items, 0);
    }
}
