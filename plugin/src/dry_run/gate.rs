//! The gate, which decides whether a write may be sent. The API server passes requests of some groups to other servers,
//! and those may store requests that they are asked to rehearse.

mod cleared;
mod registry;

use std::time::{Duration, Instant};

use aksarc_shared::data::api_groups::ApiGroups;
use aksarc_shared::data::embedded;
use aksarc_shared::k8s::kinds;

use super::api_path::ApiPath;
use super::session::Session;
use super::write::Write;
use registry::{Registry, Server};

pub use cleared::Cleared;

/// The reason why a write is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Barred {
    /// An APIService passes the group and version to a server that may store the request.
    #[error("cannot be rehearsed on this server: {} is served by {service}", shown(group))]
    Aggregated {
        /// The group.
        group: String,
        /// Namespace and name of the Service.
        service: String,
    },
    /// A subresource for which a dry run may store something: `proxy` leads to any program.
    #[error("cannot be rehearsed on this server: {plural}/{subresource} may be answered by another program")]
    Subresource {
        /// The resource.
        plural: String,
        /// Its subresource.
        subresource: String,
    },
    /// Neither APIServices nor CustomResourceDefinitions show which server serves the group and version.
    #[error("cannot be rehearsed on this server: the server of {}/{version} is not known: {why}", shown(group))]
    Unknown {
        /// The group.
        group: String,
        /// The version.
        version: String,
        /// The list that could not be read, and the missing right.
        why: String,
    },
}

/// A gate for writes. It clears those for servers that store nothing of a dry run: Kubernetes itself, for its own
/// groups and those of CustomResourceDefinitions, and the servers that the data names. APIServices show which server
/// serves a group. Without the right to list them, the gate clears only groups that Kubernetes is known to serve
/// itself, and those that a CustomResourceDefinition serves.
pub struct Gate<'s> {
    session: &'s Session,
    fresh: Duration,
    known: Option<Known>,
}

struct Known {
    since: Instant,
    registry: Registry,
}

impl<'s> Gate<'s> {
    /// A gate that reads APIServices before the first write, and again before a write when they were read longer than
    /// `fresh` ago.
    pub fn new(session: &'s Session, fresh: Duration) -> Self {
        Gate { session, fresh, known: None }
    }

    /// Clears a write, or says why not.
    ///
    /// # Errors
    /// [`Barred`]; the write is consumed.
    pub async fn clear(&mut self, write: Write) -> Result<Cleared, Barred> {
        let groups = &embedded().api_groups;
        let path = &write.path;
        if !path.subresource().is_empty() && !SUBRESOURCES.contains(&path.subresource()) {
            let (plural, subresource) = (path.plural().to_owned(), path.subresource().to_owned());
            return Err(Barred::Subresource { plural, subresource });
        }
        let known = match self.known.take().filter(|known| known.since.elapsed() < self.fresh) {
            Some(known) => known,
            None => self.read().await,
        };
        let registry = &mut self.known.insert(known).registry;
        match registry {
            Registry::ApiServices(services) => by_api_services(services.get(&registry::key(path)), path, groups),
            Registry::Unlisted { why, definitions } => {
                if groups.is_builtin(path.group()) {
                    Ok(())
                } else {
                    let definition = definitions.ask(self.session, path).await;
                    definition.map_err(|also| unknown(path, format!("{why}; {also}")))
                }
            }
        }?;
        Ok(Cleared::new(write))
    }

    async fn read(&self) -> Known {
        let before = Instant::now();
        let registry = Registry::read(self.session).await;
        // The answer is as old as the question. A server that fails takes long to do so, and is not asked again at
        // once.
        let since = if matches!(registry, Registry::Unlisted { .. }) { Instant::now() } else { before };
        Known { since, registry }
    }
}

/// The decision that the APIService of a group and version leads to.
fn by_api_services(server: Option<&Server>, path: &ApiPath, groups: &ApiGroups) -> Result<(), Barred> {
    match server {
        Some(Server::Kubernetes) => Ok(()),
        Some(Server::Service(_)) if groups.keeps_to_dry_run(path.group()) => Ok(()),
        Some(Server::Service(service)) => {
            Err(Barred::Aggregated { group: path.group().to_owned(), service: service.clone() })
        }
        // The aggregator of the API server serves this group itself, and registers everything but itself.
        None if path.group() == kinds::API_SERVICE.group => Ok(()),
        None => Err(unknown(path, "no APIService names it".to_owned())),
    }
}

fn unknown(path: &ApiPath, why: String) -> Barred {
    Barred::Unknown { group: path.group().to_owned(), version: path.version().to_owned(), why }
}

fn shown(group: &str) -> &str {
    if group.is_empty() { "the core group" } else { group }
}

/// The subresources that Kubernetes stores like objects, so that a dry run stores nothing.
pub const SUBRESOURCES: [&str; 4] = ["ephemeralcontainers", "resize", "scale", "status"];

/// The time for which the list of APIServices is trusted. A run over hundreds of objects takes long enough for another
/// server to be registered meanwhile.
pub const FRESH: Duration = Duration::from_secs(5);

#[cfg(test)]
pub(crate) mod tests {
    use super::super::discover::Resource;
    use super::*;

    /// A write that counts as cleared, for tests.
    pub(crate) fn cleared(write: Write) -> Cleared {
        Cleared::new(write)
    }

    fn path(group: &str) -> ApiPath {
        let resource = Resource {
            group: group.to_owned(),
            version: "v1".to_owned(),
            plural: "widgets".to_owned(),
            ..Resource::default()
        };
        resource.path("", "a", "")
    }

    #[test]
    fn api_services_decide_whoever_the_group_seems_to_belong_to() {
        let decide = |server: Option<Server>, group: &str| {
            by_api_services(server.as_ref(), &path(group), &embedded().api_groups).map_err(|barred| barred.to_string())
        };
        let service = || Some(Server::Service("shop/api".to_owned()));
        assert_eq!(decide(Some(Server::Kubernetes), "example.com"), Ok(()));
        assert_eq!(decide(service(), "projectcalico.org"), Ok(()));
        assert_eq!(decide(None, "apiregistration.k8s.io"), Ok(()));
        let said = |text: &str| Err(format!("cannot be rehearsed on this server: {text}"));
        assert_eq!(decide(service(), "example.com"), said("example.com is served by shop/api"));
        assert_eq!(decide(service(), "apps"), said("apps is served by shop/api"));
        assert_eq!(decide(service(), ""), said("the core group is served by shop/api"));
        assert_eq!(decide(service(), "apiregistration.k8s.io"), said("apiregistration.k8s.io is served by shop/api"));
        let unnamed = "the server of projectcalico.org/v1 is not known: no APIService names it";
        assert_eq!(decide(None, "projectcalico.org"), said(unnamed));
        assert!(decide(None, "apps").is_err_and(|text| text.contains("no APIService names it")));
    }
}
