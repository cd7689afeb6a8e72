//! Placeholders in the texts of steps, and their values.

use anyhow::Context;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::Value;

use super::player::Player;
use super::step::Values;
use crate::identity::Identity;

impl Player<'_> {
    /// Replaces what a step's texts may hold.
    ///
    /// # Errors
    /// There is no such value.
    pub fn filled(&mut self, value: &Value) -> anyhow::Result<Value> {
        let values = self.header.values.clone();
        self.fill(value, &values)
    }

    pub(super) fn fill(&mut self, value: &Value, values: &Values) -> anyhow::Result<Value> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text, values)?),
            Value::Array(items) => {
                let filled = items.iter().map(|item| self.fill(item, values));
                Value::Array(filled.collect::<anyhow::Result<_>>()?)
            }
            Value::Object(fields) => {
                let mut filled = serde_json::Map::new();
                for (key, value) in fields {
                    filled.insert(self.text(key, values)?, self.fill(value, values)?);
                }
                Value::Object(filled)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    /// Replaces `${name}`, `${days:N}`, `${date:N}`, `${uid:path}` and `${first:path}`.
    pub(super) fn text(&mut self, text: &str, values: &Values) -> anyhow::Result<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (key, tail) = after.split_once('}').with_context(|| format!("no }} in {text}"))?;
            filled.push_str(before);
            match key.split_once(':') {
                Some(("days", days)) => filled.push_str(&in_days(days.parse()?)?),
                Some(("date", days)) => {
                    filled.push_str(in_days(days.parse()?)?.split('T').next().unwrap_or_default());
                }
                Some(("uid", path)) => {
                    let object = self.client(&Identity::Admin)?.get(path)?.object()?;
                    let uid = object.pointer("/metadata/uid").and_then(Value::as_str);
                    filled.push_str(uid.with_context(|| format!("{path} has no uid"))?);
                }
                Some(("first", path)) => {
                    let list = self.client(&Identity::Admin)?.get(path)?.object()?;
                    let name = list.pointer("/items/0/metadata/name").and_then(Value::as_str);
                    filled.push_str(name.with_context(|| format!("{path} lists nothing"))?);
                }
                _ => filled.push_str(values.get(key).with_context(|| format!("no value {key}"))?),
            }
            rest = tail;
        }
        filled.push_str(rest);
        Ok(filled)
    }
}

pub(super) fn in_days(days: i64) -> anyhow::Result<String> {
    let now = Timestamp::now().to_zoned(TimeZone::UTC);
    Ok(now.checked_add(days.days())?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
