//! Skipping objects and lists: all bytes of a block are compared at once, by vector instructions.

use wide::u8x64;

/// The length of the object or list at the beginning of `bytes`, found by counting braces outside strings. `None` when
/// it does not end.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let mut count = BraceCount::default();
    let (blocks, rest) = bytes.as_chunks();
    for (at, block) in blocks.iter().enumerate() {
        if let Some(length) = count.end(block) {
            return Some(at * BLOCK + length);
        }
    }
    let mut last = [b' '; BLOCK];
    last.get_mut(..rest.len())?.copy_from_slice(rest);
    count.end(&last).map(|length| blocks.len() * BLOCK + length)
}

/// What is known behind a block.
#[derive(Default)]
struct BraceCount {
    /// Objects and lists that are open.
    depth: usize,
    /// All bits set where the block ends within a string, and none elsewhere.
    in_string: u64,
    /// Whether the block ends with a backslash that escapes the byte behind it.
    escapes: bool,
}

impl BraceCount {
    /// Walks through the next block. Returns the index behind the brace that ends the outermost object or list, if it is in
    /// the block.
    fn end(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let bytes = u8x64::new(*block);
        let mut quotes = bytes.simd_eq(b'"').to_bitmask();
        let backslashes = bytes.simd_eq(b'\\');
        if self.escapes || backslashes.any() {
            quotes &= !self.escaped(backslashes.to_bitmask());
        }
        let strings = self.in_string ^ toggled(quotes);
        self.in_string = 0_u64.wrapping_sub(strings >> 63);
        // `[` and `]` differ from `{` and `}` by this one bit.
        let folded = bytes | u8x64::splat(b'[' ^ b'{');
        let mut braces = (folded.simd_eq(b'{') | folded.simd_eq(b'}')).to_bitmask() & !strings;
        while braces != 0 {
            let at = braces.trailing_zeros() as usize;
            match block.get(at)? {
                b'{' | b'[' => self.depth += 1,
                _ => self.depth = self.depth.checked_sub(1)?,
            }
            if self.depth == 0 {
                return Some(at + 1);
            }
            braces &= braces - 1;
        }
        None
    }

    /// The bytes of a block that a backslash escapes.
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.escapes);
        let mut rest = backslashes & !escaped;
        self.escapes = false;
        while rest != 0 {
            let backslash = rest & rest.wrapping_neg();
            self.escapes = backslash >> 63 == 1;
            escaped |= backslash << 1;
            rest &= !(backslash | backslash << 1);
        }
        escaped
    }
}

/// A mask in which each bit tells whether an odd number of bits is set in `marks` up to it: with the quotes of a block as
/// marks, whether a byte is in a string.
fn toggled(marks: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(marks, |toggled, by| toggled ^ toggled << by)
}

/// Bytes that are looked at together: the bits of a mask.
const BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_ends_where_it_should_whatever_its_strings_hold_and_wherever_blocks_end() {
        for content in [
            "",
            r#""]""#,
            r#""}]{[""#,
            r#""\"]""#,
            r#""\\","]""#,
            r#""\\\"]""#,
            r#""\\\\\\","\\\\\\\"]""#,
            r#"{"a":[[]]},[{}]"#,
        ] {
            for before in 0..2 * BLOCK {
                let list = format!("[{}{content}]", " ".repeat(before));
                for behind in ["", "]", ",\"]\"", &"]".repeat(2 * BLOCK)] {
                    assert_eq!(length(format!("{list}{behind}").as_bytes()), Some(list.len()), "{list}{behind}");
                }
                // Cut short, it has no end.
                let (cut, _) = list.split_at(list.len() - 1);
                assert_eq!(length(cut.as_bytes()), None, "{cut}");
            }
        }
        let long = format!("[\"{}\"]", "\\\\".repeat(BLOCK * 3));
        for at in 0..long.len() {
            assert_eq!(length(long.split_at(at).0.as_bytes()), None);
        }
        assert_eq!(length(long.as_bytes()), Some(long.len()));
    }
}
