//! `waivers new`: prints a complete waiver.

use std::path::{Path, PathBuf};

use aksarc_shared::data::embedded;
use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::people::waiver::{Match, Pin, Waiver, WaiverKind};
use aksarc_shared::rules::catalogue;
use anyhow::{Context as _, anyhow, bail};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::cli::exit::{ExitResult, Failure};
use crate::commands::{complete, explain};
use crate::input::documents::{self, Depth};
use crate::input::settings::{self, moment};
use crate::input::waivers::from_file;
use crate::screen::output;
use crate::screen::ui::{Ui, UiFlags};
use crate::screen::waivers::{joined, shown};

/// Arguments of `waivers new`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// With --from: the finding's fingerprint (8 digits of it are enough), or its code and object
    #[arg(value_name = "FINGERPRINT | CODE OBJECT", num_args = 0..=2)]
    pub finding: Vec<String>,
    /// Result of a check to take the finding from: support-check --save FILE, or -o json
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub from: Option<PathBuf>,
    /// Code of the rule; repeat for several
    #[arg(long = "rule", value_name = "CODE", conflicts_with = "from")]
    pub rules: Vec<String>,
    /// Kind of the object, such as Deployment
    #[arg(long, value_name = "KIND", conflicts_with = "from")]
    pub kind: Option<String>,
    /// Namespace of the object; leave out for cluster-scoped objects
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Name of the object
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub name: Option<String>,
    /// Only this field, as reports show it; with --from it is the finding's
    #[arg(long, value_name = "PATH", conflicts_with = "from")]
    pub path: Option<String>,
    /// With --from: let the waiver lapse when the object is recreated or the value changes again
    #[arg(long, requires = "from")]
    pub pin: bool,
    /// Name of the waiver; by default made from code and object
    #[arg(long, value_name = "NAME")]
    pub waiver_name: Option<String>,
    /// A remediation of Microsoft's support module Support.AksArc: a waiver for each object that it must change
    #[arg(long, value_name = "NAME", requires = "support_case", conflicts_with_all = ["from", "rules", "kind", "namespace", "name", "path", "pin", "waiver_name"])]
    pub remediation: Option<String>,
    /// With --remediation: a node that it changes; repeat for several
    #[arg(long = "node", value_name = "NAME", requires = "remediation")]
    pub nodes: Vec<String>,
    /// End of the change: the waiver lapses when somebody changes the object after it; with --remediation a day after
    /// the beginning
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub changed_before: Option<Timestamp>,
    /// Reason
    #[arg(long, value_name = "TEXT", required_unless_present = "remediation")]
    pub reason: Option<String>,
    /// Ticket; required where the rule voids support, unless Microsoft's case stands for it
    #[arg(long, value_name = "ID")]
    pub ticket: Option<String>,
    /// Person who asks
    #[arg(long, value_name = "WHO")]
    pub requested_by: String,
    /// Person who approves, other than the one who asks; not needed with Microsoft's support case
    #[arg(long, value_name = "WHO", required_unless_present = "support_case")]
    pub approved_by: Option<String>,
    /// Length in days; at most 90 where the rule voids support, a year where Microsoft directed it and a further change
    /// ends it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), required_unless_present = "expires", conflicts_with = "expires")]
    pub days: Option<u16>,
    /// End, instead of --days
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub expires: Option<Timestamp>,
    /// Beginning, instead of now
    #[arg(long, value_name = "DATE", value_parser = moment)]
    pub not_before: Option<Timestamp>,
    /// Microsoft's support case, which makes the waiver microsoft-directed
    #[arg(long, visible_alias = "case", value_name = "NUMBER")]
    pub support_case: Option<String>,
    /// Print a SupportWaiver for kubectl apply instead of a list for a file
    #[arg(long)]
    pub resource: bool,
    /// Write the waiver to this file; it is added to an existing file of waivers
    #[arg(long, value_name = "FILE", value_parser = settings::file_or_nothing, value_hint = clap::ValueHint::FilePath)]
    pub output_file: Option<PathBuf>,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `waivers new`.
pub(super) fn run(args: &Args, ui: &Ui) -> ExitResult {
    let waivers = match &args.remediation {
        Some(name) => ready_made(name, args).map_err(Failure::input)?,
        None => vec![made(args, ui.name).map_err(Failure::input)?],
    };
    for waiver in &waivers {
        let problems = waiver.problems();
        if !problems.is_empty() {
            return Err(Failure::input(anyhow!(
                "the waiver would not be valid, so none is made: {}",
                joined(&problems)
            )));
        }
        if let Some(doubt) = waiver.matches.doubt() {
            ui.note(&format!("warning: this waiver will cover nothing: {doubt}"));
        }
    }
    let text = printed(&waivers, args.resource)?;
    let Some(path) = &args.output_file else {
        ui.print(&text)?;
        return Ok(0);
    };
    let before = already_there(path, &waivers).map_err(Failure::input)?;
    output::write(path, format!("{before}{text}").as_bytes())?;
    let names: Vec<String> = waivers.iter().map(|waiver| shown(&waiver.name)).collect();
    let word = if names.len() == 1 { "waiver" } else { "waivers" };
    ui.note(&format!("{word} {} written to {}", names.join(", "), path.display()));
    Ok(0)
}

