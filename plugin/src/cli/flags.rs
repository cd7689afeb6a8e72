//! kubectl's own flags, with the same names.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;

use crate::cli::duration::{self, Limit};

/// The flags that select the cluster and the user. Every command that reads a cluster flattens this struct.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cluster (as in kubectl)")]
pub struct KubeFlags {
    /// Path of the kubeconfig; otherwise $KUBECONFIG, then ~/.kube/config
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_KUBECONFIG", value_hint = clap::ValueHint::FilePath)]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use
    #[arg(long, value_name = "NAME", env = "KUBECTL_AKSARC_CONTEXT")]
    pub context: Option<String>,
    /// Cluster of the kubeconfig to use
    #[arg(long, value_name = "NAME", env = "KUBECTL_AKSARC_CLUSTER")]
    pub cluster: Option<String>,
    /// User of the kubeconfig to use
    #[arg(long, value_name = "NAME", env = "KUBECTL_AKSARC_USER")]
    pub user: Option<String>,
    /// Address and port of the API server
    #[arg(short, long, value_name = "URL", env = "KUBECTL_AKSARC_SERVER")]
    pub server: Option<String>,
    /// Bearer token for the API server
    #[arg(long, value_name = "TOKEN", env = "KUBECTL_AKSARC_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// Name for basic authentication, which API servers left behind with 1.19; proxies before them may ask for it
    #[arg(long, value_name = "NAME", env = "KUBECTL_AKSARC_USERNAME")]
    pub username: Option<String>,
    /// Password for basic authentication
    #[arg(long, value_name = "PASSWORD", env = "KUBECTL_AKSARC_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// User to impersonate
    #[arg(long = "as", value_name = "USER", env = "KUBECTL_AKSARC_AS")]
    pub impersonate: Option<String>,
    /// Group to impersonate; repeat for several
    #[arg(
        long,
        value_name = "GROUP",
        requires = "impersonate",
        env = "KUBECTL_AKSARC_AS_GROUP",
        value_delimiter = ','
    )]
    pub as_group: Vec<String>,
    /// UID to impersonate
    #[arg(long, value_name = "UID", requires = "impersonate", env = "KUBECTL_AKSARC_AS_UID")]
    pub as_uid: Option<String>,
    /// More about the user to impersonate; repeat for several
    #[arg(long, value_name = "KEY=VALUE", requires = "impersonate", value_parser = pair, env = "KUBECTL_AKSARC_AS_USER_EXTRA")]
    pub as_user_extra: Vec<(String, String)>,
    /// Do not check the server's certificate: the connection is then insecure
    #[arg(long, env = "KUBECTL_AKSARC_INSECURE_SKIP_TLS_VERIFY", value_parser = FalseyValueParser::new())]
    pub insecure_skip_tls_verify: bool,
    /// Certificate authority of the API server
    #[arg(long, value_name = "FILE", conflicts_with = "insecure_skip_tls_verify", env = "KUBECTL_AKSARC_CERTIFICATE_AUTHORITY", value_hint = clap::ValueHint::FilePath)]
    pub certificate_authority: Option<PathBuf>,
    /// Client certificate
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_CLIENT_CERTIFICATE", value_hint = clap::ValueHint::FilePath)]
    pub client_certificate: Option<PathBuf>,
    /// Key of the client certificate
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_CLIENT_KEY", value_hint = clap::ValueHint::FilePath)]
    pub client_key: Option<PathBuf>,
    /// Name to check the server's certificate against, instead of its host name
    #[arg(long, value_name = "NAME", env = "KUBECTL_AKSARC_TLS_SERVER_NAME")]
    pub tls_server_name: Option<String>,
    /// Do not request compressed responses
    #[arg(long, env = "KUBECTL_AKSARC_DISABLE_COMPRESSION", value_parser = FalseyValueParser::new())]
    pub disable_compression: bool,
    /// Time limit for one request; 0 for no limit but --timeout
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse, env = "KUBECTL_AKSARC_REQUEST_TIMEOUT")]
    pub request_timeout: Limit,
}

/// A key and its value.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
