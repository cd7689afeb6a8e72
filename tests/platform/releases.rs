//! Releases that the real Helm makes: a person's, and that of the Arc agents.

use std::fs;
use std::path::PathBuf;

use aksarc_tests::{Finished, Identity};

use super::ran::{Ran, check_gone};
use super::stage::Stage;
use super::table::{Line, Section};
use super::watch::{Counted, Kept};

/// The rows of Helm, but for the end of the Arc agents.
pub(crate) fn section(stage: &Stage) -> Section {
    let mut lines = of_people(stage);
    lines.extend(arc_is_installed(stage));
    Section { title: "Releases of Helm".to_owned(), lead: "", lines }
}

/// A person's chart in a namespace of users, and the same chart in kube-system.
fn of_people(stage: &Stage) -> Vec<Line> {
    let chart = |version: &str| write_chart(stage, "shop", version, SHOP);
    let row = Ran {
        what: "a chart is installed, upgraded and uninstalled in a namespace of users",
        program: "Helm",
        users: &["alice@contoso.example"],
        source: "Helm documentation, helm.sh",
    };
    let space = ["--namespace", "shop-helm"];
    let before = Counted::now(&stage.guard);
    let run =
        |words: &[&str]| check_quiet(stage, &stage.cluster.helm(&Identity::Person, [words, &space].concat()).unwrap());
    let first = chart("1.0.0");
    run(&["install", "shop", &first, "--create-namespace"]);
    run(&["upgrade", "shop", &chart("1.1.0")]);
    run(&["uninstall", "shop"]);
    let asked = asked_in_silence(stage, before, row.what);
    stage.check(asked > 0, || "nothing of the chart was asked about".to_owned());
    let lawful = row.line("asked");

    let refused = stage
        .cluster
        .helm(&Identity::Person, ["install", "shop", &chart("1.2.0"), "--namespace", "kube-system"])
        .unwrap();
    let told = refused.failed().unwrap();
    stage.check(told.contains(".guard.aksarc.dev\" denied the request: AA303"), || told.to_owned());
    vec![lawful, Ran { what: "the same chart is installed in kube-system", ..row }.line("denied, AA303")]
}

/// The release of the Arc agents: installed by the platform, and upgraded by the person who connects the cluster and by
/// the agents themselves.
fn arc_is_installed(stage: &Stage) -> Vec<Line> {
    let chart = |version: &str| write_chart(stage, "azure-arc-k8sagents", version, ARC);
    let source =
        "azure-arc/kubernetes/agent-upgrade.md, MicrosoftDocs/azure-docs; connectedk8s, Azure/azure-cli-extensions";
    let row = |what, users| Ran { what, program: "Helm", users, source };
    let space = ["--namespace", "azure-arc-release"];
    let run = |who: &Identity, words: &[&str]| {
        let before = Counted::now(&stage.guard);
        check_quiet(stage, &stage.cluster.helm(who, [words, &space].concat()).unwrap());
        asked_in_silence(stage, before, words[0])
    };
    let asked = run(&Identity::SecondAdmin, &["install", "azure-arc", &chart("1.31.2"), "--create-namespace"]);
    stage.check(asked > 0, || "nothing of the release was asked about".to_owned());
    let mut lines = vec![row("the release azure-arc is installed", &["cluster-api"]).line("asked")];
    let asked = run(&Identity::Person, &["upgrade", "azure-arc", &chart("1.31.3")]);
    stage.check(asked > 0, || "nothing of the upgrade was asked about".to_owned());
    lines.push(
        row("the release azure-arc is upgraded, as by az connectedk8s", &["alice@contoso.example"]).line("asked"),
    );
    let agent = stage.cluster.service_account("azure-arc", "azure-arc-operatorsa").unwrap();
    let kept = Kept::now(&stage.cluster);
    let asked = run(&agent, &["upgrade", "azure-arc", &chart("1.31.4")]);
    stage.check(asked == 0, || format!("asked about {asked} requests of the agents"));
    stage.check(Kept::now(&stage.cluster).away > kept.away, || "nothing of the agents was kept away".to_owned());
    let upgrade =
        row("the release azure-arc upgrades itself", &["system:serviceaccount:azure-arc:azure-arc-operatorsa"]);
    lines.push(upgrade.line("kept away by match conditions"));
    lines
}

/// The release of the Arc agents goes, with its namespace.
pub(crate) fn arc_removes_itself(stage: &Stage) -> Section {
    let row = Ran {
        what: "the release azure-arc removes itself and its namespace",
        program: "Helm, kube-controller-manager",
        users: &["system:serviceaccount:azure-arc-release:default"],
        source: "azure-arc/kubernetes/quickstart-connect-cluster.md, MicrosoftDocs/azure-docs",
    };
    let own = stage.cluster.service_account("azure-arc-release", "default").unwrap();
    let effect = || {
        check_quiet(
            stage,
            &stage.cluster.helm(&own, ["uninstall", "azure-arc", "--namespace", "azure-arc-release"]).unwrap(),
        );
        check_gone(stage, "/api/v1/namespaces/azure-arc");
    };
    let line = row.play(stage, || stage.cluster.bind(&own, "cluster-admin").unwrap(), effect);
    Section { title: "The Arc agents go".to_owned(), lead: "", lines: vec![line] }
}

/// Reviews since `before`, none of which ended in a denial or a warning.
fn asked_in_silence(stage: &Stage, before: Counted, what: &str) -> u64 {
    let counted = Counted::now(&stage.guard).since(before);
    stage.check(counted.is_silent(), || format!("{what}: {counted:?}"));
    counted.asked
}

fn check_quiet(stage: &Stage, finished: &Finished) {
    let quiet = finished.code == Some(0) && !finished.stderr.contains("AA");
    stage.check(quiet, || format!("{}: {}", finished.command, finished.stderr));
}

/// Writes a chart with these templates. Its directory.
fn write_chart(stage: &Stage, name: &str, version: &str, templates: &str) -> String {
    let folder: PathBuf = stage.cluster.directory().join(format!("charts-{name}-{version}"));
    fs::create_dir_all(folder.join("templates")).unwrap();
    fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: {version}\n")).unwrap();
    fs::write(folder.join("templates/all.yaml"), templates).unwrap();
    folder.display().to_string()
}

/// What charts of users have that the guard could take amiss.
const SHOP: &str = include_str!("charts/shop.yaml");

/// The parts of the agents' release that rules know.
const ARC: &str = include_str!("charts/azure-arc.yaml");
