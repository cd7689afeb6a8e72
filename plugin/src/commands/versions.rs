//! `versions`: compares the cluster's versions with the tables, or prints the tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::data::versions::{MinorSupport, Table};
use aksarc_shared::data::{Platform, VERSIONS, embedded};
use aksarc_shared::facts::inventory::Inventory;
use aksarc_shared::k8s::version::Version;
use aksarc_shared::rules::catalogue;
use aksarc_shared::text;
use aksarc_shared::verdict::check::{Check, Params};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::cluster::{self, ClusterFlags};
use super::support_check::options;
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::tool;
use crate::input::settings::{PLATFORMS, moment_or_now};
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::{Grid, Headings};
use crate::screen::ui::Ui;
use crate::snapshot;

/// Arguments of `versions`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Read a snapshot instead of a cluster: a file, a directory or a .tar.gz
    #[arg(long, value_name = "PATH", conflicts_with_all = ["context", "server"], value_hint = clap::ValueHint::AnyPath)]
    pub snapshot: Option<PathBuf>,
    /// Print the built-in tables as YAML, as a template for --versions, without contacting a cluster
    #[arg(long, conflicts_with_all = ["snapshot", "output", "versions", "platform", "as_of"])]
    pub table: bool,
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Platform of the cluster; each has its own table
    #[arg(long, help_heading = "Judging", value_name = "NAME", default_value = "auto", value_parser = PLATFORMS, env = "KUBECTL_AKSARC_PLATFORM")]
    pub platform: String,
    /// As of this day (2026-12-31, at midnight UTC), this moment (RFC 3339), or now; for a snapshot the default is the moment
    /// when it was taken, for everything else now
    #[arg(long, help_heading = "Judging", value_name = "DATE", value_parser = moment_or_now, env = "KUBECTL_AKSARC_AS_OF")]
    pub as_of: Option<Timestamp>,
    /// Version tables newer than the built-in ones, in the same format
    #[arg(long, help_heading = "Judging", value_name = "FILE", env = "KUBECTL_AKSARC_VERSIONS", value_hint = clap::ValueHint::FilePath)]
    pub versions: Option<String>,
    /// Reading, display and cluster.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `versions`.
///
/// # Errors
/// [`Failure`] when nothing could be read.
pub async fn run(args: Args, ui: &mut Ui) -> ExitResult {
    if args.table {
        ui.print(VERSIONS)?;
        return Ok(0);
    }
    let mut params = Params::at(args.as_of.unwrap_or_else(Timestamp::now));
    params.platform = Platform::parse(&args.platform);
    // The rule that reads nodes for their versions.
    params.rules = catalogue::find("AA104").into_iter().collect();
    params.versions = options::tables(args.versions.as_deref(), params.platform, params.now, ui)?;
    let given: Vec<Platform> = params.versions.iter().map(|table| table.platform).collect();
    let mut check = Check::new(embedded(), params);
    let context = if let Some(path) = &args.snapshot {
        let about = snapshot::read::judge(path, &mut check).map_err(Failure::input)?;
        if let (None, Some(taken)) = (args.as_of, about.moment()) {
            check.judge_at(taken);
        }
        format!("snapshot {}", path.display())
    } else {
        let reader = cluster::reader(&args.flags, ui).await?;
        cluster::live(&reader, &args.flags.reading, &mut check).await?.context
    };
    let shown = Shown::of(&check, context, &given);
    if !shown.nodes_read {
        ui.note("warning: the nodes could not be read: only the server's version is shown");
    }
    // Other products have other tables.
    check.finish(tool::identity(), "", "").map_err(Failure::input)?;
    for table in shown.tables.iter().filter(|table| table.old) {
        let whose = if table.given { "given" } else { "built-in" };
        ui.note(&format!(
            "warning: the {whose} table of {} is {} days old: minors may have come and gone since. Give a newer one with \
             --versions FILE; `{} versions --table` prints one to start from",
            table.platform, table.age_days, ui.name
        ));
    }
    let text = match args.output {
        ListFormat::Table => table(&shown, ui.width, ui.headings),
        ListFormat::Json => format::json(&shown)?,
        ListFormat::Yaml => format::yaml(&shown)?,
    };
    ui.print(&if args.output == ListFormat::Table { ui.look().fit(text) } else { text })?;
    Ok(0)
}

