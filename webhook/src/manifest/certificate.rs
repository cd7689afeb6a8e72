//! The parts of a manifest that depend on where the guard's certificate comes from.

use super::options::ManifestCertificate;

/// The parts of a manifest that depend on where the guard's certificate comes from.
pub(super) struct CertificateParts {
    /// What has to be known before applying it.
    pub(super) head: &'static str,
    /// The end of the sentence about the guard's rights.
    pub(super) and_certificates: &'static str,
    /// The roles that it takes.
    pub(super) rights: &'static str,
    /// How to run without any right, where that is possible.
    pub(super) without_rights: &'static str,
    /// The arguments of the program.
    pub(super) argument: &'static str,
    /// The environment of the program.
    pub(super) environment: &'static str,
    /// The mount of the volume.
    pub(super) mount: &'static str,
    /// The volume.
    pub(super) volume: &'static str,
}

/// The parts for a certificate.
pub(super) fn parts(certificate: &ManifestCertificate) -> CertificateParts {
    match certificate {
        ManifestCertificate::Own => CertificateParts {
            head: include_str!("../../manifest/head-own.yaml"),
            and_certificates: ", and the authority of its certificate",
            rights: include_str!("../../manifest/certificate-own.yaml"),
            without_rights: "",
            argument: "",
            environment: include_str!("../../manifest/replica.yaml"),
            mount: "",
            volume: "",
        },
        ManifestCertificate::Secret { .. } => CertificateParts {
            head: include_str!("../../manifest/head-secret.yaml"),
            and_certificates: "",
            rights: "",
            without_rights: " To run without any: false here, --heartbeat=off, --observed=off, --cluster-waivers=off, --protection=off and --check-result=off \
                             below, and no roles.",
            argument: "        - --tls-dir=/etc/aksarc/tls\n",
            environment: "",
            mount: "        - name: tls\n          mountPath: /etc/aksarc/tls\n          readOnly: true\n",
            volume: "      - name: tls\n        secret:\n          secretName: guard-tls\n          defaultMode: 0440\n",
        },
    }
}
