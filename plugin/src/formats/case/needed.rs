//! The consent, access and logs that a support engineer will need, by platform.

use aksarc_shared::verdict::report::v1::ReportV1;

use super::item::CaseItem;

/// The items to have at hand before the request is opened, by platform.
pub(super) fn items(report: &ReportV1) -> Vec<CaseItem> {
    let mut items = vec![
        CaseItem::Remark(
            "Consent: Microsoft Support acts on a cluster only with the consent and the help of its owner.".to_owned(),
        ),
        CaseItem::Remark("The SSH key of the nodes: without it nobody can collect the logs of nodes.".to_owned()),
    ];
    let may_be = |platform: &str| report.policy.platforms.iter().any(|own| own == platform);
    if may_be("azure-local") {
        items.push(CaseItem::Command {
            purpose: "Logs, on azure-local",
            line: "az aksarc get-logs --ip NODE_IP --credentials-dir SSH_DIR --out-dir LOGS_DIR",
        });
    }
    if may_be("windows-server") || may_be("hci-22h2") {
        items.push(CaseItem::Command {
            purpose: "Logs, on windows-server and hci-22h2, in PowerShell on a host",
            line: "Get-AksHciLogs",
        });
    }
    if may_be("bare-metal") {
        items.push(CaseItem::Remark("Logs, on bare-metal: no command is published that is known to us.".to_owned()));
    }
    items
}