fn made(args: &Args, own_name: &str) -> anyhow::Result<Waiver> {
    let (rules, matches, pin) = match &args.from {
        Some(path) => {
            let mut found = findings(path)?;
            found.retain(|finding| args.namespace.as_ref().is_none_or(|own| *own == finding.object.namespace));
            let finding = chosen(&found, &args.finding)?;
            let pin = if args.pin { Some(finding.pin()?) } else { None };
            (vec![finding.code.clone()], finding.matches(), pin)
        }
        None => (codes(&args.rules, own_name)?, typed(args)?, None),
    };
    let pin = match args.changed_before {
        Some(over) => Some(Pin { changed_before: Some(over), ..pin.unwrap_or_default() }),
        None => pin,
    };
    let reason = args.reason.clone().unwrap_or_default();
    let name = args.waiver_name.clone().unwrap_or_else(|| name_for(&rules, &matches));
    Ok(Waiver { name, lapses_unless: pin, ..filled(args, rules, matches, reason)? })
}

/// A waiver for each object that a remediation of Microsoft's has to change.
fn ready_made(name: &str, args: &Args) -> anyhow::Result<Vec<Waiver>> {
    let table = &embedded().remediations;
    let Some(remediation) = table.iter().find(|own| own.name.eq_ignore_ascii_case(name)) else {
        let names: Vec<&str> = table.iter().map(|own| &*own.name).collect();
        bail!("unknown remediation {}. Known ones are {}", shown(name), names.join(", "));
    };
    if remediation.objects.is_empty() {
        bail!(
            "{} {}. The objects that it changes are not known, so make a waiver from a result with --from",
            remediation.name,
            remediation.does
        );
    }
    let reason = args.reason.clone().unwrap_or_else(|| {
        format!("{} of Support.AksArc, as Microsoft Support directed: {}", remediation.name, remediation.does)
    });
    let mut waivers = Vec::new();
    for touched in &remediation.objects {
        let names = match &touched.name {
            Some(name) => std::slice::from_ref(name),
            None if args.nodes.is_empty() => bail!("{} changes nodes: name each with --node", remediation.name),
            None => &args.nodes,
        };
        for object in names {
            let matches = Match {
                kind: touched.kind.clone(),
                namespace: touched.namespace.clone(),
                name: object.clone(),
                path: touched.path.clone(),
                fingerprint: None,
            };
            let waiver = filled(args, touched.rules.clone(), matches, reason.clone())?;
            let over = waiver.not_before.and_then(|start| start.checked_add(24.hours()).ok());
            let pin = Pin { changed_before: args.changed_before.or(over), ..Pin::default() };
            let place = [&*remediation.name, &*touched.namespace, &*touched.kind, &**object];
            let words: Vec<&str> = place.into_iter().filter(|word| !word.is_empty()).collect();
            waivers.push(Waiver { name: plain(&words.join("-")), lapses_unless: Some(pin), ..waiver });
        }
    }
    Ok(waivers)
}

/// A waiver with the values of the arguments. Its name is set later.
fn filled(args: &Args, rules: Vec<String>, matches: Match, reason: String) -> anyhow::Result<Waiver> {
    // Fractions of seconds do not matter in a waiver.
    let now = Timestamp::now();
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let start = args.not_before.unwrap_or(now);
    let expires = match (args.expires, args.days) {
        (Some(expires), _) => expires,
        (None, days) => start
            .checked_add((i64::from(days.unwrap_or_default()) * 24).hours())
            .map_err(|_| anyhow!("--days leads past the end of the calendar"))?,
    };
    let kind = if args.support_case.is_some() { WaiverKind::MicrosoftDirected } else { WaiverKind::Accepted };
    Ok(Waiver {
        name: String::new(),
        rules,
        matches,
        reason,
        ticket: args.ticket.clone(),
        requested_by: args.requested_by.clone(),
        approved_by: args.approved_by.clone().unwrap_or_default(),
        not_before: Some(start),
        expires,
        kind,
        support_case: args.support_case.clone(),
        lapses_unless: None,
    })
}

