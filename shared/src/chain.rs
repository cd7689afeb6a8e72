//! An error and its causes, printed in one line.

use std::error::Error;
use std::fmt;

/// An error with its causes, joined by `: `. A cause is left out where its parent's text already contains it.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !said.contains(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            next = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    fn layers(texts: &[&'static str]) -> Option<Box<Layer>> {
        let (first, rest) = texts.split_first()?;
        Some(Box::new(Layer(first, layers(rest))))
    }

    #[test]
    fn every_cause_is_told_once() {
        let told = |texts: &[&'static str]| Chain(&*layers(texts).unwrap()).to_string();
        assert_eq!(told(&["cannot read a", "no such file"]), "cannot read a: no such file");
        assert_eq!(told(&["a: no such file", "no such file", "os error 2"]), "a: no such file: os error 2");
        assert_eq!(told(&["alone"]), "alone");
    }
}
