//! A part of a page: markup that is the program's own, and escaped texts in it.

use std::fmt::Display;

use crate::formats::escape;

/// A part of a page. Only markup that is written in the program gets in as it is.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Appends markup.
    pub(super) fn own(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends a text.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        self.0.push_str(&escape::html(&text.to_string()));
        self
    }

    /// Appends markup with a text in place of each `{}`.
    pub(super) fn fill<const N: usize>(&mut self, template: &'static str, texts: [&dyn Display; N]) -> &mut Self {
        debug_assert_eq!(template.matches(PLACE).count(), N, "{template}");
        let mut parts = template.split(PLACE);
        self.0.push_str(parts.next().unwrap_or_default());
        for (part, text) in parts.zip(texts) {
            self.text(text);
            self.0.push_str(part);
        }
        self
    }

    /// Appends another part.
    pub(super) fn add(&mut self, part: &Markup) -> &mut Self {
        self.0.push_str(&part.0);
        self
    }

    /// Whether nothing was appended.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The page's text.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

const PLACE: &str = "{}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_a_place_in_a_text_is_no_place() {
        let mut page = Markup::default();
        page.fill("<p title=\"{}\">{}</p>", [&"\"x\"", &"{} <b>"]).own("<hr>").text(7);
        assert_eq!(page.into_string(), "<p title=\"&quot;x&quot;\">{} &lt;b&gt;</p><hr>7");
    }
}
