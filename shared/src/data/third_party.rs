//! Third-party software that is common on clusters: `data/third-party.yaml`.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::confidence::Confidence;
use crate::k8s::image;

/// Whether a product's source is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Licence {
    /// Only the maker has the source.
    Closed,
    /// The source is public.
    Open,
}

/// A third-party product.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThirdPartyProduct {
    /// Our id for it. It is stable, since findings and waivers contain it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Open or closed.
    pub licence: Licence,
    /// Whether it is an ingress controller.
    #[serde(default)]
    pub ingress: bool,
    /// The party that supports it, as a phrase: `the Istio project`.
    pub supported_by: String,
    /// Its image repositories, of two components or more, as [`crate::k8s::image::is_of`] reads them.
    #[serde(default)]
    pub images: Vec<String>,
    /// Images whose path alone is ambiguous, with the product's own registry.
    #[serde(default)]
    pub hosted: Vec<String>,
    /// The names of its images in Docker's official library, which have one component.
    #[serde(default)]
    pub library: Vec<String>,
    /// API groups of its custom resources, or full names of definitions where a group is shared.
    #[serde(default)]
    pub definitions: Vec<String>,
    /// Names of its Helm charts.
    #[serde(default)]
    pub charts: Vec<String>,
    /// The controllers that its ingress classes name. A suffix behind a slash is the users' own.
    #[serde(default)]
    pub controllers: Vec<String>,
    /// An API group that shows Cluster API in use. Microsoft installs this product together with Cluster API, so where
    /// the group is served the product may be the platform's.
    #[serde(default)]
    pub perhaps_platform_with: Option<String>,
    /// How well it is known.
    pub confidence: Confidence,
    /// The source.
    pub source: String,
    /// The day on which its names were last looked up.
    pub checked: Date,
}

/// The products, indexed by their marks. For an image of no product the cost is one look-up, of the last component of
/// its repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Vec<ThirdPartyProduct>")]
pub struct ThirdParty {
    products: Vec<ThirdPartyProduct>,
    images: HashMap<String, Vec<Repository>>,
    marks: [HashMap<String, usize>; 3],
}

#[derive(Clone, Debug)]
struct Repository {
    product: usize,
    path: String,
    library: bool,
}

impl From<Vec<ThirdPartyProduct>> for ThirdParty {
    fn from(products: Vec<ThirdPartyProduct>) -> Self {
        let mut images: HashMap<String, Vec<Repository>> = HashMap::new();
        let [mut definitions, mut charts, mut controllers] = <[HashMap<String, usize>; 3]>::default();
        for (at, product) in products.iter().enumerate() {
            let own = product.images.iter().chain(&product.hosted).map(|path| (path, false));
            for (path, library) in own.chain(product.library.iter().map(|path| (path, true))) {
                let repository = Repository { product: at, path: path.clone(), library };
                images.entry(last(path).to_owned()).or_default().push(repository);
            }
            for (table, names) in [
                (&mut definitions, &product.definitions),
                (&mut charts, &product.charts),
                (&mut controllers, &product.controllers),
            ] {
                table.extend(names.iter().map(|name| (name.clone(), at)));
            }
        }
        // The longest path is the most specific one.
        for rows in images.values_mut() {
            rows.sort_by_key(|row| std::cmp::Reverse(row.path.len()));
        }
        ThirdParty { products, images, marks: [definitions, charts, controllers] }
    }
}

impl ThirdParty {
    /// Every product.
    pub fn products(&self) -> &[ThirdPartyProduct] {
        &self.products
    }

    /// The product of this id.
    pub fn product(&self, id: &str) -> Option<&ThirdPartyProduct> {
        self.products.iter().find(|product| product.id == id)
    }

    /// The product of an image, with the repository that identifies it.
    pub fn of_image(&self, image: &str) -> Option<(&ThirdPartyProduct, &str)> {
        let repository = image::repository(image);
        let rows = self.images.get(last(repository))?;
        let is = |row: &&Repository| {
            if row.library { is_library(repository, &row.path) } else { image::is_of(image, &row.path) }
        };
        let row = rows.iter().find(is)?;
        Some((self.products.get(row.product)?, &row.path))
    }

