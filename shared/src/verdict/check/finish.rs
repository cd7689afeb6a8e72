//! The end of a check, which makes a report of all that was read.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Check, NotJudged};
use super::sum_up::{settle, summary, verdict};
use crate::data::Platform;
use crate::facts::inventory::NodeFact;
use crate::finding::Finding;
use crate::people::waiver;
use crate::rules::aa904;
use crate::verdict::audit;
use crate::verdict::report::{Cluster, Coverage, NodeVersion, Policy, Report, RuleResult, ToolVersion};
use crate::verdict::weigh::merge;

impl Check<'_> {
    /// Ends the check and returns its report.
    ///
    /// # Errors
    /// [`NotJudged`] when this is no AKS Arc cluster.
    pub fn finish(self, tool: ToolVersion, context: &str, server: &str) -> Result<Report, NotJudged> {
        if let Some((node, product)) =
            self.inventory.nodes.iter().find_map(|node| Some((&node.name, node.other_product.as_ref()?)))
            && !self.inventory.nodes.iter().any(|node| node.is_moc(self.data))
        {
            return Err(NotJudged::OtherProduct { product: product.clone(), node: node.clone() });
        }
        if let Some(baseline) = &self.params.baseline {
            let (then, now) = (&*baseline.cluster, self.recorder.cluster());
            if !then.is_empty() && !now.is_empty() && then != now {
                let (captured_at, context) = (baseline.captured_at, baseline.context.clone());
                return Err(NotJudged::OtherCluster { captured_at, context });
            }
        }
        let (candidates, evidence) = self.candidates();
        let mut rules = Vec::new();
        let mut findings = Vec::new();
        for rule in &self.params.rules {
            let (outcome, found) = self.judge(rule, &candidates);
            rules.push(outcome);
            findings.extend(found);
        }
        waiver::apply(&mut findings, &self.params.waivers, self.params.now);
        settle(&mut rules, &findings);
        if self.params.rules.iter().any(|rule| rule.code == aa904::RULE.code) {
            let audits = audit::audit(&self.params.waivers, &findings, &rules, self.params.now);
            let platform = candidates.first().copied().unwrap_or(Platform::AzureLocal);
            let found = merge(&aa904::RULE, platform, audit::drafts(&audits));
            findings.extend(found);
        }
        findings.sort_by(|a, b| {
            let key = |f: &Finding| (f.waiver.is_some(), f.consequence, f.code);
            key(a).cmp(&key(b)).then_with(|| a.object.cmp(&b.object)).then_with(|| a.path.cmp(&b.path))
        });
        let (verdict, verdict_basis) = verdict(&rules, &findings);
        let day = self.day();
        let documents = candidates.iter().filter_map(|platform| self.data.document(*platform)).cloned().collect();
        let tables: BTreeSet<String> =
            self.tables.iter().filter(|t| candidates.contains(&t.platform)).map(|t| t.as_of.to_string()).collect();
        let reasons = |outcome: RuleResult| {
            let of_outcome = rules.iter().filter(|rule| rule.outcome == outcome);
            of_outcome.map(|rule| format!("{} {}", rule.code, rule.reason)).collect::<Vec<_>>()
        };
        let coverage = Coverage {
            evaluated: rules.iter().filter(|rule| rule.outcome != RuleResult::Unknown).count(),
            objects: self.objects,
            without_managed_fields: self.without_managed_fields(),
            requests: self.requests,
            unknown: reasons(RuleResult::Unknown),
            not_observable: reasons(RuleResult::NotObservable),
        };
        Ok(Report {
            tool,
            policy: Policy {
                platforms: candidates.clone(),
                platform_evidence: evidence,
                documents,
                as_of: day.to_string(),
                version_table_as_of: tables.into_iter().collect::<Vec<_>>().join("|"),
                release: self.params.release.clone(),
            },
            cluster: Cluster {
                context: context.to_owned(),
                server: server.to_owned(),
                kubernetes_version: self.inventory.server_version.clone().unwrap_or_default(),
                nodes: self.inventory.nodes.len(),
                node_versions: node_versions(&self.inventory.nodes),
                created: self.inventory.birth.clone(),
                arc_agent_version: self.inventory.arc_agent_version.clone(),
                azure_resource: self.inventory.azure_resource.clone(),
                uid: self.inventory.cluster.clone(),
            },
            verdict,
            verdict_basis,
            exit_code: self.exit_code(verdict, &findings),
            fail_on: self.params.fail_on,
            summary: summary(&rules, &findings),
            clocks: self.clocks(day, &candidates),
            rules,
            findings,
            questions: self.questions(&candidates),
            coverage,
        })
    }
}

/// The nodes by the version of their kubelet, in the order of the versions' text.
fn node_versions(nodes: &[NodeFact]) -> Vec<NodeVersion> {
    let mut versions: BTreeMap<&str, NodeVersion> = BTreeMap::new();
    for node in nodes.iter().filter(|node| !node.kubelet.is_empty()) {
        let known = versions.entry(&node.kubelet).or_default();
        known.nodes += 1;
        // RFC 3339 times in UTC sort as text, and nothing sorts before them.
        let created = || node.created.clone();
        if node.created.is_some() && (known.first_created.is_none() || node.created < known.first_created) {
            known.first_created = created();
        }
        if node.created > known.last_created {
            known.last_created = created();
        }
    }
    let named = |(version, known): (&str, NodeVersion)| NodeVersion { version: version.to_owned(), ..known };
    versions.into_iter().map(named).collect()
}
