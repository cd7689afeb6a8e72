//! `report bundle`: one file for a support ticket, with what a support engineer asks for in the order in which they ask.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use aksarc_shared::text;
use aksarc_shared::verdict::check::Check;
use aksarc_shared::verdict::report::v1::{InputKindV1, InputV1, ReportV1};
use anyhow::{Context as _, anyhow};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use super::redact;
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::tool;
use crate::commands::cluster::{self, ClusterFlags};
use crate::commands::snapshot::record;
use crate::commands::support_check::{self, Judging};
use crate::formats::case::Case;
use crate::formats::html;
use crate::input::{result, settings};
use crate::screen::fixes::Pasting;
use crate::screen::format;
use crate::screen::output::{self, Place, Staged};
use crate::screen::ui::Ui;
use crate::snapshot::recorded::RecordedSnapshot;
use crate::snapshot::write::Form;
use crate::snapshot::{self, digest};
use crate::ticket::contents::{BundlePart, ContentsPage, Privacy};
use crate::ticket::redaction::Redaction;
use crate::ticket::{changes, versions};

/// Arguments of `report bundle`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A result as `support-check --save` and `support-check -o json` write it; - reads standard input
    #[arg(value_name = "RESULT", required_unless_present = "live", conflicts_with = "live", value_hint = clap::ValueHint::FilePath)]
    pub result: Option<PathBuf>,
    /// Take a snapshot of the cluster now, judge it, and put both into the bundle
    #[arg(long)]
    pub live: bool,
    /// The snapshot that the result is of: a file, a directory or a .tar.gz
    #[arg(long, value_name = "PATH", conflicts_with = "live", value_hint = clap::ValueHint::AnyPath)]
    pub snapshot: Option<PathBuf>,
    /// Destination: NAME.tar.gz
    #[arg(short, long, value_name = "FILE", value_parser = settings::file_not_stdout, value_hint = clap::ValueHint::FilePath)]
    pub output: PathBuf,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
    /// Put pseudonyms in place of the names of nodes, namespaces, people, hosts and the cluster, made with the key in this file
    #[arg(long, value_name = "KEYFILE", value_hint = clap::ValueHint::FilePath)]
    pub pseudonyms: Option<PathBuf>,
    /// Rules, waivers and platform, with --live.
    #[command(flatten)]
    pub judging: Judging,
    /// Reading, display and cluster, with --live.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `report bundle`: exit 0 when the bundle is written.
pub(super) async fn run(args: &Args, ui: &Ui) -> ExitResult {
    writable(args).map_err(Failure::input)?;
    let staging = tempfile::Builder::new().prefix("kubectl-aksarc-").tempdir().map_err(Failure::run)?;
    let (mut report, recorded) = if args.live {
        let path = staging.path().join("snapshot");
        (live(args, &path, ui).await?, Some(path))
    } else {
        let path = args.result.as_deref().unwrap_or(Path::new("-"));
        (result::read(path).map_err(Failure::input)?, args.snapshot.clone())
    };
    let recorded =
        recorded.map(|path| RecordedSnapshot::read(&path)).transpose().context("--snapshot").map_err(Failure::input)?;
    let redaction = match &args.pseudonyms {
        Some(key) => Some(redact::redaction(&redact::names(&report, recorded.as_ref()), Some(key))?),
        None => None,
    };
    let snapshot = match recorded {
        Some(recorded) => recorded.parts(redaction.as_ref()).map_err(Failure::run)?,
        None => Vec::new(),
    };
    if args.live {
        // Nobody keeps the files that it was read from: the bundle has it.
        report.input.digest = Some(digest::of_files(snapshot.iter().map(BundlePart::in_snapshot)));
    } else if let Some(path) = &args.snapshot {
        warn_of_another(&report, path, ui).map_err(Failure::input)?;
    }
    let bundle = bundle(&report, snapshot, redaction.as_ref())?;
    write(&args.output, &bundle).map_err(Failure::run)?;
    let told = format!("{}: {} files, begin with {}\n", args.output.display(), bundle.len(), ContentsPage::NAME);
    output::told(&args.output, &told, ui)?;
    Ok(0)
}

/// Says on stderr that a result is not of this snapshot.
fn warn_of_another(report: &ReportV1, snapshot: &Path, ui: &Ui) -> anyhow::Result<()> {
    let Some(judged) = &report.input.digest else { return Ok(()) };
    if digest::of_path(snapshot)? != *judged {
        ui.note(&format!(
            "warning: {} is not the snapshot that the result is of, whose SHA-256 is {}",
            snapshot.display(),
            text::line(judged, 64)
        ));
    }
    Ok(())
}

