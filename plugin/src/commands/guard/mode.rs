//! `guard mode`: sets the mode of the guard, or of one of its rules, in its ConfigMap.

use aksarc_shared::chain::Chain;
use aksarc_shared::data::{embedded, own};
use aksarc_shared::facts::actor::Ambiguous;
use aksarc_shared::rules::derive;
use aksarc_shared::rules::rule::{Mode, Rule};
use aksarc_shared::text;
use aksarc_shared::verdict::guard::{Guard, GuardConfig, Preset, Settings};
use anyhow::anyhow;
use serde_json::{Value, json};

use super::edit::ConfigEdit;
use super::installed::{FILE, GuardSite, ReadObject, config_map_path, config_text};
use crate::api::{ApiRequest, RequestError};
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::flags::KubeFlags;
use crate::commands::explain;
use crate::formats::openreports::SOURCE;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `guard mode`.
#[derive(Clone, Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    /// What the guard, or the rule, does
    #[arg(value_name = "MODE")]
    pub mode: GuardMode,
    /// Set the mode of this rule only, by code or slug; repeat it for further rules
    #[arg(long = "rule", value_name = "CODE|SLUG")]
    pub rules: Vec<String>,
    /// Only print what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// What the guard does, or a rule of it at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum GuardMode {
    /// Allow everything, and record findings
    Observe,
    /// Allow everything, and warn of what `enforce` would deny or warn of
    Warn,
    /// Deny what voids support, and warn of what puts it at risk
    Enforce,
}

impl GuardMode {
    fn preset(self) -> Preset {
        match self {
            GuardMode::Observe => Preset::Observe,
            GuardMode::Warn => Preset::Warn,
            GuardMode::Enforce => Preset::Enforce,
        }
    }

    /// The mode of a rule to be configured; `None` where the rule's own does it.
    fn of_rule(self, rule: &Rule, settings: &Settings) -> Option<Mode> {
        match self {
            GuardMode::Observe => Some(Mode::Record),
            GuardMode::Warn => Some(Mode::Warn),
            GuardMode::Enforce if rule.mode == Mode::Off => Some(Mode::at_most(rule.heaviest(&settings.platforms()))),
            GuardMode::Enforce => None,
        }
    }
}

/// Runs `guard mode`: exit 0 when the mode is as asked for, 2 when it cannot be set so, 1 when the cluster does not take
/// it.
pub(super) async fn run(args: &Args, ui: &Ui) -> ExitResult {
    let rules = args.rules.iter().map(|word| one_rule(word, ui.name)).collect::<Result<Vec<_>, _>>()?;
    let site = GuardSite::connect(&args.kube, ui).await?;
    let map = match site.config_map().await? {
        ReadObject::There(map) => Some(map),
        ReadObject::Absent => None,
        ReadObject::Unseen(why) => return Err(Failure::run(anyhow!("{why}; {}", RIGHTS.replace("NAME", ui.name)))),
    };
    let change = ModeChange::of(map.as_ref(), args.mode, &rules)?;
    if change.lines.is_empty() {
        ui.print(&format!("nothing to change: {}\n", change.present))?;
        return Ok(0);
    }
    if let Some(owner) = map.as_ref().and_then(MapWriter::of) {
        return Err(Failure::input(anyhow!(
            "{} in {} is written by {}, which would undo the change. Nothing was changed. {}",
            own::SERVICE,
            own::NAMESPACE,
            owner.name(),
            owner.advice(&change.values)
        )));
    }
    let place = format!("configmap/{} in {}", own::SERVICE, own::NAMESPACE);
    let mut out = if args.dry_run {
        format!("{place} would be changed:\n")
    } else {
        write(&site, map.as_ref(), &change.text, ui).await?;
        format!("{place} was {}:\n", if map.is_some() { "changed" } else { "created" })
    };
    out.extend(change.lines.iter().map(|line| format!("  {line}\n")));
    if !args.dry_run {
        out.extend([format!("It is in use within a minute or so; look: {} guard status\n", ui.name)]);
        out.extend(change.undo(ui.name).iter().map(|line| format!("undo: {line}\n")));
    }
    ui.print(&ui.look().fit(out))?;
    for note in &change.notes {
        ui.note(&format!("note: {note}"));
    }
    Ok(0)
}