    /// The product of a custom resource definition, found by its group or its own name.
    pub fn of_definition(&self, group: &str, name: &str) -> Option<&ThirdPartyProduct> {
        let [definitions, _, _] = &self.marks;
        self.products.get(*definitions.get(name).or_else(|| definitions.get(group))?)
    }

    /// The product of a Helm chart, as the label `helm.sh/chart` names it with its version: `cert-manager-v1.16.1`.
    pub fn of_chart<'c>(&self, chart: &'c str) -> Option<(&ThirdPartyProduct, &'c str)> {
        let [_, charts, _] = &self.marks;
        let (name, version) = split_chart(chart)?;
        Some((self.products.get(*charts.get(name)?)?, version))
    }

    /// The product of an ingress class, found by its controller.
    pub fn of_controller(&self, controller: &str) -> Option<&ThirdPartyProduct> {
        let [_, _, controllers] = &self.marks;
        let mut name = controller;
        loop {
            if let Some(at) = controllers.get(name) {
                return self.products.get(*at);
            }
            name = name.rsplit_once('/')?.0;
        }
    }
}

/// Whether a repository belongs to Docker's official library: an image without a path comes from Docker Hub, and
/// mirrors keep `library/`. A repository of the same name elsewhere does not belong to it.
fn is_library(repository: &str, name: &str) -> bool {
    repository.strip_suffix(name).is_some_and(|before| {
        matches!(before, "" | "docker.io/" | "index.docker.io/" | "library/") || before.ends_with("/library/")
    })
}

