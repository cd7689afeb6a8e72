//! Commands of the way back that several rules share.

use crate::command::Command;
use crate::data::Platform;
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;

/// The platforms that AKS hybrid's PowerShell module manages.
pub(crate) const MODULE: &[Platform] = &[Platform::WindowsServer, Platform::Hci22h2];

/// Commands that upgrade a cluster, in the tool of each platform; none for bare metal, which has no documented way yet.
///
/// Azure Local: "Upgrade an AKS cluster", learn.microsoft.com/azure/aks/aksarc/cluster-upgrade; the module: "Upgrade
/// the Kubernetes version of AKS clusters", learn.microsoft.com/azure/aks/hybrid/upgrade.
pub(crate) fn upgrade() -> Vec<Command> {
    let shows = "shows the available versions";
    vec![
        Command::az(["aksarc", "get-upgrades", "--resource-group"])
            .blank("GROUP")
            .word("--name")
            .blank("CLUSTER")
            .on(&[Platform::AzureLocal])
            .only(shows),
        Command::az(["aksarc", "upgrade", "--resource-group"])
            .blank("GROUP")
            .word("--name")
            .blank("CLUSTER")
            .word("--kubernetes-version")
            .blank("VERSION")
            .on(&[Platform::AzureLocal])
            .caution("replaces every node, one after another"),
        Command::cmdlet("Get-AksHciClusterUpdates", ["-name"]).blank("CLUSTER").on(MODULE).only(shows),
        Command::cmdlet("Update-AksHciCluster", ["-name"])
            .blank("CLUSTER")
            .word("-kubernetesVersion")
            .blank("VERSION")
            .on(MODULE)
            .caution("replaces every node, one after another"),
    ]
}

/// Commands that give nodes newer images: the module can update images alone, Azure Local renews them with an upgrade.
pub(crate) fn renewal() -> Vec<Command> {
    let images = Command::cmdlet("Update-AksHciCluster", ["-name"])
        .blank("CLUSTER")
        .word("-operatingSystem")
        .on(MODULE)
        .caution("replaces every node, one after another");
    upgrade().into_iter().filter(|command| !command.is_cmdlet()).chain([images]).collect()
}

/// An `az connectedk8s` command on the cluster's connection to Azure Arc.
pub(crate) fn arc(verb: &str) -> Command {
    Command::az(["connectedk8s", verb, "--resource-group"]).blank("GROUP").word("--name").blank("CLUSTER")
}

/// The command that moves the workloads off a node.
pub(crate) fn drain(node: &str) -> Command {
    Command::kubectl(["drain"])
        .one_of(node)
        .word("--ignore-daemonsets")
        .word("--delete-emptydir-data")
        .caution("destroys what pods keep in emptyDir volumes")
        .only("moves its workloads away")
}

/// The command that deletes an object of the user's.
pub(crate) fn delete(object: &Object<'_>, kind: &Kind) -> Command {
    Command::kubectl_in(&object.meta.namespace, ["delete", &kind.qualified()])
        .one_of(&object.meta.name)
        .caution("destroys it")
}

/// An `az aksarc nodepool` command on a pool of Azure Local.
pub(crate) fn pool(verb: &str, name: &str) -> Command {
    Command::az(["aksarc", "nodepool", verb, "--resource-group"])
        .blank("GROUP")
        .word("--cluster-name")
        .blank("CLUSTER")
        .word("--name")
        .name(name)
        .on(&[Platform::AzureLocal])
}
