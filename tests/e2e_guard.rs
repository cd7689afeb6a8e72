//! The guard as operators meet it, with a real API server: it starts in observe, tells what it observed, gets its mode by
//! command, is tested and explained, and its records join with the audit log.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests are tests")]

use std::time::Duration;

use aksarc_shared::verdict::observed::{KEY, NAME, NAMESPACE, ObservedRecord};
use aksarc_tests::guard::{self, Guard};
use aksarc_tests::{
    Answer, ControlPlane, Finished, Http, Identity, Kubernetes, PatchKind, product, root, samples, wait,
};
use aksarc_webhook::manifest;
use serde_json::{Value, json};

#[test]
fn log_lines_and_audit_events_of_a_review_join_by_its_uid() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let config = json!({"mode": "enforce", "platform": "azure-local", "contact": "platform team, #aks-arc"});
    let mut guard = Guard::install_with(&cluster, &config, vec!["--log-format=json".to_owned()]).unwrap();
    let person = cluster.http(&Identity::Person).unwrap();
    let denied = relabel(&person, &node(&cluster), "edge-7");
    assert_eq!(denied.code, 403, "{}", denied.body);
    // What, why, the supported way, and where to ask, in one line.
    let message = status(&denied)["message"].as_str().unwrap().to_owned();
    let (name, line) = message.split_once(" denied the request: ").unwrap();
    assert!(guard.webhooks.iter().any(|webhook| name == format!("admission webhook \"{webhook}\"")), "{message}");
    assert!(line.starts_with("AA201 (policy C13): ") && line.ends_with(" - ask: platform team, #aks-arc"), "{line}");
    assert_eq!(status(&denied)["details"]["causes"][0]["reason"], "AA201");

    let event = cluster
        .audit_event("the denial", |event| event.response_status.code == 403 && findings(event).contains("AA201=deny"))
        .unwrap();
    let uid =
        event.annotations.iter().find(|(key, _)| key.ends_with(".guard.aksarc.dev/review-uid")).unwrap().1.clone();
    assert!(!uid.is_empty());
    let lines: Vec<Value> = guard
        .log()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["uid"] == *uid)
        .collect();
    assert_eq!(lines.len(), 1, "{uid} in {}", guard.log());
    assert_eq!((&lines[0]["user"], &lines[0]["findings"]), (&json!("alice@contoso.example"), &json!("AA201=deny")));

    // The same text, and the same event, explained without a cluster.
    let audit = json!({"auditID": "1", "verb": event.verb, "user": {"username": event.user.username},
        "annotations": event.annotations});
    for text in [message, audit.to_string()] {
        let explained = plugin(&cluster, &Identity::user("nobody"), &["guard", "explain-denial", &text]);
        let told = explained.succeeded().unwrap();
        assert!(told.contains("AA201 system-label-changed") && told.contains("C13, "), "{told}");
    }
    let warned = person
        .patch(
            &format!("/api/v1/nodes/{}?dryRun=All", node(&cluster)),
            PatchKind::Merge,
            &json!({"metadata": {"labels": {"kubernetes.azure.com/team": "shop"}}}),
        )
        .unwrap();
    assert!(warned.is_success(), "{}", warned.body);
    let asked = |warning: &String| warning.contains("\"where to ask: platform team, #aks-arc\"");
    assert!(warned.warnings.len() == 2 && warned.warnings.last().is_some_and(asked), "{:?}", warned.warnings);

    // When the guard is gone, the API server counts what it lets through, by the name that alerts and `guard status` go by.
    guard.kill();
    let series = wait::until("a change without the guard", LIMIT, || {
        let answer = relabel(&person, &node(&cluster), "edge-7");
        let metrics = cluster.http(&Identity::Admin).unwrap().get("/metrics").unwrap().body;
        let line = metrics.lines().find(|line| line.starts_with("apiserver_admission_webhook_fail_open_count{"));
        line.filter(|_| answer.is_success()).map(str::to_owned).ok_or(answer.body)
    });
    assert!(series.unwrap().contains(".guard.aksarc.dev\""));
}

