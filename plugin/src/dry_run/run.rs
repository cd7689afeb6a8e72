//! The run of the command: discover, read, identify, rehearse, judge.

mod beside;
mod change;
mod items;
mod rehearsal;
mod rehearse;
mod runner;
mod server;

use std::collections::HashMap;

use aksarc_shared::data::Platform;
use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::verdict::guard::Guard;
use items::{ItemState, items};
use runner::Runner;
use server::{discover, identify};

use super::gate::Gate;
use super::plan::{self, GuardAnswer, GuardNote, GuardSource, Plan, PlannedChange, UserNote};
use super::refusal::Refusal;
use super::request::Verb;
use super::session::Session;
use crate::cli::exit::Failure;
use crate::cli::tool;

pub use rehearsal::{KubeContext, NamespaceChoice, Rehearsal, Targets};

/// Runs a rehearsal: discovers, reads, identifies, sends, and judges with `guard`, which is made of the rehearsal's
/// settings. Results of single objects are in the plan; errors that concern all objects are failures.
///
/// # Errors
/// [`Failure`] when arguments make no sense here, or the server cannot be reached.
pub async fn run(
    session: &Session,
    guard: &Guard,
    rehearsal: &Rehearsal,
    context: &KubeContext,
) -> Result<Plan, Failure> {
    let discovery = discover(session).await?;
    let mut items = items(session, rehearsal, rehearsal.namespace.or(&context.namespace), &discovery).await?;
    if rehearsal.ignore_not_found {
        items.retain(|item| !matches!(item.state, ItemState::Absent(_)));
    }
    if items.is_empty() && matches!(rehearsal.verb, Verb::Scale { .. }) {
        return Err(Failure::input(anyhow::anyhow!("no objects passed to scale")));
    }
    // The gate comes after all reads, so that APIServices are read right before the first write.
    let mut gate = Gate::new(session, rehearsal.fresh);
    let (mut user, confirmed) = identify(session, &mut gate, &context.user).await;
    rehearsal.verb.manager().clone_into(&mut user.field_manager);
    let single = items.len() == 1;
    let (documents, discovery, extensions) = (HashMap::new(), &discovery, None);
    let user = &user;
    let mut runner =
        Runner { session, gate, rehearsal, guard, user, documents, discovery, extensions, single, rehearsed: 0 };
    let mut changes = Vec::with_capacity(items.len());
    for item in items {
        changes.push(runner.rehearse(item).await?);
    }
    Ok(Plan {
        api_version: API_VERSION,
        kind: "DryRunReport",
        tool: tool::identity(),
        verb: rehearsal.verb.word(),
        mode: "server",
        user: UserNote {
            name: user.name.clone(),
            groups: user.groups.clone(),
            actor: guard.actor(user).as_str(),
            confirmed,
        },
        cluster: context.cluster.clone(),
        platform: rehearsal.settings.platform.map(Platform::as_str).unwrap_or_default().to_owned(),
        as_of: rehearsal.now.to_zoned(aksarc_shared::jiff::tz::TimeZone::UTC).date().to_string(),
        requests: runner.rehearsed,
        guard: guard_note(rehearsal, &changes),
        counts: plan::counts(&changes),
        support: plan::support(&changes),
        exit_code: plan::exit_code(&changes, rehearsal.fail_on),
        changes,
    })
}

fn guard_note(rehearsal: &Rehearsal, changes: &[PlannedChange]) -> GuardNote {
    let observed = changes.iter().filter_map(|change| change.refusal.as_ref()).any(Refusal::is_guard);
    let source = if observed { GuardSource::Observed } else { rehearsal.source };
    let decision = changes.iter().map(|change| change.guard).max().unwrap_or(GuardAnswer::Allow);
    GuardNote { decision, source, preset: rehearsal.settings.mode.as_str() }
}