/// A chart's name and version; a name can have dashes and digits, a version begins with a digit and has a dot.
fn split_chart(chart: &str) -> Option<(&str, &str)> {
    let is_version = |rest: &str| {
        let rest = rest.strip_prefix('v').unwrap_or(rest);
        rest.split_once('.')
            .is_some_and(|(major, _)| !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let dashes = chart.match_indices('-').map(|(at, _)| chart.split_at(at));
    dashes.map(|(name, rest)| (name, rest.strip_prefix('-').unwrap_or(rest))).find(|(_, rest)| is_version(rest))
}

/// The last component of a repository.
fn last(repository: &str) -> &str {
    repository.rsplit_once('/').map_or(repository, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::data::tables;

    fn of(image: &str) -> Option<&str> {
        tables::third_party().of_image(image).map(|(product, _)| &*product.id)
    }

    #[test]
    fn every_mark_is_one_products_and_has_its_shape() {
        let (mut ids, mut marks) = (BTreeSet::new(), BTreeSet::new());
        for product in tables::third_party().products() {
            assert!(ids.insert(&product.id), "{} is there twice", product.id);
            for (kind, names) in [
                ("image", &product.images),
                ("hosted image", &product.hosted),
                ("library", &product.library),
                ("definition", &product.definitions),
                ("chart", &product.charts),
                ("controller", &product.controllers),
            ] {
                for name in names {
                    assert!(marks.insert((kind, name)), "{kind} {name} is two products'");
                    let path = kind == "image" || kind == "hosted image";
                    assert_eq!(path, name.contains('/') && kind != "controller", "{}: {name}", product.id);
                    assert!(!name.contains(':') && !name.ends_with('/'), "{name}");
                }
            }
            let told = [&product.images, &product.hosted, &product.library].iter().any(|names| !names.is_empty());
            assert!(told, "{} has no image, and would never be more than information", product.id);
            // A registry in a path would keep the images of mirrors from matching.
            for path in &product.images {
                let host = path.split('/').next().unwrap();
                assert!(!host.contains('.'), "{path} begins with a registry");
            }
            for path in &product.hosted {
                let host = path.split('/').next().unwrap();
                assert!(host.contains('.'), "{path} begins with no registry, and says no more than a path would");
            }
        }
    }

    #[test]
    fn the_products_that_extensions_ship_are_in_the_table() {
        for row in tables::extensions() {
            for id in &row.products {
                assert!(tables::third_party().product(id).is_some(), "{} ships {id}", row.name);
            }
        }
    }

    #[test]
    fn mirrors_count_and_neighbours_do_not() {
        for image in [
            "docker.io/istio/proxyv2:1.24.2",
            "istio/proxyv2",
            "mirror.example:5000/up/istio/proxyv2@sha256:00",
            "istio/proxyv2:1.24.2-distroless@sha256:00",
        ] {
            assert_eq!(of(image), Some("istio"), "{image}");
        }
        for image in [
            "my-istio/proxyv2:1",
            "istio/proxyv2/extra:1",
            "istio/proxyv2-tools:1",
            "registry.example/proxyv2:1",
            "registry.example/shop:istio",
            "registry.example/shop@istio/proxyv2",
            "istio",
            "",
            "/",
            ":",
        ] {
            assert_eq!(of(image), None, "{image}");
        }
    }

    #[test]
    fn an_ambiguous_path_counts_only_with_its_registry() {
        for image in [
            "registry.aquasec.com/enforcer:2022.4",
            "registry.aquasec.com/enforcer@sha256:00",
            "mirror.example:5000/proxy/registry.aquasec.com/enforcer:2022.4",
        ] {
            assert_eq!(of(image), Some("aqua"), "{image}");
        }
        for image in [
            "registry.contoso.example/enforcer:2022.4",
            "registry.contoso.example/release/pilot:1.27.0",
            "registry.aquasec.com.contoso.example/enforcer:1",
            "myregistry.aquasec.com/enforcer:1",
            "registry.aquasec.com/shop/enforcer:1",
            "registry.aquasec.com:443/enforcer:1",
            "enforcer:1",
            "agent:7",
        ] {
            assert_eq!(of(image), None, "{image}");
        }
        assert_eq!(of("registry.istio.io/release/pilot:1.30.5"), Some("istio"));
    }

    #[test]
    fn one_component_counts_only_in_dockers_library() {
        for image in
            ["traefik:v3", "docker.io/traefik", "docker.io/library/traefik:v3", "mirror.example/hub/library/traefik"]
        {
            assert_eq!(of(image), Some("traefik"), "{image}");
        }
        for image in [
            "registry.example/traefik:v3",
            "library.example/traefik",
            "registry.example/mylibrary/traefik",
            "shop/traefik",
        ] {
            assert_eq!(of(image), None, "{image}");
        }
    }

    #[test]
    fn charts_are_named_before_their_version() {
        for (chart, parts) in [
            ("cert-manager-v1.16.1", Some(("cert-manager", "v1.16.1"))),
            ("k8s-monitoring-2.0.0-rc.1", Some(("k8s-monitoring", "2.0.0-rc.1"))),
            ("vault-0.29.1_build", Some(("vault", "0.29.1_build"))),
            ("cert-manager", None),
            ("a-1", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(split_chart(chart), parts, "{chart}");
        }
        assert!(tables::third_party().of_chart("my-cert-manager-v1.16.1").is_none());
        assert!(tables::third_party().of_chart("cert-manager-webhook-pdns-3.1.2").is_none());
    }

    #[test]
    fn controllers_may_go_on_behind_a_slash() {
        let table = tables::third_party();
        let id = |controller: &str| table.of_controller(controller).map(|product| &*product.id);
        assert_eq!(id("k8s.io/ingress-nginx"), Some("ingress-nginx"));
        assert_eq!(id("haproxy.org/ingress-controller/edge"), Some("haproxy-ingress"));
        assert_eq!(
            (id("k8s.io/ingress-nginx-own"), id("example.com/k8s.io/ingress-nginx"), id("")),
            (None, None, None)
        );
    }

    #[test]
    fn a_shared_group_is_told_apart_by_the_definitions_name() {
        let table = tables::third_party();
        let id = |group, name| table.of_definition(group, name).map(|product| &*product.id);
        assert_eq!(id("argoproj.io", "applications.argoproj.io"), Some("argo-cd"));
        assert_eq!(id("argoproj.io", "workflows.argoproj.io"), Some("argo-workflows"));
        assert_eq!(id("argoproj.io", "things.argoproj.io"), None);
        assert_eq!(id("cert-manager.io", "certificates.cert-manager.io"), Some("cert-manager"));
        assert_eq!(id("my-cert-manager.io", "certificates.my-cert-manager.io"), None);
    }
}
