//! `guard observed`: who was denied or warned of, or would have been.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::facts::actor::Actor;
use aksarc_shared::verdict::guard::Decision;
use aksarc_shared::verdict::observed::{KEY, NAME, NAMESPACE, Observed, ObservedRecord, Sightings};
use anyhow::anyhow;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::installed::{GuardSite, ReadObject, config_map_path};
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::flags::KubeFlags;
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::ui::{Ui, UiFlags};
use crate::screen::wording::counting;

/// Arguments of `guard observed`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Print a draft of the configuration's actors instead, in which every identity is a comment
    #[arg(long, conflicts_with = "output")]
    pub draft: bool,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// Runs `guard observed`: exit 0 when the record was read, 1 when there is none.
pub(super) async fn run(args: &Args, ui: &Ui) -> ExitResult {
    let site = GuardSite::connect(&args.kube, ui).await?;
    let what = format!("the ConfigMap {NAME} in {NAMESPACE}");
    let map = match site.object(&config_map_path(NAME), &what).await? {
        ReadObject::There(map) => map,
        ReadObject::Absent => {
            return Err(Failure::run(anyhow!(
                "there is no {}: the guard is not installed, or by an older manifest; apply the one of its version",
                what.trim_start_matches("the ")
            )));
        }
        ReadObject::Unseen(why) => {
            return Err(Failure::run(anyhow!(
                "{why}; the right is in the roles that `{} guard roles` prints",
                ui.name
            )));
        }
    };
    let text = map.get("data").and_then(|data| data.get(KEY)?.as_str()).unwrap_or_default();
    let record = ObservedRecord::parse(text).map_err(|error| {
        Failure::run(anyhow!("{what} holds no record: {error}; the guard replaces it with its next finding"))
    })?;
    let text = match args.output {
        _ if args.draft => draft(&record, Timestamp::now(), ui.name),
        ListFormat::Table => table(&record, ui),
        ListFormat::Json => format::json(&document(&record))?,
        ListFormat::Yaml => format::yaml(&document(&record))?,
    };
    ui.print(&if args.draft { text } else { ui.look().fit(text) })?;
    Ok(0)
}

/// The rows, the heaviest and most frequent first.
fn sorted(record: &ObservedRecord) -> Vec<(&Observed, &Sightings)> {
    let mut rows: Vec<_> = record.rows().collect();
    rows.sort_by_key(|(who, seen)| (Reverse(seen.in_enforce), Reverse(seen.count), *who));
    rows
}

fn table(record: &ObservedRecord, ui: &Ui) -> String {
    if record.is_empty() {
        return format!(
            "nobody was denied or warned of, or would have been, since the guard began to count\n\
             next: {} guard status\n",
            ui.name
        );
    }
    let headings = ["ENFORCE", "COUNT", "RULE", "USER", "MANAGER", "ACTOR", "FIRST", "LAST", "LAST CHANGE"];
    let mut grid = Grid::under(ui.headings, &headings);
    let rows = sorted(record);
    for (who, seen) in &rows {
        grid.row([
            seen.in_enforce.as_str().to_owned(),
            seen.count.to_string(),
            who.rule.clone(),
            who.user.clone(),
            if who.field_manager.is_empty() { "-".to_owned() } else { who.field_manager.clone() },
            seen.actor.as_str().to_owned(),
            day(seen.first),
            day(seen.last),
            format!("{} {}", seen.operation, seen.resource),
        ]);
    }
    let count = |decision: Decision| {
        let of = rows.iter().filter(|(_, seen)| seen.in_enforce == decision);
        of.map(|(_, seen)| seen.count).sum::<u64>()
    };
    let mut text = grid.lines("", ui.width);
    let users: std::collections::BTreeSet<&str> = rows.iter().map(|(who, _)| &*who.user).collect();
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "\n{}, {}: enforce denies {} and warns of {}\n",
        counting(rows.len(), "row"),
        counting(users.len(), "user"),
        changes(count(Decision::Deny)),
        changes(count(Decision::Warn))
    );
    if record.left_out() > 0 {
        let _ = writeln!(text, "{} of further identities had no room in the record", changes(record.left_out()));
    }
    let _ = writeln!(
        text,
        "next: {} guard observed --draft   (what acts for the platform has to be listed before enforce)",
        ui.name
    );
    text
}

fn changes(count: u64) -> String {
    counting(usize::try_from(count).unwrap_or(usize::MAX), "change")
}

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

fn document(record: &ObservedRecord) -> Value {
    let rows: Vec<Value> = sorted(record)
        .into_iter()
        .map(|(who, seen)| {
            json!({"user": who.user, "credentialId": who.credential_id, "fieldManager": who.field_manager, "rule": who.rule,
                "actor": seen.actor, "inEnforce": seen.in_enforce, "operation": seen.operation, "resource": seen.resource,
                "count": seen.count, "first": seen.first.to_string(), "last": seen.last.to_string()})
        })
        .collect();
    json!({"apiVersion": API_VERSION, "kind": "ObservedList", "leftOut": record.left_out(), "items": rows})
}

