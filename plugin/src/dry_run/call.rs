//! The step from a cleared write to a request, which is always a rehearsal.

use super::gate::Cleared;
use crate::api::ApiRequest;

/// The request for a write that the gate has cleared. This is the only function that makes the request of a write, and
/// [`ApiRequest::rehearsal`] always asks for `dryRun=All`.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn rehearse(cleared: &Cleared) -> ApiRequest {
    let write = cleared.write();
    let method = write.method;
    ApiRequest::rehearsal(method.http(), write.path.as_str(), &write.query, method.content_type(), write.body.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::discover::Resource;
    use super::super::gate::tests::cleared;
    use super::super::write::{Method, Write};
    use super::*;

    const METHODS: [Method; 7] = [
        Method::Delete,
        Method::PatchApply,
        Method::PatchJson,
        Method::PatchMerge,
        Method::PatchStrategic,
        Method::Post,
        Method::Put,
    ];

    #[test]
    fn every_write_goes_out_rehearsed_whatever_it_says_itself() {
        let nodes = Resource { version: "v1".to_owned(), plural: "nodes".to_owned(), ..Resource::default() };
        let node = || nodes.path("", "a", "");
        for method in METHODS {
            let write = Write::new(method, node(), json!({"dryRun": []})).with("dryRun", "None");
            let request = rehearse(&cleared(write));
            assert_eq!(request.target(), "/api/v1/nodes/a?dryRun=All", "{method:?}");
            if method == Method::Delete {
                let body: Value = serde_json::from_slice(request.body()).unwrap();
                assert_eq!(body, json!({"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}));
            }
        }
        let request = rehearse(&cleared(Write::new(Method::Delete, node(), Value::Null)));
        assert_eq!(serde_json::from_slice::<Value>(request.body()).unwrap()["dryRun"], json!(["All"]));
    }
}
