//! What a command line says, read: what is wrong with it is told before anything is sent.

use std::path::PathBuf;

use aksarc_shared::read::yaml;
use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

use super::verbs::{Choose, Command, Delete, Metadata, Patch, PatchType, Scale, Taint};
use crate::dry_run::edit::{self, Place};
use crate::dry_run::request::Verb;
use crate::dry_run::target::Choice;
use crate::dry_run::write::Method;
use crate::input::documents::Depth;
use crate::input::manifests::{self, Manifest};
use crate::input::settings::read;

/// What a command line says, read.
pub(super) struct Given {
    pub(super) verb: Verb,
    pub(super) words: Vec<String>,
    pub(super) choice: Choice,
    pub(super) manifests: Vec<Manifest>,
    pub(super) all_namespaces: bool,
    pub(super) ignore_not_found: bool,
}

impl Given {
    fn of(verb: Verb, words: &[String]) -> Self {
        Given {
            verb,
            words: words.to_vec(),
            choice: Choice::default(),
            manifests: Vec::new(),
            all_namespaces: false,
            ignore_not_found: false,
        }
    }

    fn chosen(mut self, choose: &Choose) -> Self {
        self.choice = Choice {
            all: choose.all,
            selector: choose.selector.clone(),
            field_selector: choose.field_selector.clone(),
        };
        self.all_namespaces = choose.all_namespaces;
        self
    }

    fn from(mut self, files: &[PathBuf], depth: Depth) -> anyhow::Result<Self> {
        if !files.is_empty() {
            self.manifests = manifests::read(files, depth)?;
        }
        Ok(self)
    }
}

impl Command {
    pub(super) fn given(&self) -> anyhow::Result<Given> {
        match self {
            Command::Annotate(args) => metadata(args, Place::Annotations),
            Command::Label(args) => metadata(args, Place::Labels),
            Command::Taint(args) => taint(args),
            Command::Patch(args) => patch(args),
            Command::Scale(args) => scale(args),
            Command::Delete(args) => delete(args),
            Command::Apply(args) => {
                let own = if args.server_side { "kubectl" } else { "kubectl-client-side-apply" };
                let verb = Verb::Apply {
                    server_side: args.server_side,
                    force_conflicts: args.force_conflicts,
                    manager: args.field_manager.clone().unwrap_or_else(|| own.to_owned()),
                };
                Given::of(verb, &[]).from(&args.filename, if args.recursive { Depth::Recursive } else { Depth::Flat })
            }
        }
    }
}

fn metadata(args: &Metadata, place: Place) -> anyhow::Result<Given> {
    let (what, own) = match place {
        Place::Annotations => ("annotation", "kubectl-annotate"),
        Place::Labels => ("label", "kubectl-label"),
    };
    let (words, edits) =
        edit::split_arguments(&args.arguments, what, edit::is_pair).map_err(|message| anyhow!(message))?;
    let verb = Verb::Metadata {
        place,
        pairs: edit::pairs(place, edits).map_err(|message| anyhow!(message))?,
        overwrite: args.overwrite,
        resource_version: args.resource_version.clone(),
        manager: args.field_manager.clone().unwrap_or_else(|| own.to_owned()),
    };
    Given::of(verb, words).chosen(&args.choose).from(&args.files.filename, args.files.depth())
}

fn taint(args: &Taint) -> anyhow::Result<Given> {
    let (words, edits) =
        edit::split_arguments(&args.arguments, "taint", edit::is_taint).map_err(|message| anyhow!(message))?;
    let verb = Verb::Taint {
        taints: edit::taints(edits).map_err(|message| anyhow!(message))?,
        overwrite: args.overwrite,
        manager: args.field_manager.clone(),
    };
    let mut given = Given::of(verb, words);
    given.choice = Choice { all: args.all, selector: args.selector.clone(), field_selector: String::new() };
    Ok(given)
}

