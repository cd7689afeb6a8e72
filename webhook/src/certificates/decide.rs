//! The next action of one replica, decided from what it has read. Nothing here reads, writes or looks at a clock.
//!
//! A pass reads the webhook configuration first and the record second, and writes one of them only as it was read. So a
//! replica that acts on an old record has also read an old configuration, and its write is refused. Each action leaves
//! a state from which any replica can go on, so that a replica may end between any two of them.

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
    fn is(&self, bundle: &str) -> bool {
        match self {
            SeenTrust::Absent => true,
            SeenTrust::Hidden => false,
            SeenTrust::Read { bundles, .. } => bundles.iter().all(|seen| seen == bundle),
        }
    }

    /// Whether a webhook trusts this authority.
    pub fn holds(&self, certificate: &TrustedCertificate) -> bool {
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
        let held = self.held.map(|held| held.authority).filter(|held| held.certificate.is_valid(self.now));
        let Some(record) = self.sound() else { return held };
        let wanted = match &record.step {
            TrustStep::Steady { authority } | TrustStep::Use { authority, .. } => authority,
            TrustStep::Trust { signer: Some(signer), next, .. } => held.filter(|held| *held == next).unwrap_or(signer),
            TrustStep::Trust { signer: None, former, next, trusted } => match held {
                Some(held) if former.contains(&held.certificate) || held == next => held,
                _ if self.is_past(*trusted, self.times.settle) => next,
                _ => return None,
            },
        };
        // Nothing that is trusted gives way to something that is not, whatever the record says.
        match held {
            Some(held) if self.trust == &SeenTrust::Hidden => {
                Some(if record.step.trusted().contains(&&held.certificate) { wanted } else { held })
            }
            Some(held) if self.trust.holds(&held.certificate) && !self.trust.holds(&wanted.certificate) => Some(held),
            _ => Some(wanted),
        }
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
        let trusted = self.trust.is(&record.step.bundle());
        match &record.step {
            TrustStep::Steady { authority } => {
                // Somebody wrote record or trust by hand: replicas may be serving what is trusted now.
                let others: Vec<TrustedCertificate> =
                    self.adopted().into_iter().filter(|other| other.generation.is_some()).collect();
                if !self.trust.holds(&authority.certificate) && !others.is_empty() {
                    let (former, next) = (others, authority.clone());
                    return write(TrustStep::Trust { signer: None, former, next, trusted: None });
                }
                if trusted && authority.renew_at() <= self.now {
                    let (signer, next) = (Some(authority.clone()), make(self.last_generation() + 1)?);
                    return write(TrustStep::Trust { signer, former: Vec::new(), next, trusted: None });
                }
            }
            TrustStep::Trust { signer, former, next, trusted: since } => {
                let step = |trusted| TrustStep::Trust {
                    signer: signer.clone(),
                    former: former.clone(),
                    next: next.clone(),
                    trusted,
                };
                if trusted && since.is_none_or(|since| self.is_ahead(since)) {
                    return write(step(Some(self.now)));
                }
                // Where somebody else took an authority away, API servers have to learn of it anew.
                if !trusted && since.is_some() {
                    return write(step(None));
                }
                if trusted && self.is_past(*since, self.times.dwell) {
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
                if trusted && self.is_past(Some(*since), self.times.keep) && self.all_follow(record, &authority) {
                    return write(TrustStep::Steady { authority });
                }
            }
        }
        if !trusted && self.trust != &SeenTrust::Hidden {
            return Ok(NextAction::Trust(record.step.bundle()));
        }
        Ok(self.report(record).map_or(NextAction::Rest, |record| NextAction::Write(Box::new(record))))
    }

    /// The record, if it can be gone by.
    fn sound(&self) -> Option<&'a CertificateRecord> {
        self.record.filter(|record| record.step.is_valid(self.now) && !self.is_older_than_trust(&record.step))
    }

    /// The first action without a record that can be gone by: a new authority. What API servers trust already stays trusted, since replicas
    /// may be serving certificates of it: those that still run, or those of an installation with a certificate made by
    /// hand.
    fn begin(&self, make: impl FnOnce(u64) -> Result<Authority, AuthorityError>) -> Result<NextAction, AuthorityError> {
        let held = self.held.filter(|held| held.authority.certificate.is_valid(self.now));
        if self.trust == &SeenTrust::Hidden && held.is_some() {
            // Nothing better is possible while nobody knows what is trusted.
            return Ok(NextAction::Rest);
        }
        let (former, next) = (self.adopted(), make(self.last_generation() + 1)?);
        let step = if former.is_empty() {
            TrustStep::Steady { authority: next }
        } else {
            TrustStep::Trust { signer: None, former, next, trusted: None }
        };
        Ok(NextAction::Write(Box::new(CertificateRecord { step, replicas: BTreeMap::new() })))
    }

    /// The authorities that API servers trust and that are valid. There are few, unless somebody wrote rubbish.
    fn adopted(&self) -> Vec<TrustedCertificate> {
        let valid = self.trust.certificates().iter().filter(|certificate| certificate.is_valid(self.now));
        let mut valid: Vec<TrustedCertificate> = valid.cloned().collect();
        // The last ones are the newest, and the one in use stays in any case.
        let held = self.held.map(|held| &held.authority.certificate);
        let mut spare = valid.len().saturating_sub(MOST_ADOPTED);
        valid.retain(|certificate| {
            let goes = spare > 0 && held != Some(certificate);
            spare -= usize::from(goes);
            !goes
        });
        valid
    }

    /// Whether the record is an old one that somebody put back: this replica serves a later one, or API servers trust another
    /// authority of the guard, and not an earlier one than it names. By itself a record is never older than what API servers trust, which is read first.
    fn is_older_than_trust(&self, step: &TrustStep) -> bool {
        let newest = step.authorities().iter().map(|authority| authority.generation).max();
        if self.held.map(|held| held.authority.generation) > newest {
            return true;
        }
        let trusted = step.trusted();
        let seen = self.trust.certificates().iter().filter(|certificate| certificate.is_valid(self.now));
        let mut others = seen.filter(|certificate| !trusted.contains(certificate));
        others.any(|certificate| certificate.generation.is_some() && certificate.generation >= newest)
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
