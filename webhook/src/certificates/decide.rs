//! The next action of one replica, decided from what it has read. Nothing here reads, writes or looks at a clock.
//!
//! Two rules hold whatever happened before, so that no review meets a certificate that is not trusted, unless somebody
//! else takes trust away:
//!
//! - **Serving.** A replica takes up a certificate only of an authority that every webhook's `caBundle` was just seen to
//!   hold, or one of them at least if what it serves is in none. What it serves, and what it is to serve, goes into
//!   `caBundle` in the same look.
//! - **Forgetting.** A valid authority of a guard leaves `caBundle` only if the record has a later one, which is in
//!   `caBundle` too, and has been in use until all replicas reported it. Any other that stands there or is served here
//!   is taken into the record first, whoever wrote that record. What no guard made is kept where the record was lost, and
//!   else removed.
//!
//! A pass reads the webhook configuration first and the record second, and writes one of them only as it was read. So a
//! record is never older than the `caBundle` beside it, unless somebody put an old one back, and of two replicas that
//! write at a time one is refused. Each action leaves a state from which any replica can go on, so that a replica may
//! end between any two of them.

use std::collections::BTreeMap;
use std::time::Duration;

use aksarc_shared::jiff::Timestamp;

use super::authority::{Authority, AuthorityError, TrustedCertificate, later, signed};
use super::record::{CertificateRecord, ReplicaReport, TrustStep};
use super::times::CertificateTimes;

/// What a replica has read, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The record; `None` where there is none, or one that cannot be read.
    pub record: Option<&'a CertificateRecord>,
    /// The authorities that the API server trusts, read before the record.
    pub trust: &'a SeenTrust,
    /// What this replica serves.
    pub held: Option<HeldCertificate<'a>>,
    /// The replica's name.
    pub replica: &'a str,
    /// Since when this replica has been seeing API servers trust what the record says, as
    /// [`StepSight`](super::sight::StepSight) tells; `None` where they do not.
    pub whole: Option<Timestamp>,
    /// The API server's time.
    pub now: Timestamp,
    /// The times to go by.
    pub times: &'a CertificateTimes,
}

/// The authorities that the API server trusts for the guard's webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeenTrust {
    /// There is no webhook configuration: nobody asks the guard.
    Absent,
    /// The webhook configuration may not be read.
    Hidden,
    /// The webhook configuration was read.
    Read {
        /// Its version.
        version: String,
        /// The text of `caBundle` of each webhook.
        bundles: Vec<String>,
        /// The authorities in all of them, each once.
        certificates: Vec<TrustedCertificate>,
    },
}

/// What a replica serves.
#[derive(Clone, Copy, Debug)]
pub struct HeldCertificate<'a> {
    /// The authority that signed it.
    pub authority: &'a Authority,
    /// The fingerprint of the certificate.
    pub leaf: &'a str,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextAction {
    /// Nothing is to be done for now.
    Rest,
    /// Have the API server trust this `caBundle`, in every webhook.
    Trust(String),
    /// Write this record.
    Write(Box<CertificateRecord>),
}

impl SeenTrust {
    /// Whether every webhook trusts exactly this.
    pub(super) fn is(&self, bundle: &str) -> bool {
        match self {
            SeenTrust::Absent => true,
            SeenTrust::Hidden => false,
            SeenTrust::Read { bundles, .. } => bundles.iter().all(|seen| seen == bundle),
        }
    }

    /// The version of the webhook configuration; empty without one.
    pub(super) fn version(&self) -> &str {
        match self {
            SeenTrust::Absent | SeenTrust::Hidden => "",
            SeenTrust::Read { version, .. } => version,
        }
    }

    /// Whether a webhook trusts this authority.
    fn holds(&self, certificate: &TrustedCertificate) -> bool {
        self.certificates().iter().any(|seen| seen.pem == certificate.pem)
    }

    /// Whether every webhook trusts this authority.
    pub(super) fn holds_everywhere(&self, certificate: &TrustedCertificate) -> bool {
        let SeenTrust::Read { bundles, .. } = self else { return false };
        bundles.iter().all(|bundle| bundle.contains(&certificate.pem))
    }

    fn certificates(&self) -> &[TrustedCertificate] {
        match self {
            SeenTrust::Absent | SeenTrust::Hidden => &[],
            SeenTrust::Read { certificates, .. } => certificates,
        }
    }
}

