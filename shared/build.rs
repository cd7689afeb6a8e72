//! Turns the tables, which people edit as YAML, into the JSON that the programs hold.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var_os("OUT_DIR").ok_or("Cargo sets OUT_DIR")?;
    println!("cargo::rerun-if-changed={TABLES}");
    for entry in fs::read_dir(TABLES)? {
        let path = entry?.path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|end| end == "yaml")) else {
            continue;
        };
        let table = to_json(&fs::read_to_string(&path)?).map_err(|error| format!("{}: {error}", path.display()))?;
        fs::write(Path::new(&out).join(name).with_extension("json"), table)?;
    }
    Ok(())
}

fn to_json(yaml: &str) -> Result<String, Box<dyn Error>> {
    let table: serde_json::Value = serde_saphyr::from_str(yaml)?;
    Ok(serde_json::to_string(&table)?)
}

const TABLES: &str = "data";