fn patch(args: &Patch) -> anyhow::Result<Given> {
    let text = match (&args.patch, &args.patch_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => read(path)?,
        (None, None) => bail!("--patch or --patch-file is needed"),
    };
    let body = match text.trim_start() {
        // A JSON Patch is a list, which is no document of a manifest.
        list if list.starts_with('[') => serde_json::from_str(list).context("the patch is no JSON")?,
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
    let subresource = args.subresource.clone().unwrap_or_default();
    let verb = Verb::Patch { method, patch: body, subresource, manager: args.field_manager.clone() };
    Given::of(verb, &args.arguments).from(&args.files.filename, args.files.depth())
}

fn scale(args: &Scale) -> anyhow::Result<Given> {
    let verb = Verb::Scale {
        replicas: args.replicas,
        current: u32::try_from(args.current_replicas).ok(),
        resource_version: args.resource_version.clone(),
    };
    let mut given = Given::of(verb, &args.arguments);
    given.choice = Choice { all: args.all, selector: args.selector.clone(), field_selector: String::new() };
    given.from(&args.files.filename, args.files.depth())
}

fn delete(args: &Delete) -> anyhow::Result<Given> {
    if args.now && args.grace_period != -1 {
        bail!("--now and --grace-period cannot be specified together");
    }
    if args.force && args.grace_period > 0 {
        bail!("--force and --grace-period greater than 0 cannot be specified together");
    }
    // As kubectl: a grace period of 0 is 1 unless forced, and forced is 0 unless told otherwise.
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
    let mut given = Given::of(verb, &args.arguments).chosen(&args.choose);
    given.ignore_not_found = args.ignore_not_found || given.choice.is_list();
    given.from(&args.files.filename, args.files.depth())
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

    fn given(line: &[&str]) -> anyhow::Result<Given> {
        let words = std::iter::once("program").chain(line.iter().copied());
        Program::try_parse_from(words)?.args.verb.given()
    }

    #[test]
    fn the_flags_are_sound() {
        use clap::CommandFactory as _;
        Program::command().debug_assert();
    }

    #[test]
    fn each_verb_has_kubectls_field_manager() {
        let manager = |line: &[&str]| given(line).unwrap().verb.manager().to_owned();
        assert_eq!(manager(&["label", "node", "a", "b=c"]), "kubectl-label");
        assert_eq!(manager(&["annotate", "node", "a", "b=c"]), "kubectl-annotate");
        assert_eq!(manager(&["annotate", "node", "a", "b=c", "--field-manager", "own"]), "own");
        assert_eq!(manager(&["taint", "node", "a", "b:NoExecute"]), "kubectl-taint");
        assert_eq!(manager(&["patch", "node", "a", "-p", "{}"]), "kubectl-patch");
        assert_eq!(manager(&["scale", "deploy/a", "--replicas=0"]), "");
        assert_eq!(manager(&["delete", "node", "a"]), "");
        assert_eq!(manager(&["delete", "node", "a", "--dry-run=server"]), "");
    }

    #[test]
    fn a_delete_ends_objects_as_kubectl_would() {
        let grace = |flags: &[&str]| {
            let line: Vec<&str> = ["delete", "pod", "a"].iter().chain(flags).copied().collect();
            match given(&line).unwrap().verb {
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
        assert!(given(&["delete", "pod", "a", "--now", "--grace-period=3"]).is_err());
        assert!(given(&["delete", "pod", "a", "--force", "--grace-period=3"]).is_err());
    }

    #[test]
    fn patches_are_yaml_or_json_and_fit_their_type() {
        let patch = |body: &str, kind: &str| given(&["patch", "node", "a", "-p", body, "--type", kind]);
        assert!(matches!(
            patch("spec:\n  unschedulable: true", "strategic").unwrap().verb,
            Verb::Patch { method: Method::PatchStrategic, .. }
        ));
        assert!(patch("[{\"op\":\"remove\",\"path\":\"/a\"}]", "JSON").is_ok());
        assert!(patch("[]", "merge").is_err() && patch("{}", "json").is_err() && patch("[", "json").is_err());
        assert!(given(&["patch", "node", "a"]).is_err());
    }

    #[test]
    fn what_kubectl_refuses_at_once_is_refused_before_anything_is_sent() {
        for line in [
            &["label", "node", "a"][..],
            &["label", "node", "a=b", "c"],
            &["taint", "node", "a", "b"],
            &["scale", "deploy/a"],
            &["apply"],
        ] {
            assert!(given(line).is_err(), "{line:?}");
        }
    }
}
