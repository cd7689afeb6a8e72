//! A script that records the objects that rules read with kubectl alone, for users who may not install anything.
//!
//! Each file is named after the resource that kubectl is asked for, so that an empty list names its kind. Secrets are
//! never requested, and ConfigMaps only where a rule reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aksarc_shared::command::Shell;
use aksarc_shared::data::embedded;
use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::kinds::Kind;
use aksarc_shared::verdict::check::{Check, Params};

use super::index::{TAKEN, file_of};
use aksarc_shared::facts::probe::Probe;

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let check = Check::new(embedded(), Params::at(Timestamp::UNIX_EPOCH));
    let wide: BTreeSet<&Kind> = check.plan_first().into_iter().map(|key| key.kind).collect();
    let mut narrow: BTreeMap<String, BTreeSet<&Kind>> = BTreeMap::new();
    for ReadKey { kind, namespace } in check.plan_then().into_iter().filter(|key| !wide.contains(key.kind)) {
        narrow.entry(namespace.unwrap_or_default()).or_default().insert(kind);
    }
    let wide: Vec<String> = wide.into_iter().map(asked_for).collect();
    // Namespaces with the same resources share a line.
    let mut lines: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (namespace, kinds) in narrow {
        lines.entry(kinds.into_iter().map(asked_for).collect()).or_default().push(namespace);
    }
    match shell {
        Shell::Bash => bash(&wide, &lines),
        Shell::PowerShell => powershell(&wide, &lines),
    }
}

/// A kind as kubectl is asked for it. For alpha kinds the version matters; for others the server's own choice is fine.
fn asked_for(kind: &Kind) -> String {
    if kind.is_alpha() { format!("{}.{}.{}", kind.resource, kind.version, kind.group) } else { kind.qualified() }
}

fn bash(wide: &[String], narrow: &BTreeMap<Vec<String>, Vec<String>>) -> String {
    let (apis, metrics, readyz) = (file_of(Probe::ApiGroups), file_of(Probe::Metrics), file_of(Probe::Readyz));
    let mut text = format!(
        r#"#!/usr/bin/env bash
# Records a cluster with nothing but kubectl, for `kubectl aksarc support-check --snapshot DIRECTORY`. It reads only, and no
# Secrets; what may not be read or is not served is named in errors.txt, and will be unknown.
#   bash record.sh DIRECTORY [flags of kubectl, such as --context edge]
set -u
directory=${{1:?"usage: bash record.sh DIRECTORY [flags of kubectl]"}}
shift
flags=("$@")
mkdir -p "$directory" && cd "$directory" || exit 1
record() {{ # FILE ARGUMENTS...
  local file=$1
  shift
  kubectl ${{flags[@]+"${{flags[@]}}"}} "$@" > "$file" 2>> errors.txt || rm -f "$file"
}}
date -u +%Y-%m-%dT%H:%M:%SZ > {TAKEN}
record version.json version -o json
record {apis} get --raw /apis
record {metrics} get --raw /metrics
record {readyz} get --raw '/readyz?verbose'
for resource in {}; do
  record "$resource.json" get "$resource" -A -o json --show-managed-fields
done
"#,
        wide.join(" ")
    );
    for (resources, namespaces) in narrow {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"for namespace in {}; do
  mkdir -p "$namespace"
  for resource in {}; do
    record "$namespace/$resource.json" get "$resource" -n "$namespace" -o json --show-managed-fields
  done
done
"#,
            namespaces.join(" "),
            resources.join(" ")
        );
    }
    text
}

fn powershell(wide: &[String], narrow: &BTreeMap<Vec<String>, Vec<String>>) -> String {
    let (apis, metrics, readyz) = (file_of(Probe::ApiGroups), file_of(Probe::Metrics), file_of(Probe::Readyz));
    let list = |words: &[String]| words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", ");
    let mut text = format!(
        r#"# Records a cluster with nothing but kubectl, for `kubectl aksarc support-check --snapshot DIRECTORY`. It reads only, and no
# Secrets; what may not be read or is not served is named in errors.txt, and will be unknown. For PowerShell 7.
#   ./record.ps1 DIRECTORY [flags of kubectl, such as --context edge]
$Directory, $Flags = $args
if (-not $Directory) {{ throw 'usage: ./record.ps1 DIRECTORY [flags of kubectl]' }}
$Flags = @($Flags | Where-Object {{ $_ }})
[Console]::OutputEncoding = [Text.UTF8Encoding]::new()
New-Item -ItemType Directory -Force -Path $Directory | Out-Null
$Directory = (Resolve-Path -LiteralPath $Directory).Path
function Save-Answer([string]$File, [string[]]$Words) {{
  $path = Join-Path $Directory $File
  & kubectl @Flags @Words 2>> (Join-Path $Directory 'errors.txt') | Out-File -LiteralPath $path -Encoding utf8NoBOM
  if ($LASTEXITCODE -ne 0) {{ Remove-Item -LiteralPath $path -ErrorAction SilentlyContinue }}
}}
[DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ') | Out-File -LiteralPath (Join-Path $Directory '{TAKEN}') -Encoding utf8NoBOM
Save-Answer 'version.json' 'version', '-o', 'json'
Save-Answer '{apis}' 'get', '--raw', '/apis'
Save-Answer '{metrics}' 'get', '--raw', '/metrics'
Save-Answer '{readyz}' 'get', '--raw', '/readyz?verbose'
foreach ($resource in {}) {{
  Save-Answer "$resource.json" 'get', $resource, '-A', '-o', 'json', '--show-managed-fields'
}}
"#,
        list(wide)
    );
    for (resources, namespaces) in narrow {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"foreach ($namespace in {}) {{
  New-Item -ItemType Directory -Force -Path (Join-Path $Directory $namespace) | Out-Null
  foreach ($resource in {}) {{
    Save-Answer "$namespace/$resource.json" 'get', $resource, '-n', $namespace, '-o', 'json', '--show-managed-fields'
  }}
}}
"#,
            list(namespaces),
            list(resources)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_asks_for_all_that_the_rules_read_and_for_no_secret() {
        for shell in [Shell::Bash, Shell::PowerShell] {
            let text = script(shell);
            for word in ["nodes", "deployments.apps", "customresourcedefinitions.apiextensions.k8s.io", "configmaps"] {
                assert!(text.contains(word), "{word}: {text}");
            }
            assert!(!text.contains("secrets") && text.contains("--show-managed-fields"), "{text}");
            // ConfigMaps may hold private data, so they are requested only where a rule reads them.
            assert!(text.lines().filter(|line| line.contains("configmaps")).all(|line| !line.contains("-A")), "{text}");
            assert!(text.lines().all(|line| line.len() < 6_000) && !text.contains("\"\""), "{text}");
        }
    }
}