fn one_rule(word: &str, own_name: &str) -> Result<&'static Rule, Failure> {
    let rules = explain::select(word, own_name).map_err(Failure::input)?;
    match rules.as_slice() {
        [rule] if rule.change.is_some() => Ok(*rule),
        [rule] => Err(Failure::input(anyhow!("--rule {}: it judges no change, so it has no mode", rule.code))),
        _ => Err(Failure::input(anyhow!("--rule {}: name one rule", text::line(word, 80)))),
    }
}

/// A change of the configuration, checked before anything is written.
#[derive(Debug)]
struct ModeChange {
    /// The text that the ConfigMap gets.
    text: String,
    /// What changes, a line each; empty where nothing does.
    lines: Vec<String>,
    /// What is there already.
    present: String,
    /// The commands' arguments that undo it, or `None` where no command does.
    undo: Vec<Option<String>>,
    /// Fields and values, as a chart takes them.
    values: Vec<(String, String)>,
    notes: Vec<String>,
}

impl ModeChange {
    fn of(map: Option<&Value>, mode: GuardMode, rules: &[&'static Rule]) -> Result<Self, Failure> {
        let text = match map {
            Some(map) => config_text(map).ok_or_else(|| {
                Failure::input(anyhow!("the ConfigMap {} has no key {FILE}, which the guard reads", own::SERVICE))
            })?,
            None => EMPTY,
        };
        let before = settings(text).map_err(|error| {
            Failure::input(anyhow!("the configuration in the cluster cannot be used: {error}; mend it first"))
        })?;
        let (mut after, mut edits, mut lines, mut undo, mut values) =
            (before.clone(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        if rules.is_empty() {
            after.mode = mode.preset();
            values.push(("config.mode".to_owned(), after.mode.as_str().to_owned()));
            if before.mode != after.mode {
                let word = after.mode.as_str();
                edits.push(ConfigEdit::Mode(word));
                lines.push(format!("mode: {} -> {word}", before.mode.as_str()));
                undo.push(Some(before.mode.as_str().to_owned()));
            }
        }
        for rule in rules {
            let names = [rule.code.as_str().to_owned(), rule.slug.to_owned()];
            let is_own = |key: &String| names.iter().any(|name| name.eq_ignore_ascii_case(key));
            let old = before.rules.iter().find(|(key, _)| is_own(key)).map(|(key, mode)| (key.clone(), *mode));
            let new = mode.of_rule(rule, &before);
            let shown = |mode: Option<Mode>| {
                mode.map_or_else(
                    || format!("{}, which is its own", rule.mode.as_str()),
                    |mode| mode.as_str().to_owned(),
                )
            };
            let chart = new.map_or("null", Mode::as_str);
            values.push((format!("config.rules.{}", rule.code), chart.to_owned()));
            if old.as_ref().map(|(_, mode)| *mode) == new {
                continue;
            }
            lines.push(format!(
                "rules: {}: {} -> {}",
                rule.code,
                shown(old.as_ref().map(|(_, mode)| *mode)),
                shown(new)
            ));
            undo.push(match old.as_ref().map(|(_, mode)| *mode) {
                None | Some(Mode::Deny) => Some(format!("enforce --rule {}", rule.code)),
                Some(Mode::Record) => Some(format!("observe --rule {}", rule.code)),
                Some(Mode::Warn) => Some(format!("warn --rule {}", rule.code)),
                Some(Mode::Off) => None,
            });
            after.rules.retain(|key, _| !is_own(key));
            let key = old.map_or_else(|| rule.code.as_str().to_owned(), |(key, _)| key);
            after.rules.extend(new.map(|mode| (key.clone(), mode)));
            let [code, slug] = names;
            edits.push(ConfigEdit::Rule { names: vec![code, slug, key], mode: new.map(Mode::as_str) });
        }
        let present = if rules.is_empty() {
            format!("the mode is {}", before.mode.as_str())
        } else {
            "the rules have these modes".to_owned()
        };
        let fresh = edits.iter().try_fold(text.to_owned(), |text, edit| edit.apply(&text));
        // What was edited as text has to mean what was asked for, and nothing else.
        let fresh = fresh.filter(|fresh| settings(fresh).is_ok_and(|read| read == after));
        let guard = Guard::new(embedded(), after.clone()).map_err(|error| Failure::input(anyhow!("{error}")))?;
        let Some(text) = fresh else {
            let wanted: Vec<String> = values
                .iter()
                .map(|(field, value)| format!("{}: {value}", field.trim_start_matches("config.")))
                .collect();
            return Err(Failure::input(anyhow!(
                "the configuration is written in a way that this command does not change: set {} in it by hand (kubectl -n {} edit configmap {})",
                wanted.join(", "),
                own::NAMESPACE,
                own::SERVICE
            )));
        };
        let mut notes = guard.notes();
        let asked = |settings: &Settings| {
            let both = [derive::watched(&settings.rules), derive::watched_everywhere(&settings.rules)];
            both.map(|watched| watched.iter().map(|one| (one.resource(), one.operations.len())).collect::<Vec<_>>())
        };
        if asked(&before) != asked(&after) {
            notes.push(
                "the API server has to ask the guard about other requests now: apply the manifest anew, with this configuration \
                 (aksarc-webhook manifest --config FILE)"
                    .to_owned(),
            );
        }
        if after.mode == Preset::Enforce && after.actors.ambiguous == Ambiguous::Warn && rules.is_empty() {
            notes.push(
                "deletes and `kubectl scale` by system:masters and kubeadm:cluster-admins are warned about and not refused; \
                 actors.ambiguous: deny refuses them too, once everything that acts for the platform is listed"
                    .to_owned(),
            );
        }
        if after.platform.is_none() && after.mode != Preset::Observe {
            notes.push("no platform is named, so each finding weighs what it weighs least on any: set platform in the configuration".to_owned());
        }
        Ok(ModeChange { text, lines, present, undo, values, notes })
    }

    fn undo(&self, own_name: &str) -> Vec<String> {
        let command = |words: &Option<String>| match words {
            Some(words) => format!("{own_name} guard mode {words}"),
            None => format!("kubectl -n {} edit configmap {}", own::NAMESPACE, own::SERVICE),
        };
        self.undo.iter().map(command).collect()
    }
}

fn settings(text: &str) -> Result<Settings, String> {
    GuardConfig::read(text.as_bytes())
        .map(GuardConfig::settings)
        .map_err(|error| text::line(&Chain(&error).to_string(), 300))
}

/// A program that writes the ConfigMap again and again.
#[derive(Debug, PartialEq, Eq)]
enum MapWriter {
    ArgoCd(String),
    Flux(String),
    Helm {
        release: String,
        /// The namespace in which the release is stored.
        namespace: String,
    },
}

impl MapWriter {
    fn of(map: &Value) -> Option<Self> {
        let mark = |kind: &str, key: &str| {
            let value = map.get("metadata")?.get(kind)?.get(key)?.as_str()?;
            Some(text::line(value, 120))
        };
        if let Some(name) =
            mark("labels", "helm.toolkit.fluxcd.io/name").or_else(|| mark("labels", "kustomize.toolkit.fluxcd.io/name"))
        {
            return Some(MapWriter::Flux(name));
        }
        if let Some(id) = mark("annotations", "argocd.argoproj.io/tracking-id")
            .or_else(|| mark("labels", "argocd.argoproj.io/instance"))
        {
            return Some(MapWriter::ArgoCd(id.split(':').next().unwrap_or_default().to_owned()));
        }
        let release = mark("annotations", "meta.helm.sh/release-name");
        let namespace = mark("annotations", "meta.helm.sh/release-namespace").unwrap_or(own::NAMESPACE.to_owned());
        match (release, mark("labels", "app.kubernetes.io/managed-by").as_deref()) {
            (Some(release), _) => Some(MapWriter::Helm { release, namespace }),
            (None, Some("Helm")) => Some(MapWriter::Helm { release: "RELEASE".to_owned(), namespace }),
            _ => None,
        }
    }

    fn name(&self) -> String {
        match self {
            MapWriter::ArgoCd(application) => format!("Argo CD, application {application}"),
            MapWriter::Flux(name) => format!("Flux, object {name}"),
            MapWriter::Helm { release, .. } => format!("Helm, release {release}"),
        }
    }

    fn advice(&self, values: &[(String, String)]) -> String {
        let set: Vec<String> = values.iter().map(|(field, value)| format!("{field}={value}")).collect();
        match self {
            MapWriter::Helm { release, namespace } => format!(
                "Change its values: helm upgrade {release} CHART --namespace {namespace} --reuse-values --set {}",
                set.join(",")
            ),
            MapWriter::ArgoCd(_) | MapWriter::Flux(_) => {
                format!("Change its source: in the chart's values that is {}", set.join(", "))
            }
        }
    }
}

/// Writes the configuration, unless somebody else has since it was read.
#[expect(clippy::disallowed_methods, reason = "one of the two commands that write")]
async fn write(site: &GuardSite, map: Option<&Value>, config: &str, ui: &Ui) -> Result<(), Failure> {
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": own::SERVICE, "namespace": own::NAMESPACE},
        "data": {FILE: config},
    });
    if let Some(version) = map.and_then(|map| map.pointer("/metadata/resourceVersion"))
        && let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut)
    {
        meta.insert("resourceVersion".to_owned(), version.clone());
    }
    let what = format!("the ConfigMap {} in {}", own::SERVICE, own::NAMESPACE);
    let request = ApiRequest::apply(&config_map_path(own::SERVICE), SOURCE, &object).named(format!("change {what}"));
    let unchanged = |error: RequestError| Failure::run(anyhow!(error.concluding("Nothing was changed")));
    let reply = site.session.sender().ask(&request).await.map_err(unchanged)?;
    if reply.status.is_success() {
        return Ok(());
    }
    let advice = match reply.status.as_u16() {
        // A policy says itself what opens it.
        403 if reply.message().contains("ValidatingAdmissionPolicy") => String::new(),
        403 => format!("; {}", RIGHTS.replace("NAME", ui.name)),
        404 => "; install the guard first".to_owned(),
        409 => "; somebody else has changed it: try again".to_owned(),
        _ => String::new(),
    };
    let words = text::line(&reply.message(), 300);
    Err(Failure::run(anyhow!("cannot change {what}: {} {words}{advice}. Nothing was changed", reply.status.as_u16())))
}

