//! Commands that findings suggest: their words, the remarks that a reader needs before running them, and their quoting
//! for a shell.
//!
//! A rule only names the words of a command. Quoting, the flags that select the cluster, and the choice of the shell
//! are decided here and by the plugin, in one place for all rules.

use std::fmt;

use crate::data::Platform;
use crate::text;

/// The shell that a line is pasted into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shell {
    /// bash, and every POSIX shell.
    #[default]
    Bash,
    /// PowerShell 7.3 or newer, which hands words to programs as they are.
    PowerShell,
}

impl Shell {
    /// The name of the shell, as users type it and as JSON carries it.
    pub fn as_str(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::PowerShell => "powershell",
        }
    }

    /// The shell with this name.
    pub fn parse(word: &str) -> Option<Self> {
        [Shell::Bash, Shell::PowerShell].into_iter().find(|shell| shell.as_str() == word)
    }

    /// Quotes a word so that the shell passes it to the program unchanged. Of a `--flag=value` only the value is
    /// quoted.
    pub fn quote(self, word: &str) -> String {
        match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") && self.is_plain(flag) && !self.is_plain(word) => {
                format!("{flag}={}", self.quoted(value))
            }
            _ if !word.is_empty() && self.is_plain(word) => word.to_owned(),
            _ => self.quoted(word),
        }
    }

    /// Whether the shell passes the word on unchanged without quotes.
    fn is_plain(self, word: &str) -> bool {
        let harmless = match self {
            Shell::Bash => "-_./:=,+@%",
            // In PowerShell a comma makes a list, `@` splats, and `--%` ends all parsing.
            Shell::PowerShell => "-_./:=+",
        };
        // PowerShell splits `-a.b` and `-a:b`.
        let parameter =
            self == Shell::PowerShell && word.starts_with('-') && !word.starts_with("--") && word.contains(['.', ':']);
        word.chars().all(|c| c.is_ascii_alphanumeric() || harmless.contains(c)) && !parameter
    }

    fn quoted(self, word: &str) -> String {
        match self {
            Shell::Bash => format!("'{}'", word.replace('\'', r"'\''")),
            // PowerShell takes typographic single quotes for the plain one; two of them in a row stand for one.
            Shell::PowerShell => {
                let mut out = String::from("'");
                for c in word.chars() {
                    if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
                        out.push(c);
                    }
                    out.push(c);
                }
                out + "'"
            }
        }
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A command that undoes a finding, or helps to find the way there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    pub(crate) argv: Vec<String>,
    pub(crate) blanks: Vec<&'static str>,
    pub(crate) platforms: Vec<Platform>,
    says_platforms: bool,
    pub(crate) caution: Option<String>,
    /// For a command that does not clear the finding: what it does instead.
    pub(crate) only: Option<String>,
    pub(crate) shell: Shell,
    /// The place in `argv` of the object's name, where the program takes several names in a row.
    pub(crate) name_at: Option<usize>,
    fits: bool,
}

