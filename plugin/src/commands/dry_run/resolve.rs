//! The step from clap's arguments to a rehearsal. Every argument error is found here, before the first request.

use aksarc_shared::finding::Consequence;
use aksarc_shared::k8s::read::yaml;
use anyhow::{Context as _, Error, bail};
use jiff::Timestamp;
use serde_json::Value;

use super::flags::FileFlags;
use super::verbs::{CordonArgs, DeleteArgs, MetadataArgs, PatchArgs, PatchType, ScaleArgs, TaintArgs, VerbArgs};
use crate::dry_run::edit::{self, Existing, MetadataPlace};
use crate::dry_run::gate;
use crate::dry_run::request::{Scheduling, Verb};
use crate::dry_run::run::{NamespaceChoice, Rehearsal, Targets};
use crate::dry_run::target::Choice;
use crate::dry_run::write::Method;
use crate::input::settings::read;
use crate::screen::ui::Ui;

impl VerbArgs {
    /// The rehearsal for these arguments. Waivers of the cluster are added to its settings later.
    ///
    /// # Errors
    /// An argument makes no sense, or a file cannot be read.
    pub(super) fn rehearsal(&self, ui: &Ui) -> anyhow::Result<Rehearsal> {
        let (verb, targets) = self.resolve()?;
        let common = self.common();
        let (settings, source) = common.judging.settings(ui)?;
        let all = self.choice().is_some_and(|choice| choice.all_namespaces);
        let ignore_not_found = match self {
            VerbArgs::Delete(args) => args.ignore_not_found || args.choice.choice().is_list(),
            _ => false,
        };
        Ok(Rehearsal {
            verb,
            targets,
            namespace: match (all, &common.namespace) {
                (true, given) => NamespaceChoice::All { given: given.clone() },
                (false, Some(given)) => NamespaceChoice::Given(given.clone()),
                (false, None) => NamespaceChoice::Context,
            },
            ignore_not_found,
            settings,
            source,
            now: common.judging.as_of.unwrap_or_else(Timestamp::now),
            fail_on: Consequence::parse(&common.judging.fail_on).unwrap_or(Consequence::Voids),
            fresh: gate::FRESH,
        })
    }

    fn resolve(&self) -> anyhow::Result<(Verb, Targets)> {
        match self {
            VerbArgs::Annotate(args) => metadata(args, MetadataPlace::Annotations),
            VerbArgs::Label(args) => metadata(args, MetadataPlace::Labels),
            VerbArgs::Taint(args) => taint(args),
            VerbArgs::Patch(args) => patch(args),
            VerbArgs::Scale(args) => scale(args),
            VerbArgs::Delete(args) => delete(args),
            VerbArgs::Cordon(args) => cordon(args, Scheduling::Disabled),
            VerbArgs::Uncordon(args) => cordon(args, Scheduling::Enabled),
            VerbArgs::Apply(args) => {
                let own = if args.server_side { "kubectl" } else { "kubectl-client-side-apply" };
                let verb = Verb::Apply {
                    server_side: args.server_side,
                    force_conflicts: args.force_conflicts,
                    validation: args.validation.validate,
                    manager: args.manager.or(own),
                };
                let mut manifests = args.files.read()?;
                manifests.retain(|manifest| args.selector.selects(&manifest.object));
                if manifests.is_empty() {
                    bail!("no objects passed to apply");
                }
                Ok((verb, Targets::Manifests(manifests)))
            }
        }
    }
}

/// The objects that arguments or files name. Both together are an error.
fn targets(words: &[String], choice: Choice, files: &FileFlags) -> anyhow::Result<Targets> {
    choice.check().map_err(Error::msg)?;
    let manifests = files.read()?;
    if manifests.is_empty() {
        return Ok(Targets::Arguments { words: words.to_vec(), choice });
    }
    if !words.is_empty() {
        bail!("give objects by name or with -f or -k, not both");
    }
    Ok(Targets::Manifests(manifests))
}

