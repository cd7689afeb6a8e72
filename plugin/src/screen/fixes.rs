//! Commands of findings, made ready to paste: for the checked cluster, and for the reader's shell.

use std::env;
use std::path::Path;

use aksarc_shared::command::{Command, Shell};
use aksarc_shared::finding::Finding;
use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::cli::flags::KubeFlags;

/// The shell that `--shell` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellFlag(pub Shell);

impl ValueEnum for ShellFlag {
    fn value_variants<'a>() -> &'a [Self] {
        &[ShellFlag(Shell::Bash), ShellFlag(Shell::PowerShell)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.as_str()))
    }
}

/// The shell and the cluster for which commands are printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pasting {
    shell: Shell,
    kubectl: Vec<String>,
    helm: Vec<String>,
}

impl Pasting {
    /// For a shell, by default the one that the system suggests, and for no particular cluster.
    pub(crate) fn new(shell: Option<ShellFlag>) -> Self {
        Pasting { shell: shell.map_or_else(suggested, |ShellFlag(shell)| shell), ..Pasting::default() }
    }

    /// Adds the cluster that these flags select. The impersonated user is left out, since it may lack the right to
    /// write, and so is the token, which is a secret.
    pub(crate) fn of_cluster(mut self, flags: &KubeFlags) -> Self {
        let path = |path: &Option<std::path::PathBuf>| path.as_deref().map(absolute);
        let pairs = [
            ("--kubeconfig", Some("--kubeconfig"), path(&flags.kubeconfig)),
            ("--context", Some("--kube-context"), flags.context.clone()),
            ("--cluster", None, flags.cluster.clone()),
            ("--user", None, flags.user.clone()),
            ("--server", Some("--kube-apiserver"), flags.server.clone()),
            ("--certificate-authority", Some("--kube-ca-file"), path(&flags.certificate_authority)),
            ("--client-certificate", None, path(&flags.client_certificate)),
            ("--client-key", None, path(&flags.client_key)),
            ("--tls-server-name", Some("--kube-tls-server-name"), flags.tls_server_name.clone()),
        ];
        for (kubectl, helm, value) in pairs {
            let Some(value) = value else { continue };
            self.kubectl.extend([kubectl.to_owned(), value.clone()]);
            self.helm.extend(helm.into_iter().flat_map(|flag| [flag.to_owned(), value.clone()]));
        }
        if flags.insecure_skip_tls_verify {
            self.kubectl.push("--insecure-skip-tls-verify".to_owned());
            self.helm.push("--kube-insecure-skip-tls-verify".to_owned());
        }
        self
    }

    /// Makes the commands of findings ready to paste.
    pub(crate) fn make_ready(&self, findings: &mut [Finding]) {
        findings.iter_mut().flat_map(|finding| &mut finding.fix).for_each(|command| self.command(command));
    }

    /// Makes one command ready to paste.
    pub(crate) fn command(&self, command: &mut Command) {
        command.shell(self.shell);
        match command.program_name() {
            "kubectl" => command.flags(&self.kubectl),
            "helm" => command.flags(&self.helm),
            _ => {}
        }
    }
}

/// Removes the commands that change a cluster, for findings in manifests: those are changed in their files.
pub(crate) fn of_manifests(findings: &mut [Finding]) {
    for finding in findings {
        finding.fix.retain(|command| !matches!(command.program_name(), "kubectl" | "helm"));
    }
}

/// The suggested shell: PowerShell on Windows, unless a POSIX shell is in use, and wherever PowerShell started this
/// program.
fn suggested() -> Shell {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let posix = is_set("SHELL") || is_set("MSYSTEM");
    // PowerShell sets this for the programs it starts, on every system.
    let power_shell = if cfg!(windows) { !posix } else { is_set("PSModulePath") };
    if power_shell { Shell::PowerShell } else { Shell::Bash }
}

/// The absolute path, since commands may be pasted in any folder.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        kube: KubeFlags,
    }

    #[test]
    fn commands_are_for_the_cluster_of_the_check_and_never_carry_its_secrets() {
        let line =
            ["x", "--kubeconfig", "/tmp/kube config", "--context", "plant-7", "--as", "alice", "--token", "secret"];
        let flags = Line::parse_from(line).kube;
        let pasting = Pasting::new(Some(ShellFlag(Shell::PowerShell))).of_cluster(&flags);
        let mut commands = [
            Command::kubectl(["delete", "node"]).name("moc-l1"),
            Command::helm(["uninstall", "-n", "shop"]).name("web"),
            Command::az(["aksarc", "upgrade"]),
        ];
        for command in &mut commands {
            pasting.command(command);
        }
        let lines = commands.map(|command| command.line());
        assert_eq!(
            lines,
            [
                "kubectl --kubeconfig '/tmp/kube config' --context plant-7 delete node moc-l1",
                "helm --kubeconfig '/tmp/kube config' --kube-context plant-7 uninstall -n shop web",
                "az aksarc upgrade",
            ]
        );
    }
}
