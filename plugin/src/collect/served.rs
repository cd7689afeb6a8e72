//! The versions at which the server serves a group. Kinds that not every Kubernetes has come in several versions, and
//! one served at an unknown version must not look as if it were missing.

use aksarc_shared::facts::probe::{Probe, api_groups};
use aksarc_shared::k8s::kinds::Kind;
use aksarc_shared::text;
use http::StatusCode;
use serde::Deserialize;

use super::listed::Listed;
use super::reader::Reader;
use crate::api::ApiRequest;

/// The versions of a group, empty where the group is not served; `None` where the server does not say.
pub(super) async fn versions(reader: &Reader, group: &str) -> Option<Vec<String>> {
    let pairs = api_groups(reader.groups().await.text(Probe::ApiGroups).ok()?)?;
    Some(pairs.into_iter().filter(|(own, _)| own == group).map(|(_, version)| version).collect())
}

/// The remark for a kind that is served at none of the known versions; nothing, where no other version has it.
pub(super) async fn elsewhere(reader: &Reader, kind: &'static Kind, served: Option<&[String]>) -> Listed {
    // The objects of this kind exist at this one version only.
    if kind.is_alpha() {
        return Listed::NotServed;
    }
    let Some(served) = served else {
        let known: Vec<&str> = kind.versions().collect();
        let known = known.join(" or ");
        return Listed::Unknown(format!(
            "the server does not serve {known} of it, and does not say which versions it serves"
        ));
    };
    let (mut found, mut untold) = (Vec::new(), Vec::new());
    for version in served.iter().filter(|version| kind.versions().all(|known| known != **version)) {
        let api = format!("{}/{version}", kind.group);
        let answer = has(reader, &api, kind.resource).await;
        let api = text::line(&api, MAX_API);
        match answer {
            Some(true) => found.push(api),
            Some(false) => {}
            None => untold.push(api),
        }
    }
    match (&*found, &*untold) {
        ([], []) => Listed::NotServed,
        ([], untold) => Listed::Unknown(format!("could not find out whether {} has it", untold.join(" or "))),
        (found, _) => Listed::Unknown(format!(
            "the server serves it as {}, which this program does not know",
            found.join(" and ")
        )),
    }
}

/// Whether a version of a group has a resource; `None` where the server does not say.
async fn has(reader: &Reader, api: &str, resource: &str) -> Option<bool> {
    #[derive(Deserialize)]
    struct Resources {
        resources: Vec<NamedResource>,
    }
    #[derive(Deserialize)]
    struct NamedResource {
        name: String,
    }
    let request = ApiRequest::get(format!("/apis/{api}")).named("read which kinds the server serves");
    let reply = reader.sender().ask(&request).await.ok()?;
    match reply.status {
        StatusCode::OK => {
            let list: Resources = serde_json::from_slice(&reply.body).ok()?;
            Some(list.resources.iter().any(|own| own.name == resource))
        }
        StatusCode::NOT_FOUND => Some(false),
        _ => None,
    }
}

/// The longest group and version. Kubernetes allows no longer ones.
const MAX_API: usize = 80;
