//! The kinds of values that the configuration file holds. Each is checked as it is read, where its line is known.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use aksarc_shared::finding::Consequence;
use aksarc_shared::text;
use clap::ValueEnum;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::cli::duration;
use crate::input::settings::{self, PLATFORMS};

/// One of the words of a list.
#[derive(Clone, Debug)]
pub(super) struct OneOf<L> {
    word: String,
    list: PhantomData<L>,
}

/// A list of words.
pub(super) trait WordList {
    /// The words.
    fn words() -> Vec<String>;
}

impl<T: ValueEnum> WordList for T {
    fn words() -> Vec<String> {
        let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        values.filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_owned()).collect()
    }
}

/// The values of `--platform`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Platforms {}

impl WordList for Platforms {
    fn words() -> Vec<String> {
        PLATFORMS.iter().map(ToString::to_string).collect()
    }
}

/// The values of `--fail-on`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weights {}

impl WordList for Weights {
    fn words() -> Vec<String> {
        Consequence::ALL.iter().map(|weight| weight.as_str().to_owned()).collect()
    }
}

/// A whole number in a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between<const LEAST: u32, const MOST: u32>(u32);

/// A duration, as it is spelled.
#[derive(Clone, Debug)]
pub(super) struct TimeLimit(String);

/// A release of the host.
#[derive(Clone, Debug)]
pub(super) struct HostRelease(String);

/// A path, relative to the directory of the configuration file.
#[derive(Clone, Debug)]
pub(super) struct FilePath(String);

/// A path of waivers, `cluster` or `none`.
#[derive(Clone, Debug)]
pub(super) struct WaiverPlaceSetting(String);

impl FilePath {
    /// The path, seen from anywhere.
    pub(super) fn from(&self, directory: &Path) -> String {
        directory.join(&self.0).to_string_lossy().into_owned()
    }
}

impl WaiverPlaceSetting {
    /// The value of `--waivers`.
    pub(super) fn from(&self, directory: &Path) -> String {
        match &*self.0 {
            "cluster" | "none" => self.0.clone(),
            path => FilePath(path.to_owned()).from(directory),
        }
    }
}

impl<'de, L: WordList> Deserialize<'de> for OneOf<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let words = L::words();
        if words.contains(&word) {
            return Ok(OneOf { word, list: PhantomData });
        }
        let near = text::nearest(&word, words.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        Err(D::Error::custom(format!("{:?} is none of {}{near}", text::line(&word, MAX_SHOWN), words.join(", "))))
    }
}

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for Between<LEAST, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let inside = u32::try_from(number).ok().filter(|number| (LEAST..=MOST).contains(number));
        inside.map(Between).ok_or_else(|| D::Error::custom(format!("{number} is not from {LEAST} to {MOST}")))
    }
}

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration::parse(&text).map_err(D::Error::custom)?;
        Ok(TimeLimit(text))
    }
}

impl<'de> Deserialize<'de> for HostRelease {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        settings::release(&String::deserialize(deserializer)?).map(HostRelease).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        path(&String::deserialize(deserializer)?).map(FilePath).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for WaiverPlaceSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        path(&String::deserialize(deserializer)?).map(WaiverPlaceSetting).map_err(D::Error::custom)
    }
}

fn path(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a path is needed".to_owned()),
        "-" => Err("standard input cannot be set once and for all: give - on the command line".to_owned()),
        home if home == "~" || home.starts_with("~/") => {
            Err("~ is not expanded here: write the whole path, or one relative to this file".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

impl<L> fmt::Display for OneOf<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)
    }
}

impl<const LEAST: u32, const MOST: u32> fmt::Display for Between<LEAST, MOST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HostRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<L: WordList> JsonSchema for OneOf<L> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Word".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": L::words()})
    }
}

impl<const LEAST: u32, const MOST: u32> JsonSchema for Between<LEAST, MOST> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": LEAST, "maximum": MOST})
    }
}

impl JsonSchema for TimeLimit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"]})
    }
}

impl JsonSchema for HostRelease {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Release".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"]})
    }
}

impl JsonSchema for FilePath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1})
    }
}

impl JsonSchema for WaiverPlaceSetting {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Waivers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        FilePath::json_schema(generator)
    }
}

/// The longest word that an error repeats.
const MAX_SHOWN: usize = 60;
