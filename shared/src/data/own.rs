//! The names of the guard's own objects in a cluster.

/// The namespace of the guard. No webhook asks about objects in it, or the guard could stand in its own way.
pub const NAMESPACE: &str = "aksarc-system";

/// The name of the guard's Service and Deployment, and the first part of its certificate's name,
/// `guard.aksarc-system.svc`.
pub const SERVICE: &str = "guard";

/// The name of the guard's ValidatingWebhookConfiguration.
pub const CONFIGURATION: &str = "guard.aksarc.dev";

/// The annotation that carries the [digest](crate::facts::digest::digest) of the webhooks as they were generated.
pub const GENERATED: &str = "aksarc.dev/generated";

/// The annotation that opens an object which guard-protection.yaml protects. Its value is the reason.
pub const OPEN: &str = "aksarc.dev/open";
