//! The task that keeps the guard's own certificates: it reads, decides, and does one thing at a time.

use std::sync::Arc;
use std::time::Duration;

use aksarc_shared::chain::Chain;
use aksarc_shared::data::own::{CERTIFICATES, CONFIGURATION, NAMESPACE};
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::CertificateOptions;
use super::authority::{Authority, Leaf, later};
use super::configuration;
use super::counters::CertificateCounters;
use super::decide::{HeldCertificate, NextAction, SeenTrust, Situation};
use super::outcome::PassOutcome;
use super::record::{CertificateRecord, CertificateRecordError, TrustStep};
use super::sight::StepSight;
use crate::api::{Api, ApiAnswer, ApiError, jitter};
use crate::log::LoggedFailure;
use crate::presented::PresentedCertificate;

/// Looks after the certificates again and again, until the future is dropped.
pub(crate) async fn run(
    options: CertificateOptions,
    presented: Arc<PresentedCertificate>,
    counters: CertificateCounters,
) {
    let every = options.every;
    let mut keeper = CertificateKeeper {
        api: Api::new(options.access.clone()),
        options,
        presented,
        counters,
        own: None,
        sight: StepSight::default(),
        ahead: SignedDuration::ZERO,
        heard: None,
        step: None,
        was_trusted: false,
        read: None,
        logged: LoggedFailure::default(),
    };
    loop {
        let outcome = keeper.look().await;
        keeper.tell(outcome);
        // Spread, so that replicas look at different times and one of them is soon there.
        let pause = every.saturating_sub(jitter(every / 4));
        // Reviews go unjudged as long as there is nothing to serve.
        let pause = if keeper.own.is_some() { pause } else { pause.min(WITHOUT) };
        tokio::select! {
            () = sleep(pause) => {}
            () = keeper.presented.asked() => {}
        }
    }
}

/// Why a look did not end well, as a word and for people.
#[derive(Debug)]
struct PassTrouble {
    outcome: PassOutcome,
    why: String,
}

impl PassTrouble {
    fn new(outcome: PassOutcome, why: impl Into<String>) -> Self {
        PassTrouble { outcome, why: why.into() }
    }

    fn unmade(error: &(dyn std::error::Error + 'static)) -> Self {
        PassTrouble::new(PassOutcome::Unmade, Chain(error).to_string())
    }

    fn refused(what: &str, answer: &ApiAnswer) -> Self {
        let (outcome, hint) = match answer.status {
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => (PassOutcome::Conflict, ""),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                (PassOutcome::Forbidden, "; the guard's manifest, applied anew, provides the right")
            }
            _ => (PassOutcome::Refused, ""),
        };
        PassTrouble::new(outcome, format!("{what}: {}{hint}", answer.refusal()))
    }
}

impl From<ApiError> for PassTrouble {
    fn from(error: ApiError) -> Self {
        let outcome = match &error {
            ApiError::NoAccess(_) => PassOutcome::NoAccess,
            ApiError::TimedOut | ApiError::TooLarge | ApiError::Unreachable(_) => PassOutcome::Unreachable,
        };
        PassTrouble::new(outcome, error.to_string())
    }
}

/// A certificate that this replica serves, and the authority that signed it.
struct OwnCertificate {
    authority: Authority,
    leaf: Leaf,
    renew_at: Timestamp,
    /// Whether it was made while nobody knew the time: another one follows when the API server is heard again.
    is_makeshift: bool,
}

/// The record as it was read.
struct ReadRecord {
    /// The whole Secret; `None` where there is none.
    secret: Option<Value>,
    record: Option<CertificateRecord>,
}

struct CertificateKeeper {
    api: Api,
    options: CertificateOptions,
    presented: Arc<PresentedCertificate>,
    counters: CertificateCounters,
    own: Option<OwnCertificate>,
    sight: StepSight,
    /// How far the API server's clock is ahead of this machine's: certificates are valid by that one.
    ahead: SignedDuration,
    /// The API server's time when it was last heard, and when that was.
    heard: Option<(Timestamp, Instant)>,
    /// The step that was logged last.
    step: Option<(&'static str, u64)>,
    /// Whether API servers were seen to trust what is served. Before that no reviews should come here.
    was_trusted: bool,
    /// When the record was last read, by the API server's clock.
    read: Option<Timestamp>,
    logged: LoggedFailure<PassOutcome>,
}

impl CertificateKeeper {
    /// One look: acts until nothing is left to do for now.
    async fn look(&mut self) -> Result<(), PassTrouble> {
        let mut last = PassTrouble::new(PassOutcome::Conflict, "");
        for _ in 0..ACTIONS {
            match self.act().await {
                Ok(Some(())) => {}
                Ok(None) => return Ok(()),
                // Somebody else wrote in between: what is there now is read, and gone by.
                Err(trouble) if trouble.outcome == PassOutcome::Conflict => last = trouble,
                Err(trouble) => {
                    // Without an API server a certificate can still be renewed by the authority in memory.
                    self.renew_alone()?;
                    return Err(trouble);
                }
            }
        }
        if last.why.is_empty() { Ok(()) } else { Err(last) }
    }

