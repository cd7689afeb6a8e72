//! The items of a case page.

/// A part of a case page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CasePart {
    /// The heading.
    pub heading: &'static str,
    /// The facts and remarks.
    pub items: Vec<CaseItem>,
}

/// An item of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseItem {
    /// A fact under a label.
    Fact {
        /// The label.
        label: &'static str,
        /// The fact.
        value: String,
    },
    /// A fact that the report does not know, with the command that tells it.
    NotKnown {
        /// The label.
        label: &'static str,
        /// The person or place to ask.
        ask: &'static str,
        /// The command, with words in capitals to be filled in.
        command: Option<&'static str>,
    },
    /// A remark.
    Remark(String),
    /// A command to run, and what it is for.
    Command {
        /// What it is for.
        purpose: &'static str,
        /// The line.
        line: &'static str,
    },
    /// A change to the cluster.
    Change(CaseChange),
}

/// A change that somebody made, as far as the report tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseChange {
    /// The object, `node/moc-l1`.
    pub object: String,
    /// The field.
    pub field: String,
    /// The moment in UTC; empty where nothing tells it.
    pub at: String,
    /// The client that wrote it; empty where nothing tells it.
    pub by: String,
    /// The value before, or the one that should be there; `None` where it is not known.
    pub before: Option<String>,
    /// The value now; `None` where there is none.
    pub after: Option<String>,
    /// What became of it.
    pub now: String,
    /// The state of the change now.
    pub rule: String,
}

impl CaseChange {
    /// What stands in place of the value before, where it is not known.
    pub(crate) const NO_BEFORE: &'static str = "not known";

    /// What stands in place of the value now, where there is none: it is gone, or the report does not tell it.
    pub(crate) fn no_after(&self) -> &'static str {
        if self.before.is_some() { "not there" } else { "not told" }
    }
}

/// A fact under a label.
pub(super) fn fact(label: &'static str, value: impl Into<String>) -> CaseItem {
    CaseItem::Fact { label, value: value.into() }
}
