//! Pseudonyms: the same name under the same key has the same one, and nobody without the key can go back or confirm a guess.
//!
//! A pseudonym is the HMAC-SHA-256 of the class and the name under the key, cut to 48 bits, behind a word for the
//! class. Names are few and easily guessed, so that a plain hash of them would be no secret. Whoever has the key goes
//! back by way of the result that they kept: it holds the names, and the key makes their pseudonyms again.

use std::path::Path;

use aksarc_shared::text;
use anyhow::{Context as _, bail};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::input::settings;

/// The class of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameClass {
    /// A cluster: a context of a kubeconfig.
    Cluster,
    /// A machine that is no node, by name or address.
    Host,
    /// A user's namespace.
    Namespace,
    /// A node, by name or address.
    Node,
    /// A person or an account.
    User,
}

/// The secret that pseudonyms are made with.
pub(crate) struct PseudonymKey(hmac::Key);

impl NameClass {
    /// The word that pseudonyms of this class begin with.
    fn word(self) -> &'static str {
        match self {
            NameClass::Cluster => "cluster",
            NameClass::Host => "host",
            NameClass::Namespace => "namespace",
            NameClass::Node => "node",
            NameClass::User => "user",
        }
    }
}

impl PseudonymKey {
    /// The key in a file.
    ///
    /// # Errors
    /// The file cannot be read, or is too short to be a secret.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = settings::read(path).context("--pseudonyms")?;
        let secret = text.trim();
        if secret.len() < LEAST {
            bail!(
                "--pseudonyms: {} holds {} characters, and a key has at least {LEAST} that nobody guesses. Make one: {}",
                path.display(),
                secret.len(),
                make(path)
            );
        }
        Ok(PseudonymKey(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// A key that nobody keeps: its pseudonyms lead nowhere.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn forgotten() -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        if SystemRandom::new().fill(&mut secret).is_err() {
            bail!("the system has no random numbers for pseudonyms without a key");
        }
        Ok(PseudonymKey(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// The pseudonym of a name.
    pub(crate) fn pseudonym(&self, class: NameClass, name: &str) -> String {
        // The platform begins its nodes' names so. It tells nothing, and rules look at it.
        let is_platforms = class == NameClass::Node && name.starts_with("moc-");
        let word = if is_platforms { "moc" } else { class.word() };
        format!("{word}-{}", self.digits(class.word(), name, BYTES))
    }

    /// The fingerprint that takes the place of one which is made of names.
    pub(crate) fn fingerprint(&self, own: &str) -> String {
        self.digits("fingerprint", own, own.len() / 2)
    }

    fn digits(&self, class: &str, name: &str, bytes: usize) -> String {
        let mut named = class.as_bytes().to_vec();
        // No name holds a zero byte, so that class and name cannot run into each other.
        named.push(0);
        named.extend_from_slice(name.as_bytes());
        let tag = hmac::sign(&self.0, &named);
        text::hex(tag.as_ref().get(..bytes).unwrap_or(tag.as_ref()))
    }
}

/// A command that makes a key.
fn make(path: &Path) -> String {
    let path = path.display();
    if cfg!(windows) {
        format!("[Convert]::ToBase64String([Security.Cryptography.RandomNumberGenerator]::GetBytes(32)) > {path}")
    } else {
        format!("(umask 077; head -c 32 /dev/urandom | base64 > {path})")
    }
}

/// The fewest characters of a key: 128 bits as hex have 32, as base64 22.
const LEAST: usize = 22;

/// The bytes of a pseudonym: two of 10,000 names share one with a chance of less than one in a million.
const BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> PseudonymKey {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        PseudonymKey::read(file.path()).unwrap()
    }

    #[test]
    fn a_pseudonym_is_of_the_key_the_class_and_the_name() {
        let own = key("0123456789abcdef0123456789abcdef\n");
        let name = own.pseudonym(NameClass::Node, "n1");
        assert_eq!(name, key("0123456789abcdef0123456789abcdef").pseudonym(NameClass::Node, "n1"));
        assert!(name.starts_with("node-") && name.len() == 17, "{name}");
        let others = [
            own.pseudonym(NameClass::Node, "n2"),
            own.pseudonym(NameClass::Host, "n1"),
            key("0123456789abcdef0123456789abcdee").pseudonym(NameClass::Node, "n1"),
            PseudonymKey::forgotten().unwrap().pseudonym(NameClass::Node, "n1"),
        ];
        let digits = |name: &str| name.split('-').next_back().unwrap().to_owned();
        assert!(others.iter().all(|other| digits(other) != digits(&name)), "{others:?}");
        assert!(own.pseudonym(NameClass::Node, "moc-l1").starts_with("moc-"));
        // By RFC 2104 with SHA-256, as any other program makes it.
        assert_eq!(name, "node-249cd808688b");
    }

    #[test]
    fn a_key_that_can_be_guessed_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "password\n").unwrap();
        let said = PseudonymKey::read(file.path()).err().unwrap().to_string();
        assert!(said.contains("holds 8 characters") && said.contains("/dev/urandom"), "{said}");
        let said = format!("{:#}", PseudonymKey::read(Path::new("gone")).err().unwrap());
        assert!(said.contains("gone"), "{said}");
    }
}
