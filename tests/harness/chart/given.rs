//! Certificates that others make for the guard of the chart, and which of them its replicas present.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use aksarc_webhook::manifest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::kubelet::Kubelet;
use crate::replicas::presented;
use crate::wait;

/// Somebody's authority.
#[derive(Debug)]
pub struct GivenAuthority(CertifiedIssuer<'static, KeyPair>);

impl GivenAuthority {
    /// # Errors
    /// None that a test could mend.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Ok(GivenAuthority(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// What API servers have to trust.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Itself with its key, for who signs in its name.
    pub fn own_pair(&self) -> GivenPair {
        GivenPair { chain: self.0.pem(), key: self.0.key().serialize_pem() }
    }

    /// A certificate for the guard that holds from 2020 to the year `until`.
    ///
    /// # Errors
    /// None that a test could mend.
    pub fn pair(&self, until: i32) -> anyhow::Result<GivenPair> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![format!("{}.{}.svc", manifest::SERVICE, manifest::NAMESPACE)])?;
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        let chain = params.signed_by(&key, &self.0)?.pem();
        Ok(GivenPair { chain, key: key.serialize_pem() })
    }
}

/// A certificate and its key in PEM, as a Secret of type kubernetes.io/tls has them.
#[derive(Clone, Debug)]
pub struct GivenPair {
    pub chain: String,
    pub key: String,
}

/// Waits until both replicas present the first certificate of `chain` to an API server that trusts `bundle`.
///
/// # Errors
/// They did not in time.
pub fn await_presented(kubelet: &Kubelet, chain: &str, bundle: &str) -> anyhow::Result<()> {
    let expected = CertificateDer::from_pem_slice(chain.as_bytes())?.to_vec();
    wait::until("the certificate to be served", LIMIT, || {
        let pods = kubelet.running();
        let own = pods.iter().map(|pod| presented(SocketAddr::from((pod.address, REVIEW_PORT)), bundle));
        let own = own.collect::<anyhow::Result<Vec<_>>>().map_err(|error| format!("{error:#}"))?;
        let right = own.iter().filter(|own| **own == expected).count();
        if (pods.len(), right) == (2, 2) { Ok(()) } else { Err(format!("{right} of {}", pods.len())) }
    })
}

/// The processes of the guard's pods, by name.
pub fn processes(kubelet: &Kubelet) -> BTreeMap<String, u32> {
    kubelet.running().into_iter().map(|pod| (pod.name, pod.pid)).collect()
}

/// The port of reviews in the guard's pods.
pub const REVIEW_PORT: u16 = 8443;

/// A kubelet's look at a Secret, and the guard's at its volume.
const LIMIT: Duration = Duration::from_mins(1);
