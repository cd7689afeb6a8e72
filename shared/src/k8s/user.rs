//! The user that sends a request.

/// The identity behind a request, as the API server tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// `alice@contoso.example`, `system:serviceaccount:argocd:argocd-server`; empty when the review has none.
    pub name: String,
    /// Groups.
    pub groups: Vec<String>,
    /// `X509SHA256=…` of a client certificate, `JTI=…` of a token (Kubernetes 1.32 on).
    pub credential_ids: Vec<String>,
    /// The field manager of the client. The client chooses it freely, and deletes have none.
    pub field_manager: String,
}