fn metadata(args: &MetadataArgs, place: MetadataPlace) -> anyhow::Result<(Verb, Targets)> {
    let (what, own) = match place {
        MetadataPlace::Annotations => ("annotation", "kubectl-annotate"),
        MetadataPlace::Labels => ("label", "kubectl-label"),
    };
    let (words, edits) = edit::split_arguments(&args.arguments, what, edit::is_pair).map_err(Error::msg)?;
    let verb = Verb::Metadata {
        place,
        pairs: edit::pairs(place, edits).map_err(Error::msg)?,
        existing: Existing::of(args.overwrite),
        resource_version: args.version.resource_version.clone(),
        manager: args.manager.or(own),
    };
    Ok((verb, targets(words, args.choice.choice(), &args.files)?))
}

fn taint(args: &TaintArgs) -> anyhow::Result<(Verb, Targets)> {
    let (words, edits) = edit::split_arguments(&args.arguments, "taint", edit::is_taint).map_err(Error::msg)?;
    if let Some(slashed) = words.iter().find(|word| word.contains('/')) {
        bail!("the server doesn't have a resource type \"{slashed}\": kubectl taint takes node NAME, not node/NAME");
    }
    let verb = Verb::Taint {
        taints: edit::taints(edits).map_err(Error::msg)?,
        existing: Existing::of(args.overwrite),
        validation: args.validation.validate,
        manager: args.manager.or("kubectl-taint"),
    };
    Ok((verb, targets(words, args.selection.choice(), &FileFlags::default())?))
}

fn patch(args: &PatchArgs) -> anyhow::Result<(Verb, Targets)> {
    let text = match (&args.patch, &args.patch_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => read(path).context("--patch-file")?,
        (None, None) => bail!("--patch or --patch-file is needed"),
    };
    let body = match text.trim_start() {
        // A JSON Patch is a list, so it is not a document of a manifest.
        list if list.starts_with('[') => serde_json::from_str(list).context("the patch is not JSON")?,
        _ => yaml::parse::<Value>(&text).context("the patch is neither JSON nor YAML")?,
    };
    let method = match args.patch_type {
        PatchType::Json => Method::PatchJson,
        PatchType::Merge => Method::PatchMerge,
        PatchType::Strategic => Method::PatchStrategic,
    };
    if body.is_array() != (method == Method::PatchJson) {
        bail!("a patch of --type json is a list of operations, and one of any other type is an object");
    }
    let verb = Verb::Patch {
        method,
        patch: body,
        subresource: args.subresource.clone().unwrap_or_default(),
        manager: args.manager.or("kubectl-patch"),
    };
    Ok((verb, targets(&args.arguments, Choice::default(), &args.files)?))
}

fn scale(args: &ScaleArgs) -> anyhow::Result<(Verb, Targets)> {
    let verb = Verb::Scale {
        replicas: args.replicas,
        current: u32::try_from(args.current_replicas).ok(),
        resource_version: args.version.resource_version.clone(),
    };
    Ok((verb, targets(&args.arguments, args.selection.choice(), &args.files)?))
}

fn cordon(args: &CordonArgs, scheduling: Scheduling) -> anyhow::Result<(Verb, Targets)> {
    // The arguments are names alone; kubectl takes TYPE/NAME too.
    let words = if args.selector.is_empty() {
        args.nodes.iter().map(|name| if name.contains('/') { name.clone() } else { format!("node/{name}") }).collect()
    } else {
        vec!["node".to_owned()]
    };
    let choice = Choice { selector: args.selector.clone(), ..Choice::default() };
    Ok((Verb::Cordon(scheduling), targets(&words, choice, &FileFlags::default())?))
}

