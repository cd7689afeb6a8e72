//! The certificates, authorities and keys of the API server, changed while it runs.

use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::ControlPlane;
use super::programs::start_key_provider;
use crate::identity::Identity;
use crate::wait;

impl ControlPlane {
    /// Gives the API server a certificate that holds from and to so many days from now. It watches the file, and
    /// presents what is in it a moment later.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn present(&self, from: i64, to: i64) -> anyhow::Result<()> {
        self.pki.renew("kube-apiserver", from, to)
    }

    /// Stops what encrypts Secrets or starts it again, and waits until the API server has noticed.
    ///
    /// # Errors
    /// The [`Builder`](super::Builder) added none, or the API server does not notice.
    pub(crate) fn keys(&self, available: bool) -> anyhow::Result<()> {
        let provider = self.key_provider.as_ref().context("this control plane has no key provider")?;
        let mut running = provider.lock().unwrap_or_else(PoisonError::into_inner);
        match (available, running.is_some()) {
            (true, false) => *running = Some(start_key_provider(&self.root)?),
            (false, true) => drop(running.take()),
            _ => {}
        }
        let wanted = if available { "[+]kms-providers" } else { "[-]kms-providers" };
        wait::until(&format!("{wanted} from the API server"), KEYS_LIMIT, || {
            let answer = self.admin.get("/readyz?verbose").map_err(|error| format!("{error:#}"))?;
            if answer.body.contains(wanted) { Ok(()) } else { Err(answer.body) }
        })
    }

    /// Makes the authority of all certificates anew, to hold from and to so many days from now, and waits until the API
    /// server publishes this one alone. It would keep the former one beside it for as long as that holds, so what it
    /// has published is deleted.
    ///
    /// # Errors
    /// The file cannot be written, or the API server does not take it.
    pub(crate) fn trust(&self, from: i64, to: i64) -> anyhow::Result<()> {
        let pem = self.pki.renew_authority(from, to)?;
        let http = self.http(&Identity::Admin)?;
        let published = || -> Result<String, String> {
            let map = http.get(AUTHORITIES).and_then(|answer| answer.object()).map_err(|error| format!("{error:#}"))?;
            let bundle = map.pointer("/data/client-ca-file").and_then(Value::as_str);
            bundle.map(plain).ok_or_else(|| map.to_string())
        };
        let taken = || published().and_then(|bundle| if bundle.contains(&plain(&pem)) { Ok(()) } else { Err(bundle) });
        wait::until("the new authority to be taken", Duration::from_secs(90), taken)?;
        http.delete(AUTHORITIES)?.object()?;
        let alone = || published().and_then(|bundle| if bundle == plain(&pem) { Ok(()) } else { Err(bundle) });
        wait::until("the new authority to be published alone", Duration::from_secs(90), alone)
    }
}

/// A text without its line breaks: PEM that is written anew may have them elsewhere.
fn plain(pem: &str) -> String {
    pem.split_ascii_whitespace().collect()
}

/// The ConfigMap in which the API server publishes the authorities that it knows clients by.
const AUTHORITIES: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";

/// The API server asks a provider that was well 20 s later again.
const KEYS_LIMIT: Duration = Duration::from_mins(1);
