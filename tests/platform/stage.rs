//! The control plane with the guard in front, and the replay of rows on it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use aksarc_tests::guard::Guard;
use aksarc_tests::replicas::configuration_path;
use aksarc_tests::{
    Answer, ControlPlane, Finished, Identity, Kubernetes, PlayedKubelets, product, protection, root, seen,
};
use serde_json::{Value, json};

use super::LIMIT;
use super::path::{Paths, Registered};
use super::products::{Applied, Product, remove, rule_of};
use super::ran::LEASE;
use super::row::{Area, Row};
use super::table::{How, Line, Section, Seen};
use super::watch::Counted;
use super::who::Who;

/// Everything that rows are played on.
pub(crate) struct Stage {
    pub(crate) cluster: ControlPlane,
    pub(crate) guard: Guard,
    pub(crate) paths: Paths,
    /// Of moc-l2, and of all other nodes.
    kubelets: RefCell<[Option<PlayedKubelets>; 2]>,
    who: Who,
    registered: Registered,
    config: Value,
    /// What was not as it should be. A run tells of all of it.
    faults: RefCell<Vec<String>>,
}

impl Stage {
    /// Starts the control plane with the guard, and makes the clients of these identities.
    pub(crate) fn set<'w>(who: impl IntoIterator<Item = &'w str>) -> Self {
        let cluster =
            ControlPlane::builder(Kubernetes::NEWEST).controller_manager().node_grace(NODE_GRACE).start().unwrap();
        let config = json!({"mode": "enforce", "platform": "azure-local", "contact": "platform team",
            "actors": {"ambiguous": "deny", "platform": {"credentialIds": [credential(&cluster)]}}});
        let who = Who::new(&cluster, who);
        let guard = Guard::install(&cluster, &config).unwrap();
        let policies = fs::read_to_string(root().join("deploy/guard-protection.yaml")).unwrap();
        let applied = cluster.kubectl_with(&Identity::SecondAdmin, ["apply", "-f", "-"], &policies).unwrap();
        applied.succeeded().unwrap();
        protection::await_in_force(&cluster).unwrap();
        let registered = Registered::new(seen::object(&cluster, &configuration_path()).unwrap());
        let paths = Paths::new(cluster.http(&Identity::SecondAdmin).unwrap());
        Stage {
            cluster,
            guard,
            paths,
            kubelets: RefCell::default(),
            who,
            registered,
            config,
            faults: RefCell::default(),
        }
    }

    /// Notes a fault unless something holds.
    pub(crate) fn check(&self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.borrow_mut().push(fault());
        }
    }

    /// What was not as it should be so far.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.borrow().clone()
    }

    /// The request was granted without a warning of the guard's.
    pub(crate) fn check_silent(&self, answer: &Answer, what: &str) {
        let ours: Vec<&String> = answer.warnings.iter().filter(|one| is_ours(one)).collect();
        self.check(answer.is_success() && ours.is_empty(), || {
            format!("{what}: {} {} {ours:?}", answer.code, answer.body)
        });
    }

    /// The object at a path comes to satisfy `holds`.
    pub(crate) fn check_object(&self, path: &str, holds: impl Fn(&Value) -> bool) {
        let seen = self.cluster.object_when(path, LIMIT, holds);
        self.check(seen.is_ok(), || format!("{:#}", seen.unwrap_err()));
    }

    /// Starts the kubelet of moc-l2, and with `all` those of all other nodes.
    pub(crate) fn play_kubelets(&self, all: bool) {
        let mut kubelets = self.kubelets.borrow_mut();
        kubelets[0] = Some(self.cluster.play_kubelets("kubernetes.io/hostname=moc-l2", LEASE).unwrap());
        if all {
            kubelets[1] = Some(self.cluster.play_kubelets("kubernetes.io/hostname!=moc-l2", LEASE).unwrap());
        }
    }

    /// Ends the kubelet of moc-l2.
    pub(crate) fn silence_one_kubelet(&self) {
        self.kubelets.borrow_mut()[0] = None;
    }

    /// Replays the rows of an area.
    pub(crate) fn play(&self, area: &Area) -> Section {
        let lines = area.rows.iter().map(|row| self.play_row(row)).collect();
        Section { title: area.area.clone(), lead: "", lines }
    }

    fn play_row(&self, row: &Row) -> Line {
        let client = self.who.client(&row.who, &row.agent);
        let mut tally = Tally::new(self);
        for request in &row.requests {
            let sent = request.send(&client, &row.manager, &self.paths, false);
            let what = format!("{}: {} {}", row.what, sent.operation, sent.path);
            tally.sent(&sent.path, sent.operation, &what);
            match &row.refused {
                Some(code) => self.check_denied(&sent.answer, code, &what),
                None => self.check_silent(&sent.answer, &what),
            }
        }
        let (seen, counted) = (tally.seen, tally.counted());
        let guard = if let Some(code) = &row.refused {
            self.check(counted.denied == row.requests.len() as u64, || format!("{}: {counted:?}", row.what));
            format!("denied, {code}")
        } else {
            self.check(counted.is_silent(), || format!("{}: {counted:?}", row.what));
            seen.words()
        };
        let who = format!("{}, {}", row.agent.split('/').next().unwrap_or_default(), row.who);
        let source = format!("{} ({})", row.source, row.date);
        Line { what: row.what.clone(), who, how: How::Replayed(row.requests.len()), guard, source }
    }

    /// Replays rows under the waivers of Microsoft's remediations. Without them no request passes in silence.
    pub(crate) fn play_waived(&self, area: &Area) -> Section {
        for row in &area.rows {
            let client = self.who.client(&row.who, &row.agent);
            for request in &row.requests {
                let sent = request.send(&client, &row.manager, &self.paths, true);
                let noticed = sent.answer.code == 403 || sent.answer.warnings.iter().any(|one| is_ours(one));
                self.check(noticed, || format!("{} without its waiver: {}", row.what, sent.path));
            }
        }
        let mut config = self.config.clone();
        config["waivers"] =
            area.rows.iter().filter_map(|row| row.waiver.as_deref()).flat_map(|name| self.waivers(name)).collect();
        self.guard.reconfigure(&config).unwrap();
        let before = Counted::now(&self.guard).waived;
        let mut section = self.play(area);
        let waived = Counted::now(&self.guard).waived - before;
        let requests = area.rows.iter().map(|row| row.requests.len() as u64).sum();
        self.check(waived >= requests, || format!("{waived} findings of {requests} requests were waived"));
        section.lead = "Each request was tried without a waiver first, and was denied or warned of.";
        section
    }

    /// The waivers that the plugin makes for a remediation.
    fn waivers(&self, remediation: &str) -> Vec<Value> {
        let mut command = self.cluster.command(&Identity::Person, &product::plugin().unwrap()).unwrap();
        command.args([
            "waivers",
            "new",
            "--case",
            "2311",
            "--requested-by",
            "alice",
            "--days",
            "30",
            "--remediation",
            remediation,
        ]);
        if remediation == "EnableNodeLocalCRISocket" {
            command.args(["--node", "moc-l1"]);
        }
        let made = Finished::run(&mut command, None).unwrap();
        let list: Value = serde_saphyr::from_str(made.succeeded().unwrap()).unwrap();
        list["items"].as_array().cloned().unwrap_or_else(|| vec![list.clone()])
    }

    /// Installs, upgrades and removes each product.
    pub(crate) fn play_products(&self, products: &[Product]) -> [Section; 3] {
        let (mut lawful, mut noticed, mut moved) = (Vec::new(), Vec::new(), Vec::new());
        for product in products {
            let line = self.play_product(product);
            if product.denied.is_empty() && product.warned.is_empty() { &mut lawful } else { &mut noticed }.push(line);
            let has_row = |one: &Product| one.name == format!("{}-own-namespace", product.name);
            if !product.denied.is_empty() && !product.stays && !products.iter().any(has_row) {
                moved.push(self.play_product(&product.moved()));
            }
        }
        let section = |title: &str, lead, lines| Section { title: title.to_owned(), lead, lines };
        [
            section("Common software in its documented namespace", LAWFUL, lawful),
            section("Common software of which the guard has something to say", NOTICED, noticed),
            section("The same software in a namespace of its own", MOVED, moved),
        ]
    }

    fn play_product(&self, product: &Product) -> Line {
        let who = product.who.as_deref().unwrap_or("person");
        let agent = if product.by == "helm" { "Helm/3.18.4" } else { "kubectl/v1.33.5" };
        let client = self.who.client(who, agent);
        let (mut tally, mut noticed) = (Tally::new(self), BTreeSet::new());
        let mut judge = |applied: &Applied, operation: &str| {
            let Applied { name, path, answer } = applied;
            let what = format!("{}: {operation} {path}", product.name);
            tally.sent(path, operation, &what);
            let warned = answer.warnings.iter().any(|one| is_ours(one));
            if let Some(code) = rule_of(&product.denied, name).filter(|_| answer.code == 403) {
                self.check_denied(answer, code, &what);
                noticed.insert(format!("{name} denied, {code}"));
            } else if let Some(code) = rule_of(&product.warned, name).filter(|_| warned) {
                self.check(answer.is_success() && answer.warnings[0].contains(code), || format!("{what}: {answer:?}"));
                noticed.insert(format!("{name} warned of, {code}"));
            } else {
                self.check_silent(answer, &what);
            }
            answer.is_success()
        };
        let mut objects = product.objects();
        objects.insert(0, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": product.namespace}}));
        let mut made = Vec::new();
        for object in objects {
            if object["kind"] == "Namespace" {
                let path = self.paths.object(&object);
                // Namespaces stay: their end is another row's.
                if self.cluster.http(&Identity::SecondAdmin).unwrap().get(&path).unwrap().code == 404 {
                    judge(&product.install(&client, &object, &self.paths), "CREATE");
                }
            } else if judge(&product.install(&client, &object, &self.paths), "CREATE") {
                made.push(object);
            }
        }
        for object in &made {
            judge(&product.upgrade(&client, object, &self.paths), "UPDATE");
        }
        for object in made.iter().rev() {
            judge(&remove(&client, object, &self.paths), "DELETE");
        }
        let (seen, counted) = (tally.seen, tally.counted());
        let expected = product.denied.values().chain(product.warned.values()).map(Vec::len).sum::<usize>();
        self.check(noticed.len() == expected, || format!("{}: {noticed:?}", product.name));
        self.check(expected > 0 || counted.is_silent(), || format!("{}: {counted:?}", product.name));
        let said: Vec<String> = [seen.words()].into_iter().chain(noticed).collect();
        Line {
            what: format!("{} {}", product.name, product.version).trim_end().to_owned(),
            who: format!("{}, {who}, in {}", product.by, product.namespace),
            how: How::Replayed(seen.total()),
            guard: said.join("; "),
            source: format!("{} ({})", product.source, product.date),
        }
    }

    fn check_denied(&self, answer: &Answer, code: &str, what: &str) {
        let status: Value = serde_json::from_str(&answer.body).unwrap();
        let message = status["message"].as_str().unwrap_or_default();
        let ours = |name: &String| message.starts_with(&format!("admission webhook \"{name}\" denied the request: "));
        let mut causes = status["details"]["causes"].as_array().into_iter().flatten();
        let denied =
            answer.code == 403 && self.guard.webhooks.iter().any(ours) && causes.any(|cause| cause["reason"] == *code);
        self.check(denied, || {
            format!("{what} is not denied by {code}: {} {} {:?}", answer.code, answer.body, answer.warnings)
        });
    }
}

