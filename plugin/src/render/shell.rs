//! Commands to copy: names and values in them come from the cluster, so whoever can write an object can choose them.

use std::borrow::Cow;

use aksarc_shared::finding::Finding;
use aksarc_shared::text;

/// A command of a finding with everything quoted that a POSIX shell could take for more than a word.
///
/// `None` where the object's name would be taken for a flag: such a command is better not at hand.
pub(crate) fn ready(fix: &str, finding: &Finding) -> Option<String> {
    let object = &finding.object;
    if object.name.starts_with('-') || object.namespace.starts_with('-') {
        return None;
    }
    let key = finding.path.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    let own = [Some(&*object.name), Some(&*object.namespace), finding.before.as_deref(), finding.after.as_deref(), key];
    let mut values: Vec<Cow<'_, str>> = own.into_iter().flatten().map(text::clean).collect();
    values.retain(|value| !value.chars().all(is_plain));
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));

    let fix = text::clean(fix);
    let mut out = String::with_capacity(fix.len());
    let mut rest = &*fix;
    while let Some(next) = rest.chars().next() {
        if let Some((value, behind)) = values.iter().find_map(|value| Some((value, rest.strip_prefix(&**value)?))) {
            quote(&mut out, value);
            rest = behind;
            continue;
        }
        let strange = rest.find(|c| is_plain(c) || c == ' ').unwrap_or(rest.len());
        if strange == 0 {
            out.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        } else {
            let (word, behind) = rest.split_at(strange);
            quote(&mut out, word);
            rest = behind;
        }
    }
    Some(out)
}

fn quote(out: &mut String, word: &str) {
    out.push('\'');
    out.push_str(&word.replace('\'', r"'\''"));
    out.push('\'');
}

/// What no shell makes anything of.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c)
}

#[cfg(test)]
mod tests {
    use aksarc_shared::catalogue;
    use aksarc_shared::finding::{Basis, Consequence, ObjectRef};

    use super::*;

    fn finding(name: &str, before: &str) -> Finding {
        let rule = catalogue::find("AA201").unwrap();
        Finding {
            code: "AA201",
            slug: rule.slug,
            consequence: Consequence::Voids,
            basis: Basis::Explicit,
            documents: Vec::new(),
            clauses: rule.clauses,
            object: ObjectRef { name: name.to_owned(), ..ObjectRef::default() },
            members: Vec::new(),
            path: "metadata.labels[a/b]".to_owned(),
            before: Some(before.to_owned()),
            after: None,
            message: String::new(),
            evidence: Vec::new(),
            fix: Vec::new(),
            fingerprint: String::new(),
            waiver: None,
        }
    }

    #[test]
    fn plain_commands_stay_as_they_are() {
        let command = "kubectl label node moc-l1 a/b=Standard_A4_v2 --overwrite";
        assert_eq!(ready(command, &finding("moc-l1", "Standard_A4_v2")).as_deref(), Some(command));
    }

    #[test]
    fn values_from_the_cluster_stay_one_word() {
        let ready =
            |value: &str| ready(&format!("kubectl label node n a/b={value} -l x"), &finding("n", value)).unwrap();
        assert_eq!(ready("x --all"), "kubectl label node n a/b='x --all' -l x");
        assert_eq!(ready("$(id)"), "kubectl label node n a/b='$(id)' -l x");
        assert_eq!(ready("it's; id"), r"kubectl label node n a/b='it'\''s; id' -l x");
        assert_eq!(ready("é"), "kubectl label node n a/b='é' -l x");
    }

    #[test]
    fn what_is_no_value_we_know_can_at_most_be_a_word() {
        let ready = |command: &str| ready(command, &finding("n", "v")).unwrap();
        assert_eq!(ready("kubectl get x; id | sh"), "kubectl get x';' id '|' sh");
        assert_eq!(ready("a `id` > b"), "a '`'id'`' '>' b");
    }

    #[test]
    fn a_name_that_looks_like_a_flag_gets_no_command() {
        assert_eq!(ready("kubectl delete node --all", &finding("--all", "v")), None);
    }
}
