//! Lists that are read to their end.

use aksarc_shared::k8s::kinds::Kind;
use serde_json::Value;

use super::refusal::Refusal;
use super::session::Session;
use crate::api::ApiRequest;

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
        let query = [("fieldSelector", field_selector), ("limit", PAGE), ("continue", &*next)];
        let request = ApiRequest::get_where(path, &query).named(format!("list {what}"));
        let reply = session.read(&request).await.map_err(|error| error.to_string())?;
        match reply.status.as_u16() {
            200 => {}
            403 => return Err(format!("needs list {what}, which is forbidden")),
            status => return Err(format!("cannot list {what}: {} ({status})", Refusal::of(&reply).message)),
        }
        let Some(page) = reply.body.get("items").and_then(Value::as_array) else {
            return Err(format!("cannot list {what}: the answer is not a list"));
        };
        items.extend(page.iter().cloned());
        let more = reply.body.pointer("/metadata/continue").and_then(Value::as_str);
        more.unwrap_or_default().clone_into(&mut next);
        if next.is_empty() {
            return Ok(items);
        }
    }
}

/// The page size of kubectl.
const PAGE: &str = "500";