const RIGHTS: &str = "the rights are in the roles that `NAME guard roles` prints";

/// The configuration of a guard that has none.
const EMPTY: &str = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\n";

pub(super) const EXAMPLES: &str = "\
A rule of its own mode never does more than the guard's mode: with `observe` all rules observe.

Exit codes: 0 the mode is as asked for, 2 it cannot be set here, 1 the cluster refuses it.

Examples:
  # From recording to warnings, after `guard observed` shows nothing that is not to be warned of
  kubectl aksarc guard mode warn

  # Enforce, but let one rule only warn for a while
  kubectl aksarc guard mode warn --rule AA303
  kubectl aksarc guard mode enforce

  # What would change?
  kubectl aksarc guard mode enforce --dry-run";

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::rules::catalogue;

    fn map(text: &str) -> Value {
        json!({"metadata": {}, "data": {FILE: text}})
    }

    fn rule(code: &str) -> &'static Rule {
        catalogue::find(code).unwrap()
    }

    #[test]
    fn a_mode_says_what_changes_and_how_to_undo_it() {
        let present = map(&format!("{EMPTY}mode: observe # first\nplatform: azure-local\n"));
        let change = ModeChange::of(Some(&present), GuardMode::Enforce, &[]).unwrap();
        assert_eq!(change.lines, ["mode: observe -> enforce"]);
        assert_eq!(change.text, format!("{EMPTY}mode: enforce # first\nplatform: azure-local\n"));
        assert_eq!(change.undo("k"), ["k guard mode observe"]);
        assert!(change.notes[0].contains("warned about and not refused"), "{:?}", change.notes);
        let same = ModeChange::of(Some(&present), GuardMode::Observe, &[]).unwrap();
        assert_eq!((same.lines.len(), &*same.present), (0, "the mode is observe"));
        let fresh = ModeChange::of(None, GuardMode::Warn, &[]).unwrap();
        assert_eq!(fresh.text, format!("{EMPTY}mode: warn\n"));
        assert!(fresh.notes.iter().any(|note| note.contains("no platform is named")));
    }

    #[test]
    fn a_rule_gets_a_mode_and_back_its_own() {
        let present = map(&format!("{EMPTY}mode: enforce\nplatform: azure-local\n"));
        let quiet = ModeChange::of(Some(&present), GuardMode::Observe, &[rule("AA303")]).unwrap();
        assert_eq!(quiet.lines, ["rules: AA303: deny, which is its own -> record"]);
        assert_eq!(quiet.undo("k"), ["k guard mode enforce --rule AA303"]);
        let back = ModeChange::of(Some(&map(&quiet.text)), GuardMode::Enforce, &[rule("AA303")]).unwrap();
        assert_eq!(back.lines, ["rules: AA303: record -> deny, which is its own"]);
        assert_eq!(settings(&back.text).unwrap().rules.len(), 0);
        // Of one that was off, the API server may not ask the guard yet.
        let off = map(&format!("{EMPTY}mode: enforce\nplatform: azure-local\nrules: {{AA308: \"off\"}}\n"));
        let on = ModeChange::of(Some(&off), GuardMode::Enforce, &[rule("AA308")]).unwrap();
        assert!(on.notes.iter().any(|note| note.contains("apply the manifest anew")), "{:?}", on.notes);
        assert_eq!(on.undo("k"), ["kubectl -n aksarc-system edit configmap guard"]);
    }

    #[test]
    fn what_cannot_be_used_or_changed_is_refused() {
        let refused = |text: &str| ModeChange::of(Some(&map(text)), GuardMode::Warn, &[]).unwrap_err().to_string();
        assert!(refused("mode: enforced\n").contains("the configuration in the cluster cannot be used"));
        let odd = format!("{EMPTY}\"mode\": observe\n");
        assert!(refused(&odd).contains("set mode: warn in it by hand"), "{}", refused(&odd));
        let other = json!({"data": {"other.yaml": ""}});
        assert!(
            ModeChange::of(Some(&other), GuardMode::Warn, &[]).unwrap_err().to_string().contains("no key guard.yaml")
        );
    }

    #[test]
    fn who_writes_the_configmap_is_told_from_its_marks() {
        let of = |meta: Value| MapWriter::of(&json!({"metadata": meta}));
        assert_eq!(of(json!({})), None);
        let helm = of(json!({"annotations": {"meta.helm.sh/release-name": "guard"}})).unwrap();
        assert_eq!(helm.name(), "Helm, release guard");
        let values = [("config.mode".to_owned(), "warn".to_owned())];
        assert!(
            helm.advice(&values)
                .contains("helm upgrade guard CHART --namespace aksarc-system --reuse-values --set config.mode=warn")
        );
        let stored = json!({"meta.helm.sh/release-name": "guard", "meta.helm.sh/release-namespace": "default"});
        let stored = of(json!({"annotations": stored})).unwrap().advice(&values);
        assert!(stored.contains("helm upgrade guard CHART --namespace default --reuse-values"), "{stored}");
        let argo = of(json!({"annotations": {"argocd.argoproj.io/tracking-id": "app:/ConfigMap:a/b"}})).unwrap();
        assert_eq!(argo, MapWriter::ArgoCd("app".to_owned()));
        assert!(
            of(json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "k"}}))
                .unwrap()
                .advice(&values)
                .contains("config.mode=warn")
        );
    }
}