#[test]
fn it_starts_in_observe_and_says_who_would_have_been_flagged() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let account = guard::account(&cluster).unwrap();
    let kubeconfig = cluster.kubeconfig(&account).unwrap().display().to_string();
    let flags = || vec!["--kubeconfig".to_owned(), kubeconfig.clone(), "--observed-interval=1s".to_owned()];
    // Only apiVersion and kind are configured.
    let one = Guard::install_with(&cluster, &json!({}), flags()).unwrap();
    assert_eq!(one.sum("aksarc_mode_info", &["observe"]).unwrap().to_string(), "1");
    let person = cluster.http(&Identity::Person).unwrap();
    let admin = cluster.http(&Identity::Admin).unwrap();
    let node = node(&cluster);
    for value in ["edge-7", "edge-8"] {
        let allowed = relabel(&person, &node, value);
        assert!(allowed.is_success() && allowed.warnings.is_empty(), "{}", allowed.body);
    }
    // A rehearsal is no use of it.
    let rehearsed = person.patch(
        &format!("/api/v1/nodes/{node}?dryRun=All&fieldManager=kubectl-taint"),
        PatchKind::Merge,
        &label("edge-9"),
    );
    assert!(rehearsed.unwrap().is_success());
    assert!(admin.delete(&format!("{DEPLOYMENTS}/coredns")).unwrap().is_success());

    let record = await_record(&cluster, |record| record.rows().count() >= 2 && total(record) >= 3);
    let rows: Vec<_> = record.rows().collect();
    let alice = rows.iter().find(|(who, _)| who.user == "alice@contoso.example").unwrap();
    assert_eq!((&*alice.0.rule, &*alice.0.field_manager, alice.1.count), ("AA201", "kubectl-label", 2), "{record:?}");
    assert_eq!(alice.1.in_enforce.as_str(), "deny");
    let root = rows.iter().find(|(who, _)| who.user == "kubernetes-admin").unwrap();
    assert_eq!((root.1.actor.as_str(), root.1.in_enforce.as_str()), ("ambiguous", "warn"));
    assert!(root.0.credential_id.starts_with("X509SHA256="), "{root:?}");
    let text = record.text();
    assert!(!text.contains("edge-7") && !text.contains(&node) && !text.contains("coredns"), "{text}");

    // A second replica adds to the same record, and neither takes anything from the other.
    let writes = |guard: &Guard| guard.sum("aksarc_observed_writes_total", &["written"]).unwrap();
    let before = writes(&one);
    let change = json!({"metadata": {"labels": {"kubernetes.azure.com/team": "shop"}}});
    person
        .patch(&format!("/api/v1/nodes/{node}?fieldManager=kubectl-edit"), PatchKind::Merge, &change)
        .unwrap()
        .object()
        .unwrap();
    await_record(&cluster, |record| {
        record.rows().any(|(who, _)| who.rule == "AA204") && total(record) > total_of(&rows)
    });
    assert!(writes(&one) > before);

    // The commands read it, with the printed roles and with nothing else.
    let operator = Identity::user("guard-operator");
    let refused = plugin(&cluster, &operator, &["guard", "observed"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("you may not read the ConfigMap guard-observed"), "{}", refused.stderr);
    grant(&cluster, &operator);
    let shown = plugin(&cluster, &operator, &["guard", "observed"]);
    let shown = shown.succeeded().unwrap();
    for words in ["deny", "alice@contoso.example", "kubectl-label", "UPDATE nodes", "enforce denies 2 changes"] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let draft = plugin(&cluster, &operator, &["guard", "observed", "--draft"]);
    let draft = draft.succeeded().unwrap();
    assert!(draft.contains(&format!("#     - \"{}\"", root.0.credential_id)), "{draft}");
    assert!(draft.lines().all(|line| line.starts_with('#')), "{draft}");
}

