//! What the guard is called in a cluster, and where it lives.

/// Where the guard lives. Nothing in it is ever reviewed, or the guard could stand in its own way.
pub const NAMESPACE: &str = "aksarc-system";

/// Its Service, its Deployment, and the first part of its certificate's name: `guard.aksarc-system.svc`.
pub const SERVICE: &str = "guard";

/// Its ValidatingWebhookConfiguration.
pub const CONFIGURATION: &str = "guard.aksarc.dev";

/// The annotation with which its manifest says what [`digest`] it was generated with.
pub const GENERATED: &str = "aksarc.dev/generated";

/// The annotation that opens an object which guard-protection.yaml protects: its value is the reason.
pub const OPEN: &str = "aksarc.dev/open";
