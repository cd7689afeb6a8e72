//! The guard by its chart with a certificate of the real cert-manager: controller and cainjector of its newest version,
//! before a real API server, with certificate and authority renewed under load as README.md of the chart advises.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stderr, reason = "helpers of tests are tests")]

use std::fs;
use std::time::{Duration, Instant};

use aksarc_tests::cert_manager::{self, CertManager};
use aksarc_tests::chart::given::{await_presented, processes};
use aksarc_tests::chart::release::{CHART, await_denied, helm, trusted};
use aksarc_tests::chart::{block, commands};
use aksarc_tests::kubelet::{self, Kubelet};
use aksarc_tests::load::Load;
use aksarc_tests::protection::await_in_force;
use aksarc_tests::replicas::decoded;
use aksarc_tests::{ControlPlane, Http, Identity, Kubernetes, PatchKind, wait};
use aksarc_webhook::manifest::{self, ALPHA_WEBHOOK, CLUSTER_WEBHOOK, SYSTEM_WEBHOOK, USER_WEBHOOK};
use serde_json::{Value, json};

#[test]
fn renewals_by_cert_manager_cost_no_review_unless_a_new_key_takes_the_place_of_the_trusted_one() {
    let cluster = ControlPlane::builder(Kubernetes::NEWEST).controller_manager().pods().start().unwrap();
    let kubelet = Kubelet::start(&cluster, manifest::NAMESPACE).unwrap();
    let cert_manager = CertManager::install(&cluster).unwrap();
    let http = cluster.http(&Identity::Admin).unwrap();
    let mut site = Site { cluster: &cluster, kubelet, cert_manager, http };
    site.install_as_advised();
    let (before, let_through) = (processes(&site.kubelet), cluster.failed_open().unwrap());

    let load = site.load();
    let first = site.pair(&AUTHORITY);
    let one = site.pair(&GUARD);
    assert_eq!((&one.authority, site.bundle()), (&first.chain, first.chain.clone()));
    let two = site.renew(&GUARD);
    assert!(two.key != one.key && two.authority == first.chain);
    await_presented(&site.kubelet, &two.chain, &first.chain).unwrap();

    // The authority keeps its key: either certificate of it proves what it signed before and after.
    let second = site.renew(&AUTHORITY);
    assert!(second.key == first.key && second.chain != first.chain);
    assert_eq!(site.bundle(), first.chain, "the guard's next certificate brings it");
    let three = site.renew(&GUARD);
    assert_eq!(three.authority, second.chain);
    let both = first.chain.clone() + &second.chain;
    site.await_bundle(&both);
    await_presented(&site.kubelet, &three.chain, &second.chain).unwrap();
    let upgrade = ["upgrade", "guard", CHART, "--wait", "--reuse-values", "--set=config.actors.platform.users={vault}"];
    helm(&cluster, &upgrade).unwrap().succeeded().unwrap();
    assert_eq!(site.bundle(), both, "Helm leaves it alone");
    // Also where the cainjector replaces instead of adding.
    site.cert_manager.inject_with(REPLACING).unwrap();
    site.await_bundle(&second.chain);
    let third = site.renew(&AUTHORITY);
    await_presented(&site.kubelet, &three.chain, &third.chain).unwrap();
    let four = site.renew(&GUARD);
    site.await_bundle(&third.chain);
    await_judged(&load);
    await_presented(&site.kubelet, &four.chain, &third.chain).unwrap();
    await_presented(&site.kubelet, &four.chain, &first.chain).unwrap();

    // Another key: the cainjector adds what has to be trusted to what is.
    site.cert_manager.inject_with(&[]).unwrap();
    let change = json!({"spec": {"privateKey": {"rotationPolicy": "Always"}}});
    site.http.patch(&AUTHORITY.certificate(), PatchKind::Merge, &change).unwrap().object().unwrap();
    let fourth = site.renew(&AUTHORITY);
    assert!(fourth.key != third.key);
    let five = site.renew(&GUARD);
    site.await_bundle(&(third.chain + &fourth.chain));
    await_presented(&site.kubelet, &five.chain, &fourth.chain).unwrap();
    await_judged(&load);

    let (through, failed) = (load.take_through(), load.take_failed());
    eprintln!("cert-manager {}: {}", site.cert_manager.version, load.end());
    assert!(through.is_empty() && failed.is_empty(), "{through:?} {failed:?}");
    assert_eq!(cluster.failed_open().unwrap(), let_through);

    // Where it replaces, changes go through until the volumes have the new certificate and the guard has seen it.
    site.cert_manager.inject_with(REPLACING).unwrap();
    site.await_bundle(&fourth.chain);
    let load = site.load();
    let fifth = site.renew(&AUTHORITY);
    let six = site.renew(&GUARD);
    site.await_bundle(&fifth.chain);
    let replaced = Instant::now();
    await_presented(&site.kubelet, &six.chain, &fifth.chain).unwrap();
    await_judged(&load);
    let (last, through) = (load.last_through(), load.take_through().len());
    await_judged(&load);
    let gap = last.map_or(Duration::ZERO, |last| last.saturating_duration_since(replaced));
    eprintln!(
        "another key that replaces the trusted one: {through} changes went through in {gap:.1?}; {}",
        load.figures()
    );
    // None would need both replicas to look at their volumes at the very moment of the change.
    assert!(through > 0, "no gap");
    assert!(load.take_through().is_empty(), "the gap does not end");
    load.end();
    assert!(cluster.failed_open().unwrap() > let_through);
    assert_eq!(processes(&site.kubelet), before, "no replica started anew");
}

