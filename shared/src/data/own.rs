//! The names of our own API and of the guard's objects in a cluster.

/// The API group of our documents and objects.
pub const GROUP: &str = "aksarc.dev";

/// The `apiVersion` of all documents that are read and written.
pub const API_VERSION: &str = "aksarc.dev/v1alpha1";

/// The namespace of the guard. No webhook asks about objects in it, or the guard could stand in its own way.
pub const NAMESPACE: &str = "aksarc-system";

/// The name of the guard's Service and Deployment, and the first part of its certificate's name,
/// `guard.aksarc-system.svc`.
pub const SERVICE: &str = "guard";

/// The name of the service account as which the chart's hooks open and close the guard's objects.
pub const HOOK_ACCOUNT: &str = "guard-hooks";

/// The name of the guard's ValidatingWebhookConfiguration.
pub const CONFIGURATION: &str = "guard.aksarc.dev";

/// The name of the Secret in which the guard keeps the authority of its own certificates.
pub const CERTIFICATES: &str = "guard-certificates";

/// The name of the Secret into which others write the guard's certificate, where it does not make its own.
pub const TLS_SECRET: &str = "guard-tls";

/// What the names of the guard's policies and of their bindings end in.
pub const POLICIES: &str = ".guard.aksarc.dev";

/// The policies of guard-protection.yaml.
pub const PROTECTION: [&str; 5] = [
    "certificates.guard.aksarc.dev",
    "endpoints.guard.aksarc.dev",
    "namespace.guard.aksarc.dev",
    "objects.guard.aksarc.dev",
    "protection.guard.aksarc.dev",
];

/// The annotation that carries the [digest](crate::facts::digest) of the webhooks, or of a policy, as they were generated.
pub const GENERATED: &str = "aksarc.dev/generated";

/// The annotation that opens an object which guard-protection.yaml protects, and on the guard's namespace what is in it.
/// Its value is the reason.
pub const OPEN: &str = "aksarc.dev/open";
