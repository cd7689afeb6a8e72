//! The identities that requests come from.

/// A user of the test cluster, with the credentials that kind of user has in a real one.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Identity {
    /// `kubernetes-admin` in `system:masters`: Cluster API, or a person with the admin kubeconfig.
    Admin,
    /// Another certificate of the same name and group, so another credential id.
    SecondAdmin,
    /// `alice@contoso.example`, bound to `cluster-admin`.
    Person,
    /// `reader@contoso.example`, who may read everything except nodes.
    Reader,
    /// Argo CD's service account, with a real token, bound to `cluster-admin`.
    GitOps,
    /// The kubelet of the named node.
    Kubelet(String),
    /// The service account of the controller that looks after nodes, with a real token.
    NodeController,
    /// Any other service account, with a real token and no rights of its own.
    ServiceAccount { namespace: String, name: String },
    /// Any other certificate, with no rights of its own.
    User { name: String, group: Option<String> },
}

/// The credentials of an identity.
pub(crate) enum Credential<'a> {
    Certificate { user: String, group: Option<&'a str> },
    Token { namespace: &'a str, name: &'a str },
}

impl Identity {
    pub fn kubelet(node: &str) -> Self {
        Self::Kubelet(node.to_owned())
    }

    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::ServiceAccount { namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub fn user(name: &str) -> Self {
        Self::User { name: name.to_owned(), group: None }
    }

    pub fn user_in(name: &str, group: &str) -> Self {
        Self::User { name: name.to_owned(), group: Some(group.to_owned()) }
    }

    /// The user name as admission and the audit log see it.
    pub fn username(&self) -> String {
        match self.credential() {
            Credential::Certificate { user, .. } => user,
            Credential::Token { namespace, name } => {
                format!("system:serviceaccount:{namespace}:{name}")
            }
        }
    }

    pub(crate) fn credential(&self) -> Credential<'_> {
        let certificate = |user: &str, group| Credential::Certificate { user: user.to_owned(), group };
        match self {
            Self::Admin | Self::SecondAdmin => certificate("kubernetes-admin", Some("system:masters")),
            Self::Person => certificate("alice@contoso.example", None),
            Self::Reader => certificate("reader@contoso.example", None),
            Self::GitOps => Credential::Token { namespace: "argocd", name: "argocd-application-controller" },
            Self::Kubelet(node) => certificate(&format!("system:node:{node}"), Some("system:nodes")),
            Self::NodeController => Credential::Token { namespace: "kube-system", name: "node-controller" },
            Self::ServiceAccount { namespace, name } => Credential::Token { namespace, name },
            Self::User { name, group } => certificate(name, group.as_deref()),
        }
    }

    /// The name of its files and of its context.
    pub(crate) fn slug(&self) -> String {
        match self {
            Self::Admin => "admin".to_owned(),
            Self::SecondAdmin => "second-admin".to_owned(),
            Self::Person => "person".to_owned(),
            Self::Reader => "reader".to_owned(),
            Self::GitOps => "gitops".to_owned(),
            Self::Kubelet(_) | Self::NodeController | Self::ServiceAccount { .. } | Self::User { .. } => {
                self.username().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
            }
        }
    }
}
