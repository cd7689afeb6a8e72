//! The volumes of a pod, as directories: written as a kubelet writes them, and kept up to date.
//!
//! A volume's files are links into a directory `..data`, which is itself a link: a change puts a new directory in its place,
//! and a reader sees the old files or the new ones.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, DownwardAPIVolumeFile, KeyToPath, Pod, Secret, ServiceAccountTokenProjection, Volume,
    VolumeProjection,
};
use serde_json::{Value, json};

use super::Site;
use super::container::{self, Mounted};

/// Files of a volume by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// The volumes of a pod.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    directory: PathBuf,
    written: BTreeMap<String, Files>,
    /// A token is asked for once: it holds for longer than any test lasts.
    tokens: BTreeMap<String, String>,
    changes: usize,
}

impl Volumes {
    /// Volumes in `directory`, none of which is written yet.
    pub(super) fn new(directory: PathBuf) -> Self {
        Volumes { directory, ..Volumes::default() }
    }

    /// Writes what is new or has changed.
    ///
    /// # Errors
    /// What a volume is made of is missing, or the volume is of a kind that is not played.
    pub(super) fn refresh(&mut self, site: &Site, pod: &Pod) -> anyhow::Result<()> {
        for volume in pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()) {
            let files = self.files(site, pod, volume).with_context(|| format!("volume {}", volume.name))?;
            let known = self.written.get(&volume.name);
            if known == Some(&files) {
                continue;
            }
            self.changes += 1;
            write(&self.directory.join(&volume.name), &files, self.changes)?;
            self.written.insert(volume.name.clone(), files);
        }
        Ok(())
    }

    /// The places that stand for the paths at which `container` mounts them.
    pub(super) fn mounts(&self, container: &Container) -> Vec<Mounted> {
        let mounts = container.volume_mounts.iter().flatten();
        let place = |volume: &str, inside: Option<&str>| match inside {
            Some(inside) => self.directory.join(volume).join(inside),
            None => self.directory.join(volume),
        };
        let mounted = mounts.map(|mount| Mounted {
            path: mount.mount_path.trim_end_matches('/').to_owned(),
            place: place(&mount.name, mount.sub_path.as_deref()),
        });
        mounted.collect()
    }

    /// A kubeconfig of the pod's service account, if a token is mounted where clients in a cluster look for it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn kubeconfig(&self, site: &Site, pod: &Pod, mounts: &[Mounted]) -> anyhow::Result<Option<PathBuf>> {
        let Some(mount) = mounts.iter().find(|mount| mount.path == ACCOUNT) else { return Ok(None) };
        let cluster = json!({"server": site.server, "certificate-authority": mount.place.join("ca.crt")});
        let context = json!({"cluster": "in", "user": "account", "namespace": pod.metadata.namespace});
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "in", "cluster": cluster}],
            "users": [{"name": "account", "user": {"tokenFile": mount.place.join("token")}}],
            "contexts": [{"name": "in", "context": context}],
            "current-context": "in",
        });
        let path = self.directory.join("kubeconfig");
        // JSON is YAML.
        fs::write(&path, kubeconfig.to_string())?;
        Ok(Some(path))
    }

    fn files(&mut self, site: &Site, pod: &Pod, volume: &Volume) -> anyhow::Result<Files> {
        if volume.empty_dir.is_some() {
            return Ok(Files::new());
        }
        if let Some(source) = &volume.config_map {
            return map_files(site, &source.name, source.items.as_deref(), source.optional);
        }
        if let Some(source) = &volume.secret {
            let name = source.secret_name.as_deref().unwrap_or_default();
            return secret_files(site, name, source.items.as_deref(), source.optional);
        }
        let Some(projected) = &volume.projected else {
            bail!("only emptyDir, configMap, secret and projected are played")
        };
        let mut files = Files::new();
        for projection in projected.sources.iter().flatten() {
            files.extend(self.projected(site, pod, projection)?);
        }
        Ok(files)
    }

    fn projected(&mut self, site: &Site, pod: &Pod, projection: &VolumeProjection) -> anyhow::Result<Files> {
        if let Some(source) = &projection.config_map {
            return map_files(site, &source.name, source.items.as_deref(), source.optional);
        }
        if let Some(source) = &projection.secret {
            return secret_files(site, &source.name, source.items.as_deref(), source.optional);
        }
        if let Some(source) = &projection.service_account_token {
            let token = match self.tokens.get(&source.path) {
                Some(token) => token.clone(),
                None => token(site, pod, source)?,
            };
            self.tokens.insert(source.path.clone(), token.clone());
            return Ok(Files::from([(source.path.clone(), token.into_bytes())]));
        }
        if let Some(source) = &projection.downward_api {
            return source.items.iter().flatten().map(|item| downward(pod, item)).collect();
        }
        bail!("this source of a projected volume is not played")
    }
}