fn delete(args: &DeleteArgs) -> anyhow::Result<(Verb, Targets)> {
    if args.now && args.grace_period != -1 {
        bail!("--now and --grace-period cannot be specified together");
    }
    if args.force && args.grace_period > 0 {
        bail!("--force and --grace-period greater than 0 cannot be specified together");
    }
    // As in kubectl, a grace period of 0 becomes 1 unless forced, and `--force` implies 0 unless another one is given.
    let grace_period = match (args.grace_period, args.now, args.force) {
        (_, true, _) | (0, _, false) => Some(1),
        (given, _, true) if given <= 0 => Some(0),
        (given, ..) if given < 0 => None,
        (given, ..) => Some(given),
    };
    let propagation = match args.cascade.as_str() {
        "orphan" | "false" => "Orphan",
        "foreground" => "Foreground",
        _ => "Background",
    };
    let verb = Verb::Delete { propagation: propagation.to_owned(), grace_period };
    Ok((verb, targets(&args.arguments, args.choice.choice(), &args.files)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::dry_run::Args;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: Args,
    }

    fn rehearsal(line: &[&str]) -> anyhow::Result<Rehearsal> {
        let words = std::iter::once("program").chain(line.iter().copied());
        Program::try_parse_from(words)?.args.verb.rehearsal(&Ui::new("kubectl aksarc", None))
    }

    #[test]
    fn the_flags_are_sound() {
        use clap::CommandFactory as _;
        Program::command().debug_assert();
    }

    #[test]
    fn each_verb_has_kubectls_field_manager() {
        let manager = |line: &[&str]| rehearsal(line).unwrap().verb.manager().to_owned();
        assert_eq!(manager(&["label", "node", "a", "b=c"]), "kubectl-label");
        assert_eq!(manager(&["annotate", "node", "a", "b=c"]), "kubectl-annotate");
        assert_eq!(manager(&["annotate", "node", "a", "b=c", "--field-manager", "own"]), "own");
        assert_eq!(manager(&["taint", "node", "a", "b:NoExecute"]), "kubectl-taint");
        assert_eq!(manager(&["patch", "node", "a", "-p", "{}"]), "kubectl-patch");
        assert_eq!(manager(&["scale", "deploy/a", "--replicas=0"]), "");
        assert_eq!(manager(&["delete", "node", "a"]), "");
        assert_eq!(manager(&["cordon", "a"]), "");
        assert_eq!(manager(&["delete", "node", "a", "--dry-run=server"]), "");
    }

    #[test]
    fn a_delete_ends_objects_as_kubectl_would() {
        let grace = |flags: &[&str]| {
            let line: Vec<&str> = ["delete", "pod", "a"].iter().chain(flags).copied().collect();
            match rehearsal(&line).unwrap().verb {
                Verb::Delete { grace_period, propagation } => (grace_period, propagation),
                _ => (None, String::new()),
            }
        };
        let background = |seconds| (seconds, "Background".to_owned());
        assert_eq!(grace(&[]), background(None));
        assert_eq!(grace(&["--grace-period=0"]), background(Some(1)));
        assert_eq!(grace(&["--force"]), background(Some(0)));
        assert_eq!(grace(&["--now"]), background(Some(1)));
        assert_eq!(grace(&["--grace-period", "30", "--cascade=orphan"]), (Some(30), "Orphan".to_owned()));
        assert_eq!(grace(&["--cascade"]), background(None));
        let refused =
            |flag: &str| rehearsal(&["delete", "pod", "a", flag, "--grace-period=3"]).err().unwrap().to_string();
        assert_eq!(refused("--now"), "--now and --grace-period cannot be specified together");
        assert_eq!(refused("--force"), "--force and --grace-period greater than 0 cannot be specified together");
    }

    #[test]
    fn patches_are_yaml_or_json_and_fit_their_type() {
        let patch = |body: &str, kind: &str| rehearsal(&["patch", "node", "a", "-p", body, "--type", kind]);
        assert!(matches!(
            patch("spec:\n  unschedulable: true", "strategic").unwrap().verb,
            Verb::Patch { method: Method::PatchStrategic, .. }
        ));
        assert!(patch("[{\"op\":\"remove\",\"path\":\"/a\"}]", "JSON").is_ok());
        let refused = |body: &str, kind: &str| patch(body, kind).err().unwrap().to_string();
        for (body, kind) in [("[]", "merge"), ("{}", "json")] {
            assert!(refused(body, kind).starts_with("a patch of --type json is a list of operations"), "{body}");
        }
        assert_eq!(refused("[", "json"), "the patch is not JSON");
        let neither = rehearsal(&["patch", "node", "a"]).err().unwrap().to_string();
        assert!(neither.contains("--patch <PATCH>"), "{neither}");
    }

    #[test]
    fn objects_are_given_by_name_by_choice_or_by_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n").unwrap();
        let path = file.path().to_str().unwrap();
        let targets = |line: &[&str]| rehearsal(line).map(|rehearsal| rehearsal.targets);
        assert!(matches!(targets(&["delete", "-f", path]).unwrap(), Targets::Manifests(found) if found.len() == 1));
        let refused = targets(&["delete", "pod", "a", "-f", path]).unwrap_err();
        assert_eq!(refused.to_string(), "give objects by name or with -f or -k, not both");
        let chosen = targets(&["taint", "node", "--all", "a:NoExecute"]).unwrap();
        let choice = Choice { all: true, ..Choice::default() };
        assert_eq!(chosen, Targets::Arguments { words: vec!["node".to_owned()], choice });
        let refused = targets(&["delete", "pod", "--all", "-l", "a=b"]).unwrap_err().to_string();
        assert!(refused.contains("--all") && refused.contains("--selector"), "{refused}");
    }

    #[test]
    fn nodes_are_cordoned_by_name_or_by_label() {
        let targets = |line: &[&str]| rehearsal(line).map(|rehearsal| (rehearsal.verb, rehearsal.targets));
        let named = |words: &[&str]| Targets::Arguments {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            choice: Choice::default(),
        };
        let cordon = Verb::Cordon(Scheduling::Disabled);
        assert_eq!(targets(&["cordon", "a", "node/b"]).unwrap(), (cordon, named(&["node/a", "node/b"])));
        let chosen = Targets::Arguments {
            words: vec!["node".to_owned()],
            choice: Choice { selector: "pool=a".to_owned(), ..Choice::default() },
        };
        assert_eq!(targets(&["uncordon", "-l", "pool=a"]).unwrap(), (Verb::Cordon(Scheduling::Enabled), chosen));
        for (line, named) in [(&["cordon"][..], "<NODE>"), (&["cordon", "a", "-l", "pool=a"], "--selector")] {
            let said = targets(line).unwrap_err().to_string();
            assert!(said.contains(named), "{said}");
        }
    }

    #[test]
    fn a_given_namespace_is_told_from_the_contexts() {
        let namespace = |line: &[&str]| rehearsal(line).unwrap().namespace;
        assert_eq!(namespace(&["delete", "pod", "a"]), NamespaceChoice::Context);
        assert_eq!(namespace(&["delete", "pod", "a", "-n", "b"]), NamespaceChoice::Given("b".to_owned()));
        assert_eq!(namespace(&["delete", "pod", "--all", "-A"]), NamespaceChoice::All { given: None });
        assert!(rehearsal(&["delete", "pod", "--all"]).unwrap().ignore_not_found);
        assert!(!rehearsal(&["delete", "pod", "a"]).unwrap().ignore_not_found);
    }

    #[test]
    fn arguments_that_kubectl_refuses_are_refused_before_any_request() {
        for (line, words) in [
            (&["label", "node", "a"][..], "at least one label update is required"),
            (&["label", "node", "a=b", "c"], "all resources must be specified before label changes: c"),
            (&["taint", "node", "a", "b"], "at least one taint update is required"),
            (&["scale", "deploy/a"], "--replicas"),
            (&["apply"], "--filename"),
        ] {
            let said = rehearsal(line).err().unwrap().to_string();
            assert!(said.contains(words), "{line:?}: {said}");
        }
    }
}
