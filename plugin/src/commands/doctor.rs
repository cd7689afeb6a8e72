//! `doctor`: examines whether a check of this cluster would be complete, and what prevents it.

mod ask;
mod report;
mod rights;
mod server;
mod webhooks;

use std::sync::Arc;

use aksarc_shared::data::tables;
use aksarc_shared::rules::derive;
use aksarc_shared::verdict::report::exit;
use jiff::Timestamp;
use tokio::time::timeout_at;

use super::cluster::{self, ClusterFlags};
use crate::cli::exit::ExitResult;
use crate::screen::format::{self, ListFormat};
use crate::screen::ui::Ui;
use ask::Asker;
use report::{Diagnosis, Symptom, SymptomState};

/// Arguments of `doctor`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Print the ClusterRole that a complete check needs, for `kubectl apply -f -`; no cluster is asked
    #[arg(long, conflicts_with = "output")]
    pub print_role: bool,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `doctor`: exit 0 when a check would be complete, 5 when rights for one are missing or unknown, 1 when the
/// cluster cannot be reached at all.
///
/// # Errors
/// A failure when flags or kubeconfig are wrong.
pub async fn run(args: Args, ui: &mut Ui) -> ExitResult {
    if args.print_role {
        ui.print(&derive::reader_role())?;
        return Ok(0);
    }
    let reader = cluster::reader(&args.flags, ui).await?;
    let (deadline, limit) = reader.deadline();
    let asker = Asker::new(Arc::clone(&reader));
    let mut diagnosis = Diagnosis {
        context: reader.connection().context.clone(),
        server: reader.connection().server.clone(),
        user: reader.connection().user.clone(),
        checks: Vec::new(),
    };
    let examined =
        timeout_at(deadline, examine(&asker, args.flags.reading.parallel.into(), ui.name, &mut diagnosis)).await;
    reader.progress().clear();
    if examined.is_err() {
        let why = format!("not done within {limit:?}");
        diagnosis.checks.push(Symptom::new("time", SymptomState::Failed, why).next("allow more time with --timeout"));
    }
    diagnosis.checks.extend(own(Timestamp::now()));
    let text = match args.output {
        ListFormat::Table => diagnosis.table(ui.width, ui.name),
        ListFormat::Json => format::json(&diagnosis.json())?,
        ListFormat::Yaml => format::yaml(&diagnosis.json())?,
    };
    ui.print(&ui.look().fit(text))?;
    Ok(diagnosis.exit_code())
}

async fn examine(asker: &Asker, parallel: usize, own_name: &str, diagnosis: &mut Diagnosis) {
    let (reachable, mut checks) = server::examine(asker).await;
    diagnosis.checks.append(&mut checks);
    // A server that cannot be reached cannot be examined further.
    if reachable {
        diagnosis.checks.extend(rights::examine(asker, parallel, own_name).await);
        diagnosis.checks.extend(webhooks::examine(asker).await);
    }
}

/// The symptoms of this program: its version, and the age of its data.
fn own(now: Timestamp) -> Vec<Symptom> {
    let data = aksarc_shared::data::embedded();
    let rules = aksarc_shared::rules::catalogue::ALL.len();
    let mut checks = vec![Symptom::new(
        "program",
        SymptomState::Fine,
        format!("kubectl-aksarc {}, {rules} rules", crate::cli::tool::VERSION),
    )];
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut tables = Symptom::new("data", SymptomState::Fine, String::new());
    for table in tables::versions() {
        let days = (today - table.as_of).get_days();
        let platform = table.platform.as_str();
        let old = if table.is_old(today) { ": OLD" } else { "" };
        tables.details.push(format!("version table of {platform} as of {}, {days} days ago{old}", table.as_of));
    }
    tables
        .details
        .extend(data.policy_texts().map(|document| format!("policy text {}", crate::screen::wording::dated(document))));
    let old = tables::versions().iter().filter(|table| table.is_old(today)).count();
    tables.summary = format!("{} version tables, {old} of them old", tables::versions().len());
    if old > 0 {
        tables.state = SymptomState::Warned;
        tables = tables.next("look for a newer release, or give newer version tables with --versions");
    }
    checks.push(tables);
    checks
}

impl Diagnosis {
    /// The exit code, independent of the format.
    fn exit_code(&self) -> u8 {
        let is = |state: SymptomState| self.checks.iter().any(|check| check.state == state);
        if is(SymptomState::Failed) {
            exit::FAILED
        } else if is(SymptomState::Incomplete) || self.checks.iter().any(Symptom::leaves_rights_unknown) {
            exit::INCONCLUSIVE
        } else {
            0
        }
    }
}

const EXAMPLES: &str = "\
Whether you may read something is asked as `kubectl auth can-i` asks it: with a SelfSubjectAccessReview, a POST that the \
server answers and that creates nothing. All other requests are GETs. support-check itself sends GETs only.

Exit codes: 0 a check would be complete, 5 rights for some rules are missing or unknown, 1 the cluster cannot be reached.

Examples:
  # Can I check the cluster of the current context?
  kubectl aksarc doctor

  # Give an auditor the rights that a check needs, by somebody who may grant them
  kubectl aksarc doctor --print-role | kubectl apply -f -

  # Could somebody else?
  kubectl aksarc doctor --as auditor@contoso.example -o json";
