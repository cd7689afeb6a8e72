//! The record of the guard's certificates that all replicas share: the content of one Secret.

use std::collections::BTreeMap;

use aksarc_shared::jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::authority::{Authority, AuthorityError, TrustedCertificate};

/// The record that all replicas share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// The authorities, and how far a change of them has come.
    pub step: TrustStep,
    /// What each replica serves, by its name.
    pub replicas: BTreeMap<String, ReplicaReport>,
}

/// How far a change of the authority has come. Each step says which authorities API servers have to trust, and which one
/// signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustStep {
    /// No change: one authority is trusted and signs.
    Steady {
        /// The authority.
        authority: Authority,
    },
    /// The next authority is to be trusted, beside the present one, which goes on signing.
    Trust {
        /// The present authority; `None` where its key is lost, or was never the guard's.
        signer: Option<Authority>,
        /// Authorities without a key that API servers trust already.
        former: Vec<TrustedCertificate>,
        /// The next authority.
        next: Authority,
    },
    /// The next authority has become the one that signs; the former ones are still trusted.
    Use {
        /// The authority that signs.
        authority: Authority,
        /// The former ones.
        former: Vec<TrustedCertificate>,
        /// Since when it signs.
        since: Timestamp,
    },
}

/// What one replica serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaReport {
    /// The number of the authority that signed its certificate.
    pub generation: u64,
    /// The fingerprint of its certificate.
    pub leaf: String,
    /// When it said so.
    pub at: Timestamp,
}

impl TrustStep {
    /// The word for the step in metrics and logs.
    pub fn word(&self) -> &'static str {
        match self {
            TrustStep::Steady { .. } => "steady",
            TrustStep::Trust { .. } => "trust",
            TrustStep::Use { .. } => "use",
        }
    }

    /// Every word that a step can have.
    pub(crate) const WORDS: [&'static str; 3] = ["steady", "trust", "use"];

    /// The certificates that API servers have to trust, as the text of `caBundle`.
    pub fn bundle(&self) -> String {
        self.trusted().into_iter().map(|certificate| &*certificate.pem).collect()
    }

    /// The certificates that API servers have to trust.
    pub fn trusted(&self) -> Vec<&TrustedCertificate> {
        match self {
            TrustStep::Steady { authority } => vec![&authority.certificate],
            TrustStep::Trust { signer, former, next } => {
                let signer = signer.iter().map(|signer| &signer.certificate);
                former.iter().chain(signer).chain([&next.certificate]).collect()
            }
            TrustStep::Use { authority, former, .. } => former.iter().chain([&authority.certificate]).collect(),
        }
    }

    /// The authorities whose keys are known.
    pub fn authorities(&self) -> Vec<&Authority> {
        match self {
            TrustStep::Steady { authority } | TrustStep::Use { authority, .. } => vec![authority],
            TrustStep::Trust { signer, next, .. } => signer.iter().chain([next]).collect(),
        }
    }

    /// Whether every authority that signs, or is about to, is valid at this moment.
    pub(super) fn is_valid(&self, now: Timestamp) -> bool {
        self.authorities().iter().all(|authority| authority.certificate.is_valid(now))
    }
}

impl CertificateRecord {
    /// Reads the text that [`CertificateRecord::text`] writes.
    ///
    /// # Errors
    /// [`CertificateRecordError`].
    pub fn parse(text: &str) -> Result<Self, CertificateRecordError> {
        let version: RecordVersion = serde_json::from_str(text)?;
        if version.version != VERSION {
            return Err(CertificateRecordError::Version(version.version));
        }
        let stored: StoredRecord = serde_json::from_str(text)?;
        let step = match stored.step {
            StoredStep::Steady { authority } => TrustStep::Steady { authority: authority.read()? },
            StoredStep::Trust { signer, former, next } => TrustStep::Trust {
                signer: signer.map(StoredAuthority::read).transpose()?,
                former: TrustedCertificate::all(&former),
                next: next.read()?,
            },
            StoredStep::Use { authority, former, since } => {
                TrustStep::Use { authority: authority.read()?, former: TrustedCertificate::all(&former), since }
            }
        };
        Ok(CertificateRecord { step, replicas: stored.replicas })
    }

