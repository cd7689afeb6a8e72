//! The house as a text, for `cargo xtask house`.

use std::collections::BTreeMap;
use std::fmt;

use super::{House, room};

impl fmt::Display for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rooms: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for source in &self.sources {
            let (files, lines) = rooms.entry(room(&source.path)).or_default();
            *files += 1;
            *lines += source.lines;
        }
        let lines: usize = rooms.values().map(|(_, lines)| lines).sum();
        writeln!(f, "ROOMS: {}, with {} files of {lines} lines", rooms.len(), self.sources.len())?;
        writeln!(f, "{:<30} {:>5} {:>7}", "room", "files", "lines")?;
        for (room, (files, lines)) in &rooms {
            writeln!(f, "{room:<30} {files:>5} {lines:>7}")?;
        }

        let mut between: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (from, to) in &self.arrows {
            let pair = (room(self.path(*from)), room(self.path(*to)));
            if pair.0 != pair.1 {
                *between.entry(pair).or_default() += 1;
            }
        }
        writeln!(f, "\nARROWS BETWEEN ROOMS: {}", between.len())?;
        for ((from, to), files) in &between {
            writeln!(f, "{from} -> {to}   {files}")?;
        }

        writeln!(f, "\nARROWS BETWEEN FILES: {}", self.arrows.len())?;
        for arrow in &self.arrows {
            writeln!(f, "{}", self.shown(*arrow))?;
        }

        let circles = self.circles();
        writeln!(f, "\nCIRCLES BETWEEN FILES: {}", circles.len())?;
        for circle in &circles {
            writeln!(f, "{}", circle.join(", "))?;
        }

        let definitions: usize = self.names.values().map(Vec::len).sum();
        writeln!(f, "\nNAMES THAT STAND FOR SEVERAL TYPES: {}, for {definitions} types", self.names.len())?;
        for (name, files) in &self.names {
            let files: Vec<&str> = files.iter().map(|at| self.path(*at)).collect();
            writeln!(f, "{name:<20} {}   {}", files.len(), files.join(", "))?;
        }
        writeln!(f, "\nFILES WITH TWO TYPES OF ONE NAME: {}", self.twice.len())?;
        for (file, name) in &self.twice {
            writeln!(f, "{}: {name}", self.path(*file))?;
        }
        Ok(())
    }
}