/// The section `actors` of a configuration. Each entry is a comment, so that nobody is trusted who was not looked at.
fn draft(record: &ObservedRecord, now: Timestamp, own_name: &str) -> String {
    let mut machines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut credentials: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut shared: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut people: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (who, seen) in sorted(record) {
        let manager = if who.field_manager.is_empty() { String::new() } else { format!(" by {}", who.field_manager) };
        let fact = format!(
            "{} {} {}: {}{manager}, {} to {}",
            seen.in_enforce.as_str(),
            who.rule,
            changes(seen.count),
            format_args!("{} {}", seen.operation, seen.resource),
            day(seen.first),
            day(seen.last)
        );
        if seen.actor == Actor::Ambiguous && !who.credential_id.is_empty() {
            credentials.entry((&who.credential_id, &who.user)).or_default().push(fact);
        } else if seen.actor == Actor::Ambiguous {
            shared.entry(&who.user).or_default().push(fact);
        } else if who.user.starts_with("system:") {
            machines.entry(&who.user).or_default().push(fact);
        } else {
            people.entry(&who.user).or_default().push(fact);
        }
    }
    let mut out = format!(
        "## Drafted from what the guard observed, on {}, by `{own_name} guard observed --draft`.\n\
         ## An identity under `platform` is never judged, so uncomment it only if you know what it is: a controller of AKS Arc, Cluster API,\n\
         ## or your own automation that Microsoft Support told you to run. Lines with `##` are facts and advice.\n",
        day(now)
    );
    let quoted = |name: &str| serde_json::to_string(name).unwrap_or_default();
    let of_machines: Vec<_> = machines.iter().map(|(user, facts)| (quoted(user), facts)).collect();
    let of_credentials: Vec<_> = credentials
        .iter()
        .map(|((credential, user), facts)| (format!("{} # of {}", quoted(credential), quoted(user)), facts))
        .collect();
    let is_empty = of_machines.is_empty() && of_credentials.is_empty();
    let list = |out: &mut String, heading: &str, list: &[(String, &Vec<String>)]| {
        if list.is_empty() {
            return;
        }
        let _ = writeln!(out, "#     {heading}:");
        for (name, facts) in list {
            out.extend(facts.iter().map(|fact| format!("##      {fact}\n")));
            let _ = writeln!(out, "#     - {name}");
        }
    };
    if is_empty {
        out += "## No service account and no shared credential was seen.\n";
    } else {
        out += "# actors:\n#   platform:\n";
        list(&mut out, "users", &of_machines);
        list(&mut out, "credentialIds", &of_credentials);
        if !of_credentials.is_empty() {
            out += "## A credential that a person holds goes here instead: that person is then denied what people are.\n#   people:\n";
            list(&mut out, "credentialIds", &of_credentials);
        }
    }
    if !shared.is_empty() {
        out += "## These could be the platform or a person, and the API server gives no credential id (Kubernetes 1.32 on does):\n";
        for (user, facts) in &shared {
            out.extend(facts.iter().map(|fact| format!("##   {}: {fact}\n", quoted(user))));
        }
    }
    if !people.is_empty() {
        out += "## People; they need no entry, and have to know before you enforce:\n";
        for (user, facts) in &people {
            out.extend(facts.iter().map(|fact| format!("##   {}: {fact}\n", quoted(user))));
        }
    }
    out
}

pub(super) const EXAMPLES: &str = "\
ENFORCE is what the mode enforce does about it, whatever the present mode is. The record has room for 500 rows; it begins anew after:
  kubectl -n aksarc-system patch configmap guard-observed --type=merge -p '{\"data\": null}'

Exit codes: 0 the record was read, also an empty one, 1 there is none, or it cannot be read.

Examples:
  kubectl aksarc guard observed
  kubectl aksarc guard observed -o json

  # What acts for the platform here? Every line is a comment until you say so
  kubectl aksarc guard observed --draft > actors.yaml";

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::facts::actor::Actors;

    #[derive(serde::Deserialize)]
    struct Section {
        actors: Actors,
    }

    fn record() -> ObservedRecord {
        let at: Timestamp = "2026-11-02T10:00:00Z".parse().unwrap();
        let seen = |actor, in_enforce, count| Sightings {
            actor,
            in_enforce,
            resource: "nodes".to_owned(),
            operation: "UPDATE".to_owned(),
            count,
            first: at,
            last: at,
        };
        let mut record = ObservedRecord::default();
        let account = "system:serviceaccount:contoso:updater";
        record.add(Observed::new("alice", "", "kubectl-label", "AA201"), seen(Actor::Person, Decision::Deny, 2));
        record.add(Observed::new(account, "JTI=1", "updater", "AA204"), seen(Actor::Person, Decision::Warn, 40));
        record.add(
            Observed::new("kubernetes-admin", "X509SHA256=aa", "", "AA301"),
            seen(Actor::Ambiguous, Decision::Warn, 1),
        );
        record
            .add(Observed::new("kubernetes-admin", "", "manager", "AA301"), seen(Actor::Ambiguous, Decision::Warn, 1));
        record
    }

    #[test]
    fn the_heaviest_and_most_frequent_come_first() {
        let users: Vec<_> = document(&record())["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["user"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(users, ["alice", "system:serviceaccount:contoso:updater", "kubernetes-admin", "kubernetes-admin"]);
    }

    #[test]
    fn a_draft_trusts_nobody_until_its_lines_are_uncommented() {
        let draft = draft(&record(), "2026-11-30T00:00:00Z".parse().unwrap(), "k");
        assert!(draft.lines().all(|line| line.starts_with('#')), "{draft}");
        assert!(
            draft.contains("##      warn AA204 40 changes: UPDATE nodes by updater, 2026-11-02 to 2026-11-02\n"),
            "{draft}"
        );
        assert!(draft.contains("\"alice\": deny AA201 2 changes"), "{draft}");
        let uncommented: String =
            draft.lines().filter_map(|line| Some(line.strip_prefix("# ")?.to_owned() + "\n")).collect();
        let Section { actors } = serde_saphyr::from_str(&uncommented).unwrap();
        assert_eq!(actors.platform.users, ["system:serviceaccount:contoso:updater"]);
        assert_eq!(actors.platform.credential_ids, ["X509SHA256=aa"]);
        assert_eq!(actors.people.credential_ids, ["X509SHA256=aa"]);
    }
}