#[test]
fn the_mode_is_set_by_command_with_the_printed_rights_and_only_where_nobody_else_sets_it() {
    let cluster = ControlPlane::start(Kubernetes::NEWEST).unwrap();
    let admin = cluster.http(&Identity::Admin).unwrap();
    let operator = Identity::user("guard-operator");
    let mode = |words: &[&str]| plugin(&cluster, &operator, &[&["guard", "mode"], words].concat());
    let space = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    admin.post("/api/v1/namespaces", &space).unwrap().object().unwrap();
    let refused = mode(&["warn"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("you may not read the ConfigMap guard") && refused.stderr.contains("guard roles"),
        "{}",
        refused.stderr
    );
    grant(&cluster, &operator);

    // There is no ConfigMap yet: the first command makes it.
    let rehearsed = mode(&["warn", "--dry-run"]);
    assert!(
        rehearsed.succeeded().unwrap().contains("would be changed:\n  mode: observe -> warn"),
        "{}",
        rehearsed.stdout
    );
    assert_eq!(admin.get(MAP).unwrap().code, 404);
    let first = mode(&["warn"]);
    let first = first.succeeded().unwrap();
    assert!(
        first.contains("was created:\n  mode: observe -> warn")
            && first.contains("undo: kubectl aksarc guard mode observe"),
        "{first}"
    );
    assert_eq!(configured(&cluster), "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: warn\n");
    let same = mode(&["warn"]);
    assert_eq!(same.succeeded().unwrap(), "nothing to change: the mode is warn\n");

    // As kubectl made it from a file, with comments; a rule of its own; and back.
    let file = "# ours\napiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: observe # until March\nplatform: azure-local\n";
    let path = cluster.directory().join("guard-config.yaml");
    std::fs::write(&path, file).unwrap();
    let from = format!("--from-file=guard.yaml={}", path.display());
    let create = ["-n", NAMESPACE, "create", "configmap", "guard", &from, "--dry-run=client", "-o", "yaml"];
    let object = cluster.kubectl(&Identity::Admin, create).unwrap();
    cluster
        .kubectl_with(&Identity::Admin, ["apply", "-f", "-"], object.succeeded().unwrap())
        .unwrap()
        .succeeded()
        .unwrap();
    mode(&["enforce"]).succeeded().unwrap();
    let quiet = mode(&["observe", "--rule", "AA303", "--rule", "system-label-changed"]);
    assert!(quiet.succeeded().unwrap().contains("rules: AA303: deny, which is its own -> record"), "{}", quiet.stdout);
    let expected = file.replace("observe #", "enforce #") + "rules:\n  AA201: record\n  AA303: record\n";
    assert_eq!(configured(&cluster), expected);
    mode(&["enforce", "--rule", "AA303", "--rule", "AA201"]).succeeded().unwrap();
    mode(&["observe"]).succeeded().unwrap();
    assert_eq!(configured(&cluster), format!("{file}rules: {{}}\n"));
    // kubectl still owns what it applies.
    cluster
        .kubectl_with(&Identity::Admin, ["apply", "-f", "-"], object.succeeded().unwrap())
        .unwrap()
        .succeeded()
        .unwrap();
    assert_eq!(configured(&cluster), file);

    // Behind the shipped policies the command is refused with the words that open the namespace, and works then.
    let policies = std::fs::read_to_string(root().join("deploy/guard-protection.yaml")).unwrap();
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], &policies).unwrap().succeeded().unwrap();
    let refused = wait::until("the policy to count", LIMIT, || {
        let tried = [mode(&["warn"]), mode(&["observe"])].into_iter().find(|tried| tried.code != Some(0));
        tried.ok_or("the mode was set")
    });
    let refused = refused.unwrap().stderr;
    assert!(refused.contains("'objects.guard.aksarc.dev'") && refused.contains("Nothing was changed"), "{refused}");
    let opens = "annotate namespace aksarc-system aksarc.dev/open=\"REASON\"";
    assert!(refused.contains(&format!("kubectl {opens}")), "{refused}");
    let words = opens.split(' ').map(|word| word.replace('"', ""));
    cluster.kubectl(&Identity::Admin, words).unwrap().succeeded().unwrap();
    wait::until("the namespace to be open", LIMIT, || {
        let tried = mode(&["warn"]);
        tried.succeeded().map(drop).map_err(|error| format!("{error:#}"))
    })
    .unwrap();
    mode(&["observe"]).succeeded().unwrap();
    assert_eq!(configured(&cluster), file);

    // What Helm writes is Helm's.
    let marks = json!({"metadata": {"annotations": {"meta.helm.sh/release-name": "guard"}}});
    admin.patch(MAP, PatchKind::Merge, &marks).unwrap().object().unwrap();
    let refused = mode(&["enforce"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(
        refused
            .stderr
            .contains("helm upgrade guard CHART --namespace aksarc-system --reuse-values --set config.mode=enforce"),
        "{}",
        refused.stderr
    );
    assert_eq!(configured(&cluster), file);

    // The rights are to this one object, and to nothing else of its kind.
    let client = cluster.http(&operator).unwrap();
    let others = MAP.trim_end_matches("/guard");
    assert_eq!(client.get(others).unwrap().code, 403);
    let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}});
    assert_eq!(client.post(others, &other).unwrap().code, 403);
    assert_eq!(client.delete(MAP).unwrap().code, 403);
    let observed = format!("{others}/{NAME}");
    assert_eq!(client.patch(&observed, PatchKind::Merge, &json!({"data": null})).unwrap().code, 403);
}

