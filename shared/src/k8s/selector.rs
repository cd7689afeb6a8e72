//! Label selectors, evaluated as Kubernetes does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A selector; an empty one selects everything.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Selector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Expression>>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Expression {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
}

impl Selector {
    /// A selector of plain pairs, as a Service has it.
    pub(crate) fn of_labels(labels: BTreeMap<String, String>) -> Self {
        Selector { match_labels: Some(labels), match_expressions: None }
    }

    /// Whether it selects an object whose labels `own` returns by key.
    pub(crate) fn matches<'l>(&self, own: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.match_labels.iter().flatten().all(|(key, value)| own(key) == Some(&**value))
            && self.match_expressions.iter().flatten().all(|expression| {
                let listed = |value: &str| expression.values.iter().flatten().any(|listed| listed == value);
                match &*expression.operator {
                    "In" => own(&expression.key).is_some_and(listed),
                    "NotIn" => !own(&expression.key).is_some_and(listed),
                    "Exists" => own(&expression.key).is_some(),
                    "DoesNotExist" => own(&expression.key).is_none(),
                    _ => true,
                }
            })
    }
}