/// How the guard comes to know of the requests of a row. Each is looked at by itself: the API server asks again where an
/// object was changed while it was patched.
struct Tally<'s> {
    stage: &'s Stage,
    before: Counted,
    last: Counted,
    seen: Seen,
}

impl<'s> Tally<'s> {
    fn new(stage: &'s Stage) -> Self {
        let now = Counted::now(&stage.guard);
        Tally { stage, before: now, last: now, seen: Seen::default() }
    }

    /// Counts a request that was just answered.
    fn sent(&mut self, path: &str, operation: &str, what: &str) {
        let now = Counted::now(&self.stage.guard);
        let asked = now.asked > self.last.asked;
        self.last = now;
        let matches = self.stage.registered.matches(path, operation);
        self.stage.check(matches || !asked, || format!("{what}: asked, though no rule matches"));
        let place = match (asked, matches) {
            (true, _) => &mut self.seen.asked,
            (false, true) => &mut self.seen.kept_away,
            (false, false) => &mut self.seen.outside,
        };
        *place += 1;
    }

    /// What the guard counted from the first request to the last.
    fn counted(&self) -> Counted {
        self.last.since(self.before)
    }
}

/// Whether a warning is the guard's: each is followed by the line that names the contact.
fn is_ours(warning: &str) -> bool {
    let code = warning.split("AA").skip(1).any(|rest| rest.chars().take(3).filter(char::is_ascii_digit).count() == 3);
    code || warning.contains("where to ask: platform team")
}

/// The credential of the certificate that stands for Cluster API.
fn credential(cluster: &ControlPlane) -> String {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let answer = cluster.http(&Identity::SecondAdmin).unwrap().post(path, &review).unwrap().object().unwrap();
    answer["status"]["userInfo"]["extra"]["authentication.kubernetes.io/credential-id"][0].as_str().unwrap().to_owned()
}

const LAWFUL: &str = "\
Installed, upgraded and removed: of each product the objects of kinds that the webhooks are registered for, and its namespaces. Of its
cluster roles, their bindings and its definitions the first stands for all, besides those whose names begin with `system:`.";

const NOTICED: &str = "\
Workloads of users in kube-system void support and are denied, as are names there that are AKS Arc's own; policies for network cards of
nodes are warned of. The rest passes in silence.";

const MOVED: &str = "\
Where no document has it so already. A Deployment with power over its node is warned of in every namespace (AA407).";

/// Three renewals of the leases that kwok holds.
const NODE_GRACE: Duration = Duration::from_secs(8);