    /// The record as text.
    pub fn text(&self) -> String {
        let former = |former: &[TrustedCertificate]| former.iter().map(|certificate| &*certificate.pem).collect();
        let step = match &self.step {
            TrustStep::Steady { authority } => StoredStep::Steady { authority: authority.into() },
            TrustStep::Trust { signer, former: all, next } => {
                StoredStep::Trust { signer: signer.as_ref().map(Into::into), former: former(all), next: next.into() }
            }
            TrustStep::Use { authority, former: all, since } => {
                StoredStep::Use { authority: authority.into(), former: former(all), since: *since }
            }
        };
        let stored = StoredRecord { version: VERSION, step, replicas: self.replicas.clone() };
        // Maps with text for keys can always be written.
        serde_json::to_string_pretty(&stored).unwrap_or_default()
    }
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateRecordError {
    /// The text has another shape, or none.
    #[error("it has not the form of a record: {0}")]
    Shape(#[from] serde_json::Error),
    /// A later version wrote it. It is left alone.
    #[error("a later guard wrote it, in version {0} of the form")]
    Version(u32),
    /// One of its authorities cannot be used.
    #[error("one of its authorities cannot be used")]
    Authority(#[from] AuthorityError),
}

#[derive(Deserialize)]
struct RecordVersion {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredRecord {
    version: u32,
    #[serde(rename = "change")]
    step: StoredStep,
    #[serde(default)]
    replicas: BTreeMap<String, ReplicaReport>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "lowercase")]
enum StoredStep {
    Steady { authority: StoredAuthority },
    Trust { signer: Option<StoredAuthority>, former: String, next: StoredAuthority },
    Use { authority: StoredAuthority, former: String, since: Timestamp },
}

#[derive(Serialize, Deserialize)]
struct StoredAuthority {
    generation: u64,
    certificate: String,
    key: String,
}

impl StoredAuthority {
    fn read(self) -> Result<Authority, AuthorityError> {
        Authority::read(self.generation, &self.certificate, self.key)
    }
}

impl From<&Authority> for StoredAuthority {
    fn from(authority: &Authority) -> Self {
        StoredAuthority {
            generation: authority.generation,
            certificate: authority.certificate.pem.clone(),
            key: authority.key().to_owned(),
        }
    }
}

const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn every_step_is_read_as_it_was_written() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let [one, two] = [1, 2].map(|generation| Authority::make(generation, now, DAY).unwrap());
        let former = vec![one.certificate.clone()];
        let report = ReplicaReport { generation: 1, leaf: "00".to_owned(), at: now };
        let keyless = || TrustStep::Trust { signer: None, former: former.clone(), next: two.clone() };
        for (step, bundle) in [
            (TrustStep::Steady { authority: one.clone() }, vec![&one]),
            (TrustStep::Trust { signer: Some(one.clone()), former: Vec::new(), next: two.clone() }, vec![&one, &two]),
            (keyless(), vec![&one, &two]),
            (TrustStep::Use { authority: two.clone(), former: former.clone(), since: now }, vec![&one, &two]),
        ] {
            let expected: String = bundle.iter().map(|authority| &*authority.certificate.pem).collect();
            assert_eq!(step.bundle(), expected);
            let replicas = BTreeMap::from([("guard-a".to_owned(), report.clone())]);
            let record = CertificateRecord { step, replicas };
            assert_eq!(CertificateRecord::parse(&record.text()).unwrap(), record);
        }
    }

    #[test]
    fn what_is_no_record_says_why() {
        for text in ["", "{}", "rubbish", r#"{"version": 1}"#, r#"{"version": 1, "change": {"step": "steady"}}"#] {
            assert!(matches!(CertificateRecord::parse(text), Err(CertificateRecordError::Shape(_))), "{text}");
        }
        let later = r#"{"version": 2, "whatever": []}"#;
        assert!(matches!(CertificateRecord::parse(later), Err(CertificateRecordError::Version(2))));
        let authority = r#"{"generation": 1, "certificate": "", "key": ""}"#;
        let broken = format!(r#"{{"version": 1, "change": {{"step": "steady", "authority": {authority}}}}}"#);
        assert!(matches!(CertificateRecord::parse(&broken), Err(CertificateRecordError::Authority(_))));
    }
}