impl<'a> Situation<'a> {
    /// The authority whose certificate this replica is to serve; `None` where it has to wait for one.
    pub fn signer(&self) -> Option<&'a Authority> {
        let held = self.held();
        let Some(record) = self.sound() else { return self.any_trusted().or(held) };
        let named = |authority: &Authority| record.step.trusted().contains(&&authority.certificate);
        if self.trust == &SeenTrust::Hidden && held.is_some_and(|held| !named(held)) {
            // Nothing better is possible while nobody knows what is trusted.
            return held;
        }
        let wanted = match &record.step {
            TrustStep::Steady { authority } | TrustStep::Use { authority, .. } => authority,
            TrustStep::Trust { signer, next, .. } => match (held.filter(|held| named(held)), signer) {
                (Some(held), _) => held,
                (None, Some(signer)) => signer,
                (None, None) if self.is_past(self.whole, self.times.settle) => next,
                (None, None) => return held,
            },
        };
        match self.trust {
            SeenTrust::Absent | SeenTrust::Hidden => Some(wanted),
            SeenTrust::Read { .. } if self.trust.holds_everywhere(&wanted.certificate) => Some(wanted),
            SeenTrust::Read { .. } => self.any_trusted().or(held),
        }
    }

    /// What this replica serves, if an API server trusts it, or else any authority whose key is known and that is
    /// trusted: after trust was taken away, that is better than none.
    fn any_trusted(&self) -> Option<&'a Authority> {
        let known = self.record.into_iter().flat_map(|record| record.step.authorities());
        self.held()
            .into_iter()
            .chain(known.filter(|authority| authority.certificate.is_valid(self.now)))
            .find(|authority| self.trust.holds(&authority.certificate))
    }

    /// The next action; `make` makes an authority of a number.
    ///
    /// # Errors
    /// An authority is needed and cannot be made.
    pub fn next(
        &self,
        make: impl FnOnce(u64) -> Result<Authority, AuthorityError>,
    ) -> Result<NextAction, AuthorityError> {
        let Some(record) = self.sound() else { return self.begin(make) };
        let write = |step: TrustStep| {
            Ok(NextAction::Write(Box::new(CertificateRecord { step, replicas: record.replicas.clone() })))
        };
        if let Some(step) = self.with_strays(&record.step) {
            return write(step);
        }
        let trusted = self.trust.is(&record.step.bundle());
        match &record.step {
            TrustStep::Steady { authority } => {
                if trusted && authority.renew_at() <= self.now {
                    let (signer, next) = (Some(authority.clone()), make(self.last_generation() + 1)?);
                    return write(TrustStep::Trust { signer, former: Vec::new(), next });
                }
            }
            TrustStep::Trust { signer, former, next } => {
                if self.is_past(self.whole, self.times.dwell) {
                    let former = former.iter().cloned().chain(signer.iter().map(|signer| signer.certificate.clone()));
                    let (authority, former) = (next.clone(), former.collect());
                    return write(TrustStep::Use { authority, former, since: self.now });
                }
            }
            TrustStep::Use { authority, former, since } => {
                let (authority, former) = (authority.clone(), former.clone());
                if self.is_ahead(*since) {
                    return write(TrustStep::Use { authority, former, since: self.now });
                }
                // A replica that has not looked for as long as this one has been seeing the step serves no more.
                let all_looked = self.is_past(self.whole, self.times.blind());
                if all_looked && self.is_past(Some(*since), self.times.keep) && self.all_follow(record, &authority) {
                    return write(TrustStep::Steady { authority });
                }
            }
        }
        if !trusted && self.trust != &SeenTrust::Hidden {
            return Ok(NextAction::Trust(record.step.bundle()));
        }
        Ok(self.report(record).map_or(NextAction::Rest, |record| NextAction::Write(Box::new(record))))
    }

    /// What this replica serves, if it is still valid.
    fn held(&self) -> Option<&'a Authority> {
        self.held.map(|held| held.authority).filter(|held| held.certificate.is_valid(self.now))
    }

    /// The record, if it can be gone by.
    fn sound(&self) -> Option<&'a CertificateRecord> {
        self.record.filter(|record| record.step.is_valid(self.now) && !self.is_put_back(&record.step))
    }

    /// Whether the record is an old one that somebody put back: this replica serves a later authority, or API servers
    /// trust another one of a guard that is as late as the latest in the record.
    fn is_put_back(&self, step: &TrustStep) -> bool {
        let newest = step.authorities().iter().map(|authority| authority.generation).max();
        let strays = self.strays(step);
        self.held().map(|held| held.generation) > newest
            || strays.iter().any(|stray| stray.generation.is_some() && stray.generation >= newest)
    }

    /// The first action without a record that can be gone by: another authority. What API servers trust stays trusted,
    /// and what this replica serves is trusted again, since replicas may be serving certificates of any of them: those
    /// that still run, or those of an installation with a certificate made by hand.
    fn begin(&self, make: impl FnOnce(u64) -> Result<Authority, AuthorityError>) -> Result<NextAction, AuthorityError> {
        let signer = self.held().cloned();
        if self.trust == &SeenTrust::Hidden && signer.is_some() {
            // Nothing better is possible while nobody knows what is trusted.
            return Ok(NextAction::Rest);
        }
        let mut former = self.adopted();
        former.retain(|other| signer.as_ref().is_none_or(|signer| signer.certificate != *other));
        let next = make(self.last_generation() + 1)?;
        let step = if former.is_empty() && signer.is_none() {
            TrustStep::Steady { authority: next }
        } else {
            TrustStep::Trust { signer, former, next }
        };
        Ok(NextAction::Write(Box::new(CertificateRecord { step, replicas: BTreeMap::new() })))
    }

    /// The step with the authorities taken in that may not be forgotten; `None` where there are none, or none that it
    /// lacks.
    fn with_strays(&self, step: &TrustStep) -> Option<TrustStep> {
        let mut strays = self.strays(step);
        let (signer, former, next) = match step {
            TrustStep::Steady { authority } | TrustStep::Use { authority, .. } => {
                let former: &[TrustedCertificate] = match step {
                    TrustStep::Use { former, .. } => former,
                    TrustStep::Steady { .. } | TrustStep::Trust { .. } => &[],
                };
                // The record has forgotten them, or no API server trusts any authority of a guard.
                let others = former.iter().any(|other| other.generation.is_some() && self.trust.holds(other));
                if self.trust.holds(&authority.certificate) || (strays.is_empty() && !others) {
                    return None;
                }
                (None, former, authority)
            }
            TrustStep::Trust { signer, former, next, .. } => {
                let served = self.held().map(|held| &held.certificate);
                let served = served.filter(|served| !step.trusted().contains(served) && !strays.contains(served));
                strays.extend(served.cloned());
                if strays.is_empty() || self.trust == &SeenTrust::Hidden {
                    return None;
                }
                (signer.clone(), &**former, next)
            }
        };
        let former = former.iter().cloned().chain(strays).collect();
        Some(TrustStep::Trust { signer, former, next: next.clone() })
    }

    /// The valid authorities of a guard that API servers trust and that the step does not name.
    fn strays(&self, step: &TrustStep) -> Vec<TrustedCertificate> {
        let named = step.trusted();
        let mut strays = self.adopted();
        strays.retain(|other| other.generation.is_some() && !named.contains(&other));
        strays
    }

    /// The authorities that API servers trust and that are valid. There are few, unless somebody wrote rubbish.
    fn adopted(&self) -> Vec<TrustedCertificate> {
        let valid = self.trust.certificates().iter().filter(|certificate| certificate.is_valid(self.now));
        let mut valid: Vec<TrustedCertificate> = valid.cloned().collect();
        // The last ones are the newest. Those that are known to be in use stay in any case.
        let held = self.held().map(|held| &held.certificate);
        let known: Vec<_> = self.record.into_iter().flat_map(|record| record.step.trusted()).chain(held).collect();
        let mut spare = valid.len().saturating_sub(MOST_ADOPTED);
        valid.retain(|certificate| {
            let goes = spare > 0 && !known.contains(&certificate);
            spare -= usize::from(goes);
            !goes
        });
        valid
    }

    /// The largest number of an authority that this replica knows of.
    fn last_generation(&self) -> u64 {
        let recorded = self.record.into_iter().flat_map(|record| record.step.authorities());
        let recorded = recorded.map(|authority| authority.generation);
        let trusted = self.record.into_iter().flat_map(|record| record.step.trusted());
        let seen = trusted.chain(self.trust.certificates()).filter_map(|certificate| certificate.generation);
        let held = self.held.map(|held| held.authority.generation);
        recorded.chain(seen).chain(held).max().unwrap_or_default()
    }

    /// Whether every replica that is there serves a certificate of this authority.
    fn all_follow(&self, record: &CertificateRecord, authority: &Authority) -> bool {
        record.replicas.contains_key(self.replica)
            && record
                .replicas
                .values()
                .filter(|report| self.is_there(report))
                .all(|report| report.generation == authority.generation)
    }

    /// Whether a report is recent. One from the future is of no replica that goes by the API server's time.
    fn is_there(&self, report: &ReplicaReport) -> bool {
        !self.is_ahead(report.at) && !self.is_past(Some(report.at), self.times.gone())
    }

    /// The record with this replica's report in it, where that is missing, wrong or due, and without those of replicas
    /// that are gone.
    fn report(&self, record: &CertificateRecord) -> Option<CertificateRecord> {
        let held = self.held?;
        let own = record.replicas.get(self.replica).filter(|report| {
            report.generation == held.authority.generation
                && report.leaf == held.leaf
                && !self.is_ahead(report.at)
                && !self.is_past(Some(report.at), self.times.report)
        });
        if own.is_some() {
            return None;
        }
        let mut replicas = record.replicas.clone();
        replicas.retain(|_, report| self.is_there(report));
        let report = ReplicaReport { generation: held.authority.generation, leaf: held.leaf.to_owned(), at: self.now };
        replicas.insert(self.replica.to_owned(), report);
        Some(CertificateRecord { step: record.step.clone(), replicas })
    }

    fn is_past(&self, since: Option<Timestamp>, by: Duration) -> bool {
        since.is_some_and(|since| later(since, signed(by)) <= self.now)
    }

    /// Whether a time lies further ahead than clocks differ: somebody wrote it by a clock that was wrong.
    fn is_ahead(&self, at: Timestamp) -> bool {
        later(self.now, signed(CLOCKS)) < at
    }
}

/// The most authorities that are taken over from a `caBundle` that others wrote.
const MOST_ADOPTED: usize = 8;
/// How far the clocks of API servers of one cluster may lie apart.
const CLOCKS: Duration = Duration::from_mins(5);
