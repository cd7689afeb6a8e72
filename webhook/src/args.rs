//! Arguments, logging and exit codes of the binary.

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::data;
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::certificate;
use aksarc_shared::verdict::guard::Guard;
use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use prometheus_client::metrics::counter::Counter;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;

use crate::api::Access;
use crate::certificates::{CertificateOptions, CertificateTimes};
use crate::config;
use crate::heartbeat::{HeartbeatInterval, HeartbeatOptions};
use crate::log::{self, LogFormat, print_within};
use crate::manifest::{self, ManifestCertificate, ManifestConfig, ManifestOptions};
use crate::observed::ObservedOptions;
use crate::opening;
use crate::protection::ProtectionOptions;
use crate::published::PublishedOptions;
use crate::server::{CertificateSource, GuardServer, ServerLimits, ServerOptions, StartError};
use crate::waivers::WaiverReadOptions;

/// Runs the binary: parses its arguments, does what they say, and turns errors into exit codes.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explain(error),
    };
    let result = match arguments.command {
        None => return serve(arguments.serve),
        Some(GuardCommand::CheckConfig { file }) => check_config(&file),
        Some(GuardCommand::Close(access)) => set_open(access, None),
        Some(GuardCommand::ConfigSchema) => print(&config::schema()),
        Some(GuardCommand::Manifest(manifest)) => print_manifest(manifest),
        Some(GuardCommand::Open { reason, access }) => set_open(access, Some(&reason)),
    };
    result.unwrap_or_else(|error| {
        report(&format!("{error:#}"));
        ExitCode::from(ENVIRONMENT)
    })
}

/// The guard of kubectl-aksarc: a validating admission webhook that warns of, refuses or records changes outside the
/// support policy of AKS enabled by Azure Arc.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<GuardCommand>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum GuardCommand {
    /// Checks a configuration file and says what is wrong with it.
    CheckConfig {
        /// The file, or the manifest of a ConfigMap that holds it as guard.yaml; - reads standard input.
        file: PathBuf,
    },
    /// Closes the guard's webhook configuration and namespace, as the Helm chart does after a change.
    Close(AccessArgs),
    /// Prints the JSON schema of the configuration file.
    ConfigSchema,
    /// Prints the manifest that installs the guard, generated from the rules.
    Manifest(ManifestArgs),
    /// Opens the guard's webhook configuration and namespace by the annotation aksarc.dev/open, as the Helm chart does before
    /// a change. What does not exist is no error.
    Open {
        /// The reason, which the API server's audit log keeps.
        #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
        reason: String,
        #[command(flatten)]
        access: AccessArgs,
    },
}

