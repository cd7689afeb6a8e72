//! Facts that are looked up beside the object of a change, because a guard cannot know them: the installed Arc
//! extensions, and the addresses of managed Services. Each is looked up only where it can matter.

use aksarc_shared::data;
use aksarc_shared::facts::change::{Beside, Operation};
use aksarc_shared::facts::origin;
use aksarc_shared::k8s::kinds;
use aksarc_shared::k8s::read::json;
use serde_json::Value;

use super::items::{Item, ItemState, read_state};
use super::runner::{Extensions, Runner};
use crate::dry_run::discover::Discovery;
use crate::dry_run::judge::Sides;
use crate::dry_run::listing;
use crate::dry_run::session::Session;

impl Runner<'_> {
    /// The facts beside a change. Facts that could not be read are returned as a note. `whole` is the object itself,
    /// for a change of a subresource that does not show it.
    pub(super) async fn beside(
        &mut self,
        item: &Item,
        sides: &Sides,
        whole: Option<&Value>,
        notes: &mut Vec<String>,
    ) -> Beside {
        let mut beside = Beside::default();
        if sides.kind().is_none() {
            return beside;
        }
        if let Some(release) = whole.and_then(release).filter(|_| sides.operation != Operation::Create) {
            match self.extensions().await {
                Ok(own) if own.contains(&release) => beside.extension = Some(release),
                Ok(_) => {}
                Err(why) => notes.push(format!(
                    "could not determine whether Helm release {release} belongs to an Arc extension ({why}); a change of one is AA306"
                )),
            }
        }
        if sides.kind() == Some(&kinds::SERVICE) && sides.after.as_ref().is_some_and(claims) {
            self.addresses(item, &mut beside, notes).await;
        }
        beside
    }

    /// The Helm releases of the installed extensions, requested once.
    async fn extensions(&mut self) -> Extensions {
        if let Some(known) = &self.extensions {
            return known.clone();
        }
        let found = installed(self.session, self.discovery).await;
        self.extensions.insert(found).clone()
    }

    async fn addresses(&self, item: &Item, beside: &mut Beside, notes: &mut Vec<String>) {
        let managed = data::embedded().components.iter().filter(|row| row.kinds.iter().any(|kind| kind == "Service"));
        let named = managed.flat_map(|row| row.namespaces.iter().filter_map(|space| Some((space, row.name.as_ref()?))));
        for (namespace, name) in named {
            match read_state(self.session, item.resource.path(namespace, name, "")).await {
                ItemState::Present(service) => beside.addresses.extend(addresses(&service)),
                ItemState::Absent(_) => {}
                ItemState::Unreadable(refusal) => notes.push(format!(
                    "could not determine whether it would answer on the address of Service {namespace}/{name} ({}); that would be AA301",
                    refusal.message
                )),
            }
        }
    }
}

/// The Helm release that the object's marks name, if only the list of extensions shows whose it is.
fn release(object: &Value) -> Option<String> {
    let bytes = object.to_string().into_bytes();
    let object = json::object(&bytes).ok()?;
    let release = origin::helm_release(&object);
    let open = !release.is_empty() && !origin::is_platform_release(&object, data::embedded());
    open.then(|| release.to_owned())
}

async fn installed(session: &Session, discovery: &Discovery) -> Extensions {
    let kind = &kinds::ARC_EXTENSION_CONFIG;
    // A kind that is not served has no objects.
    let Some(resource) = discovery.of_kind(kind.group, kind.kind) else { return Ok(Vec::new()) };
    let items = listing::all(session, kind, &String::from(resource.list_path("")), "").await?;
    let word = |item: &Value, key: &str| item.pointer(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let in_place = |item: &&Value| data::embedded().namespaces.is_arc(&word(item, "/metadata/namespace"));
    Ok(items.iter().filter(in_place).map(|item| word(item, "/metadata/name")).collect())
}

/// Whether a Service answers on addresses from elsewhere.
fn claims(service: &Value) -> bool {
    service.pointer("/spec/externalIPs").and_then(Value::as_array).is_some_and(|claimed| !claimed.is_empty())
}

fn addresses(service: &Value) -> Vec<String> {
    let listed = service.pointer("/spec/clusterIPs").and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<String> =
        listed.chain(service.pointer("/spec/clusterIP")).filter_map(Value::as_str).map(str::to_owned).collect();
    all.retain(|address| !address.is_empty() && address != "None");
    all.dedup();
    all
}
