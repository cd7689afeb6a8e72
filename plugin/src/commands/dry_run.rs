//! `dry-run`: shows what a change would do and what the policy says about it, without making it.

mod flags;
mod resolve;
mod verbs;

use aksarc_shared::data::embedded;
use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::Guard;
use anyhow::Context as _;

use crate::api::{self, SendLimits, Sender};
use crate::cli::exit::{ExitResult, Failure};
use crate::collect::Reader;
use crate::dry_run::plan::{ClusterNote, Plan};
use crate::dry_run::run::{self, KubeContext};
use crate::dry_run::session::Session;
use crate::input::waivers::{self, WaiverSource};
use crate::screen;
use crate::screen::fixes::Pasting;
use crate::screen::format::{self, PlanFormat};
use crate::screen::progress::Progress;
use crate::screen::ui::Ui;
use crate::screen::waivers::{keep_valid, warn_of_unreadable};
use crate::screen::{output, status};

pub(crate) use flags::guard_config;
pub use flags::{
    ChoiceFlags, CommonFlags, FileFlags, JudgingFlags, ManagerFlag, SelectionFlags, ValidationFlag, VersionFlag,
};
pub use verbs::{ApplyArgs, DeleteArgs, MetadataArgs, PatchArgs, PatchType, ScaleArgs, TaintArgs, VerbArgs};

/// Arguments of `dry-run`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// The kubectl command to rehearse.
    #[command(subcommand)]
    pub verb: Box<VerbArgs>,
}

/// Runs `dry-run`.
///
/// # Errors
/// [`Failure`] when there is no result.
pub async fn run(args: Args, ui: &mut Ui) -> ExitResult {
    let common = args.verb.common().clone();
    let result = rehearse(&args, &common, ui).await;
    if let Some(path) = &common.status_file {
        status::plan(path, result.as_ref())?;
    }
    Ok(result?.exit_code)
}

async fn rehearse(args: &Args, common: &CommonFlags, ui: &Ui) -> Result<Plan, Failure> {
    output::apart(&[
        ("--output-file", common.output_file.as_deref()),
        ("--status-file", common.status_file.as_deref()),
    ])?;
    let mut rehearsal = args.verb.rehearsal(ui).map_err(Failure::input)?;
    let config = common.judging.guard_config.as_deref();
    let guard = Guard::new(embedded(), rehearsal.settings.clone());
    let mut guard = match config {
        Some(path) => guard.with_context(|| format!("cannot use {}", path.display())).map_err(Failure::input)?,
        None => guard.map_err(Failure::input)?,
    };
    if let Some(path) = config {
        for note in guard.notes() {
            ui.note(&format!("note: {}: {note}", path.display()));
        }
    }
    let connection = api::connect(&common.kube).await?;
    if WaiverSource::of(common.judging.waivers.as_deref()) == WaiverSource::Cluster {
        let limit = common.kube.request_timeout.duration();
        let sender = Sender::new(connection.clone(), SendLimits::new(limit, limit), Progress::new(ui));
        let reader = Reader::new(sender, WAIVERS_PER_PAGE);
        let (found, unreadable) = waivers::from_cluster(&reader, ui).await?;
        warn_of_unreadable(&unreadable, ui);
        let found = keep_valid(&rehearsal.settings.waivers, found, ui);
        (guard, _) = guard.with_cluster_waivers(found.clone());
        rehearsal.settings.waivers.extend(found);
    }
    let context = KubeContext {
        cluster: ClusterNote { context: connection.context.clone(), server: connection.server.clone() },
        namespace: connection.namespace.clone(),
        user: User { name: connection.user.clone(), groups: common.kube.as_group.clone(), ..User::default() },
    };
    let limits = SendLimits::per_request(common.kube.request_timeout.duration());
    let session = Session::new(Sender::new(connection, limits, Progress::new(ui)));
    let plan = run::run(&session, &guard, &rehearsal, &context).await;
    session.sender().progress().clear();
    let mut plan = plan?;
    let pasting = Pasting::new(common.shell).of_cluster(&common.kube);
    for change in &mut plan.changes {
        pasting.make_ready(&mut change.findings);
        change.instead.iter_mut().flat_map(|way| &mut way.commands).for_each(|command| pasting.command(command));
    }
    let text = printed(&plan, common.output, ui)?;
    match &common.output_file {
        Some(path) => output::write(path, anstream::adapter::strip_str(&text).to_string().as_bytes())?,
        None => ui.print(&text)?,
    }
    Ok(plan)
}

fn printed(plan: &Plan, format: PlanFormat, ui: &Ui) -> Result<String, Failure> {
    match format {
        PlanFormat::Table => Ok(screen::plan::table(plan, ui.look())),
        PlanFormat::Json => format::json(plan),
        PlanFormat::Yaml => format::yaml(plan),
        PlanFormat::Name => Ok(screen::plan::names(plan)),
    }
}

/// The page size, as large as that of a check.
const WAIVERS_PER_PAGE: usize = 500;

const EXAMPLES: &str = "\
Examples:
  # Would this label be let through, and would it void support?
  kubectl aksarc dry-run label node moc-l7x2 node.kubernetes.io/instance-type=edge-big --overwrite

  # The manifests of a directory, judged as the guard in use would judge them
  kubectl aksarc dry-run apply -f deploy/ -R --guard-config guard.yaml

  # As somebody else, for a pipeline
  kubectl aksarc dry-run delete deploy/coredns -n kube-system --as alice -o json";