#[test]
fn armed_is_said_after_a_refusal_was_seen_and_what_cannot_be_seen_is_said() {
    let cluster = samples::start("healthy-azure-local").unwrap();
    let guard = Guard::install(&cluster, &json!({"mode": "enforce", "platform": "azure-local"})).unwrap();
    let admin = cluster.http(&Identity::Admin).unwrap();
    // The ConfigMap that the guard of a cluster reads.
    let config = |mode: &str| {
        let text = format!("apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: {mode}\nplatform: azure-local\n");
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "guard"}, "data": {"guard.yaml": text}})
    };
    admin.post(MAP.trim_end_matches("/guard"), &config("enforce")).unwrap().object().unwrap();
    let person = |words: &[&str]| plugin(&cluster, &Identity::Person, words);

    let armed = person(&["guard", "test"]);
    let told = armed.succeeded().unwrap();
    for words in ["armed: the guard refused what it has to", "AA303", "AA201", "create a ConfigMap in kube-system"] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let status: Value = serde_json::from_str(&person(&["guard", "status", "-o", "json"]).stdout).unwrap();
    assert_eq!(
        (&status["armed"]["state"], &status["mode"], &status["failOpen"]),
        (&json!("armed"), &json!("enforce"), &json!(0)),
        "{status}"
    );
    assert_eq!(status["trouble"][0], "there is no Deployment guard in aksarc-system", "{status}");
    // Nothing of the requests was stored.
    for path in [
        format!("{DEPLOYMENTS}/aksarc-guard-test"),
        "/api/v1/namespaces/default/configmaps/aksarc-guard-test".to_owned(),
    ] {
        assert_eq!(admin.get(&path).unwrap().code, 404, "{path}");
    }

    // Whoever has the printed roles sees the state, and that nothing was proved.
    let operator = Identity::user("guard-operator");
    grant(&cluster, &operator);
    let shown = plugin(&cluster, &operator, &["guard", "status"]);
    assert!(
        shown.stdout.contains("not proved: to create a Deployment in kube-system in dry run"),
        "{}{}",
        shown.stdout,
        shown.stderr
    );
    assert!(shown.stdout.contains("0 changes without an answer"), "{}", shown.stdout);
    let nobody = plugin(&cluster, &Identity::user("nobody"), &["guard", "status"]);
    assert_eq!(nobody.code, Some(5), "{}{}", nobody.stdout, nobody.stderr);
    for what in [
        "the ConfigMap guard",
        "its webhook configuration",
        "its Deployment",
        "pods in aksarc-system",
        "the API server's metrics",
    ] {
        assert!(nobody.stdout.contains(&format!("you may not read {what}")), "{what} in {}", nobody.stdout);
    }
    let untried = plugin(&cluster, &operator, &["guard", "test"]);
    assert_eq!(untried.code, Some(5), "{}{}", untried.stdout, untried.stderr);

    // In another mode, and without the guard, it is not armed.
    guard.reconfigure(&json!({"mode": "warn", "platform": "azure-local"})).unwrap();
    let warned = person(&["guard", "test"]);
    assert_eq!(warned.code, Some(1), "{}", warned.stdout);
    assert!(
        warned.stdout.contains("passed with a warning, AA303") && warned.stdout.contains("NOT ARMED"),
        "{}",
        warned.stdout
    );
    drop(guard);
    let gone = person(&["guard", "test"]);
    assert_eq!(gone.code, Some(1), "{}", gone.stdout);
    assert!(gone.stdout.contains("NOT ARMED"), "{}", gone.stdout);
    let counted: Value = serde_json::from_str(&person(&["guard", "status", "-o", "json"]).stdout).unwrap();
    assert!(counted["failOpen"].as_u64().unwrap() > 0, "{counted}");
    assert_eq!(counted["exitCode"], 1);
}