fn codes(words: &[String], own_name: &str) -> anyhow::Result<Vec<String>> {
    if words.is_empty() {
        bail!("name the finding: give --rule, --kind and --name, or --from RESULT.json and a finding of it");
    }
    // A waiver names single rules: a slug is one, a category such as 2xx is not.
    let code = |word: &String| match catalogue::find(word) {
        Some(rule) => Ok(rule.code.as_str().to_owned()),
        None => match explain::select(word, own_name) {
            Ok(_) => Err(anyhow!("--rule {} names several rules; a waiver names each", shown(word))),
            Err(error) => Err(error),
        },
    };
    words.iter().map(code).collect()
}

fn typed(args: &Args) -> anyhow::Result<Match> {
    if let Some(word) = args.finding.first() {
        bail!("{} names a finding without a result: give the result with --from RESULT.json", shown(word));
    }
    let (Some(kind), Some(name)) = (&args.kind, &args.name) else {
        bail!("which object? Give --kind and --name, and --namespace where it has one");
    };
    Ok(Match {
        kind: kind.clone(),
        namespace: args.namespace.clone().unwrap_or_default(),
        name: name.clone(),
        path: args.path.clone(),
        fingerprint: None,
    })
}

/// The part of a check's result that a waiver needs.
#[derive(Deserialize)]
struct SavedResult {
    kind: String,
    #[serde(default)]
    findings: Vec<Found>,
}

/// The part of a saved finding that a waiver needs.
#[derive(Clone, Debug, Deserialize)]
struct Found {
    code: String,
    object: FoundObject,
    #[serde(default)]
    path: String,
    #[serde(default)]
    after: Option<String>,
    fingerprint: String,
}

#[derive(Clone, Debug, Deserialize)]
struct FoundObject {
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
    #[serde(default)]
    uid: String,
}

impl Found {
    fn matches(&self) -> Match {
        Match {
            kind: self.object.kind.clone(),
            namespace: self.object.namespace.clone(),
            name: self.object.name.clone(),
            path: Some(self.path.clone()).filter(|path| !path.is_empty()),
            fingerprint: None,
        }
    }

    fn pin(&self) -> anyhow::Result<Pin> {
        let uid = Some(self.object.uid.clone()).filter(|uid| !uid.is_empty());
        if uid.is_none() && self.after.is_none() {
            bail!("--pin: the finding has neither a uid nor a value to hold the waiver to");
        }
        Ok(Pin { uid, value: self.after.clone(), changed_before: None })
    }

    fn is_about(&self, word: &str) -> bool {
        let object = &self.object;
        let short = Match { path: None, ..self.matches() }.short();
        let kind = object.kind.to_lowercase();
        // kubectl takes them in this form: deploy/NAME.
        let by_kind = word.split_once('/').is_some_and(|(word, name)| {
            name == object.name && complete::kind(word).is_some_and(|known| known.kind == object.kind)
        });
        by_kind
            || [short, format!("{kind}/{}", object.name), object.name.clone()]
                .iter()
                .any(|own| own.eq_ignore_ascii_case(word))
    }

    fn words(&self) -> String {
        format!("  {} {} {}", shown(&self.fingerprint), shown(&self.code), shown(&self.matches().short()))
    }
}

fn findings(path: &Path) -> anyhow::Result<Vec<Found>> {
    let mut found = None;
    let name = path.display();
    documents::files(path, Depth::Flat, &[], &mut |file, bytes| {
        documents::each_document(file, &bytes, &mut |_, document| {
            let result: SavedResult = serde_json::from_slice(document)
                .map_err(|error| anyhow!("it has to be the result of a check (kind SupportReport): {error}"))?;
            if result.kind != "SupportReport" {
                bail!("it has to be the result of a check (kind SupportReport), and is {}", shown(&result.kind));
            }
            if found.replace(result.findings).is_some() {
                bail!("there is more than one result in it");
            }
            Ok(())
        })
    })
    .with_context(|| format!("cannot take a finding from {name}"))?;
    found.ok_or_else(|| anyhow!("{name} contains no result"))
}

fn chosen(findings: &[Found], words: &[String]) -> anyhow::Result<Found> {
    let fits = |finding: &&Found| match words {
        [print] => print.len() >= 8 && finding.fingerprint.starts_with(&print.to_lowercase()),
        [code, object] => finding.code.eq_ignore_ascii_case(code) && finding.is_about(object),
        _ => true,
    };
    let fitting: Vec<&Found> = findings.iter().filter(fits).collect();
    match (&*fitting, words) {
        (_, []) => bail!("which finding? Give its fingerprint, or its code and object:\n{}", listed(&fitting)),
        ([one], _) => Ok((*one).clone()),
        ([], [print]) if print.len() < 8 => {
            bail!("{} is too short: give at least 8 digits of a fingerprint", shown(print))
        }
        ([], _) => {
            let all: Vec<&Found> = findings.iter().collect();
            bail!("the result has no finding {}. It has:\n{}", shown(&words.join(" ")), listed(&all))
        }
        (several, _) => {
            bail!("{} findings are called so; give the fingerprint of one:\n{}", several.len(), listed(several))
        }
    }
}