/// The printed document. The order of the fields is that of the JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    api_version: &'static str,
    kind: &'static str,
    as_of: String,
    context: String,
    kubernetes_version: String,
    platform: String,
    platform_evidence: Vec<String>,
    nodes_read: bool,
    tables: Vec<ShownTable>,
    items: Vec<VersionRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownTable {
    platform: &'static str,
    as_of: String,
    age_days: i32,
    old: bool,
    given: bool,
    source: String,
}

/// The server, or the nodes of a pool that have one version.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionRow {
    /// `server` or `pool`.
    what: &'static str,
    /// The pool; empty for the server.
    pool: String,
    version: String,
    nodes: usize,
    on: Vec<On>,
}

/// The support of a version on one platform.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct On {
    platform: &'static str,
    /// `supported`, `retired` or `unknown`.
    state: &'static str,
    /// The last day; in the past for retired versions, absent where no text gives it.
    until: Option<String>,
    days_left: Option<i32>,
    projected: bool,
    latest_patch: Option<String>,
    /// The reason why it is unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl Shown {
    fn of(check: &Check<'_>, context: String, given: &[Platform]) -> Self {
        let (inventory, day) = (check.inventory(), check.as_of());
        let (platforms, platform_evidence) = check.candidates();
        let of = |platform: &Platform| check.version_tables().iter().find(|table| table.platform == *platform);
        let tables: Vec<&Table> = platforms.iter().filter_map(of).collect();
        let on = |version: &str| tables.iter().map(|table| On::of(table, version, day)).collect();
        let mut items = Vec::new();
        if let Some(version) = &inventory.server_version {
            items.push(VersionRow {
                what: "server",
                pool: String::new(),
                version: version.clone(),
                nodes: 0,
                on: on(version),
            });
        }
        for ((pool, version), nodes) in pools(inventory) {
            let (pool, version) = (pool.to_owned(), version.to_owned());
            items.push(VersionRow { what: "pool", pool, on: on(&version), version, nodes });
        }
        Shown {
            api_version: API_VERSION,
            kind: "VersionReport",
            as_of: day.to_string(),
            context,
            kubernetes_version: inventory.server_version.clone().unwrap_or_default(),
            platform: platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join("|"),
            platform_evidence,
            nodes_read: inventory.has_nodes(),
            tables: tables.iter().map(|table| ShownTable::of(table, day, given)).collect(),
            items,
        }
    }
}

/// The number of nodes by pool and version. The version of a virtual kubelet is not that of a machine.
fn pools(inventory: &Inventory) -> BTreeMap<(&str, &str), usize> {
    let mut pools = BTreeMap::new();
    for node in inventory.nodes.iter().filter(|node| !node.kubelet.is_empty() && !node.virtual_kubelet) {
        *pools.entry((&*node.pool, &*node.kubelet)).or_default() += 1;
    }
    pools
}

impl ShownTable {
    fn of(table: &Table, day: Date, given: &[Platform]) -> Self {
        let age_days = (day - table.as_of).get_days();
        ShownTable {
            platform: table.platform.as_str(),
            as_of: table.as_of.to_string(),
            age_days,
            old: table.is_old(day),
            given: given.contains(&table.platform),
            source: table.source.clone(),
        }
    }
}