#[derive(Debug, Args)]
struct AccessArgs {
    /// How to reach the API server; without it as the pod's service account.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ManifestArgs {
    /// Compares with a file instead of printing; exits with 1 when they differ.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// The authority, in PEM, of a certificate that others write into the Secret guard-tls; without it the guard makes
    /// its own certificate.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The certificate is in the Secret guard-tls, and others have API servers trust it, as cert-manager does.
    #[arg(long)]
    tls_secret: bool,
    /// The guard's configuration, which goes into the manifest; without it the one in the cluster stays as it is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The image to run.
    #[arg(long, default_value = manifest::IMAGE)]
    image: String,
    /// A range of pods' addresses, from which no review is taken; only for networks where API servers come from
    /// addresses of nodes, see the NetworkPolicy in the manifest. Repeat it for further ranges.
    #[arg(long, value_name = "CIDR")]
    pod_cidr: Vec<manifest::Cidr>,
    /// The policy that protects webhook configurations instead, which no webhook can; for Kubernetes 1.30 or newer.
    #[arg(long, conflicts_with_all = ["ca_file", "tls_secret", "image", "pod_cidr"])]
    protection: bool,
    /// The policies that refuse the gravest changes even while the guard is down instead; for Kubernetes 1.30 or newer.
    #[arg(long, conflicts_with_all = ["ca_file", "tls_secret", "image", "pod_cidr", "protection"])]
    rules: bool,
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// Where reviews come in, over TLS.
    #[arg(long, env = "AKSARC_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// Where metrics scrapers come in, in the clear.
    #[arg(long, env = "AKSARC_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    admin_listen: SocketAddr,
    /// Where probes come in, in the clear: /livez and /readyz, answered whatever the other ports are busy with.
    #[arg(long, env = "AKSARC_PROBE_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8081")]
    probe_listen: SocketAddr,
    /// Directory with tls.crt, the certificate chain, and tls.key; without it the guard makes and renews its own
    /// certificate, keeps its authority in the Secret guard-certificates, and has the API server trust it.
    #[arg(long, env = "AKSARC_TLS_DIR", value_name = "DIRECTORY")]
    tls_dir: Option<PathBuf>,
    /// The name of this replica in that Secret, which is the pod's; without it one is made up.
    #[arg(long, env = "AKSARC_REPLICA", value_name = "NAME", conflicts_with = "tls_dir")]
    replica: Option<String>,
    /// The lives of certificates and the steps of their renewal, for tests.
    #[arg(long, hide = true, value_name = "TIMES", value_parser = CertificateTimes::parse)]
    certificate_times: Option<CertificateTimes>,
    /// Configuration file, a GuardConfig; without one the guard observes, and takes it into use once it is there.
    #[arg(long, env = "AKSARC_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How often configuration and certificates are looked at, such as 10s or 1m.
    #[arg(long, env = "AKSARC_POLL", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    poll: Duration,
    /// How long a stopping guard goes on accepting, until no API server sends it reviews any more.
    #[arg(long, env = "AKSARC_LINGER", value_name = "DURATION", default_value = "5s", value_parser = duration)]
    linger: Duration,
    /// Whether to note in the ConfigMap guard-heartbeat that the cluster runs, for support-check to find long stops.
    #[arg(long, env = "AKSARC_HEARTBEAT", value_name = "SWITCH", default_value = "on")]
    heartbeat: Switch,
    /// The least time between two notes of all replicas together, from 10m to 1h.
    #[arg(long, env = "AKSARC_HEARTBEAT_INTERVAL", value_name = "DURATION", default_value_t)]
    heartbeat_interval: HeartbeatInterval,
    /// Whether to note in the ConfigMap guard-observed who would have been denied or warned of, for `guard observed`.
    #[arg(long, env = "AKSARC_OBSERVED", value_name = "SWITCH", default_value = "on")]
    observed: Switch,
    /// How often that is written where there is anything new, from 1s to 5m.
    #[arg(long, env = "AKSARC_OBSERVED_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = interval)]
    observed_interval: Duration,
    /// Whether the cluster's SupportWaiver objects count as waivers of the configuration do.
    #[arg(long, env = "AKSARC_CLUSTER_WAIVERS", value_name = "SWITCH", default_value = "on")]
    cluster_waivers: Switch,
    /// How often they are read, from 1s to 5m.
    #[arg(long, env = "AKSARC_CLUSTER_WAIVERS_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = interval)]
    cluster_waivers_interval: Duration,
    /// Whether to close the guard's webhook configuration and namespace a quarter of an hour after somebody opened them
    /// by the annotation aksarc.dev/open, and to try every five minutes whether a policy protects them.
    #[arg(long, env = "AKSARC_PROTECTION", value_name = "SWITCH", default_value = "on")]
    protection: Switch,
    /// Both times, for tests.
    #[arg(long, hide = true, value_name = "DURATION", value_parser = duration)]
    protection_every: Option<Duration>,
    /// Whether the metrics show the result of support-check that `report publish` last wrote into the ConfigMap
    /// aksarc-result.
    #[arg(long, env = "AKSARC_CHECK_RESULT", value_name = "SWITCH", default_value = "on")]
    check_result: Switch,
    /// How often it is read, from 1s to 5m.
    #[arg(long, env = "AKSARC_CHECK_RESULT_INTERVAL", value_name = "DURATION", default_value = "30s", value_parser = interval)]
    check_result_interval: Duration,
    /// How to reach the API server for all of these; without it as the pod's service account. It holds a token or a
    /// certificate: programs that get one are not run, and proxies not used.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The form of the log, which goes to standard error; lines that cannot be written are dropped and counted.
    #[arg(long, env = "AKSARC_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// The least weight that is logged.
    #[arg(long, env = "AKSARC_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    log_level: Level,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    Off,
    On,
}