/// Refuses a destination that is no archive, or is there already.
fn writable(args: &Args) -> anyhow::Result<()> {
    let path = &args.output;
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let is_archive = [".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending));
    if !is_archive && matches!(Place::of(path), Ok(Place::File(_)) | Err(_)) {
        return Err(anyhow!("--output: a bundle is NAME.tar.gz, not {}", path.display()));
    }
    if !args.force && matches!(Place::of(path), Ok(Place::File(file)) if file.exists()) {
        return Err(output::may_be_evidence(path));
    }
    Ok(())
}

/// Takes a snapshot of the cluster, and judges it as `support-check --snapshot` does.
async fn live(args: &Args, path: &Path, ui: &Ui) -> Result<ReportV1, Failure> {
    let mut params = args.judging.params(ui)?;
    let reader = cluster::reader(&args.flags, ui).await?;
    support_check::take_waivers(&args.judging, &reader, &mut params, ui).await?;
    let form = Form::Directory(path.to_owned());
    let taken = record(&reader, &args.flags.reading, &form, path).await?.taken_at;
    if let Some(baseline) = params.baseline.as_mut().filter(|baseline| !baseline.is_of_snapshot()) {
        baseline.forget_what_snapshots_leave_out();
    }
    let mut check = Check::new(support_check::tables_of_cluster(&params), params);
    snapshot::read::judge(path, &mut check).map_err(Failure::run)?;
    let input = InputV1 {
        as_of: args.judging.as_of.map(|moment| moment.to_string()),
        nodes_read: check.inventory().has_nodes(),
        ..InputV1::of(InputKindV1::Snapshot, Some(taken))
    };
    let connection = reader.connection();
    let report = check.finish(tool::identity(), &connection.context, &connection.server);
    let mut report = report.map_err(Failure::input)?;
    Pasting::new(None).of_cluster(&args.flags.kube).make_ready(&mut report.findings);
    Ok(ReportV1::new(report, input))
}

/// The files of a bundle, in their order.
fn bundle(
    report: &ReportV1,
    snapshot: Vec<BundlePart>,
    redaction: Option<&Redaction>,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let report = match redaction {
        Some(redaction) => redact::redacted(redaction, report)?,
        None => report.clone(),
    };
    let mut parts = vec![
        BundlePart::new("01-case.md", "what a support request asks for, in its order", Case::of(&report).markdown()),
        BundlePart::new("02-changes.tsv", "who changed what and when, the latest first", changes::table(&report)),
        BundlePart::new(
            "03-versions.txt",
            "versions of cluster, policy texts, tables and this program",
            versions::list(&report),
        ),
        BundlePart::new(
            "04-report.html",
            "the whole report as a page, for a browser; it loads nothing",
            html::page(&report),
        ),
        BundlePart::new("05-result.json", "the result: support-check's, in its JSON contract", format::json(&report)?),
    ];
    let has_snapshot = !snapshot.is_empty();
    parts.extend(snapshot);
    let privacy = match (redaction, has_snapshot) {
        (Some(redaction), _) => Privacy::Pseudonyms(redaction.len()),
        (None, _) => Privacy::Open,
    };
    let contents = ContentsPage { report: &report, parts: &parts, privacy, has_snapshot, made: Timestamp::now() };
    let mut files = vec![(ContentsPage::NAME.to_owned(), contents.text().into_bytes())];
    files.extend(parts.into_iter().map(|part| (part.name, part.bytes)));
    Ok(files)
}

fn write(path: &Path, files: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let staged = Staged::at(Place::of(path).with_context(cannot)?).with_context(cannot)?;
    let mut archive = tar::Builder::new(GzEncoder::new(staged, Compression::default()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(bytes.len())?);
        header.set_mode(0o644);
        header.set_mtime(u64::try_from(Timestamp::now().as_second()).unwrap_or_default());
        archive.append_data(&mut header, name, &**bytes).with_context(cannot)?;
    }
    let mut staged = archive.into_inner().with_context(cannot)?.finish().with_context(cannot)?;
    staged.flush().with_context(cannot)?;
    staged.keep().with_context(cannot)
}

pub(super) const EXAMPLES: &str = "\
Examples:
  # Take a snapshot, judge it, and put all of it into one file
  kubectl aksarc report bundle --live --platform azure-local -o case.tar.gz

  # Of a result and a snapshot that are there already, with pseudonyms
  kubectl aksarc report bundle result.json --snapshot cluster.tar.gz --pseudonyms key.txt -o case.tar.gz";