impl Command {
    /// A kubectl command with these words, for objects outside namespaces.
    pub fn kubectl<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        Command::program("kubectl").words(words)
    }

    /// A kubectl command with these words, in a namespace. An empty namespace is left out.
    pub fn kubectl_in<'w>(namespace: &str, words: impl IntoIterator<Item = &'w str>) -> Self {
        Command::program("kubectl").namespace(namespace).words(words)
    }

    /// A Helm command with these words.
    pub fn helm<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        Command::program("helm").words(words)
    }

    /// A command of the Azure CLI with these words, for a platform that it manages.
    pub fn az<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        Command::program("az").words(words)
    }

    /// A cmdlet of AKS hybrid's PowerShell module, with these words.
    pub fn cmdlet<'w>(name: &str, words: impl IntoIterator<Item = &'w str>) -> Self {
        Command { shell: Shell::PowerShell, ..Command::program(name) }.words(words)
    }

    fn program(name: &str) -> Self {
        Command {
            argv: vec![name.to_owned()],
            blanks: Vec::new(),
            platforms: Vec::new(),
            says_platforms: false,
            caution: None,
            only: None,
            shell: Shell::Bash,
            name_at: None,
            fits: true,
        }
    }

    fn namespace(self, namespace: &str) -> Self {
        if namespace.is_empty() { self } else { self.word("-n").name(namespace) }
    }

    fn words<'w>(self, words: impl IntoIterator<Item = &'w str>) -> Self {
        words.into_iter().fold(self, Command::word)
    }

    /// Adds a word that the rule itself chose.
    #[must_use]
    pub fn word(mut self, word: &str) -> Self {
        self.fits &= text::clean(word) == word;
        self.argv.push(word.to_owned());
        self
    }

    /// Adds a word that comes from the cluster and is therefore chosen by anybody who can write an object.
    #[must_use]
    pub fn name(mut self, word: &str) -> Self {
        self.fits &= !word.starts_with('-') && !word.is_empty();
        self.word(word)
    }

    /// Adds the name of an object, as [`Command::name`] does, where the program takes the names of more objects behind it: the
    /// same command for many objects is then one line.
    #[must_use]
    pub fn one_of(mut self, word: &str) -> Self {
        self.name_at = Some(self.argv.len());
        self.name(word)
    }

    /// Adds a word in capitals that the reader has to fill in.
    #[must_use]
    pub fn blank(mut self, word: &'static str) -> Self {
        self.blanks.push(word);
        self.word(word)
    }

    /// Limits the command to these platforms.
    #[must_use]
    pub fn on(mut self, platforms: &[Platform]) -> Self {
        self.platforms = platforms.to_vec();
        self
    }

    /// Whether the command is for a platform.
    pub fn is_for(&self, platform: Platform) -> bool {
        self.platforms.is_empty() || self.platforms.contains(&platform)
    }

    /// Adds the platforms to the printed line, for a reader whose platform is not known.
    pub fn name_platforms(&mut self) {
        self.says_platforms = true;
    }

    /// Adds a caution for the reader of the command, such as what it destroys or replaces.
    #[must_use]
    pub fn caution(mut self, caution: impl Into<String>) -> Self {
        self.caution = Some(caution.into());
        self
    }

    /// Marks the command as one that does not clear the finding, and says what it does instead.
    #[must_use]
    pub fn only(mut self, does: impl Into<String>) -> Self {
        self.only = Some(does.into());
        self
    }

    /// Adds flags that select the cluster, right after the program's name.
    pub fn flags(&mut self, flags: &[String]) {
        self.argv.splice(1..1, flags.iter().cloned());
        self.name_at = self.name_at.map(|place| place + flags.len());
    }

    /// Sets the shell that the line is for. Cmdlets stay PowerShell's.
    pub fn shell(&mut self, shell: Shell) {
        if !self.is_cmdlet() {
            self.shell = shell;
        }
    }

    /// The words of the command, from the program's name on: `kubectl`, `helm`, `az`, or a cmdlet.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// The program's name.
    pub fn program_name(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// Whether the command is a cmdlet, which only PowerShell knows.
    pub fn is_cmdlet(&self) -> bool {
        !matches!(self.program_name(), "kubectl" | "helm" | "az")
    }

    /// Whether the command clears the finding.
    pub fn clears(&self) -> bool {
        self.only.is_none()
    }

    /// Whether every word can be printed and passed on safely: no control characters, and no word from the cluster that
    /// a program would take for a flag. Commands that fail this are left out.
    pub fn fits(&self) -> bool {
        self.fits
    }

    /// The command as a line to paste.
    pub fn line(&self) -> String {
        self.argv.iter().map(|word| self.shell.quote(word)).collect::<Vec<_>>().join(" ")
    }

    /// The remark on the command, in one line: words to fill in, what it destroys, and what it does not do.
    pub fn remark(&self) -> Option<String> {
        let fill_in = (!self.blanks.is_empty()).then(|| format!("fill in {}", listed(&self.blanks)));
        let parts: Vec<String> = [fill_in, self.caution.clone(), self.only.clone()].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The line to paste, followed by its remark as a comment that both shells understand.
    pub fn printed(&self) -> String {
        let shell = self.is_cmdlet().then_some("PowerShell");
        let platforms = self.platforms.iter().filter(|_| self.says_platforms).map(|platform| platform.as_str());
        let lead: Vec<&str> = shell.into_iter().chain(platforms).collect();
        let lead = if lead.is_empty() { String::new() } else { format!("{}: ", lead.join(", ")) };
        match self.remark() {
            Some(remark) => format!("{lead}{}  # {}", self.line(), text::clean(&remark)),
            None => format!("{lead}{}", self.line()),
        }
    }
}

/// Words joined as a list: `GROUP, CLUSTER and POOL`.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bash_gets_every_word_as_it_is() {
        let quote = |word: &str| Shell::Bash.quote(word);
        assert_eq!(quote("a.b/c=d,e"), "a.b/c=d,e");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("$(reboot)"), "'$(reboot)'");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(r#"--patch={"a":1}"#), r#"--patch='{"a":1}'"#);
        assert_eq!(quote("a/b=x --all"), "'a/b=x --all'");
    }

    /// The expected words come from PowerShell's own tests for quotes, spaces and backslashes inside single quotes
    /// (PowerShell/PowerShell, `NativeCommandArguments.Tests.ps1`, read on 2026-11-29), and from its own escaper,
    /// `CodeGeneration.EscapeSingleQuotedStringContent`: a typographic single quote ends a string, and two in a row
    /// stand for one.
    #[test]
    fn powershell_gets_every_word_as_it_is() {
        let quote = |word: &str| Shell::PowerShell.quote(word);
        assert_eq!(quote("node/moc-l1"), "node/moc-l1");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("a,b"), "'a,b'");
        assert_eq!(quote("@x"), "'@x'");
        assert_eq!(quote("$HOME"), "'$HOME'");
        assert_eq!(quote("it's"), "'it''s'");
        assert_eq!(
            quote("\u{2018}a\u{2019}\u{201a}\u{201b}"),
            "'\u{2018}\u{2018}a\u{2019}\u{2019}\u{201a}\u{201a}\u{201b}\u{201b}'"
        );
        assert_eq!(quote(r#"a"b c"d"#), r#"'a"b c"d'"#);
        assert_eq!(quote(r#"a\"b c\"d"#), r#"'a\"b c\"d'"#);
        assert_eq!(quote(r".\test 1\"), r"'.\test 1\'");
        assert_eq!(quote("{abc}"), "'{abc}'");
        assert_eq!(quote("-a.b"), "'-a.b'");
        assert_eq!(quote("--replicas=2"), "--replicas=2");
        assert_eq!(quote(r#"--patch={"a":1}"#), r#"--patch='{"a":1}'"#);
    }

    #[test]
    fn a_line_is_its_words_followed_by_its_remarks() {
        let mut label = Command::kubectl_in("shop", ["label", "pod"]).name("web").name("a/b=it's");
        assert_eq!(label.line(), r"kubectl -n shop label pod web 'a/b=it'\''s'");
        assert_eq!(label.printed(), label.line());
        label.flags(&["--context".to_owned(), "prod west".to_owned()]);
        label.shell(Shell::PowerShell);
        assert_eq!(label.line(), "kubectl --context 'prod west' -n shop label pod web 'a/b=it''s'");
        let az = Command::az(["aksarc", "upgrade", "--resource-group"]).blank("GROUP").word("--name").blank("CLUSTER");
        let az = az.caution("restarts every node").only("moves the nodes one by one");
        assert_eq!(
            az.printed(),
            "az aksarc upgrade --resource-group GROUP --name CLUSTER  # fill in GROUP and CLUSTER; restarts every node; moves the nodes one by one"
        );
        assert!(!az.clears() && label.clears());
    }

    #[test]
    fn a_cmdlet_stays_powershells() {
        let mut cmdlet = Command::cmdlet("Update-AksHciCluster", ["-name"]).blank("CLUSTER").on(&[Platform::Hci22h2]);
        cmdlet.shell(Shell::Bash);
        assert_eq!(cmdlet.printed(), "PowerShell: Update-AksHciCluster -name CLUSTER  # fill in CLUSTER");
        cmdlet.name_platforms();
        assert!(cmdlet.printed().starts_with("PowerShell, hci-22h2: Update-"));
    }

    #[test]
    fn a_word_that_steers_a_program_or_a_terminal_fits_nowhere() {
        assert!(Command::kubectl(["delete", "node"]).name("moc-l1").fits());
        for name in ["--all", "-A", "", "a\u{1b}[2J", "a\nb", "\u{202e}x"] {
            assert!(!Command::kubectl(["delete", "node"]).name(name).fits(), "{name:?}");
        }
    }
}
