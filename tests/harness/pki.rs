//! Certificates of one control plane: an authority, the API server's, one per client.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

#[derive(Debug)]
pub(crate) struct Pki {
    directory: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(crate) struct KeyFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Pki {
    /// An authority of its own, with its files in `directory`.
    pub(crate) fn new(directory: PathBuf) -> anyhow::Result<Self> {
        let authority = CertifiedIssuer::self_signed(authority(), KeyPair::generate()?)?;
        fs::create_dir_all(&directory)?;
        write(&directory.join("ca.pem"), &authority.pem())?;
        write(&directory.join("ca-key.pem"), &authority.key().serialize_pem())?;
        Ok(Self { directory, authority })
    }

    /// For who signs certificates in its name.
    pub(crate) fn authority_key(&self) -> PathBuf {
        self.directory.join("ca-key.pem")
    }

    /// A request for a client's certificate, in PEM, and the place of its key, which lies beside the certificate's.
    pub(crate) fn request(&self, file: &str, user: &str, group: &str) -> anyhow::Result<(String, KeyFiles)> {
        let pair = KeyPair::generate()?;
        let files = self.files(file);
        write(&files.key, &pair.serialize_pem())?;
        Ok((client(user, Some(group)).serialize_request(&pair)?.pem()?, files))
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// For a server on loopback.
    pub(crate) fn server(&self, name: &str) -> anyhow::Result<KeyFiles> {
        self.server_of(name, &LOOPBACK)
    }

    /// For a server of these names.
    pub(crate) fn server_of(&self, name: &str, names: &[&str]) -> anyhow::Result<KeyFiles> {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(name, &params)
    }

    /// For the same server and key, holding from and to so many days from now. Who reads the file meanwhile sees
    /// either.
    pub(crate) fn renew(&self, name: &str, from: i64, to: i64) -> anyhow::Result<()> {
        let files = self.files(name);
        let pair = KeyPair::from_pem(&fs::read_to_string(&files.key)?)?;
        let mut params = CertificateParams::new(LOOPBACK.map(str::to_owned))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        hold(&mut params, from, to)?;
        replace(&files.certificate, &params.signed_by(&pair, &self.authority)?.pem())
    }

    /// Lets the authority itself hold from and to so many days from now. What it has signed stays good, as name and key
    /// are the same. The certificate in PEM.
    pub(crate) fn renew_authority(&self, from: i64, to: i64) -> anyhow::Result<String> {
        let mut params = authority();
        hold(&mut params, from, to)?;
        let pem = params.self_signed(self.authority.key())?.pem();
        replace(&self.authority(), &pem)?;
        Ok(pem)
    }

    /// For a client: the user name is the common name, the group is the organization.
    pub(crate) fn client(&self, file: &str, user: &str, group: Option<&str>) -> anyhow::Result<KeyFiles> {
        let mut params = client(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(file, &params)
    }

    /// The key that service-account tokens are signed with, and its public half.
    pub(crate) fn token_key(&self) -> anyhow::Result<KeyFiles> {
        let pair = KeyPair::generate()?;
        let files = self.files("service-accounts");
        write(&files.key, &pair.serialize_pem())?;
        write(&files.certificate, &pair.public_key_pem())?;
        Ok(files)
    }

    fn issue(&self, name: &str, params: &CertificateParams) -> anyhow::Result<KeyFiles> {
        let pair = KeyPair::generate()?;
        let certificate = params.signed_by(&pair, &self.authority)?;
        let files = self.files(name);
        write(&files.certificate, &certificate.pem())?;
        write(&files.key, &pair.serialize_pem())?;
        Ok(files)
    }

    fn files(&self, name: &str) -> KeyFiles {
        KeyFiles {
            certificate: self.directory.join(format!("{name}.pem")),
            key: self.directory.join(format!("{name}-key.pem")),
        }
    }
}

fn client(user: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "kubernetes");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

fn hold(params: &mut CertificateParams, from: i64, to: i64) -> anyhow::Result<()> {
    let now = Timestamp::now().as_second();
    let day = |days: i64| {
        let seconds = u64::try_from(now + days * SECONDS)?;
        anyhow::Ok(date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds))
    };
    (params.not_before, params.not_after) = (day(from)?, day(to)?);
    Ok(())
}

/// Seconds of a day.
const SECONDS: i64 = 86_400;

const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "kubernetes.default.svc"];

/// Replaces a file in one step: a reader sees the old text or the new.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    write(&unfinished, text)?;
    fs::rename(&unfinished, path).with_context(|| format!("cannot replace {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