struct Site<'c> {
    cluster: &'c ControlPlane,
    kubelet: Kubelet,
    cert_manager: CertManager<'c>,
    http: Http,
}

impl Site<'_> {
    /// Applies the authority of the chart's README and runs its commands.
    fn install_as_advised(&self) {
        let example = block(HEADING, "yaml").unwrap();
        fs::write(self.cluster.directory().join("authority.yaml"), example).unwrap();
        let config = self.cluster.directory().join("values.json");
        fs::write(&config, json!({"config": {"mode": "enforce", "platform": "azure-local"}}).to_string()).unwrap();
        let config = format!("--values={}", config.display());
        for command in commands(HEADING).unwrap() {
            let mut words: Vec<&str> = command.split(' ').collect();
            let finished = match words.remove(0) {
                "helm" => helm(self.cluster, &[&words[..], &[&config]].concat()),
                _ => self.cluster.kubectl(&Identity::Admin, words),
            };
            finished.unwrap().succeeded().unwrap();
        }
        await_denied(self.cluster).unwrap();
        await_in_force(self.cluster).unwrap();
    }

    fn load(&self) -> Load {
        let webhooks = [CLUSTER_WEBHOOK, SYSTEM_WEBHOOK, USER_WEBHOOK, ALPHA_WEBHOOK].map(str::to_owned);
        Load::begin(self.cluster, kubelet::NODE, &webhooks).unwrap()
    }

    /// What all webhooks trust.
    fn bundle(&self) -> String {
        let mut bundles = trusted(self.cluster).unwrap().bundles;
        bundles.dedup();
        assert_eq!(bundles.len(), 1, "{bundles:?}");
        decoded(&bundles[0]).unwrap()
    }

    fn await_bundle(&self, expected: &str) {
        wait::until("caBundle", LIMIT, || {
            let bundle = self.bundle();
            if bundle == expected { Ok(()) } else { Err(format!("{bundle}instead of\n{expected}")) }
        })
        .unwrap();
    }

    fn pair(&self, issued: &Issued) -> Pair {
        Pair::of(&self.http.get(&issued.secret()).unwrap().object().unwrap())
    }

    /// Has it issued anew, and answers what the Secret has then.
    fn renew(&self, issued: &Issued) -> Pair {
        let former = self.pair(issued);
        self.cert_manager.renew(issued.namespace, issued.name).unwrap();
        let secret = self.cluster.object_when(&issued.secret(), LIMIT, |secret| Pair::of(secret).chain != former.chain);
        let pair = Pair::of(&secret.unwrap());
        // One after the other: cert-manager refuses to begin the next before the former has ended.
        let issuing = |object: &Value| {
            let conditions = object["status"]["conditions"].as_array().unwrap();
            conditions.iter().any(|own| own["type"] == "Issuing" && own["status"] == "True")
        };
        self.cluster.object_when(&issued.certificate(), LIMIT, |object| !issuing(object)).unwrap();
        pair
    }
}

/// Waits until changes are judged that were sent from now on: for another bundle the API server connects anew.
fn await_judged(load: &Load) {
    let asked = load.right();
    wait::until("changes judged", LIMIT, || {
        let more = load.right() - asked;
        if more > 50 { Ok(()) } else { Err(more) }
    })
    .unwrap();
}

/// A Certificate and the Secret that it is written into.
struct Issued {
    namespace: &'static str,
    name: &'static str,
    secret: &'static str,
}

impl Issued {
    fn certificate(&self) -> String {
        format!("/apis/cert-manager.io/v1/namespaces/{}/certificates/{}", self.namespace, self.name)
    }

    fn secret(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets/{}", self.namespace, self.secret)
    }
}

/// What cert-manager wrote into a Secret.
struct Pair {
    chain: String,
    key: String,
    authority: String,
}

impl Pair {
    fn of(secret: &Value) -> Self {
        let field = |name: &str| decoded(&secret["data"][name]).unwrap();
        Pair { chain: field("tls.crt"), key: field("tls.key"), authority: field("ca.crt") }
    }
}

/// The guard's, of the chart.
const GUARD: Issued = Issued { namespace: manifest::NAMESPACE, name: "guard", secret: "guard-tls" };

/// The authority's, of the example.
const AUTHORITY: Issued =
    Issued { namespace: cert_manager::NAMESPACE, name: "aksarc-guard", secret: "aksarc-guard-authority" };

/// The chart's README has the example below it.
const HEADING: &str = "With cert-manager";

/// With this the cainjector writes `caBundle` as it did by default before version 1.19.
const REPLACING: &[&str] = &["CAInjectorMerging=false"];

const LIMIT: Duration = Duration::from_mins(1);