    /// Reads, presents what is to be presented, and does what is to be done next. `None` when that is nothing.
    async fn act(&mut self) -> Result<Option<()>, PassTrouble> {
        let api = self.api.clone();
        // In this order: see `decide`.
        let (configuration, trust) = self.read_configuration(&api).await?;
        let ReadRecord { secret, record } = self.read_record(&api).await?;
        let now = self.now();
        self.read = Some(now);
        let whole = self.sight.look(record.as_ref(), &trust, now);
        let wanted = self.situation(record.as_ref(), &trust, whole, now).signer().cloned();
        if let Some(authority) = wanted {
            self.serve(&authority, now)?;
        }
        self.note(record.as_ref(), &trust);
        let life = self.options.times.authority;
        let next = self
            .situation(record.as_ref(), &trust, whole, now)
            .next(|generation| Authority::make(generation, now, life));
        match next.map_err(|error| PassTrouble::unmade(&error))? {
            NextAction::Rest => Ok(None),
            NextAction::Write(record) => self.write(&api, secret, &record).await.map(Some),
            NextAction::Trust(bundle) => {
                let patch = configuration::patch(&configuration, &bundle);
                let answer =
                    api.json_patch(&format!("{}?fieldManager={MANAGER}", configuration_path()), &patch).await?;
                if !answer.status.is_success() {
                    return Err(PassTrouble::refused(&format!("writing caBundle of {CONFIGURATION}"), &answer));
                }
                tracing::info!(
                    "the guard's webhook configuration did not trust what it has to; its caBundle is written"
                );
                Ok(Some(()))
            }
        }
    }