fn serve(arguments: ServeArgs) -> ExitCode {
    let lines = match log::start(arguments.log_format, arguments.log_level) {
        Ok(lines) => lines,
        Err(error) => {
            report(&format!("cannot start a thread for the log: {error}"));
            return ExitCode::from(ENVIRONMENT);
        }
    };
    let code = serve_and_log(arguments, lines.dropped());
    lines.flush(LAST_WORDS);
    code
}

fn serve_and_log(arguments: ServeArgs, log_lines_dropped: Counter) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime; no change is being judged");
            return ExitCode::from(ENVIRONMENT);
        }
    };
    let access = arguments.kubeconfig.map_or(Access::InCluster, Access::Kubeconfig);
    let waivers =
        WaiverReadOptions { every: arguments.cluster_waivers_interval, ..WaiverReadOptions::new(access.clone()) };
    let heartbeat = HeartbeatOptions { access: access.clone(), every: arguments.heartbeat_interval };
    let observed = ObservedOptions { access: access.clone(), every: arguments.observed_interval };
    let published = PublishedOptions { access: access.clone(), every: arguments.check_result_interval };
    let protection = match arguments.protection_every {
        Some(every) => ProtectionOptions { every, close_after: every, try_every: every, access: access.clone() },
        None => ProtectionOptions::new(access.clone()),
    };
    let certificates = match arguments.tls_dir {
        Some(directory) => CertificateSource::Directory(directory),
        None => CertificateSource::Own(Box::new(CertificateOptions {
            access,
            replica: arguments.replica.unwrap_or_else(CertificateOptions::made_up_name),
            every: arguments.poll.max(POLL_LEAST),
            times: arguments.certificate_times.unwrap_or_default(),
        })),
    };
    let options = ServerOptions {
        listen: arguments.listen,
        admin_listen: arguments.admin_listen,
        probe_listen: arguments.probe_listen,
        certificates,
        config: arguments.config,
        poll: Some(arguments.poll),
        heartbeat: (arguments.heartbeat == Switch::On).then_some(heartbeat),
        observed: (arguments.observed == Switch::On).then_some(observed),
        waivers: (arguments.cluster_waivers == Switch::On).then_some(waivers),
        protection: (arguments.protection == Switch::On).then_some(protection),
        published: (arguments.check_result == Switch::On).then_some(published),
        limits: ServerLimits { linger: arguments.linger, ..ServerLimits::default() },
        judge: None,
        log_lines_dropped,
    };
    let served = runtime.block_on(serve_until_told(options));
    // A read of a kubeconfig from a volume that hangs must not delay the end.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %Chain(&error), "cannot start; no change is being judged");
            ExitCode::from(if matches!(error, StartError::Config(_)) { USAGE } else { ENVIRONMENT })
        }
    }
}

async fn serve_until_told(options: ServerOptions) -> Result<(), StartError> {
    // Before the server starts: a signal in between would end the process without a drain.
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => return Err(StartError::Signals(error)),
    };
    let server = GuardServer::start(options).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::select! {
        _ = server.stop() => {}
        _ = terminate.recv() => tracing::warn!("told to stop a second time; requests in flight are not waited for"),
        _ = interrupt.recv() => tracing::warn!("told to stop a second time; requests in flight are not waited for"),
    }
    Ok(())
}

