//! Turns the tables, which people edit as YAML, into the JSON that the programs hold, and lists the pages of the rules.

use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("Cargo sets OUT_DIR")?);
    println!("cargo::rerun-if-changed={TABLES}");
    println!("cargo::rerun-if-changed={RULES}");
    fs::write(out.join("pages.rs"), pages()?)?;
    for entry in fs::read_dir(TABLES)? {
        let path = entry?.path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "yaml")) else {
            continue;
        };
        let table = to_json(&fs::read_to_string(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        fs::write(out.join(name).with_extension("json"), table)?;
    }
    Ok(())
}

fn to_json(yaml: &str) -> Result<String, Box<dyn Error>> {
    let table: serde_json::Value = serde_saphyr::from_str(yaml)?;
    Ok(serde_json::to_string(&table)?)
}

/// The table of pages, as Rust: `AA201` and the text of `aa201.md`.
fn pages() -> Result<String, Box<dyn Error>> {
    let mut files = fs::read_dir(RULES)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    files.retain(|path| path.extension().is_some_and(|end| end == "md"));
    files.sort();
    let mut table = String::from("static PAGES: &[(&str, &str)] = &[\n");
    for path in files {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().to_uppercase();
        let path = fs::canonicalize(&path)?.display().to_string();
        writeln!(table, "    ({name:?}, include_str!({path:?})),")?;
    }
    table.push_str("];\n");
    Ok(table)
}

const TABLES: &str = "data";
const RULES: &str = "src/rules";
