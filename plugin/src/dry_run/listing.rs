//! Lists that are read to their end.

use aksarc_shared::k8s::kinds::Kind;
use serde_json::Value;

use super::call::Read;
use super::refusal::Refusal;
use super::session::Session;

/// All items of a list; `Err` when it cannot be read to its end.
pub(super) async fn all(
    session: &Session,
    kind: &Kind,
    path: &str,
    field_selector: &str,
) -> Result<Vec<Value>, String> {
    let what = kind.qualified();
    let (mut items, mut next) = (Vec::new(), String::new());
    loop {
        let read = Read::of(path).with("fieldSelector", field_selector).with("limit", PAGE).with("continue", &next);
        let answer = session.read(&read).await.map_err(|error| format!("cannot list {what}: {error}"))?;
        match answer.status {
            200 => {}
            403 => return Err(format!("needs list {what}, which is forbidden")),
            status => return Err(format!("cannot list {what}: {} ({status})", Refusal::of(&answer).message)),
        }
        let Some(page) = answer.body.get("items").and_then(Value::as_array) else {
            return Err(format!("cannot list {what}: the answer is no list"));
        };
        items.extend(page.iter().cloned());
        let more = answer.body.pointer("/metadata/continue").and_then(Value::as_str);
        more.unwrap_or_default().clone_into(&mut next);
        if next.is_empty() {
            return Ok(items);
        }
    }
}

/// As many as kubectl lists at a time.
const PAGE: &str = "500";