fn check_config(file: &Path) -> anyhow::Result<ExitCode> {
    let bytes = read(file)?;
    let inner = config::in_configmap(&bytes);
    match inner.and_then(|inner| config::guard(inner.as_ref().map_or(&*bytes, String::as_bytes))) {
        Ok(guard) => {
            let notes = guard.notes().into_iter().map(|note| format!("note: {note}\n"));
            let summary = guard.summary(Timestamp::now()).into_iter().map(|line| format!("  {line}\n"));
            let lines: String = notes.chain(["the configuration can be used\n".to_owned()]).chain(summary).collect();
            print(&lines)
        }
        Err(error) => Ok(refused(file, &error)),
    }
}

/// Opens the guard's objects with a reason, or closes them.
fn set_open(access: AccessArgs, reason: Option<&str>) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(reason.is_none_or(|reason| !reason.trim().is_empty()), "--reason is empty: it opens nothing");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the runtime")?;
    let access = access.kubeconfig.map_or(Access::InCluster, Access::Kubeconfig);
    let done = runtime.block_on(opening::set(access, reason))?;
    print(&done.into_iter().map(|line| line + "\n").collect::<String>())
}

fn print_manifest(arguments: ManifestArgs) -> anyhow::Result<ExitCode> {
    let certificate = match arguments.ca_file.as_deref().map(authority).transpose()? {
        None if !arguments.tls_secret => ManifestCertificate::Own,
        authority => ManifestCertificate::Secret { authority },
    };
    anyhow::ensure!(!arguments.image.trim().is_empty(), "--image is empty: name the image to run");
    let config = match &arguments.config {
        Some(file) => {
            let bytes = read(file)?;
            let settings = match config::guard(&bytes) {
                Ok(guard) => guard.settings().clone(),
                Err(error) => return Ok(refused(file, &error)),
            };
            Some(ManifestConfig { text: String::from_utf8_lossy(&bytes).into_owned(), settings })
        }
        None => None,
    };
    let settings = || config.as_ref().map(|config| config.settings.clone()).unwrap_or_default();
    let (expected, notes) = if arguments.protection {
        (manifest::protection::render(&settings()), Vec::new())
    } else if arguments.rules {
        (manifest::rules::render(&Guard::new(data::embedded(), settings())?), Vec::new())
    } else {
        let options = ManifestOptions { certificate, config, image: arguments.image, pods: arguments.pod_cidr };
        (manifest::render(&options), manifest::notes(&options))
    };
    let Some(file) = arguments.check else {
        for note in notes {
            say("note", &note);
        }
        return print(&expected);
    };
    if read(&file)? == expected.into_bytes() {
        return Ok(ExitCode::SUCCESS);
    }
    report(&format!("{} is not as the rules generate it; write it anew with: aksarc-webhook manifest", file.display()));
    Ok(ExitCode::from(ENVIRONMENT))
}

fn refused(file: &Path, error: &config::ConfigError) -> ExitCode {
    report(&format!("{}: {}", file.display(), Chain(error)));
    ExitCode::from(USAGE)
}

/// The certificates of a file, in PEM. A manifest with them is read by many, so the file must hold nothing else.
fn authority(file: &Path) -> anyhow::Result<Vec<u8>> {
    let pem = read(file)?;
    let text = String::from_utf8_lossy(&pem);
    let certificates = certificate::bundle(&text);
    anyhow::ensure!(!certificates.is_empty(), "{} holds no certificate in PEM", file.display());
    if let Some(why) = certificates.into_iter().find_map(Result::err) {
        anyhow::bail!("{} holds something that is no certificate: {why}", file.display());
    }
    anyhow::ensure!(
        !text.contains("PRIVATE KEY"),
        "{} holds a private key: give the authority's certificate alone",
        file.display()
    );
    Ok(pem)
}

/// The bytes of a file, or of standard input for `-`.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().take(MAX_CONFIG).read_to_end(&mut bytes).context("reading standard input")?;
        return Ok(bytes);
    }
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    match io::stdout().write_all(text.as_bytes()) {
        // A reader such as `head` that closes the pipe has what it wants.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("writing to standard output"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn report(text: &str) {
    say("error", text);
}

