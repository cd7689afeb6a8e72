//! At which versions the server serves a group. Kinds that are no part of every Kubernetes come and go in versions of their
//! own, and one that is served at another version than ours must not look like one that is not there.

use aksarc_shared::facts::probe::{Probe, api_groups};
use aksarc_shared::k8s::kinds::Kind;
use aksarc_shared::text;
use http::StatusCode;
use serde::Deserialize;

use super::listed::Listed;
use super::reader::Reader;
use crate::api::ApiRequest;

/// The versions of a group, none where the group is not served; `None` where the server does not tell.
pub(super) async fn versions(reader: &Reader, group: &str) -> Option<Vec<String>> {
    let pairs = api_groups(reader.groups().await.text(Probe::ApiGroups).ok()?)?;
    Some(pairs.into_iter().filter(|(own, _)| own == group).map(|(_, version)| version).collect())
}

/// What is to be said of a kind that is served at none of the versions we know: nothing, where no other version has it.
pub(super) async fn elsewhere(reader: &Reader, kind: &'static Kind, served: Option<&[String]>) -> Listed {
    // Its objects are those of this one version.
    if kind.is_alpha() {
        return Listed::NotServed;
    }
    let Some(served) = served else {
        let known: Vec<&str> = kind.versions().collect();
        let known = known.join(" or ");
        return Listed::Unknown(format!(
            "the server serves no {known} of it, and does not tell which versions it serves"
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
        ([], untold) => Listed::Unknown(format!("whether {} has it could not be asked", untold.join(" or "))),
        (found, _) => Listed::Unknown(format!(
            "the server serves it as {}, which this program does not know",
            found.join(" and ")
        )),
    }
}

/// Whether a version of a group has a resource; `None` where the server does not tell.
async fn has(reader: &Reader, api: &str, resource: &str) -> Option<bool> {
    #[derive(Deserialize)]
    struct Resources {
        resources: Vec<Resource>,
    }
    #[derive(Deserialize)]
    struct Resource {
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

/// A group and a version that Kubernetes allows are shorter.
const MAX_API: usize = 80;
