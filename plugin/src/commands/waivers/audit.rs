//! `waivers audit`: compares waivers with the findings of a cluster or snapshot.

use std::path::PathBuf;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::finding::Finding;
use aksarc_shared::people::waiver::WaiverStatus;
use aksarc_shared::verdict::audit::{self, Audit, Use};
use aksarc_shared::verdict::check::{Check, Params};
use aksarc_shared::verdict::report::v1::ClusterV1;
use aksarc_shared::verdict::report::{Report, exit};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::loaded::{Loaded, WaiverFrom, counted};
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::tool;
use crate::commands::cluster::{self, ClusterFlags};
use crate::input::settings::{PLATFORMS, moment_or_now};
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::ui::Ui;
use crate::screen::waivers::{days_left, shown};
use crate::snapshot;

/// Arguments of `waivers audit`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where from.
    #[command(flatten)]
    pub from: WaiverFrom,
    /// Compare with a snapshot instead of the cluster
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::AnyPath)]
    pub snapshot: Option<PathBuf>,
    /// Platform of the cluster; each has its own policy text
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = PLATFORMS, env = "KUBECTL_AKSARC_PLATFORM")]
    pub platform: String,
    /// As of this day (2026-12-31, at midnight UTC) or moment (RFC 3339), or `now`, instead of now or the moment of the snapshot
    #[arg(long, value_name = "DATE", value_parser = moment_or_now, env = "KUBECTL_AKSARC_AS_OF")]
    pub as_of: Option<Timestamp>,
    /// Fail when a waiver is unused, lapsed or expired, or its use is unknown
    #[arg(long)]
    pub strict: bool,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `waivers audit`.
pub(super) async fn run(args: &Args, ui: &Ui) -> ExitResult {
    let loaded = args.from.load(&args.flags, ui).await?;
    let (report, now) = judged(args, &loaded, ui).await?;
    let audits = audit::audit(&loaded.waivers, &report.findings, &report.rules, now);
    let text = match args.output {
        ListFormat::Table => table(&audits, &loaded, &report, now, ui),
        ListFormat::Json => format::json(&document(&audits, &loaded, &report, now))?,
        ListFormat::Yaml => format::yaml(&document(&audits, &loaded, &report, now))?,
    };
    ui.print(&text)?;
    Ok(exit_code(&audits, &loaded, args.strict))
}

/// Judges the cluster or snapshot with the waivers and every rule. Returns the report and the moment judged, which is a
/// snapshot's own unless another one is given.
async fn judged(args: &Args, loaded: &Loaded, ui: &Ui) -> Result<(Report, Timestamp), Failure> {
    let mut now = args.as_of.unwrap_or_else(Timestamp::now);
    let mut params = Params::at(now);
    params.platform = Platform::parse(&args.platform);
    params.waivers.clone_from(&loaded.waivers);
    let mut check = Check::new(embedded(), params);
    let (context, server) = if let Some(path) = &args.snapshot {
        let about = snapshot::read::judge(path, &mut check).map_err(Failure::input)?;
        if let (None, Some(taken)) = (args.as_of, about.moment()) {
            now = taken;
            check.judge_at(taken);
        }
        (format!("snapshot {}", path.display()), String::new())
    } else {
        let reader = match &loaded.reader {
            Some(reader) => std::sync::Arc::clone(reader),
            None => cluster::reader(&args.flags, ui).await?,
        };
        let source = cluster::live(&reader, &args.flags.reading, &mut check).await?;
        (source.context, source.server)
    };
    let report = check.finish(tool::identity(), &context, &server).map_err(Failure::input)?;
    Ok((report, now))
}