    fn situation<'a>(
        &'a self,
        record: Option<&'a CertificateRecord>,
        trust: &'a SeenTrust,
        whole: Option<Timestamp>,
        now: Timestamp,
    ) -> Situation<'a> {
        let held =
            self.own.as_ref().map(|own| HeldCertificate { authority: &own.authority, leaf: &own.leaf.fingerprint });
        Situation { record, trust, whole, held, replica: &self.options.replica, now, times: &self.options.times }
    }

    /// Presents a certificate that `authority` signed: the present one, unless it is due or of another authority.
    fn serve(&mut self, authority: &Authority, now: Timestamp) -> Result<(), PassTrouble> {
        let present = self.own.as_ref().filter(|own| {
            let began = own.leaf.validity.begin.is_none_or(|begin| begin <= now);
            own.authority == *authority && now < own.renew_at && began && !own.is_makeshift
        });
        if present.is_some() {
            return Ok(());
        }
        let life = self.options.times.leaf;
        let leaf = authority.leaf(now, life).map_err(|error| PassTrouble::unmade(&error))?;
        // A random moment, so that replicas that were started together do not renew together.
        let renew_at = leaf.renew_at(jitter(SPREAD.min(life / 10)));
        self.take(OwnCertificate { authority: authority.clone(), leaf, renew_at, is_makeshift: false })
    }

    /// Takes a certificate into use.
    fn take(&mut self, own: OwnCertificate) -> Result<(), PassTrouble> {
        let OwnCertificate { authority, leaf, .. } = &own;
        let loaded = leaf.pair.load().map_err(|error| PassTrouble::unmade(&error))?;
        self.presented.present(loaded.config);
        let (generation, end) = (authority.generation, leaf.validity.end);
        self.counters.presented(generation, authority.certificate.validity.end, end);
        tracing::info!(generation, not_after = %end, fingerprint = leaf.fingerprint, "certificate taken into use");
        self.own = Some(own);
        Ok(())
    }

    /// Renews the certificate by the authority in memory, where it is due.
    ///
    /// When this machine's clock jumped since the API server was last heard, nobody knows whether it goes right now: the new
    /// certificate is then valid by both reckonings.
    fn renew_alone(&mut self) -> Result<(), PassTrouble> {
        let (earliest, latest) = self.time_unheard();
        let life = self.options.times.leaf;
        let due = self.own.as_ref().filter(|own| own.renew_at <= latest);
        let Some(authority) = due.map(|own| own.authority.clone()) else { return Ok(()) };
        if latest.duration_since(earliest) <= CLOCK {
            return self.serve(&authority, latest);
        }
        let earliest = authority.certificate.validity.begin.map_or(earliest, |begin| earliest.max(begin));
        let between = Duration::try_from(latest.duration_since(earliest)).unwrap_or_default();
        let leaf = authority.leaf(earliest, between + life).map_err(|error| PassTrouble::unmade(&error))?;
        let renew_at = later(latest, SignedDuration::try_from(life * 2 / 3).unwrap_or(SignedDuration::MAX));
        self.take(OwnCertificate { authority, leaf, renew_at, is_makeshift: true })
    }

    async fn read_configuration(&mut self, api: &Api) -> Result<(Value, SeenTrust), PassTrouble> {
        let answer = api.get(&configuration_path()).await?;
        self.set_clock(&answer);
        match answer.status {
            StatusCode::OK => {
                let configuration = parse(&answer, "the webhook configuration")?;
                let trust = configuration::trust(&configuration);
                Ok((configuration, trust))
            }
            StatusCode::NOT_FOUND => Ok((Value::Null, SeenTrust::Absent)),
            StatusCode::FORBIDDEN => Ok((Value::Null, SeenTrust::Hidden)),
            _ => Err(PassTrouble::refused(&format!("reading {CONFIGURATION}"), &answer)),
        }
    }

    async fn read_record(&mut self, api: &Api) -> Result<ReadRecord, PassTrouble> {
        let answer = api.get(&format!("{}/{CERTIFICATES}", secrets_path())).await?;
        self.set_clock(&answer);
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(ReadRecord { secret: None, record: None }),
            _ => return Err(PassTrouble::refused(&format!("reading the Secret {NAMESPACE}/{CERTIFICATES}"), &answer)),
        }
        let secret = parse(&answer, "the Secret")?;
        let record = match CertificateRecord::parse(&text(&secret)) {
            Ok(record) => self.usable(record),
            Err(error @ CertificateRecordError::Version(_)) => {
                let why = format!("the Secret {NAMESPACE}/{CERTIFICATES} is left alone: {}", Chain(&error));
                return Err(PassTrouble::new(PassOutcome::Newer, why));
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the Secret {CERTIFICATES} holds no record that can be used; it is made anew");
                None
            }
        };
        Ok(ReadRecord { secret: Some(secret), record })
    }

    /// The record, if its authorities can sign. One that is the present one has proved it already.
    fn usable(&self, record: CertificateRecord) -> Option<CertificateRecord> {
        let own = self.own.as_ref().map(|own| &own.authority);
        let now = self.now();
        let broken = record
            .step
            .authorities()
            .into_iter()
            .filter(|authority| own != Some(*authority))
            .find_map(|authority| authority.leaf(now, self.options.times.leaf).err());
        match broken {
            None => Some(record),
            Some(error) => {
                tracing::warn!(error = %Chain(&error), "an authority of the Secret {CERTIFICATES} cannot be used; it is made anew");
                None
            }
        }
    }

    async fn write(&mut self, api: &Api, secret: Option<Value>, record: &CertificateRecord) -> Result<(), PassTrouble> {
        let what = format!("writing the Secret {NAMESPACE}/{CERTIFICATES}");
        let data = json!({KEY: STANDARD.encode(record.text())});
        let answer = if let Some(mut secret) = secret {
            if let Some(fields) = secret.as_object_mut() {
                fields.insert("data".to_owned(), data);
            }
            // It carries the resourceVersion with which it was read, so that no write in between is lost.
            api.put(&format!("{}/{CERTIFICATES}?fieldManager={MANAGER}", secrets_path()), &secret).await?
        } else {
            let labels = json!({"app.kubernetes.io/name": "aksarc-guard"});
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
                "metadata": {"name": CERTIFICATES, "namespace": NAMESPACE, "labels": labels}});
            api.post(&format!("{}?fieldManager={MANAGER}", secrets_path()), &secret).await?
        };
        if !answer.status.is_success() {
            return Err(PassTrouble::refused(&what, &answer));
        }
        let (step, generation) = in_words(&record.step);
        // Each replica writes its report now and then, in whatever step the record is.
        if self.step != Some((step, generation)) {
            tracing::info!(step, generation, "the record of the guard's certificates is written");
        }
        Ok(())
    }

    /// Logs a step that is new, and sets the series.
    fn note(&mut self, record: Option<&CertificateRecord>, trust: &SeenTrust) {
        let trusted = self.own.as_ref().is_some_and(|own| trust.holds_everywhere(&own.authority.certificate));
        self.counters.trusted(trusted);
        self.was_trusted |= trusted || !matches!(trust, SeenTrust::Read { .. });
        let Some(record) = record else { return };
        self.counters.step(&record.step);
        let step = in_words(&record.step);
        if self.step.replace(step) != Some(step) {
            tracing::info!(step = step.0, generation = step.1, "the authority of the guard's certificates");
        }
    }

    /// Counts and logs how a look ended, and says whether reviews should come here.
    fn tell(&mut self, outcome: Result<(), PassTrouble>) {
        let word = outcome.as_ref().map_or_else(|trouble| trouble.outcome, |()| PassOutcome::Ok);
        self.counters.passed(word);
        match outcome {
            Err(trouble) if self.logged.is_new(trouble.outcome) => {
                tracing::warn!(
                    error = trouble.why,
                    "the guard's certificates cannot be looked after; what is served stays"
                );
            }
            Err(_) => {}
            Ok(()) => {
                if self.logged.ends() {
                    tracing::info!("the guard's certificates are looked after again");
                }
            }
        }
        self.presented.looked(self.ready());
    }

    fn ready(&self) -> Result<(), String> {
        let now = self.now();
        match &self.own {
            None => Err("no certificate that the API server trusts yet".to_owned()),
            Some(own) if own.leaf.validity.end <= now => Err("the certificate has expired".to_owned()),
            Some(_) if !self.was_trusted => Err("the webhook configuration does not trust the certificate".to_owned()),
            Some(_) if self.read.is_none_or(|read| later(read, blind(&self.options)) <= now) => {
                Err("the record of certificates could not be read for too long".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    /// The API server's time, as far as it is known.
    fn now(&self) -> Timestamp {
        later(Timestamp::now(), self.ahead)
    }

    /// The API server's time by this machine's clock, and by what has passed since it was last heard: the earlier and the
    /// later one.
    fn time_unheard(&self) -> (Timestamp, Timestamp) {
        let told = self.now();
        let passed = |since: Instant| SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
        let counted = self.heard.map_or(told, |(heard, since)| later(heard, passed(since)));
        (told.min(counted), told.max(counted))
    }

    fn set_clock(&mut self, answer: &ApiAnswer) {
        if let Some(date) = answer.date {
            let ahead = date.duration_since(Timestamp::now());
            // The answer has whole seconds: less than that is no difference.
            self.ahead = if ahead.abs() > CLOCK { ahead } else { SignedDuration::ZERO };
            self.heard = Some((self.now(), Instant::now()));
        }
    }
}

/// A step and the number of its newest authority.
fn in_words(step: &TrustStep) -> (&'static str, u64) {
    (step.word(), step.authorities().last().map_or(0, |authority| authority.generation))
}

fn blind(options: &CertificateOptions) -> SignedDuration {
    SignedDuration::try_from(options.times.blind()).unwrap_or(SignedDuration::MAX)
}

fn parse(answer: &ApiAnswer, what: &str) -> Result<Value, PassTrouble> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| PassTrouble::new(PassOutcome::Refused, format!("the answer to a read of {what}: {error}")))
}

/// The text of the record in a Secret; empty where there is none.
fn text(secret: &Value) -> String {
    let text = secret.get("data").and_then(|data| data.get(KEY)).and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

fn secrets_path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/secrets")
}

fn configuration_path() -> String {
    format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{CONFIGURATION}")
}

/// The key of the record in the Secret.
const KEY: &str = "record.json";
/// The field manager of our writes.
const MANAGER: &str = "aksarc-guard";
/// Actions of one look. The longest way, from nothing to a record, trust and a report, has four; others write in between.
const ACTIONS: usize = 12;
/// The most by which a renewal comes earlier than it has to.
const SPREAD: Duration = Duration::from_hours(1);
/// The longest pause without a certificate.
const WITHOUT: Duration = Duration::from_secs(1);
/// Clocks that differ by less count as equal.
const CLOCK: SignedDuration = SignedDuration::from_secs(2);