fn say(what: &str, text: &str) {
    let line = format!("{what}: {text}\n");
    // Without standard error there is nobody to tell.
    print_within(LAST_WORDS, move || drop(io::stderr().write_all(line.as_bytes())));
}

/// Prints what is wrong with the arguments, or the help or version that was asked for, and returns the exit code.
fn explain(error: clap::Error) -> ExitCode {
    let code = if error.use_stderr() { USAGE } else { 0 };
    if error.use_stderr() {
        print_within(LAST_WORDS, move || drop(error.print()));
    } else {
        // A reader such as `head` that closes the pipe has what it wants.
        drop(error.print());
    }
    ExitCode::from(code)
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration: aksarc_shared::jiff::SignedDuration = text.parse().map_err(|_| "expected 10s or 1m".to_owned())?;
    Duration::try_from(duration)
        .ok()
        .filter(|duration| *duration <= MAX_DURATION)
        .ok_or_else(|| format!("expected a duration from 0s to {}m", MAX_DURATION.as_secs() / 60))
}

fn interval(text: &str) -> Result<Duration, String> {
    let refused = || format!("expected {INTERVAL_LEAST:?} to {}m", INTERVAL_MOST.as_secs() / 60);
    duration(text).ok().filter(|every| (INTERVAL_LEAST..=INTERVAL_MOST).contains(every)).ok_or_else(refused)
}

const EXAMPLES: &str = "\
Examples:
  # Serve with a certificate of its own, reading the configuration from a mounted ConfigMap
  aksarc-webhook --config /etc/aksarc/config/guard.yaml

  # Check a configuration before it is rolled out
  aksarc-webhook check-config guard.yaml

  # Install; install again, without touching its configuration
  aksarc-webhook manifest --image REGISTRY/aksarc-webhook:TAG | kubectl apply -f -

Exit codes: 0 stopped as told, 1 certificate, address or another part of the environment, 2 arguments or configuration.";

/// How long the end waits until the last lines are written: ample for a pipe that is read, and short against a pod's
/// grace.
const LAST_WORDS: Duration = Duration::from_secs(1);

const ENVIRONMENT: u8 = 1;
const USAGE: u8 = 2;

/// Bytes of standard input. A configuration is written by hand, and a ConfigMap holds 1 MiB at most.
const MAX_CONFIG: u64 = 4 << 20;

/// A longer duration is a wrong unit: a pod has 30 seconds to stop, and a certificate is renewed days ahead.
const MAX_DURATION: Duration = Duration::from_mins(10);

/// An API server that is asked without a pause has better things to do.
const POLL_LEAST: Duration = Duration::from_millis(100);

/// One list a second of each replica is no burden to an API server yet.
const INTERVAL_LEAST: Duration = Duration::from_secs(1);
/// Half of the time that the last list counts when none can be read.
const INTERVAL_MOST: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        assert_eq!(duration("10s").unwrap(), Duration::from_secs(10));
        assert_eq!(duration("250ms").unwrap(), Duration::from_millis(250));
        for bad in ["10", "soon", ""] {
            assert_eq!(duration(bad), Err("expected 10s or 1m".to_owned()), "{bad}");
        }
        for out in ["-1s", "2h"] {
            assert!(duration(out).unwrap_err().starts_with("expected a duration from 0s to "), "{out}");
        }
    }

    #[test]
    fn waivers_are_read_at_least_twice_before_the_last_list_counts_no_more() {
        assert_eq!(interval("1s").unwrap(), Duration::from_secs(1));
        assert_eq!(interval("30s").unwrap(), WaiverReadOptions::new(Access::InCluster).every);
        assert_eq!(interval("5m").unwrap() * 2, WaiverReadOptions::new(Access::InCluster).keep);
        for bad in ["0s", "999ms", "301s", "30", "often", ""] {
            assert_eq!(interval(bad), Err("expected 1s to 5m".to_owned()), "{bad}");
        }
    }
}