/// A token of the pod's service account that holds for as long as the pod exists.
fn token(site: &Site, pod: &Pod, source: &ServiceAccountTokenProjection) -> anyhow::Result<String> {
    let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.as_deref()).unwrap_or("default");
    let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid});
    let audiences: Vec<&String> = source.audience.iter().collect();
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": audiences, "expirationSeconds": source.expiration_seconds, "boundObjectRef": bound},
    });
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", site.namespace);
    let answer = site.http.post(&path, &request)?.object()?;
    let token = answer.pointer("/status/token").and_then(Value::as_str);
    Ok(token.context("a token request without a token")?.to_owned())
}

fn downward(pod: &Pod, item: &DownwardAPIVolumeFile) -> anyhow::Result<(String, Vec<u8>)> {
    let field = item.field_ref.as_ref().context("resources in a volume are not played")?;
    Ok((item.path.clone(), container::field(pod, &field.field_path)?.into_bytes()))
}

fn map_files(site: &Site, name: &str, items: Option<&[KeyToPath]>, optional: Option<bool>) -> anyhow::Result<Files> {
    let map: Option<ConfigMap> = container::read(site, "configmaps", name)?;
    let Some(map) = map else { return missing("ConfigMap", name, optional) };
    let text = map.data.into_iter().flatten().map(|(key, text)| (key, text.into_bytes()));
    let bytes = map.binary_data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0));
    chosen(text.chain(bytes).collect(), items)
}

fn secret_files(site: &Site, name: &str, items: Option<&[KeyToPath]>, optional: Option<bool>) -> anyhow::Result<Files> {
    let secret: Option<Secret> = container::read(site, "secrets", name)?;
    let Some(secret) = secret else { return missing("Secret", name, optional) };
    chosen(secret.data.into_iter().flatten().map(|(key, bytes)| (key, bytes.0)).collect(), items)
}

fn missing(kind: &str, name: &str, optional: Option<bool>) -> anyhow::Result<Files> {
    ensure!(optional == Some(true), "there is no {kind} {name}");
    Ok(Files::new())
}

/// The files that `items` choose, under the names that they give them.
fn chosen(mut files: Files, items: Option<&[KeyToPath]>) -> anyhow::Result<Files> {
    let Some(items) = items else { return Ok(files) };
    let file = |item: &KeyToPath| {
        let bytes = files.remove(&item.key).with_context(|| format!("no key {}", item.key))?;
        ensure!(!item.path.contains('/'), "paths below a volume are not played");
        Ok((item.path.clone(), bytes))
    };
    items.iter().map(file).collect()
}

fn write(volume: &Path, files: &Files, change: usize) -> anyhow::Result<()> {
    let data = volume.join(format!("..{change}"));
    fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
    for (name, bytes) in files {
        fs::write(data.join(name), bytes)?;
    }
    let draft = volume.join("..data_tmp");
    symlink(format!("..{change}"), &draft)?;
    fs::rename(draft, volume.join("..data"))?;
    for entry in fs::read_dir(volume)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !files.contains_key(&name) && volume.join(&name).is_symlink() {
            fs::remove_file(volume.join(&name))?;
        }
    }
    for name in files.keys() {
        let link = volume.join(name);
        if !link.is_symlink() {
            symlink(Path::new("..data").join(name), link)?;
        }
    }
    Ok(())
}

/// Where clients in a cluster look for their service account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_replaces_all_files_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path().join("config");
        let files = |names: &[&str], text: &str| {
            names.iter().map(|name| ((*name).to_owned(), text.as_bytes().to_vec())).collect::<Files>()
        };
        write(&volume, &files(&["a", "b"], "old"), 1).unwrap();
        assert_eq!(fs::read_to_string(volume.join("b")).unwrap(), "old");
        assert_eq!(fs::read_link(volume.join("..data")).unwrap(), Path::new("..1"));
        write(&volume, &files(&["a", "c"], "new"), 2).unwrap();
        assert_eq!(fs::read_to_string(volume.join("a")).unwrap(), "new");
        assert_eq!(fs::read_to_string(volume.join("c")).unwrap(), "new");
        assert!(!volume.join("b").is_symlink());
        write(&volume, &Files::new(), 3).unwrap();
        assert!(!volume.join("a").is_symlink());
    }

    #[test]
    fn items_choose_and_rename_keys() {
        let files = Files::from([("key".to_owned(), vec![1]), ("other".to_owned(), vec![2])]);
        let item = |key: &str| KeyToPath { key: key.to_owned(), path: "file".to_owned(), mode: None };
        assert_eq!(chosen(files.clone(), Some(&[item("key")])).unwrap(), Files::from([("file".to_owned(), vec![1])]));
        assert!(chosen(files, Some(&[item("none")])).unwrap_err().to_string().contains("no key none"));
    }
}