impl On {
    fn of(table: &Table, version: &str, day: Date) -> Self {
        let platform = table.platform.as_str();
        let unknown = |reason: String| On {
            platform,
            state: "unknown",
            until: None,
            days_left: None,
            projected: false,
            latest_patch: None,
            reason,
        };
        let Some(parsed) = Version::parse(version) else { return unknown("this is no version".to_owned()) };
        let latest_patch = table.patches(parsed).last().map(ToString::to_string);
        let ended = |state, until: Option<Date>, projected| On {
            state,
            until: until.map(|day| day.to_string()),
            days_left: until.map(|until| (until - day).get_days()),
            projected,
            ..unknown(String::new())
        };
        let on = match table.support(parsed, day) {
            MinorSupport::Supported { until, projected } => ended("supported", Some(until), projected),
            MinorSupport::Retired { since } => ended("retired", since, false),
            MinorSupport::Unstated { out_on } => {
                unknown(format!("out of support on {out_on} at the latest, no text says since when"))
            }
            MinorSupport::Open { until, .. } => {
                unknown(format!("its first release is not known: out of support after {until} at the latest"))
            }
            MinorSupport::TooOld { held_until } => {
                unknown(format!("the table is too old: it held until {held_until} at least"))
            }
            MinorSupport::NewerThanTable => unknown("newer than the table".to_owned()),
            MinorSupport::NoRow => unknown("the table has no row for it".to_owned()),
        };
        On { latest_patch, ..on }
    }
}

fn table(shown: &Shown, width: Option<usize>, headings: Headings) -> String {
    let line = |text: &str| text::line(text, MAX_CELL);
    let mut out = format!("Kubernetes versions as of {}\n\n", shown.as_of);
    let mut about = Grid::plain();
    about.row(["cluster".to_owned(), line(&shown.context)]);
    about.row(["platform".to_owned(), format!("{} ({})", shown.platform, line(&shown.platform_evidence.join(", ")))]);
    for table in &shown.tables {
        let age = match table.age_days {
            1 => "1 day old".to_owned(),
            days if days < 0 => "of a later day".to_owned(),
            days => format!("{days} days old"),
        };
        let whose = if table.given { "from --versions" } else { "built in" };
        let old = if table.old { ": OLD" } else { "" };
        about.row(["table".to_owned(), format!("{} of {}, {age}{old}, {whose}", table.platform, table.as_of)]);
    }
    out.push_str(&about.lines("  ", width));
    out.push('\n');
    let mut grid = Grid::under(
        headings,
        &["WHAT", "VERSION", "NODES", "PLATFORM", "STATE", "UNTIL", "DAYS LEFT", "LATEST PATCH", ""],
    );
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    for item in &shown.items {
        let what = if item.what == "server" { "server".to_owned() } else { format!("pool {}", line(&item.pool)) };
        let nodes = if item.what == "server" { "–".to_owned() } else { item.nodes.to_string() };
        for on in &item.on {
            let star = if on.projected { "*" } else { "" };
            grid.row([
                what.clone(),
                line(&item.version),
                nodes.clone(),
                on.platform.to_owned(),
                on.state.to_owned(),
                or_dash(on.until.clone().map(|until| until + star)),
                or_dash(on.days_left.filter(|_| on.state == "supported").map(|days| days.to_string())),
                or_dash(on.latest_patch.clone()),
                on.reason.clone(),
            ]);
        }
    }
    out.push_str(&grid.lines("", width));
    if shown.items.iter().flat_map(|item| &item.on).any(|on| on.projected) {
        // Writing to a String cannot fail.
        let _infallible = writeln!(out, "\n* projected from the table: no end is published");
    }
    out
}

/// The widest cell. Names from the cluster can have any length.
const MAX_CELL: usize = 120;

const EXAMPLES: &str = "\
Examples:
  # The cluster of the current context against the tables of all platforms it may be on
  kubectl aksarc versions

  # In half a year, against a table of one's own
  kubectl aksarc versions --table > versions.yaml
  kubectl aksarc versions --platform azure-local --as-of 2027-06-01 --versions versions.yaml

  # A snapshot, for programs
  kubectl aksarc versions --snapshot cluster.tar.gz -o json";