/// The exit code, in the order of a check: wrong input first, then unknown results, then lighter problems.
fn exit_code(audits: &[Audit<'_>], loaded: &Loaded, strict: bool) -> u8 {
    let any = |holds: &dyn Fn(&Audit<'_>) -> bool| audits.iter().any(holds);
    if !loaded.unreadable.is_empty() || any(&|audit| matches!(audit.status, WaiverStatus::Invalid(_))) {
        exit::USAGE
    } else if strict && any(&|audit| matches!(audit.usage(), Use::Unknown(_))) {
        exit::INCONCLUSIVE
    } else if strict && any(&|audit| !audit.troubles().is_empty()) {
        exit::FAIL_ON
    } else {
        exit::WITHIN
    }
}

fn document(audits: &[Audit<'_>], loaded: &Loaded, report: &Report, now: Timestamp) -> Value {
    let items: Vec<Value> = audits.iter().map(|audit| item(audit, now)).collect();
    let unreadable: Vec<Value> =
        loaded.unreadable.iter().map(|one| json!({"name": one.name, "why": one.why})).collect();
    json!({
        "apiVersion": API_VERSION, "kind": "WaiverAudit", "asOf": now.to_string(), "cluster": ClusterV1::from(report.cluster.clone()),
        "verdict": report.verdict.as_str(), "items": items, "unreadable": unreadable,
    })
}

fn item(audit: &Audit<'_>, now: Timestamp) -> Value {
    let usage = audit.usage();
    let found = |findings: &[&Finding]| -> Vec<Value> { findings.iter().map(|finding| brief(finding)).collect() };
    let with = |finding: &Finding, key: &str, value: String| {
        let mut brief = brief(finding);
        if let Some(fields) = brief.as_object_mut() {
            fields.insert(key.to_owned(), value.into());
        }
        brief
    };
    json!({
        "name": audit.waiver.name,
        "status": audit.status.as_str(),
        "use": usage.as_str(),
        "why": if let Use::Unknown(why) = &usage { why.as_str() } else { "" },
        "expires": audit.waiver.expires.to_string(),
        "daysLeft": days_left(audit.waiver.expires, now),
        "troubles": audit.troubles().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "covers": found(&audit.covers),
        "wouldCover": found(&audit.would_cover),
        "lapsed": audit.lapsed.iter().map(|(finding, why)| with(finding, "why", why.to_string())).collect::<Vec<_>>(),
        "shadowed": audit.shadowed.iter().map(|(finding, by)| with(finding, "by", (*by).to_owned())).collect::<Vec<_>>(),
        "waiver": audit.waiver,
    })
}

fn brief(finding: &Finding) -> Value {
    json!({
        "code": finding.code, "consequence": finding.consequence, "object": finding.object, "path": finding.path,
        "before": finding.before, "after": finding.after, "fingerprint": finding.fingerprint(),
    })
}

fn table(audits: &[Audit<'_>], loaded: &Loaded, report: &Report, now: Timestamp, ui: &Ui) -> String {
    let mut grid = Grid::under(ui.headings, &["NAME", "STATUS", "USE", "DAYS LEFT", "RULES", "FOR"]);
    for audit in audits {
        grid.row([
            shown(&audit.waiver.name),
            audit.status.as_str().to_owned(),
            audit.usage().as_str().to_owned(),
            days_left(audit.waiver.expires, now).to_string(),
            shown(&audit.waiver.rules.join(",")),
            shown(&audit.waiver.matches.short()),
        ]);
    }
    let mut text = vec![if audits.is_empty() { "no waivers\n".to_owned() } else { grid.lines("", ui.width) }];
    text.extend(audits.iter().map(details));
    text.extend(loaded.unreadable.iter().map(|one| format!("\n{one}\n")));
    let troubled = audits.iter().filter(|audit| !audit.troubles().is_empty()).count();
    let waived = report.findings.iter().filter(|finding| finding.waiver.is_some()).count();
    text.push(format!(
        "\n{}: {} of {} waived; {} to look at · as of {now}\n",
        counted(audits.len(), "waiver"),
        waived,
        counted(report.findings.len(), "finding"),
        counted(troubled + loaded.unreadable.len(), "waiver"),
    ));
    ui.look().fit(text.concat())
}

/// The findings that a waiver covers, and its problems.
fn details(audit: &Audit<'_>) -> String {
    let mut rows = Vec::new();
    rows.extend(audit.covers.iter().map(|finding| format!("covers {}", words(finding))));
    rows.extend(audit.would_cover.iter().map(|finding| format!("does not cover {}", words(finding))));
    rows.extend(
        audit.shadowed.iter().map(|(finding, by)| format!("covers {}, and {} is shown", words(finding), shown(by))),
    );
    rows.extend(audit.troubles().iter().map(|trouble| format!("! {trouble}")));
    if let Use::Unknown(why) = audit.usage() {
        rows.push(format!("? its use is unknown: {}", shown(&why)));
    }
    if rows.is_empty() {
        return String::new();
    }
    format!("\n{}\n  {}\n", shown(&audit.waiver.name), rows.join("\n  "))
}

/// A finding on one line: `AA201 voids  node/moc-l2  metadata.labels[…]: a → b`.
fn words(finding: &Finding) -> String {
    let value = |value: &Option<String>| value.as_deref().map_or("–".to_owned(), shown);
    let path = if finding.path.is_empty() { String::new() } else { format!(" {}", shown(&finding.path)) };
    let change = if finding.before.is_none() && finding.after.is_none() {
        String::new()
    } else {
        format!(": {} → {}", value(&finding.before), value(&finding.after))
    };
    format!("{} {} {}{path}{change}", finding.code, finding.consequence.as_str(), shown(&finding.object.short()))
}

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl aksarc waivers audit waivers.yaml
  kubectl aksarc waivers audit --waivers cluster --platform azure-local

  # In a pipeline, without a cluster; unused and expired waivers fail it
  kubectl aksarc waivers audit waivers.yaml --snapshot cluster.tar.gz --strict -o json";
