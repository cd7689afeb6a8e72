//! The way to the API server: its address, the authority of its certificate, and the guard's credentials there.

use std::path::{Path, PathBuf};
use std::{env, fs};

use aksarc_shared::k8s::read::yaml;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::tls;

/// A way to reach the API server.
#[derive(Clone, Debug)]
pub enum Access {
    /// The pod's service account.
    InCluster,
    /// A kubeconfig, for a guard outside the cluster.
    Kubeconfig(PathBuf),
}

/// The address and the credentials for one request.
pub(super) struct Credentials {
    /// The address of the API server, possibly with the beginning of all paths there.
    pub(super) server: Uri,
    /// The name in the server's certificate, where it is not the one of the address.
    pub(super) server_name: Option<String>,
    pub(super) token: Option<String>,
    /// The TLS configuration, unused for an address that begins with `http:`, such as that of `kubectl proxy`.
    pub(super) tls: ClientConfig,
}

impl Access {
    /// Reads the files anew: a kubelet renews the token within the hour, and the authority with each rotation.
    pub(super) fn read(&self) -> Result<Credentials, String> {
        match self {
            Access::InCluster => in_cluster(),
            Access::Kubeconfig(path) => {
                from_kubeconfig(path).map_err(|error| format!("the kubeconfig {}: {error}", path.display()))
            }
        }
    }
}

fn in_cluster() -> Result<Credentials, String> {
    let variable = |name: &str| env::var(name).map_err(|error| format!("the environment variable {name}: {error}"));
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    // An IPv6 address needs brackets before a port.
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let account = Path::new(SERVICE_ACCOUNT);
    Ok(Credentials {
        server: address(&format!("https://{host}:{port}"))?,
        server_name: None,
        token: Some(text(&account.join("token"))?),
        tls: tls_config(&bytes(&account.join("ca.crt"))?, None)?,
    })
}

fn from_kubeconfig(path: &Path) -> Result<Credentials, String> {
    let documents = yaml::documents(&text(path)?).map_err(|error| error.to_string())?;
    let config: Kubeconfig = parse(documents.into_iter().next().unwrap_or_default())?;
    let context: KubeconfigContext = named(config.contexts, &config.current_context, "context")?;
    let cluster: KubeconfigCluster = named(config.clusters, &context.cluster, "cluster")?;
    let user: KubeconfigUser = named(config.users, &context.user, "user")?;
    // Paths in the file are relative to it.
    let directory = path.parent().unwrap_or(Path::new(""));
    let either = |data: Option<String>, file: Option<PathBuf>| match (data, file) {
        (Some(data), _) => STANDARD.decode(data).map(Some).map_err(|error| format!("data that is not base64: {error}")),
        (None, Some(file)) => bytes(&directory.join(file)).map(Some),
        (None, None) => Ok(None),
    };
    let authority = either(cluster.certificate_authority_data, cluster.certificate_authority)?.unwrap_or_default();
    let certificate = either(user.client_certificate_data, user.client_certificate)?;
    let key = either(user.client_key_data, user.client_key)?;
    let token = match (user.token, user.token_file) {
        (_, Some(file)) => Some(text(&directory.join(file))?),
        (token, None) => token,
    };
    Ok(Credentials {
        server: address(&cluster.server)?,
        server_name: cluster.tls_server_name,
        token,
        tls: tls_config(&authority, certificate.zip(key))?,
    })
}

fn address(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("the address {text}: {error}"))?;
    match uri.scheme_str() {
        Some("https" | "http") => Ok(uri),
        _ => Err(format!("the address {text} begins neither with https:// nor with http://")),
    }
}

fn tls_config(authority: &[u8], own: Option<(Vec<u8>, Vec<u8>)>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|error| format!("the authority of the API server: {error}"))?;
    }
    let config = ClientConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?.with_root_certificates(roots);
    let Some((chain, key)) = own else { return Ok(config.with_no_client_auth()) };
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("the client's key: {error}"))?;
    config
        .with_client_auth_cert(certificates(&chain)?, key)
        .map_err(|error| format!("the client's certificate and key: {error}"))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| format!("a certificate: {error}"))
}

fn text(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
    Ok(text.trim().to_owned())
}

fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("reading {}: {error}", path.display()))
}

fn named<T: for<'de> Deserialize<'de>>(list: Vec<KubeconfigEntry>, name: &str, what: &str) -> Result<T, String> {
    let found = list.into_iter().find(|one| one.name == name);
    let mut found = found.ok_or_else(|| format!("it has no {what} {name:?}"))?;
    parse(found.rest.remove(what).unwrap_or_default()).map_err(|error| format!("{what} {name:?}: {error}"))
}

fn parse<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    current_context: String,
    contexts: Vec<KubeconfigEntry>,
    clusters: Vec<KubeconfigEntry>,
    users: Vec<KubeconfigEntry>,
}

#[derive(Deserialize)]
struct KubeconfigEntry {
    name: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize)]
struct KubeconfigContext {
    cluster: String,
    user: String,
}

/// A cluster. Fields that change the way there, such as `proxy-url`, are refused and not ignored.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct KubeconfigCluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    tls_server_name: Option<String>,
    #[serde(rename = "extensions")]
    _extensions: Option<Value>,
}

/// A user with credentials that need no other program: fields such as `exec` are refused.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct KubeconfigUser {
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    #[serde(rename = "extensions")]
    _extensions: Option<Value>,
}

/// Where a kubelet puts a pod's token and the authority of the API server.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kubeconfig");
        fs::write(&path, text).unwrap();
        Access::Kubeconfig(path).read().err().unwrap_or_default()
    }

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u, namespace: n}}}}]\n\
             clusters: [{{name: other, cluster: {{}}}}, {{name: k, cluster: {{{cluster}}}}}]\nusers: [{{name: u, user: {{{user}}}}}]\n"
        )
    }

    #[test]
    fn a_kubeconfig_with_a_token_beside_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kubeconfig");
        fs::write(directory.path().join("token"), "secret\n").unwrap();
        fs::write(&path, kubeconfig("server: 'https://[::1]:6443/k8s', tls-server-name: a", "tokenFile: token"))
            .unwrap();
        let read = Access::Kubeconfig(path).read().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.server, "https://[::1]:6443/k8s");
        assert_eq!((read.token.as_deref(), read.server_name.as_deref()), (Some("secret"), Some("a")));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let server = "server: 'https://a:1'";
        for (text, words) in [
            (kubeconfig("server: 'a:1'", ""), "neither with https"),
            (kubeconfig(server, "exec: {command: a}"), "user \"u\": unknown field `exec`"),
            (kubeconfig("server: 'https://a:1', proxy-url: 'http://b'", ""), "unknown field `proxy-url`"),
            (kubeconfig(server, "client-key-data: '%'"), "not base64"),
            (kubeconfig("server: 'https://a:1', certificate-authority: none", ""), "reading "),
            (kubeconfig(server, "").replace("user: u", "user: v"), "it has no user \"v\""),
            ("a: [".to_owned(), "YAML"),
            (String::new(), "expected struct Kubeconfig"),
        ] {
            let said = refusal(&text);
            assert!(said.starts_with("the kubeconfig /") && said.contains(words), "{words}: {said}");
        }
    }
}