/// Gives a user the roles that the program prints, which are those in deploy, and waits until they count.
fn grant(cluster: &ControlPlane, who: &Identity) {
    let printed = plugin(cluster, who, &["guard", "roles"]);
    let roles = std::fs::read_to_string(root().join("deploy/guard-operator.yaml")).unwrap();
    assert_eq!(printed.succeeded().unwrap(), roles);
    cluster.kubectl_with(&Identity::Admin, ["apply", "-f", "-"], &roles).unwrap().succeeded().unwrap();
    let user = format!("--user={}", who.username());
    let admin =
        |words: &[&str]| cluster.kubectl(&Identity::Admin, words.to_vec()).unwrap().succeeded().map(drop).unwrap();
    admin(&["create", "clusterrolebinding", "aksarc-guard-viewer", "--clusterrole=aksarc-guard-viewer", &user]);
    for role in ["aksarc-guard-viewer", "aksarc-guard-operator"] {
        let role_flag = format!("--role={role}");
        admin(&["-n", NAMESPACE, "create", "rolebinding", role, &role_flag, &user]);
    }
    for name in [manifest::SERVICE, NAME] {
        let right = json!({"verb": "get", "group": "", "resource": "configmaps", "namespace": NAMESPACE, "name": name});
        cluster.await_right(who, &right).unwrap();
    }
    let right =
        json!({"verb": "patch", "group": "", "resource": "configmaps", "namespace": NAMESPACE, "name": "guard"});
    cluster.await_right(who, &right).unwrap();
}

fn plugin(cluster: &ControlPlane, identity: &Identity, arguments: &[&str]) -> Finished {
    let mut command = cluster.command(identity, &product::plugin().unwrap()).unwrap();
    Finished::run(command.args(arguments), None).unwrap()
}

fn configured(cluster: &ControlPlane) -> String {
    let map = cluster.http(&Identity::Admin).unwrap().get(MAP).unwrap().object().unwrap();
    map["data"]["guard.yaml"].as_str().unwrap().to_owned()
}

fn await_record(cluster: &ControlPlane, wanted: impl Fn(&ObservedRecord) -> bool) -> ObservedRecord {
    let admin = cluster.http(&Identity::Admin).unwrap();
    let path = format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}");
    let record = wait::until("what was observed", LIMIT, || {
        let map = admin.get(&path).unwrap().object().unwrap();
        let record = ObservedRecord::parse(map["data"][KEY].as_str().unwrap_or_default()).unwrap();
        if wanted(&record) { Ok(record) } else { Err(record.text()) }
    });
    record.unwrap()
}

fn total(record: &ObservedRecord) -> u64 {
    record.rows().map(|(_, seen)| seen.count).sum()
}

fn total_of(
    rows: &[(&aksarc_shared::verdict::observed::Observed, &aksarc_shared::verdict::observed::Sightings)],
) -> u64 {
    rows.iter().map(|(_, seen)| seen.count).sum()
}

fn relabel(client: &Http, node: &str, value: &str) -> Answer {
    client.patch(&format!("/api/v1/nodes/{node}?fieldManager=kubectl-label"), PatchKind::Merge, &label(value)).unwrap()
}

fn label(value: &str) -> Value {
    json!({"metadata": {"labels": {"kubernetes.io/hostname": value}}})
}

/// The first node of the cluster.
fn node(cluster: &ControlPlane) -> String {
    let nodes = cluster.http(&Identity::Admin).unwrap().get("/api/v1/nodes").unwrap().object().unwrap();
    nodes["items"][0]["metadata"]["name"].as_str().unwrap().to_owned()
}

fn status(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

fn findings(event: &aksarc_tests::AuditEvent) -> &str {
    let own = event.annotations.iter().find(|(key, _)| key.ends_with(".guard.aksarc.dev/findings"));
    own.map_or("", |(_, value)| value)
}

const MAP: &str = "/api/v1/namespaces/aksarc-system/configmaps/guard";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/kube-system/deployments";
const LIMIT: Duration = Duration::from_secs(30);
