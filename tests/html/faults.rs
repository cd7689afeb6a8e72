//! Pages with one fault each, to see that it is found.

/// The words by which the fault is reported, and the body of a page that has it. The first has none.
pub(crate) const PAGES: [(&str, &str); 11] = [
    ("", "<p>All is “well” · naïve</p>"),
    ("wider than the window", "<div style=\"width: 900px\">wide</div>"),
    ("outside the window", "<div style=\"position: relative; left: 380px; width: 100px; height: 5px\"></div>"),
    ("contents stand out", "<p style=\"width: 40px\">Donaudampfschifffahrtsgesellschaft</p>"),
    ("no glyph", "<p>\u{10fffd}</p>"),
    ("asks for", "<img alt=\"a picture\" src=\"https://example.invalid/a.png\">"),
    ("message of the page", "<script>console.log('hello')</script>"),
    ("message of the page", "<script>throw new Error('oh')</script>"),
    ("color-contrast", "<p style=\"color: #bbb; background: #fff\">hardly to be read</p>"),
    ("in a picture", "<svg width=\"60\" height=\"20\"><text y=\"15\" fill=\"#bbb\">pale</text></svg>"),
    ("heading-order", "<h4>far too deep</h4>"),
];

/// A page with a body, as it should be otherwise.
pub(crate) fn page(body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>A page</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body><main><h1>A page</h1>{body}</main></body></html>"
    )
}