fn listed(findings: &[&Found]) -> String {
    let mut lines: Vec<String> = findings.iter().take(MAX_LISTED).map(|finding| finding.words()).collect();
    if findings.is_empty() {
        lines.push("  no findings".to_owned());
    }
    if findings.len() > MAX_LISTED {
        lines.push(format!("  and {} more", findings.len() - MAX_LISTED));
    }
    lines.join("\n")
}

/// A name for a waiver that the API server accepts: `aa303-log-agent`.
fn name_for(rules: &[String], matches: &Match) -> String {
    let code = rules.first().map_or("waiver", String::as_str);
    plain(&format!("{code}-{}", matches.name))
}

/// A text reduced to letters, digits and dashes.
fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = text.to_lowercase().chars().map(plain).take(200).collect();
    name.trim_matches('-').to_owned()
}

fn printed(waivers: &[Waiver], resource: bool) -> Result<String, Failure> {
    if !resource {
        let list = WaiverListDocument { api_version: API_VERSION, kind: "SupportWaiverList", items: waivers };
        return serde_saphyr::to_string(&list).map_err(Failure::run);
    }
    let mut documents = Vec::new();
    for waiver in waivers {
        if !is_object_name(&waiver.name) {
            return Err(Failure::input(anyhow!(
                "{} is not a valid name of a Kubernetes object: give --waiver-name in lower case letters, digits, - and .",
                shown(&waiver.name)
            )));
        }
        let spec = Waiver { name: String::new(), ..waiver.clone() };
        let metadata = SupportWaiverMetadata { name: &waiver.name };
        let object = SupportWaiverObject { api_version: API_VERSION, kind: "SupportWaiver", metadata, spec };
        documents.push(serde_saphyr::to_string(&object).map_err(Failure::run)?);
    }
    Ok(documents.join("---\n"))
}

/// A file of waivers, in the order people write it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WaiverListDocument<'a> {
    api_version: &'static str,
    kind: &'static str,
    items: &'a [Waiver],
}

/// An object of the cluster.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SupportWaiverObject<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: SupportWaiverMetadata<'a>,
    spec: Waiver,
}

#[derive(Serialize)]
struct SupportWaiverMetadata<'a> {
    name: &'a str,
}

/// Whether a text is a DNS subdomain, which Kubernetes requires of names.
fn is_object_name(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    name.len() <= 253 && name.split('.').all(part)
}

/// The present content of the file, ready for another document.
fn already_there(path: &Path, waivers: &[Waiver]) -> anyhow::Result<String> {
    // Devices and pipes have no content.
    if !std::fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
        return Ok(String::new());
    }
    let text = crate::input::settings::read(path)?;
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let entries = from_file(&path.to_string_lossy()).context("the file is left as it is")?;
    let taken = waivers.iter().find(|waiver| entries.iter().any(|entry| entry.waiver.name == waiver.name));
    if let Some(waiver) = taken {
        bail!(
            "{} holds a waiver {} already: give another --waiver-name, or take that one out",
            path.display(),
            shown(&waiver.name)
        );
    }
    if text.trim_start().starts_with('{') {
        bail!("{} is JSON, which cannot be extended: print the waiver, and add it by hand", path.display());
    }
    let end = if text.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{text}{end}---\n"))
}

/// The most findings that are listed, one screen full.
const MAX_LISTED: usize = 20;

pub(super) const EXAMPLES: &str = "\
Examples:
  # For a finding of a saved result; it lapses when the object or the value changes
  kubectl aksarc support-check --save result.json
  kubectl aksarc waivers new --from result.json AA303 kube-system/deployment/log-agent --pin \\
      --reason 'moves next month' --ticket OPS-1234 --requested-by alice --approved-by bob --days 30

  # For what a remediation of Microsoft's support module changes, by the number of their case
  kubectl aksarc waivers new --remediation CalicoRefresh --case 2311 --requested-by alice --days 365 \\
      --output-file waivers.yaml

  # Before a change that Microsoft Support asked for, into the cluster
  kubectl aksarc waivers new --rule AA308 --kind CSIDriver --name disk.csi.akshci.com --ticket OPS-7 --support-case 2311 \\
      --reason 'as support asked' --requested-by alice --approved-by bob --days 2 --resource | kubectl apply -f -";
